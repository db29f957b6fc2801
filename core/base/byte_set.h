/* Sets of bytes, and the search for the first member in a text: most of what is done to a text is to skip it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A set is kept twice: as a table for single bytes, and as rows for a block of bytes at once. The low half of a byte
 * says which row, the high half which bit of it. A row has eight bits, so bytes from 0x80 on have rows of their own.
 *
 * Thread: any, as long as nobody adds. */
#ifndef CORE_BASE_BYTE_SET_H
#define CORE_BASE_BYTE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/byte_block.h"
#include "base/bytes.h"

struct byte_set {
    bool has[256];
    unsigned char rows[2][BYTE_BLOCK];
};

/* The fixed set of all bytes for which the macro is(c) holds. */
#define BYTE_SET(is)                                                                                                   \
    {                                                                                                                  \
        {BYTE_SET_256(is)},                                                                                            \
        {                                                                                                              \
            {BYTE_SET_ROWS(is, 0)},                                                                                    \
            {                                                                                                          \
                BYTE_SET_ROWS(is, 0x80)                                                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

#define BYTE_SET_256(is) BYTE_SET_64(is, 0), BYTE_SET_64(is, 64), BYTE_SET_64(is, 128), BYTE_SET_64(is, 192)
#define BYTE_SET_64(is, c)                                                                                             \
    BYTE_SET_16(is, (c)), BYTE_SET_16(is, (c) + 16), BYTE_SET_16(is, (c) + 32), BYTE_SET_16(is, (c) + 48)
#define BYTE_SET_16(is, c)                                                                                             \
    BYTE_SET_4(is, (c)), BYTE_SET_4(is, (c) + 4), BYTE_SET_4(is, (c) + 8), BYTE_SET_4(is, (c) + 12)
#define BYTE_SET_4(is, c) is((c)), is((c) + 1), is((c) + 2), is((c) + 3)
#define BYTE_SET_ROWS(is, c)                                                                                           \
    BYTE_SET_4_ROWS(is, (c)), BYTE_SET_4_ROWS(is, (c) + 4), BYTE_SET_4_ROWS(is, (c) + 8), BYTE_SET_4_ROWS(is, (c) + 12)
#define BYTE_SET_4_ROWS(is, c)                                                                                         \
    BYTE_SET_ROW(is, (c)), BYTE_SET_ROW(is, (c) + 1), BYTE_SET_ROW(is, (c) + 2), BYTE_SET_ROW(is, (c) + 3)
#define BYTE_SET_ROW(is, c)                                                                                            \
    (is((c)) | is((c) + 0x10) << 1 | is((c) + 0x20) << 2 | is((c) + 0x30) << 3 | is((c) + 0x40) << 4 |                 \
     is((c) + 0x50) << 5 | is((c) + 0x60) << 6 | is((c) + 0x70) << 7)

void byte_set_add(struct byte_set *set, unsigned char byte);

/* byte_set_skip of a text of at least BYTE_BLOCK bytes. */
size_t byte_set_skip_blocks(const struct byte_set *set, struct span text);

/* Is none of these four in the set? */
static inline bool byte_set_lacks(const struct byte_set *set, const unsigned char *at)
{
    return !(set->has[at[0]] | set->has[at[1]] | set->has[at[2]] | set->has[at[3]]);
}

/* How many bytes at the beginning are not in the set. Inline, because many a text is short. */
static inline size_t byte_set_skip(const struct byte_set *set, struct span text)
{
    const unsigned char *start = (const unsigned char *)text.data, *end = start + text.len, *at = start;
    if (text.len >= 4 + BYTE_BLOCK && byte_set_lacks(set, at))
        return 4 + byte_set_skip_blocks(set, (struct span){text.data + 4, text.len - 4});
    while (end - at >= 4 && byte_set_lacks(set, at))
        at += 4;
    while (at < end && !set->has[*at])
        at++;
    return (size_t)(at - start);
}

#endif
