/* See coalesce.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/coalesce.h"

void coalesce_note(struct coalesce *turn, size_t bytes, uint64_t now_us)
{
    if (turn->reads++ == 0)
        turn->began_us = now_us;
    turn->bytes += bytes;
}

static bool has_many_small(const struct coalesce *turn)
{
    return turn->reads >= COALESCE_READS && turn->bytes / turn->reads < COALESCE_BYTES;
}

uint64_t coalesce_end(struct coalesce *turn, uint64_t now_us)
{
    bool has_many = has_many_small(turn), was_behind = turn->is_behind;
    uint64_t rest_us = has_many && was_behind ? (now_us - turn->began_us) / 2 : 0;
    *turn = (struct coalesce){.is_behind = has_many};
    return rest_us < COALESCE_MAX_US ? rest_us : COALESCE_MAX_US;
}
