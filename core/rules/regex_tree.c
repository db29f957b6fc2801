/* See regex_tree.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/regex_tree.h"

#include "base/heap.h"
#include "base/unicode.h"

void regex_fini(struct regex *re)
{
    for (size_t i = 0; i < re->sets_len; i++)
        charset_fini(&re->sets[i]);
    heap_free(re->sets);
    heap_free(re->nodes);
    *re = (struct regex){0};
}

/* Room for one more; *items moves. */
static int reserve(void **items, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return 0;
    size_t grown = *cap > 0 ? *cap * 2 : 16;
    void *moved = heap_resize(*items, grown * size);
    if (moved == NULL)
        return REIN_ENOMEM;
    *items = moved;
    *cap = grown;
    return 0;
}

int64_t tree_node(struct regex *re, enum regex_kind kind, uint32_t index)
{
    if (re->nodes_len == 0)
        re->nodes_len = 1;
    if (re->nodes_len == REGEX_NODES_MAX)
        return REIN_ELIMIT;
    void *nodes = re->nodes;
    int rv = reserve(&nodes, &re->nodes_cap, re->nodes_len, sizeof(*re->nodes));
    re->nodes = nodes;
    if (rv != 0)
        return rv;
    re->nodes[re->nodes_len] = (struct regex_node){.kind = kind, .index = index};
    return (int64_t)re->nodes_len++;
}

int64_t tree_set(struct regex *re, struct charset *set)
{
    void *sets = re->sets;
    int rv = reserve(&sets, &re->sets_cap, re->sets_len, sizeof(*re->sets));
    re->sets = sets;
    if (rv != 0) {
        charset_fini(set);
        return rv;
    }
    charset_tidy(set);
    re->sets[re->sets_len++] = *set;
    *set = (struct charset){0};
    return tree_node(re, REGEX_SET, (uint32_t)re->sets_len - 1);
}

int64_t tree_repeat(struct regex *re, uint32_t child, int32_t min, int32_t max)
{
    int64_t node = tree_node(re, REGEX_REPEAT, 0);
    if (node > 0) {
        re->nodes[node].child = child;
        re->nodes[node].min = min;
        re->nodes[node].max = max;
    }
    return node;
}

void tree_append(struct regex *re, uint32_t parent, uint32_t child)
{
    re->nodes[child].prev = re->nodes[parent].child;
    re->nodes[parent].child = child;
}

static int64_t fold_char(struct regex *re, uint32_t codepoint)
{
    char bytes[FOLD_MAX];
    struct span folded = {bytes, fold_codepoint(codepoint, bytes)};
    int64_t cat = tree_node(re, REGEX_CAT, 0);
    while (cat > 0 && folded.len > 0) {
        uint32_t part;
        size_t step = (size_t)utf8_next(folded, &part);
        folded = (struct span){folded.data + step, folded.len - step};
        int64_t node = tree_node(re, REGEX_CHAR, part);
        if (node < 0)
            return node;
        tree_append(re, (uint32_t)cat, (uint32_t)node);
    }
    return cat;
}

int64_t tree_char(struct regex *re, uint32_t codepoint, bool folded, bool caseless)
{
    if (folded)
        return fold_char(re, codepoint);
    if (!caseless || (codepoint_upper(codepoint) == codepoint && codepoint_lower(codepoint) == codepoint))
        return tree_node(re, REGEX_CHAR, codepoint);
    struct charset set = {0};
    int rv = charset_add(&set, codepoint, codepoint);
    if (rv == 0)
        rv = charset_add_cases(&set);
    if (rv != 0) {
        charset_fini(&set);
        return rv;
    }
    return tree_set(re, &set);
}

/* One literal below `alt`. */
static int add_literal(struct regex *re, uint32_t alt, struct span text, bool folded, const char **what)
{
    int64_t cat = tree_node(re, REGEX_CAT, 0);
    if (cat < 0)
        return (int)cat;
    tree_append(re, alt, (uint32_t)cat);
    bool blank = true;
    while (text.len > 0) {
        uint32_t codepoint;
        int step = utf8_next(text, &codepoint);
        if (step <= 0) {
            *what = "a literal is not valid UTF-8";
            return REIN_EPOLICY;
        }
        int64_t node = tree_char(re, codepoint, folded, false);
        if (node < 0)
            return (int)node;
        tree_append(re, (uint32_t)cat, (uint32_t)node);
        blank = blank && re->nodes[node].kind == REGEX_CAT && re->nodes[node].child == 0;
        text = (struct span){text.data + step, text.len - (size_t)step};
    }
    if (blank)
        *what = "a literal is empty";
    return blank ? REIN_EPOLICY : 0;
}

int regex_literals(struct regex *re, const char *const *literals, size_t len, bool folded, struct regex_error *error)
{
    *re = (struct regex){0};
    *error = (struct regex_error){0};
    int64_t alt = tree_node(re, REGEX_ALT, 0);
    if (alt < 0)
        return (int)alt;
    re->root = (uint32_t)alt;
    for (size_t i = 0; i < len; i++) {
        int rv = add_literal(re, re->root, (struct span){literals[i], strlen(literals[i])}, folded, &error->what);
        if (rv != 0)
            return rv;
    }
    return 0;
}
