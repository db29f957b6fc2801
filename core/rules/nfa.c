/* See nfa.h. Code is made from the end backwards: each function gets the instruction that comes next and returns the
 * one to enter by, so nothing has to be patched but loops. SPDX-License-Identifier: Apache-2.0 */
#include "rules/nfa.h"

#include "base/heap.h"

enum { SHARE_WINDOW = 64 };

void nfa_fini(struct nfa *nfa)
{
    heap_free(nfa->insts);
    *nfa = (struct nfa){0};
}

static int64_t emit(struct nfa *nfa, struct nfa_inst inst)
{
    if (nfa->len == NFA_LEN_MAX)
        return REIN_ELIMIT;
    struct nfa_inst *insts = heap_one_more(nfa->insts, nfa->len, &nfa->cap, 64, sizeof(*insts));
    if (insts == NULL)
        return REIN_ENOMEM;
    nfa->insts = insts;
    nfa->insts[nfa->len] = inst;
    return (int64_t)nfa->len++;
}

static int64_t fork(struct nfa *nfa, int64_t a, int64_t b)
{
    return emit(nfa, (struct nfa_inst){.op = NFA_FORK, .out = (uint32_t)a, .other = (uint32_t)b});
}

/* A range of bytes; equal ones of the same set (those from `first` on) are shared, as UTF-8 tails repeat a lot. */
static int64_t emit_bytes(struct nfa *nfa, size_t first, uint8_t lo, uint8_t hi, int64_t next)
{
    if (nfa->len - first > SHARE_WINDOW)
        first = nfa->len - SHARE_WINDOW;
    for (size_t i = first; i < nfa->len; i++) {
        const struct nfa_inst *inst = &nfa->insts[i];
        if (inst->op == NFA_BYTES && inst->lo == lo && inst->hi == hi && inst->out == (uint32_t)next)
            return (int64_t)i;
    }
    return emit(nfa, (struct nfa_inst){.op = NFA_BYTES, .lo = lo, .hi = hi, .out = (uint32_t)next});
}

static int64_t emit_range(struct nfa *nfa, size_t first, const struct utf8_range *range, int64_t next)
{
    for (unsigned i = range->len; i > 0 && next >= 0; i--)
        next = emit_bytes(nfa, first, range->lo[i - 1], range->hi[i - 1], next);
    return next;
}

static int64_t emit_set(struct nfa *nfa, const struct charset *set, int64_t next)
{
    size_t first = nfa->len;
    int64_t entry = -1;
    for (size_t i = 0; i < set->len; i++) {
        struct char_range left = set->ranges[i];
        struct utf8_range part;
        while (utf8_range_next(&left, &part)) {
            int64_t way = emit_range(nfa, first, &part, next);
            if (way >= 0)
                entry = entry < 0 ? way : fork(nfa, way, entry);
            if (way < 0 || entry < 0)
                return way < 0 ? way : entry;
        }
    }
    /* An empty set matches nothing: a range without bytes. */
    return entry >= 0 ? entry : emit(nfa, (struct nfa_inst){.op = NFA_BYTES, .lo = 1, .hi = 0});
}

static int64_t emit_char(struct nfa *nfa, uint32_t codepoint, int64_t next)
{
    struct char_range one = {codepoint, codepoint};
    struct utf8_range range;
    utf8_range_next(&one, &range);
    return emit_range(nfa, nfa->len, &range, next);
}

static int64_t emit_node(struct nfa *nfa, const struct regex *re, uint32_t node, int64_t next);

static int64_t emit_alternatives(struct nfa *nfa, const struct regex *re, const struct regex_node *alt, int64_t next)
{
    int64_t entry = -1;
    for (uint32_t child = alt->child; child != 0; child = re->nodes[child].prev) {
        int64_t way = emit_node(nfa, re, child, next);
        if (way < 0)
            return way;
        entry = entry < 0 ? way : fork(nfa, way, entry);
        if (entry < 0)
            return entry;
    }
    return entry;
}

static int64_t emit_loop(struct nfa *nfa, const struct regex *re, uint32_t child, int64_t next)
{
    int64_t loop = fork(nfa, next, next);
    int64_t body = loop < 0 ? loop : emit_node(nfa, re, child, loop);
    if (body >= 0)
        nfa->insts[loop].out = (uint32_t)body;
    return body < 0 ? body : loop;
}

static int64_t emit_repeat(struct nfa *nfa, const struct regex *re, const struct regex_node *repeat, int64_t next)
{
    int64_t entry = next;
    if (repeat->max == REGEX_FOREVER)
        entry = emit_loop(nfa, re, repeat->child, next);
    else
        for (int32_t i = repeat->min; i < repeat->max && entry >= 0; i++) {
            int64_t body = emit_node(nfa, re, repeat->child, entry);
            entry = body < 0 ? body : fork(nfa, body, next);
        }
    for (int32_t i = 0; i < repeat->min && entry >= 0; i++)
        entry = emit_node(nfa, re, repeat->child, entry);
    return entry;
}

static int64_t emit_node(struct nfa *nfa, const struct regex *re, uint32_t number, int64_t next)
{
    const struct regex_node *node = &re->nodes[number];
    if (++nfa->steps > NFA_STEPS_MAX) /* repetitions of something empty emit no code */
        return REIN_ELIMIT;
    switch (node->kind) {
    case REGEX_SET:
        return emit_set(nfa, &re->sets[node->index], next);
    case REGEX_CHAR:
        return emit_char(nfa, node->index, next);
    case REGEX_CAT:
        for (uint32_t child = node->child; child != 0 && next >= 0; child = re->nodes[child].prev)
            next = emit_node(nfa, re, child, next);
        return next;
    case REGEX_ALT:
        return emit_alternatives(nfa, re, node, next);
    case REGEX_REPEAT:
        return emit_repeat(nfa, re, node, next);
    case REGEX_ASSERT:
        return emit(nfa, (struct nfa_inst){.op = NFA_ASSERT, .lo = (uint8_t)node->index, .out = (uint32_t)next});
    case REGEX_EMPTY:
        break;
    }
    return next;
}

int nfa_compile(struct nfa *nfa, const struct regex *re)
{
    *nfa = (struct nfa){0};
    int64_t match = emit(nfa, (struct nfa_inst){.op = NFA_MATCH});
    int64_t start = match < 0 ? match : emit_node(nfa, re, re->root, match);
    if (start < 0)
        return (int)start;
    nfa->start = (uint32_t)start;
    return 0;
}
