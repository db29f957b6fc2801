/* Runs: the places where a match of one rule may have begun, each with the state its automaton is in.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A track holds the runs of one rule, in the order of their starts:
 *
 *      head                                          tail
 *     [closed, best] ... [open, best or none] ... [open, none]
 *
 * Open runs in the same state have the same future, so they are one group and take one step; a group gives its earliest
 * run first (a pairing heap), because that run's match is the leftmost. When a run's match is found, all later runs of
 * the track go: they began inside it. So no run overlaps the match of an earlier one, ever, and a match is decided as
 * soon as no run is before it. */
#ifndef CORE_RULES_MATCH_RUN_H
#define CORE_RULES_MATCH_RUN_H

#include "rules/ruleset.h"

struct match_run {
    uint64_t start;
    uint64_t best;           /* end of the longest match so far, 0: none */
    uint32_t prev, next;     /* in the track's order */
    uint32_t child, sibling; /* in the group's heap */
    uint8_t status;          /* enum run_status */
    bool is_other;           /* what ends at `best` is not a match but consumes its bytes (builtin.h) */
    struct surroundings around;
};

struct group {
    uint32_t state, root;
};

struct track {
    uint32_t head, tail;
    uint32_t groups_len, groups_cap;
    struct group *groups;
    uint64_t taken; /* end of the latest match found, decided or not: no run begins before it */
};

/* The runs of all tracks of a matcher. Run 0 is none. */
struct run_pool {
    struct match_run *runs;
    uint32_t len, cap, free;
    uint32_t *slots; /* scratch to find groups in the same state: (mark, group) pairs */
    uint32_t slots_len, mark;
    uint64_t steps; /* of all groups, in all */
};

/* One byte (folded or not) on its way through the tracks. */
struct step {
    unsigned char byte;
    uint64_t start, end; /* of the character that it belongs to, in the original text */
    uint64_t before;     /* where a match ends that ended before it */
    bool inside;         /* folded bytes of the same character follow */
    struct span text;    /* the text for checks, beginning at `base` */
    uint64_t base;
    uint64_t tail; /* the eight bytes before this one, as the view sees them */
};

void run_pool_fini(struct run_pool *pool);
void track_fini(struct track *track);

/* Takes the runs of a track over one byte; matches that this decides are appended. */
int track_step(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
               const struct step *step, struct match_list *out) REIN_MUST_USE;
/* Begins a run with this byte, unless it lies in a match of the track. */
int track_begin(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
                enum dfa_context context, const struct step *step, struct match_list *out) REIN_MUST_USE;
/* A character that folds to nothing, up to step->end. It does not affect rules, but it takes room: runs without room
 * close, and a pending assertion about the next character sees a non-word character. */
int track_idle(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
               const struct step *step, struct match_list *out) REIN_MUST_USE;
/* The text ended: decides all. */
int track_end(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
              const struct step *step, struct match_list *out) REIN_MUST_USE;
/* Copies all runs of a matcher's tracks; the destination owns nothing yet. REIN_ENOMEM: it is unchanged.
 */
int run_pool_copy(struct run_pool *to, const struct run_pool *from) REIN_MUST_USE;
int track_copy(struct track *to, const struct track *from) REIN_MUST_USE;

/* Forgets all runs. */
void track_clear(struct run_pool *pool, struct track *track);

#endif
