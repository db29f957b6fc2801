/* See match_run.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/match_run.h"

#include <assert.h>

#include "base/heap.h"
#include "base/unicode.h"

enum run_status {
    RUN_OPEN,    /* in a group */
    RUN_CLOSED,  /* its longest match is known; it waits for earlier runs */
    RUN_DROPPED, /* removed from the order; leaves its group when it is met there */
};

enum { FIRST_CAP = 16, CHECKED_MAX = 512, DFA_DIES = 16, NO_WORD = 0 };

/* Merging groups only saves work; stepping a few is cheaper than comparing them. */
enum { MERGE_FROM = 4 };

/* What all functions below work on. */
struct at {
    struct run_pool *pool;
    struct track *track;
    const struct rule *rule;
    uint16_t number;
    const struct step *step;
    struct match_list *out;
};

void run_pool_fini(struct run_pool *pool)
{
    heap_free(pool->runs);
    heap_free(pool->slots);
    *pool = (struct run_pool){0};
}

void track_fini(struct track *track)
{
    heap_free(track->groups);
    *track = (struct track){0};
}

/* The scratch is made again when it is needed. */
int run_pool_copy(struct run_pool *to, const struct run_pool *from)
{
    struct match_run *runs = from->cap > 0 ? heap_resize(NULL, from->cap * sizeof *runs) : NULL;
    if (from->cap > 0 && runs == NULL)
        return REIN_ENOMEM;
    if (from->len > 0)
        memcpy(runs, from->runs, from->len * sizeof *runs);
    *to = (struct run_pool){.runs = runs, .len = from->len, .cap = from->cap, .free = from->free};
    return 0;
}

int track_copy(struct track *to, const struct track *from)
{
    struct group *groups = from->groups_cap > 0 ? heap_resize(NULL, from->groups_cap * sizeof *groups) : NULL;
    if (from->groups_cap > 0 && groups == NULL)
        return REIN_ENOMEM;
    if (from->groups_len > 0)
        memcpy(groups, from->groups, from->groups_len * sizeof *groups);
    *to = *from;
    to->groups = groups;
    return 0;
}

/* Holds at entry and exit of a track's functions: open groups belong to runs that are in the order. */
static bool track_is_sound(const struct track *track)
{
    return (track->head == 0) == (track->tail == 0) && track->groups_len <= track->groups_cap &&
           (track->groups_len == 0 || track->head != 0);
}

/* ---- pool and order ---------------------------------------------------------------------------------------------- */

static int reserve_run(struct run_pool *pool)
{
    if (pool->free != 0 || pool->len < pool->cap)
        return 0;
    uint32_t cap = pool->cap > 0 ? pool->cap * 2 : FIRST_CAP;
    struct match_run *runs = heap_resize(pool->runs, cap * sizeof(*runs));
    if (runs == NULL)
        return REIN_ENOMEM;
    pool->runs = runs;
    pool->cap = cap;
    if (pool->len == 0)
        pool->len = 1;
    return 0;
}

static void release(struct run_pool *pool, uint32_t run)
{
    pool->runs[run].next = pool->free;
    pool->free = run;
}

/* After reserve_run. */
static uint32_t append_run(struct at *at, uint64_t start)
{
    struct run_pool *pool = at->pool;
    uint32_t run = pool->free;
    if (run != 0)
        pool->free = pool->runs[run].next;
    else
        run = pool->len++;
    pool->runs[run] = (struct match_run){.start = start, .prev = at->track->tail};
    if (at->track->tail != 0)
        pool->runs[at->track->tail].next = run;
    else
        at->track->head = run;
    at->track->tail = run;
    return run;
}

static void unlink_run(struct at *at, uint32_t run)
{
    struct match_run *runs = at->pool->runs, *r = &runs[run];
    if (r->prev != 0)
        runs[r->prev].next = r->next;
    else
        at->track->head = r->next;
    if (r->next != 0)
        runs[r->next].prev = r->prev;
    else
        at->track->tail = r->prev;
}

/* ---- heaps ------------------------------------------------------------------------------------------------------- */

static uint32_t meld(struct match_run *runs, uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a != 0 ? a : b;
    if (runs[b].start < runs[a].start) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    runs[b].sibling = runs[a].child;
    runs[a].child = b;
    return a;
}

/* Melds the children of a removed root, in pairs and then all. */
static uint32_t without_root(struct match_run *runs, uint32_t root)
{
    uint32_t list = runs[root].child, pairs = 0;
    runs[root].child = 0;
    while (list != 0) {
        uint32_t a = list, b = runs[a].sibling;
        list = b != 0 ? runs[b].sibling : 0;
        uint32_t pair = meld(runs, a, b);
        runs[pair].sibling = pairs;
        pairs = pair;
    }
    root = 0;
    while (pairs != 0) {
        uint32_t next = runs[pairs].sibling;
        root = meld(runs, root, pairs);
        pairs = next;
    }
    return root;
}

/* The open run after the root; releases dropped runs on the way. */
static uint32_t next_root(struct run_pool *pool, uint32_t root)
{
    root = without_root(pool->runs, root);
    while (root != 0 && pool->runs[root].status == RUN_DROPPED) {
        uint32_t dropped = root;
        root = without_root(pool->runs, root);
        release(pool, dropped);
    }
    return root;
}

/* ---- the end of runs ---------------------------------------------------------------------------------------- */

/* A run that left its group: if it has a match, it waits until the match is decided. */
static void close_run(struct at *at, uint32_t run)
{
    if (at->pool->runs[run].best != 0) {
        at->pool->runs[run].status = RUN_CLOSED;
        return;
    }
    unlink_run(at, run);
    release(at->pool, run);
}

static void close_group(struct at *at, struct group *group)
{
    while (group->root != 0) {
        uint32_t run = group->root;
        group->root = next_root(at->pool, run);
        close_run(at, run);
    }
}

static void drop_after(struct at *at, uint32_t run)
{
    while (at->track->tail != run) {
        uint32_t last = at->track->tail;
        unlink_run(at, last);
        if (at->pool->runs[last].status == RUN_CLOSED)
            release(at->pool, last);
        else
            at->pool->runs[last].status = RUN_DROPPED;
    }
}

/* Removes groups without runs. */
static void sweep_groups(struct at *at)
{
    struct track *track = at->track;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < track->groups_len; i++) {
        struct group *group = &track->groups[i];
        if (group->root != 0 && at->pool->runs[group->root].status == RUN_DROPPED) {
            uint32_t root = group->root;
            group->root = next_root(at->pool, root);
            release(at->pool, root);
        }
        if (group->root != 0)
            track->groups[kept++] = *group;
    }
    track->groups_len = kept;
}

static int emit(struct at *at, uint64_t start, uint64_t end)
{
    return match_list_add(at->out, (struct match){.rule = at->number, .start = start, .end = end});
}

/* Reports matches that no earlier run can displace any more. */
static int track_settle(struct at *at)
{
    struct run_pool *pool = at->pool;
    while (at->track->head != 0 && pool->runs[at->track->head].status == RUN_CLOSED) {
        uint32_t run = at->track->head;
        int rv = pool->runs[run].is_other ? 0 : emit(at, pool->runs[run].start, pool->runs[run].best);
        if (rv != 0)
            return rv;
        unlink_run(at, run);
        release(pool, run);
    }
    return 0;
}

/* ---- acceptance -------------------------------------------------------------------------------------------------- */

/* The result of the rule's check for text[start, end). */
static enum builtin_result judge_match(const struct at *at, uint64_t start, uint64_t end, struct surroundings around)
{
    if (at->rule->check == NULL)
        return BUILTIN_YES;
    const struct step *step = at->step;
    assert(start >= step->base && end - step->base <= step->text.len);
    struct span match = {step->text.data + (start - step->base), (size_t)(end - start)};
    char folded[CHECKED_MAX];
    if (at->rule->folded)
        match = (struct span){folded, fold_text(match, folded, NULL, sizeof(folded))};
    return at->rule->check(match, around);
}

static bool fits(const struct at *at, uint64_t start, uint64_t end)
{
    return end - start <= at->rule->limit;
}

/* The result for the match of an open run that ends here; too long means no match. */
static enum builtin_result judge_run(const struct at *at, uint32_t run, uint64_t end)
{
    const struct match_run *r = &at->pool->runs[run];
    return fits(at, r->start, end) ? judge_match(at, r->start, end, r->around) : BUILTIN_NO;
}

/* It is the run's longest so far, and displaces all later runs. */
static void accept(struct at *at, uint32_t run, uint64_t end, enum builtin_result result)
{
    assert(result != BUILTIN_NO);
    at->pool->runs[run].best = end;
    at->pool->runs[run].is_other = result == BUILTIN_OTHER;
    at->track->taken = end;
    drop_after(at, run);
}

/* The earliest run in a state with this flag has a match that ends at `end`. */
static void accept_earliest(struct at *at, enum dfa_flag flag, uint64_t end)
{
    const struct match_run *runs = at->pool->runs;
    enum builtin_result result = BUILTIN_NO;
    uint32_t found = 0;
    for (uint32_t i = 0; i < at->track->groups_len; i++) {
        const struct group *group = &at->track->groups[i];
        bool first = (at->rule->dfa.states[group->state].flags & flag) && group->root != 0 &&
                     (found == 0 || runs[group->root].start < runs[found].start);
        enum builtin_result said = first ? judge_run(at, group->root, end) : BUILTIN_NO;
        if (said != BUILTIN_NO) {
            found = group->root;
            result = said;
        }
    }
    if (found != 0) {
        accept(at, found, end, result);
        sweep_groups(at);
    }
}

/* Closes the runs for which a match with `missing` more bytes would be too long. */
static void expire(struct at *at, struct group *group, uint64_t missing)
{
    while (group->root != 0 && !fits(at, at->pool->runs[group->root].start, at->step->end + missing)) {
        uint32_t run = group->root;
        group->root = next_root(at->pool, run);
        close_run(at, run);
    }
}

/* Bytes of original text that a match still needs at least: of folded text, one character can produce many. */
static uint64_t missing_bytes(const struct at *at, uint32_t state)
{
    uint32_t missing = at->rule->dfa.states[state].missing;
    if (!at->rule->folded)
        return missing;
    return missing > 0 && !at->step->inside;
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

/* Room for one more group, and for finding all of them by state. */
static int reserve_group(struct at *at)
{
    struct track *track = at->track;
    if (track->groups_len == track->groups_cap) {
        uint32_t cap = track->groups_cap > 0 ? track->groups_cap * 2 : 2;
        struct group *groups = heap_resize(track->groups, cap * sizeof(*groups));
        if (groups == NULL)
            return REIN_ENOMEM;
        track->groups = groups;
        track->groups_cap = cap;
    }
    struct run_pool *pool = at->pool;
    if (pool->slots_len < track->groups_cap * 2) {
        uint32_t *slots = heap_new((size_t)track->groups_cap * 4, sizeof(*slots));
        if (slots == NULL)
            return REIN_ENOMEM;
        heap_free(pool->slots);
        pool->slots = slots;
        pool->slots_len = track->groups_cap * 2;
        pool->mark = 0;
    }
    return 0;
}

/* The group before number i that is in the same state; i itself if there is none. */
static uint32_t find_group(struct at *at, uint32_t i)
{
    struct run_pool *pool = at->pool;
    struct group *groups = at->track->groups;
    for (uint32_t slot = groups[i].state * 2654435761u;; slot++) {
        uint32_t *pair = &pool->slots[2 * (slot & (pool->slots_len - 1))];
        if (pair[0] != pool->mark) {
            pair[0] = pool->mark;
            pair[1] = i;
            return i;
        }
        if (groups[pair[1]].state == groups[i].state)
            return pair[1];
    }
}

/* Groups in the same state are merged. Runs whose matches are checked stay separate, because the earliest may fail
 * where a later one does not; they are few, because such rules are short. */
static void merge_groups(struct at *at)
{
    struct track *track = at->track;
    if (at->rule->check != NULL)
        return;
    if (++at->pool->mark == 0) { /* wrapped round: old marks would look new */
        memset(at->pool->slots, 0, (size_t)at->pool->slots_len * 2 * sizeof(*at->pool->slots));
        at->pool->mark = 1;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < track->groups_len; i++) {
        track->groups[kept] = track->groups[i];
        uint32_t same = find_group(at, kept);
        if (same == kept)
            kept++;
        else
            track->groups[same].root = meld(at->pool->runs, track->groups[same].root, track->groups[kept].root);
    }
    track->groups_len = kept;
}

/* The open, new run joins the group of its state. */
static void join_group(struct at *at, uint32_t run, uint32_t state)
{
    struct track *track = at->track;
    if (at->rule->check == NULL)
        for (uint32_t i = 0; i < track->groups_len; i++)
            if (track->groups[i].state == state) {
                track->groups[i].root = meld(at->pool->runs, track->groups[i].root, run);
                return;
            }
    track->groups[track->groups_len++] = (struct group){state, run};
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Closes runs that are dead or have no room left, and removes the groups that become empty. */
static void weed(struct at *at)
{
    struct track *track = at->track;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < track->groups_len; i++) {
        struct group *group = &track->groups[i];
        if (at->rule->dfa.states[group->state].flags & DFA_LIVE)
            expire(at, group, missing_bytes(at, group->state));
        else
            close_group(at, group);
        if (group->root != 0)
            track->groups[kept++] = *group;
    }
    track->groups_len = kept;
}

/* After the groups' step, if it had a result other than "still alive". */
static int look_closely(struct at *at, unsigned flags)
{
    struct track *track = at->track;
    if (flags & DFA_BEFORE)
        accept_earliest(at, DFA_BEFORE, at->step->before);
    if (flags & DFA_MATCH) {
        for (uint32_t i = 0; i < track->groups_len; i++)
            expire(at, &track->groups[i], 0);
        sweep_groups(at);
        accept_earliest(at, DFA_MATCH, at->step->end);
    }
    weed(at);
    if (track->groups_len >= MERGE_FROM)
        merge_groups(at);
    int rv = track_settle(at);
    assert(rv != 0 || track_is_sound(track));
    return rv;
}

int track_step(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
               const struct step *step, struct match_list *out)
{
    const struct dfa *dfa = &rule->dfa;
    unsigned all = 0;
    assert(track_is_sound(track));
    pool->steps += track->groups_len;
    for (uint32_t i = 0; i < track->groups_len; i++) {
        struct group *group = &track->groups[i];
        group->state = dfa_next(dfa, group->state, step->byte);
        unsigned flags = dfa->states[group->state].flags;
        all |= flags | (flags & DFA_LIVE ? 0 : DFA_DIES);
    }
    struct at at = {pool, track, rule, number, step, out};
    bool plain = track->groups_len == 1 && !(all & (DFA_MATCH | DFA_BEFORE | DFA_DIES));
    if (plain && fits(&at, pool->runs[track->head].start, step->end + missing_bytes(&at, track->groups[0].state)))
        return 0;
    return look_closely(&at, all);
}

int track_idle(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
               const struct step *step, struct match_list *out)
{
    struct at at = {pool, track, rule, number, step, out};
    for (uint32_t i = 0; i < track->groups_len; i++) {
        struct group *group = &track->groups[i];
        uint64_t start = pool->runs[group->root].start;
        bool ends = rule->dfa.states[dfa_next(&rule->dfa, group->state, NO_WORD)].flags & DFA_BEFORE;
        bool is_last = pool->runs[group->root].status == RUN_OPEN && ends && !fits(&at, start, step->end);
        enum builtin_result result = is_last ? judge_run(&at, group->root, step->before) : BUILTIN_NO;
        if (result != BUILTIN_NO)
            accept(&at, group->root, step->before, result);
    }
    sweep_groups(&at);
    for (uint32_t i = 0; i < track->groups_len; i++)
        expire(&at, &track->groups[i], missing_bytes(&at, track->groups[i].state));
    sweep_groups(&at);
    return track_settle(&at);
}

int track_begin(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
                enum dfa_context context, const struct step *step, struct match_list *out)
{
    struct at at = {pool, track, rule, number, step, out};
    uint32_t state = dfa_next(&rule->dfa, rule->dfa.start[context], step->byte);
    unsigned flags = rule->dfa.states[state].flags;
    if (step->start < track->taken)
        return 0;
    struct surroundings around = {step->tail, track->taken > 0 && step->start - track->taken <= 1};
    enum builtin_result result = (flags & DFA_MATCH) && fits(&at, step->start, step->end)
                                     ? judge_match(&at, step->start, step->end, around)
                                     : BUILTIN_NO;
    bool live = (flags & DFA_LIVE) && fits(&at, step->start, step->end + missing_bytes(&at, state));
    if (result == BUILTIN_NO && !live)
        return 0;
    int rv = reserve_run(pool);
    if (rv == 0)
        rv = reserve_group(&at);
    if (rv != 0)
        return rv;
    uint32_t run = append_run(&at, step->start);
    pool->runs[run].around = around;
    if (result != BUILTIN_NO)
        accept(&at, run, step->end, result);
    if (live)
        join_group(&at, run, state);
    else
        close_run(&at, run);
    rv = track_settle(&at);
    assert(rv != 0 || track_is_sound(track));
    return rv;
}

int track_end(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
              const struct step *step, struct match_list *out)
{
    struct at at = {pool, track, rule, number, step, out};
    accept_earliest(&at, DFA_AT_END, step->before);
    for (uint32_t i = 0; i < track->groups_len; i++)
        close_group(&at, &track->groups[i]);
    track->groups_len = 0;
    return track_settle(&at);
}

void track_clear(struct run_pool *pool, struct track *track)
{
    struct at at = {.pool = pool, .track = track};
    for (uint32_t i = 0; i < track->groups_len; i++)
        close_group(&at, &track->groups[i]);
    track->groups_len = 0;
    while (track->head != 0) {
        uint32_t run = track->head;
        unlink_run(&at, run);
        release(pool, run);
    }
    track->taken = 0;
}
