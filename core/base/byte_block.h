/* Sixteen bytes at once, in the compilers' own notation for vectors: operators work on each byte, a comparison gives
 * 0xFF or 0. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_BYTE_BLOCK_H
#define CORE_BASE_BYTE_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BYTE_BLOCK = 16 };

typedef unsigned char byte_block __attribute__((vector_size(BYTE_BLOCK)));

static inline byte_block byte_block_load(const void *from)
{
    byte_block block;
    memcpy(&block, from, sizeof block);
    return block;
}

static inline void byte_block_store(void *to, byte_block block)
{
    memcpy(to, &block, sizeof block);
}

/* Where the first byte stands that is not 0; BYTE_BLOCK if all are. */
static inline size_t byte_block_first(byte_block block)
{
    uint64_t half[2];
    memcpy(half, &block, sizeof half);
    if ((half[0] | half[1]) == 0)
        return BYTE_BLOCK;
    size_t skipped = half[0] != 0 ? 0 : 8;
    uint64_t bits = half[0] != 0 ? half[0] : half[1];
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return skipped + (size_t)__builtin_ctzll(bits) / 8;
#else
    return skipped + (size_t)__builtin_clzll(bits) / 8;
#endif
}

#endif
