/* Erasing: the text of chosen decisions, and what was derived from it, goes for good; that they were made stays.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What goes: kept texts, evidence, the steps of findings, the categories of judges, the harms that a prompt names, what
 * an upstream said of its failure, notes of people, and the user's hash. Verdicts, names of rules and patterns, scores
 * and counts stay, so that sums and pages remain true.
 *
 * Any process may do this next to a running server. Of a request that is still running, the text is written when it
 * ends, so that it is not erased. */
#ifndef SERVER_STORE_ERASE_H
#define SERVER_STORE_ERASE_H

#include <stdbool.h>
#include <stdint.h>

/* Which decisions: those that meet all conditions. NULL and 0 are none. */
struct store_erase_filter {
    const char *key;     /* the name of a client's key */
    const char *user;    /* a user's hash (struct store_record) */
    const char *request; /* a decision's id, or the id that its client gave the request */
    int64_t before_us;   /* began before; Unix time */
};

struct store_erased {
    uint64_t decisions;              /* those that had anything to erase */
    uint64_t texts, evidence, notes; /* rows */
    bool is_log_left;                /* somebody reads, so that the log could not be emptied: do it again later */
};

#endif
