/* See byte_set.h. Where the processor looks up sixteen bytes in a table of sixteen at once, blocks are tested whole;
 * elsewhere it goes byte by byte. SPDX-License-Identifier: Apache-2.0 */
#include "base/byte_set.h"

void byte_set_add(struct byte_set *set, unsigned char byte)
{
    set->has[byte] = true;
    set->rows[byte >> 7][byte & 0x0F] |= (unsigned char)(1u << (byte >> 4 & 7));
}

#if defined(__SSSE3__) || (defined(__aarch64__) && defined(__ARM_NEON) && defined(__AARCH64EL__))

#ifdef __SSSE3__
#include <tmmintrin.h>

/* For each byte of `at`, the table's byte at that index; 0 for 0x80 or more. */
static inline byte_block look_up(byte_block table, byte_block at)
{
    return (byte_block)_mm_shuffle_epi8((__m128i)table, (__m128i)at);
}
#else
#include <arm_neon.h>

static inline byte_block look_up(byte_block table, byte_block at)
{
    return (byte_block)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)at);
}
#endif

struct rows {
    byte_block low, high;
};

/* Where the block's first member stands, BYTE_BLOCK if it has none. */
static inline size_t find_in_block(struct rows rows, const char *at)
{
    static const byte_block bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    byte_block bytes = byte_block_load(at), in_row = bytes & 0x8F;
    byte_block row = look_up(rows.low, in_row) | look_up(rows.high, in_row ^ 0x80);
    byte_block bit = look_up(bits, bytes >> 4), members = (byte_block)((row & bit) == bit);
    return byte_block_first(members);
}

size_t byte_set_skip_blocks(const struct byte_set *set, struct span text)
{
    struct rows rows = {byte_block_load(set->rows[0]), byte_block_load(set->rows[1])};
    size_t last = text.len - BYTE_BLOCK, found;
    for (size_t at = 0; at < last; at += BYTE_BLOCK)
        if ((found = find_in_block(rows, text.data + at)) < BYTE_BLOCK)
            return at + found;
    return last + find_in_block(rows, text.data + last); /* some of it a second time */
}

#else

size_t byte_set_skip_blocks(const struct byte_set *set, struct span text)
{
    size_t at = 0;
    while (at < text.len && !set->has[(unsigned char)text.data[at]])
        at++;
    return at;
}

#endif
