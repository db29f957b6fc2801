/* See coalesce.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "coalesce.h"

void coalesce_note(struct coalesce *turn, size_t bytes, uint64_t now_us)
{
    if (turn->reads++ == 0)
        turn->began_us = now_us;
    turn->bytes += bytes;
}

uint64_t coalesce_rest_us(const struct coalesce *turn, uint64_t now_us)
{
    if (turn->reads < COALESCE_READS || turn->bytes / turn->reads >= COALESCE_BYTES)
        return 0;
    uint64_t rest_us = (now_us - turn->began_us) / 2;
    return rest_us < COALESCE_MAX_US ? rest_us : COALESCE_MAX_US;
}
