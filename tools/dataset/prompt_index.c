/* See prompt_index.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/prompt_index.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

enum { BLOCKS = 4, BLOCK_BITS = 16, BUCKETS = 1 << BLOCK_BITS };

struct entry {
    uint64_t words, simhash;
    uint32_t next[BLOCKS]; /* 1 + the entry before in the same bucket; 0: none. Short prompts are in none */
};
_Static_assert(sizeof(struct entry) == 32, "the header promises it");

struct prompt_index {
    struct entry *entries;
    size_t len, cap;
    uint32_t buckets[BLOCKS][BUCKETS];
    /* By words: open addressing, 1 + the entry; 0: none. At most half full. */
    uint32_t *slots;
    size_t slots_len;
};

uint64_t prompt_mix(uint64_t value)
{
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* ---- prints ---- */

static unsigned char word_byte(char c)
{
    unsigned char byte = (unsigned char)c;
    if (byte >= 'A' && byte <= 'Z')
        return (unsigned char)(byte - 'A' + 'a');
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80 ? byte : 0;
}

static void simhash_add(int32_t sums[64], uint64_t feature)
{
    for (int bit = 0; bit < 64; bit++)
        sums[bit] += (feature >> bit & 1) != 0 ? 1 : -1;
}

struct prompt_print prompt_print_of(const char *prompt)
{
    int32_t sums[64] = {0};
    struct prompt_print print = {0};
    uint64_t word = 0, before = 0;
    for (;; prompt++) {
        unsigned char byte = word_byte(*prompt);
        if (byte != 0) {
            word = prompt_mix(word ^ byte);
            continue;
        }
        if (word != 0) {
            print.words = prompt_mix(print.words ^ word);
            print.words_len++;
            simhash_add(sums, word);
            if (before != 0)
                simhash_add(sums, prompt_mix(before) ^ word);
            before = word;
            word = 0;
        }
        if (*prompt == '\0')
            break;
    }
    for (int bit = 0; bit < 64; bit++)
        print.simhash |= (uint64_t)(sums[bit] > 0) << bit;
    return print;
}

/* ---- the index ---- */

int prompt_index_new(struct prompt_index **out)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? 0 : REIN_ENOMEM;
}

void prompt_index_free(struct prompt_index *index)
{
    if (index == NULL)
        return;
    free(index->entries);
    free(index->slots);
    free(index);
}

static uint32_t *slot_of(const struct prompt_index *index, uint64_t words)
{
    size_t at = words & (index->slots_len - 1);
    while (index->slots[at] != 0 && index->entries[index->slots[at] - 1].words != words)
        at = (at + 1) & (index->slots_len - 1);
    return &index->slots[at];
}

static int index_grow(struct prompt_index *index)
{
    assert(index->len <= index->cap);
    if (index->len < index->cap)
        return 0;
    if (index->cap == PROMPT_INDEX_MAX)
        return REIN_ELIMIT;
    size_t cap = index->cap > 0 ? index->cap * 2 : 1024;
    struct entry *entries = realloc(index->entries, cap * sizeof *entries);
    if (entries == NULL)
        return REIN_ENOMEM;
    index->entries = entries;
    uint32_t *slots = calloc(cap * 2, sizeof *slots);
    if (slots == NULL)
        return REIN_ENOMEM;
    free(index->slots);
    index->slots = slots;
    index->slots_len = cap * 2;
    index->cap = cap;
    for (size_t i = 0; i < index->len; i++)
        *slot_of(index, index->entries[i].words) = (uint32_t)i + 1;
    return 0;
}

static unsigned block_of(uint64_t simhash, int block)
{
    return (unsigned)(simhash >> block * BLOCK_BITS & (BUCKETS - 1));
}

static bool bucket_has_near(const struct prompt_index *index, int block, unsigned bucket, uint64_t simhash)
{
    for (uint32_t at = index->buckets[block][bucket]; at != 0; at = index->entries[at - 1].next[block])
        if (__builtin_popcountll(index->entries[at - 1].simhash ^ simhash) <= PROMPT_NEAR_BITS)
            return true;
    return false;
}

/* In each table the bucket of the block itself, and those that differ from it in one bit. */
static bool has_near(const struct prompt_index *index, uint64_t simhash)
{
    _Static_assert(PROMPT_NEAR_BITS < 2 * BLOCKS, "else no block has to be as near as that");
    for (int block = 0; block < BLOCKS; block++) {
        unsigned own = block_of(simhash, block);
        if (bucket_has_near(index, block, own, simhash))
            return true;
        for (int bit = 0; bit < BLOCK_BITS; bit++)
            if (bucket_has_near(index, block, own ^ 1u << bit, simhash))
                return true;
    }
    return false;
}

int prompt_index_add(struct prompt_index *index, const struct prompt_print *print, enum prompt_match *match)
{
    bool is_long = print->words_len >= PROMPT_WORDS_MIN;
    int rv = index_grow(index);
    if (rv != 0)
        return rv;
    uint32_t *slot = slot_of(index, print->words);
    *match = *slot != 0 ? PROMPT_SAME : is_long && has_near(index, print->simhash) ? PROMPT_NEAR : PROMPT_NEW;
    if (*match != PROMPT_NEW)
        return 0;
    struct entry *entry = &index->entries[index->len++];
    *entry = (struct entry){.words = print->words, .simhash = print->simhash};
    *slot = (uint32_t)index->len;
    for (int block = 0; block < BLOCKS && is_long; block++) {
        uint32_t *head = &index->buckets[block][block_of(print->simhash, block)];
        entry->next[block] = *head;
        *head = (uint32_t)index->len;
    }
    return 0;
}
