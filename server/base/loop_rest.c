/* See loop_rest.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_rest.h"

void loop_rest_note(struct loop_rest *turn, size_t bytes, uint64_t now_us)
{
    if (turn->reads++ == 0)
        turn->began_us = now_us;
    turn->bytes += bytes;
}

static bool has_many_small(const struct loop_rest *turn)
{
    return turn->reads >= LOOP_REST_READS && turn->bytes / turn->reads < LOOP_REST_BYTES;
}

uint64_t loop_rest_end(struct loop_rest *turn, uint64_t now_us)
{
    bool has_many = has_many_small(turn), was_behind = turn->is_behind;
    uint64_t rest_us = has_many && was_behind ? (now_us - turn->began_us) / 2 : 0;
    *turn = (struct loop_rest){.is_behind = has_many};
    return rest_us < LOOP_REST_MAX_US ? rest_us : LOOP_REST_MAX_US;
}
