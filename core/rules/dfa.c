/* See dfa.h. Subset construction: a state is the set of instructions that a run may be at.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What an assertion claims about the byte before is known when a state is entered; what it claims about the byte after
 * is not, so such assertions stay in the set and are resolved by the next byte, or by the end of the text. */
#include "rules/dfa.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

/* What is known about the place where assertions are examined. */
struct place {
    bool begins;           /* of the text */
    bool next_known, ends; /* is the next byte known, or the end? */
    bool word_before, word_after;
};

struct list {
    uint32_t *items;
    size_t len;
};

/* What a state knows besides its set: the context in which it was entered, and whether a match ended before its byte.
 */
struct tags {
    bool begins, word_before, before;
};

/* A state under construction: its set is items[first .. first + len). */
struct subset {
    size_t first, len;
    struct tags tags;
    bool pending; /* it has assertions that wait for what follows */
};

struct builder {
    const struct nfa *nfa;
    struct dfa *dfa;
    struct subset *subsets;
    size_t subsets_cap;
    uint32_t *items; /* of all sets, one after the other */
    size_t items_len, items_cap;
    uint32_t *slots; /* hash table of states, 0: empty */
    size_t slots_len;
    struct list stack, now, after; /* scratch, as long as the program */
    uint32_t *marks;               /* marks[pc] == mark: in the list that is being made */
    uint32_t mark;
    uint64_t work;
    uint8_t sample[256]; /* one byte of each class */
};

/* ---- sets -------------------------------------------------------------------------------------------------------- */

static void begin_list(struct builder *b, struct list *list)
{
    list->len = 0;
    b->mark++;
}

static bool dfa_holds(const struct nfa_inst *inst, const struct place *place)
{
    switch ((enum regex_assert)inst->lo) {
    case ASSERT_BEGIN:
        return place->begins;
    case ASSERT_END:
        return place->ends;
    case ASSERT_WORD:
        return place->word_before != place->word_after;
    case ASSERT_NOT_WORD:
        return place->word_before == place->word_after;
    }
    return false;
}

static void push(struct builder *b, uint32_t pc)
{
    if (b->marks[pc] == b->mark)
        return;
    b->marks[pc] = b->mark;
    b->stack.items[b->stack.len++] = pc;
}

/* Adds pc and everything reachable from it without consuming a byte. */
static void dfa_add(struct builder *b, struct list *list, uint32_t pc, const struct place *place)
{
    push(b, pc);
    while (b->stack.len > 0) {
        pc = b->stack.items[--b->stack.len];
        const struct nfa_inst *inst = &b->nfa->insts[pc];
        b->work++;
        if (inst->op == NFA_FORK) {
            push(b, inst->other);
            push(b, inst->out);
        } else if (inst->op != NFA_ASSERT || (inst->lo != ASSERT_BEGIN && !place->next_known))
            list->items[list->len++] = pc;
        else if (dfa_holds(inst, place))
            push(b, inst->out);
    }
}

static bool has_match(const struct builder *b, const struct list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (b->nfa->insts[list->items[i]].op == NFA_MATCH)
            return true;
    return false;
}

static bool has_assert(const struct builder *b, const struct list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (b->nfa->insts[list->items[i]].op == NFA_ASSERT)
            return true;
    return false;
}

/* The state's set with its assertions resolved, in b->now. */
static void resolve(struct builder *b, uint32_t state, const struct place *place)
{
    const struct subset *set = &b->subsets[state];
    begin_list(b, &b->now);
    if (!set->pending) {
        memcpy(b->now.items, b->items + set->first, set->len * sizeof(*b->items));
        b->now.len = set->len;
        b->work += set->len / 8;
        return;
    }
    for (size_t i = 0; i < set->len; i++)
        dfa_add(b, &b->now, b->items[set->first + i], place);
}

/* Does the state have a match, if this is what follows? */
static bool resolves(struct builder *b, uint32_t state, struct place follows)
{
    follows.next_known = true;
    follows.begins = b->subsets[state].tags.begins;
    follows.word_before = b->subsets[state].tags.word_before;
    resolve(b, state, &follows);
    return has_match(b, &b->now);
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static size_t hash_set(const struct list *list, struct tags tags)
{
    uint64_t h = 0x9E3779B97F4A7C15u + tags.begins * 4u + tags.word_before * 2u + tags.before;
    for (size_t i = 0; i < list->len; i++)
        h = (h ^ list->items[i]) * 0x100000001B3u + (h >> 29);
    return (size_t)(h ^ h >> 32);
}

static bool is_subset(const struct builder *b, uint32_t state, const struct list *list, struct tags tags)
{
    const struct subset *set = &b->subsets[state];
    return set->len == list->len && set->tags.begins == tags.begins && set->tags.word_before == tags.word_before &&
           set->tags.before == tags.before &&
           memcmp(b->items + set->first, list->items, list->len * sizeof(*list->items)) == 0;
}

static int grow_items(struct builder *b, size_t more)
{
    if (b->items_len + more <= b->items_cap)
        return 0;
    size_t cap = (b->items_len + more) * 2;
    uint32_t *items = heap_resize(b->items, cap * sizeof(*items));
    if (items == NULL)
        return REIN_ENOMEM;
    b->items = items;
    b->items_cap = cap;
    return 0;
}

static int grow_states(struct builder *b)
{
    struct dfa *dfa = b->dfa;
    if (dfa->states_len < b->subsets_cap)
        return 0;
    size_t cap = b->subsets_cap > 0 ? b->subsets_cap * 2 : 32;
    struct subset *subsets = heap_resize(b->subsets, cap * sizeof(*subsets));
    if (subsets == NULL)
        return REIN_ENOMEM;
    b->subsets = subsets;
    struct dfa_state *states = heap_resize(dfa->states, cap * sizeof(*states));
    if (states == NULL)
        return REIN_ENOMEM;
    dfa->states = states;
    uint32_t *next = heap_resize(dfa->next, cap * dfa->classes_len * sizeof(*next));
    if (next == NULL)
        return REIN_ENOMEM;
    dfa->next = next;
    b->subsets_cap = cap;
    return 0;
}

static void put_slot(struct builder *b, size_t hash, uint32_t state)
{
    while (b->slots[hash & (b->slots_len - 1)] != 0)
        hash++;
    b->slots[hash & (b->slots_len - 1)] = state;
}

static int grow_slots(struct builder *b)
{
    if ((size_t)b->dfa->states_len * 2 < b->slots_len)
        return 0;
    size_t len = b->slots_len > 0 ? b->slots_len * 2 : 64;
    uint32_t *slots = heap_new(len, sizeof(*slots));
    if (slots == NULL)
        return REIN_ENOMEM;
    heap_free(b->slots);
    b->slots = slots;
    b->slots_len = len;
    for (uint32_t s = 1; s < b->dfa->states_len; s++) {
        const struct subset *set = &b->subsets[s];
        struct list list = {b->items + set->first, set->len};
        put_slot(b, hash_set(&list, set->tags), s);
    }
    return 0;
}

static int add_state(struct builder *b, const struct list *list, struct tags tags)
{
    struct dfa *dfa = b->dfa;
    if (dfa->states_len == DFA_STATES_MAX || (size_t)(dfa->states_len + 1) * dfa->classes_len > DFA_TABLE_MAX)
        return REIN_ELIMIT;
    int rv = grow_items(b, list->len);
    if (rv == 0)
        rv = grow_states(b);
    if (rv == 0)
        rv = grow_slots(b);
    if (rv != 0)
        return rv;
    uint32_t state = dfa->states_len++;
    if (list->len > 0)
        memcpy(b->items + b->items_len, list->items, list->len * sizeof(*list->items));
    b->subsets[state] = (struct subset){b->items_len, list->len, tags, has_assert(b, list)};
    b->items_len += list->len;
    memset(dfa->next + (size_t)state * dfa->classes_len, 0, dfa->classes_len * sizeof(*dfa->next));
    bool match = has_match(b, list), at_end = false;
    if (b->subsets[state].pending && !match) {
        at_end = resolves(b, state, (struct place){.ends = true});
        /* Removes assertions that hold whatever follows. */
        match = at_end && resolves(b, state, (struct place){.word_after = true}) &&
                resolves(b, state, (struct place){.word_after = false});
        at_end = at_end && !match;
    }
    dfa->states[state] = (struct dfa_state){
        .flags = (uint8_t)((match ? DFA_MATCH : 0) | (tags.before ? DFA_BEFORE : 0) | (at_end ? DFA_AT_END : 0))};
    if (state != DFA_DEAD)
        put_slot(b, hash_set(list, tags), state);
    return 0;
}

/* The state of the set in `list`, made if it is new. */
static int find_state(struct builder *b, struct list *list, struct tags tags, uint32_t *out)
{
    *out = DFA_DEAD;
    if (list->len == 0 && !tags.before)
        return 0;
    qsort(list->items, list->len, sizeof(*list->items), by_number);
    b->work += list->len;
    /* The preceding byte matters only to assertions. */
    if (!has_assert(b, list))
        tags.begins = tags.word_before = false;
    for (size_t i = hash_set(list, tags);; i++) {
        uint32_t state = b->slots[i & (b->slots_len - 1)];
        if (state == 0)
            break;
        if (is_subset(b, state, list, tags)) {
            *out = state;
            return 0;
        }
    }
    *out = b->dfa->states_len;
    return add_state(b, list, tags);
}

static int follow(struct builder *b, uint32_t state, uint32_t class, uint32_t *out)
{
    unsigned char c = b->sample[class];
    struct tags known = b->subsets[state].tags;
    struct place here = {known.begins, true, false, known.word_before, dfa_is_word(c)};
    resolve(b, state, &here);
    bool before = !(b->dfa->states[state].flags & DFA_MATCH) && has_match(b, &b->now);
    begin_list(b, &b->after);
    for (size_t i = 0; i < b->now.len; i++) {
        const struct nfa_inst *inst = &b->nfa->insts[b->now.items[i]];
        if (inst->op == NFA_BYTES && inst->lo <= c && c <= inst->hi)
            dfa_add(b, &b->after, inst->out, &(struct place){0});
    }
    return find_state(b, &b->after, (struct tags){.word_before = dfa_is_word(c), .before = before}, out);
}

/* ---- byte classes ------------------------------------------------------------------------------------------------ */

/* Bytes that all instructions treat alike are one class. */
static void make_classes(struct builder *b)
{
    bool begins[257] = {true};
    for (size_t i = 0; i < b->nfa->len; i++) {
        const struct nfa_inst *inst = &b->nfa->insts[i];
        if (inst->op == NFA_BYTES && inst->lo <= inst->hi)
            begins[inst->lo] = begins[inst->hi + 1] = true;
        if (inst->op == NFA_ASSERT && (inst->lo == ASSERT_WORD || inst->lo == ASSERT_NOT_WORD))
            for (unsigned c = 1; c < 256; c++)
                begins[c] = begins[c] || dfa_is_word((unsigned char)c) != dfa_is_word((unsigned char)(c - 1));
    }
    struct dfa *dfa = b->dfa;
    for (unsigned c = 0; c < 256; c++) {
        if (begins[c])
            b->sample[dfa->classes_len++] = (uint8_t)c;
        dfa->classes[c] = (uint8_t)(dfa->classes_len - 1);
    }
}

/* ---- the whole build
 * --------------------------------------------------------------------------------------------------- */

static int make_starts(struct builder *b)
{
    for (unsigned context = 0; context < DFA_CONTEXTS; context++) {
        struct tags tags = {.begins = context == DFA_TEXT_BEGINS, .word_before = context == DFA_AFTER_WORD};
        begin_list(b, &b->after);
        dfa_add(b, &b->after, b->nfa->start, &(struct place){.begins = tags.begins});
        int rv = find_state(b, &b->after, tags, &b->dfa->start[context]);
        if (rv != 0)
            return rv;
    }
    return 0;
}

/* Could a match be empty, if all assertions held? */
static bool may_be_empty(struct builder *b)
{
    begin_list(b, &b->now);
    push(b, b->nfa->start);
    bool found = false;
    while (b->stack.len > 0) {
        const struct nfa_inst *inst = &b->nfa->insts[b->stack.items[--b->stack.len]];
        found = found || inst->op == NFA_MATCH;
        if (inst->op == NFA_FORK)
            push(b, inst->other);
        if (inst->op == NFA_FORK || inst->op == NFA_ASSERT)
            push(b, inst->out);
    }
    return found;
}

static int make_states(struct builder *b)
{
    struct dfa *dfa = b->dfa;
    int rv = add_state(b, &b->after, (struct tags){0}); /* DFA_DEAD: the list is empty */
    if (rv == 0)
        rv = make_starts(b);
    for (uint32_t state = 1; state < dfa->states_len && rv == 0; state++)
        for (uint32_t class = 0; class < dfa->classes_len && rv == 0; class ++) {
            uint32_t next;
            rv = follow(b, state, class, &next);
            dfa->next[(size_t)state * dfa->classes_len + class] = next;
            if (b->work > DFA_WORK_MAX)
                rv = REIN_ELIMIT;
        }
    return rv;
}

static int builder_init(struct builder *b)
{
    size_t len = b->nfa->len;
    b->stack.items = heap_new(len, sizeof(uint32_t));
    b->now.items = heap_new(len, sizeof(uint32_t));
    b->after.items = heap_new(len, sizeof(uint32_t));
    b->marks = heap_new(len, sizeof(uint32_t));
    bool whole = b->stack.items != NULL && b->now.items != NULL && b->after.items != NULL && b->marks != NULL;
    return whole ? 0 : REIN_ENOMEM;
}

static void builder_fini(struct builder *b)
{
    heap_free(b->stack.items);
    heap_free(b->now.items);
    heap_free(b->after.items);
    heap_free(b->marks);
    heap_free(b->subsets);
    heap_free(b->items);
    heap_free(b->slots);
}

/* ---- trimming ----
 *
 * What is left are states from which a match can be reached, or in which one has just ended. They are measured: how
 * many bytes a match still needs in each, and how long the longest is. */

enum { NEVER = UINT32_MAX };

/* The reversed edges: those that lead to state s come from from[first[s] .. first[s + 1]). */
struct reverse {
    uint32_t *first, *from;
    uint32_t *queue;
};

static const uint32_t *row(const struct dfa *dfa, uint32_t state)
{
    return dfa->next + (size_t)state * dfa->classes_len;
}

static void reverse_fini(struct reverse *r)
{
    heap_free(r->first);
    heap_free(r->from);
    heap_free(r->queue);
}

static int reverse_init(struct reverse *r, const struct dfa *dfa)
{
    size_t edges = (size_t)dfa->states_len * dfa->classes_len;
    r->first = heap_new((size_t)dfa->states_len + 2, sizeof(*r->first));
    r->from = heap_new(edges, sizeof(*r->from));
    r->queue = heap_new(dfa->states_len, sizeof(*r->queue));
    if (r->first == NULL || r->from == NULL || r->queue == NULL)
        return REIN_ENOMEM;
    /* Counted with an offset of two, so that filling moves each start to its place. */
    for (size_t i = 0; i < edges; i++)
        r->first[dfa->next[i] + 2]++;
    for (uint32_t s = 0; s < dfa->states_len; s++)
        r->first[s + 2] += r->first[s + 1];
    for (size_t i = 0; i < edges; i++)
        r->from[r->first[dfa->next[i] + 1]++] = (uint32_t)(i / dfa->classes_len);
    return 0;
}

static bool leads_to(const struct dfa *dfa, uint32_t state, enum dfa_flag flag)
{
    for (uint32_t c = 0; c < dfa->classes_len; c++)
        if (dfa->states[row(dfa, state)[c]].flags & flag)
            return true;
    return false;
}

/* Breadth first, backwards from where matches end. A match that the byte after it decides needs no more bytes. */
static void measure_missing(struct dfa *dfa, struct reverse *r)
{
    size_t len = 0;
    for (uint32_t s = 1; s < dfa->states_len; s++) {
        bool now = (dfa->states[s].flags & DFA_AT_END) || leads_to(dfa, s, DFA_BEFORE);
        dfa->states[s].missing = now ? 0 : NEVER;
        if (now)
            r->queue[len++] = s;
    }
    for (uint32_t s = 1; s < dfa->states_len; s++)
        if (dfa->states[s].missing == NEVER && leads_to(dfa, s, DFA_MATCH)) {
            dfa->states[s].missing = 1;
            r->queue[len++] = s;
        }
    for (size_t at = 0; at < len; at++)
        for (uint32_t i = r->first[r->queue[at]]; i < r->first[r->queue[at] + 1]; i++) {
            struct dfa_state *from = &dfa->states[r->from[i]];
            if (r->from[i] != DFA_DEAD && from->missing == NEVER) {
                from->missing = dfa->states[r->queue[at]].missing + 1;
                r->queue[len++] = r->from[i];
            }
        }
}

/* Renumbers the states worth keeping, in their order. */
static void drop_states(struct dfa *dfa, uint32_t *number)
{
    uint32_t kept = 1;
    number[DFA_DEAD] = DFA_DEAD;
    for (uint32_t s = 1; s < dfa->states_len; s++) {
        struct dfa_state *state = &dfa->states[s];
        bool live = state->missing != NEVER;
        number[s] = live || (state->flags & (DFA_MATCH | DFA_BEFORE)) ? kept++ : DFA_DEAD;
        state->flags |= live ? DFA_LIVE : 0;
        state->missing = live ? state->missing : 0;
    }
    for (uint32_t s = 1; s < dfa->states_len; s++) {
        if (number[s] == DFA_DEAD)
            continue;
        for (uint32_t c = 0; c < dfa->classes_len; c++)
            dfa->next[(size_t)number[s] * dfa->classes_len + c] = number[row(dfa, s)[c]];
        dfa->states[number[s]] = dfa->states[s];
    }
    for (unsigned context = 0; context < DFA_CONTEXTS; context++) {
        uint32_t start = number[dfa->start[context]];
        dfa->start[context] = dfa->states[start].flags & DFA_LIVE ? start : DFA_DEAD;
        dfa->can_match = dfa->can_match || dfa->start[context] != DFA_DEAD;
    }
    dfa->states_len = kept;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Takes the live states in topological order; if not all have one, there is a loop, and matches are unbounded. */
static void measure_longest(struct dfa *dfa, uint32_t *waits, uint32_t *depth, uint32_t *queue)
{
    size_t len = 0, live = 0;
    for (uint32_t s = 1; s < dfa->states_len; s++)
        if (dfa->states[s].flags & DFA_LIVE)
            for (uint32_t c = 0; c < dfa->classes_len; c++)
                waits[row(dfa, s)[c]]++;
    for (uint32_t s = 1; s < dfa->states_len; s++) {
        live += (dfa->states[s].flags & DFA_LIVE) != 0;
        if ((dfa->states[s].flags & DFA_LIVE) && waits[s] == 0)
            queue[len++] = s;
    }
    for (size_t at = 0; at < len; at++) {
        uint32_t s = queue[at];
        if (dfa->states[s].flags & DFA_AT_END)
            dfa->longest = larger(dfa->longest, depth[s]);
        for (uint32_t c = 0; c < dfa->classes_len; c++) {
            uint32_t to = row(dfa, s)[c];
            unsigned flags = dfa->states[to].flags;
            dfa->longest = larger(dfa->longest, flags & DFA_MATCH ? depth[s] + 1 : flags & DFA_BEFORE ? depth[s] : 0);
            depth[to] = (uint32_t)larger(depth[to], depth[s] + 1);
            if (--waits[to] == 0 && (flags & DFA_LIVE))
                queue[len++] = to;
        }
    }
    if (len < live)
        dfa->longest = SIZE_MAX;
}

static int dfa_trim(struct dfa *dfa)
{
    struct reverse r = {0};
    int rv = reverse_init(&r, dfa);
    if (rv == 0) {
        measure_missing(dfa, &r);
        drop_states(dfa, r.queue);
        /* The reversed edges are not needed any more: their memory is reused. */
        memset(r.first, 0, ((size_t)dfa->states_len + 1) * sizeof(*r.first));
        memset(r.from, 0, (size_t)dfa->states_len * sizeof(*r.from));
        measure_longest(dfa, r.first, r.from, r.queue);
    }
    reverse_fini(&r);
    return rv;
}

/* ---- the whole ---- */

int dfa_build(struct dfa *dfa, const struct nfa *nfa)
{
    *dfa = (struct dfa){0};
    struct builder b = {.nfa = nfa, .dfa = dfa};
    int rv = builder_init(&b);
    if (rv == 0) {
        make_classes(&b);
        dfa->matches_empty = may_be_empty(&b);
        rv = make_states(&b);
    }
    builder_fini(&b);
    return rv == 0 ? dfa_trim(dfa) : rv;
}

void dfa_fini(struct dfa *dfa)
{
    heap_free(dfa->next);
    heap_free(dfa->states);
    *dfa = (struct dfa){0};
}
