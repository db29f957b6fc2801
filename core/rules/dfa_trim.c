/* Trims an automaton: what is left are states from which a match can be reached, or in which one has just ended; and
 * measures it: how many bytes a match still needs in each state, and how long the longest is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/heap.h"
#include "rules/dfa.h"

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

int dfa_trim(struct dfa *dfa)
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
