/* See word_set.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/word_set.h"

#include <assert.h>

#include "base/heap.h"
#include "base/unicode.h"

/* ---- characters ---- */

/* Scripts without blanks between words (Han, Kana, Thai, Lao, Tibetan, Burmese, Khmer, Bopomofo), and Hangul, whose
 * particles follow a word without one. */
static bool has_no_word_ends(uint32_t c)
{
    return (c >= 0x0E00 && c <= 0x109F) || (c >= 0x1100 && c <= 0x11FF) || (c >= 0x1780 && c <= 0x17FF) ||
           (c >= 0x19E0 && c <= 0x19FF) || (c >= 0x2E80 && c <= 0x2FDF) || (c >= 0x3005 && c <= 0x9FFF) ||
           (c >= 0xA960 && c <= 0xA97F) || (c >= 0xAA60 && c <= 0xAA7F) || (c >= 0xAC00 && c <= 0xD7FF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF66 && c <= 0xFFDC) || (c >= 0x1AFF0 && c <= 0x1B16F) ||
           (c >= 0x20000 && c <= 0x3FFFF);
}

enum char_kind char_kind_of(uint32_t c)
{
    if (c < 0x80) {
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
        return is_letter || (c >= '0' && c <= '9') || c == '_' ? CHAR_WORD : is_space ? CHAR_SPACE : CHAR_OTHER;
    }
    if (codepoint_is_space(c))
        return CHAR_SPACE;
    return !has_no_word_ends(c) && codepoint_is_word(c) ? CHAR_WORD : CHAR_OTHER;
}

/* ---- building ---- */

void word_set_init(struct word_set *set, bool folded)
{
    *set = (struct word_set){.folded = folded};
    for (unsigned c = 0; c < 128; c++) {
        bool is_upper = c >= 'A' && c <= 'Z';
        set->fold[c] = (uint8_t)(folded && is_upper ? c + ('a' - 'A') : c);
        set->kind[c] = folded && is_unseen_ascii((char)c) ? UINT8_MAX : (uint8_t)char_kind_of(c);
    }
}

void word_set_fini(struct word_set *set)
{
    heap_free(set->nodes);
    heap_free(set->parents);
    heap_free(set->slots);
    *set = (struct word_set){0};
}

int word_set_list(struct word_set *set)
{
    if (set->lists_len == WORD_LISTS_MAX)
        return REIN_ELIMIT;
    set->lists_len++;
    return 0;
}

static void put_edge(struct word_set *set, uint32_t key, uint32_t child)
{
    uint32_t at = (uint32_t)(key * UINT32_C(2654435769)) >> set->shift;
    while (set->slots[at].child != 0)
        at = (at + 1) & (set->slots_len - 1);
    set->slots[at] = (struct word_slot){key, child};
}

/* At least half of the slots are empty. */
static int grow_edges(struct word_set *set)
{
    if (set->nodes_len * 2 < set->slots_len)
        return 0;
    struct word_slot *before = set->slots;
    uint32_t len = set->slots_len > 0 ? set->slots_len * 2 : 64;
    struct word_slot *slots = heap_new(len, sizeof *slots);
    if (slots == NULL)
        return REIN_ENOMEM;
    uint32_t before_len = set->slots_len;
    set->slots = slots;
    set->slots_len = len;
    set->shift = (unsigned)__builtin_clz(len) + 1;
    for (uint32_t i = 0; i < before_len; i++)
        if (before[i].child != 0)
            put_edge(set, before[i].key, before[i].child);
    heap_free(before);
    return 0;
}

static int grow_nodes(struct word_set *set)
{
    if (set->nodes_len < set->nodes_cap)
        return 0;
    uint32_t cap = set->nodes_cap > 0 ? set->nodes_cap * 2 : 64;
    struct word_node *nodes = heap_resize(set->nodes, cap * sizeof *nodes);
    if (nodes == NULL)
        return REIN_ENOMEM;
    set->nodes = nodes;
    uint32_t *parents = heap_resize(set->parents, cap * sizeof *parents);
    if (parents == NULL)
        return REIN_ENOMEM;
    set->parents = parents;
    set->nodes_cap = cap;
    return 0;
}

static int new_node(struct word_set *set, uint32_t parent, uint32_t *out)
{
    if (set->nodes_len >= WORD_NODES_MAX)
        return REIN_ELIMIT;
    int rv = grow_nodes(set);
    if (rv == 0)
        rv = grow_edges(set);
    if (rv != 0)
        return rv;
    *out = set->nodes_len++;
    set->nodes[*out] = (struct word_node){0};
    set->parents[*out] = parent;
    return 0;
}

static int make_root(struct word_set *set)
{
    uint32_t node = 0;
    int rv = 0;
    while (set->nodes_len <= WORD_ROOT && rv == 0)
        rv = new_node(set, 0, &node);
    return rv;
}

/* An entry as the rules see it. */
struct seen_entry {
    char bytes[WORD_BYTES_MAX];
    size_t len;
    bool is_too_long, has_space; /* has_space: white space that a character has to follow to count */
};

static void see_char(struct seen_entry *seen, enum char_kind kind, struct span bytes)
{
    if (kind == CHAR_SPACE) {
        seen->has_space = seen->len > 0;
        return;
    }
    size_t len = bytes.len + seen->has_space;
    seen->is_too_long |= seen->len + len > sizeof seen->bytes;
    if (seen->is_too_long)
        return;
    if (seen->has_space)
        seen->bytes[seen->len++] = ' ';
    memcpy(seen->bytes + seen->len, bytes.data, bytes.len);
    seen->len += bytes.len;
    seen->has_space = false;
}

static void see_codepoint(const struct word_set *set, struct seen_entry *seen, uint32_t codepoint)
{
    char folded[FOLD_MAX];
    size_t len = set->folded ? fold_codepoint(codepoint, folded) : utf8_encode(codepoint, folded);
    for (size_t at = 0; at < len;) {
        uint32_t one;
        int step = utf8_next((struct span){folded + at, len - at}, &one);
        assert(step > 0);
        see_char(seen, char_kind_of(one), (struct span){folded + at, (size_t)step});
        at += (size_t)step;
    }
}

static int insert(struct word_set *set, const struct seen_entry *seen)
{
    uint32_t node = WORD_ROOT;
    int rv = make_root(set);
    for (size_t i = 0; i < seen->len && rv == 0; i++) {
        unsigned char byte = (unsigned char)seen->bytes[i];
        uint32_t next = word_set_next(set, node, byte);
        if (next == 0) {
            rv = new_node(set, node, &next);
            if (rv == 0)
                put_edge(set, node << 8 | byte, next);
        }
        node = next;
    }
    if (rv != 0)
        return rv;
    size_t list = set->lists_len - 1;
    set->nodes[node].accepts |= UINT64_C(1) << list;
    set->longest[list] = seen->len > set->longest[list] ? seen->len : set->longest[list];
    return 0;
}

/* In which case letters are taken: as they are, or the cases of Greek words, some of whose letters look like different
 * Latin ones in each (unicode.h). */
enum entry_case { CASE_AS_IT_IS, CASE_LOWER, CASE_UPPER, CASE_TITLE, CASES };

static uint32_t in_case(enum entry_case as, uint32_t codepoint, bool is_first)
{
    if (as == CASE_AS_IT_IS)
        return codepoint;
    return as == CASE_UPPER || (as == CASE_TITLE && is_first) ? codepoint_upper(codepoint) : codepoint_lower(codepoint);
}

static bool has_two_looks(uint32_t c)
{
    c = codepoint_lower(c);
    return c == 0x3B7 || c == 0x3BC || c == 0x3BD || c == 0x3C5;
}

/* *more: it has letters whose cases look different. */
static int add_in_case(struct word_set *set, struct span entry, enum entry_case as, bool *more, const char **what)
{
    struct seen_entry seen = {.len = 0};
    bool is_first = true;
    while (entry.len > 0) {
        uint32_t codepoint;
        int step = utf8_next(entry, &codepoint);
        if (step <= 0) {
            *what = "is not valid UTF-8";
            return REIN_EPOLICY;
        }
        entry = (struct span){entry.data + step, entry.len - (size_t)step};
        see_codepoint(set, &seen, in_case(as, codepoint, is_first));
        is_first = char_kind_of(codepoint) == CHAR_SPACE;
        *more |= set->folded && has_two_looks(codepoint);
    }
    if (seen.len > 0 && !seen.is_too_long)
        return insert(set, &seen);
    *what = seen.is_too_long ? "is too long: an entry has at most 512 bytes"
                             : "is empty: it has nothing but blanks and characters that are not seen";
    return REIN_EPOLICY;
}

int word_set_add(struct word_set *set, struct span entry, const char **what)
{
    bool more = false, ignored = false;
    int rv = add_in_case(set, entry, CASE_AS_IT_IS, &more, what);
    for (int as = CASE_LOWER; more && as < CASES && rv == 0; as++)
        rv = add_in_case(set, entry, (enum entry_case)as, &ignored, what);
    return rv;
}

void word_set_finish(struct word_set *set)
{
    for (uint32_t node = set->nodes_len; node-- > WORD_ROOT + 1;) {
        struct word_node *parent = &set->nodes[set->parents[node]];
        parent->reaches |= set->nodes[node].accepts | set->nodes[node].reaches;
    }
    for (unsigned c = 0; c < 256 && set->nodes_len > 0; c++) {
        bool is_open = c >= 0x80 || set->kind[c] == UINT8_MAX; /* nobody knows yet what it becomes */
        set->begins[c] = is_open || word_set_next(set, WORD_ROOT, set->fold[c]) != 0;
    }
    heap_free(set->parents);
    set->parents = NULL;
}

size_t word_set_bytes(const struct word_set *set)
{
    return set->nodes_cap * sizeof *set->nodes + set->slots_len * sizeof *set->slots;
}
