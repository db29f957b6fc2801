/* The values that filters can have, each with a number, and about how many requests have it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All are in memory too: a writer needs a number for each decision. Inside a transaction of the caller's, the writer's
 * thread. Results are SQLite's. */
#ifndef SERVER_STORE_SQLITE_SUMS_FACETS_H
#define SERVER_STORE_SQLITE_SUMS_FACETS_H

#include <stdint.h>

#include "rein/rein.h"

struct sqlite3;
struct store_facets;

enum facet_kind {
    FACET_ROUTE,
    FACET_MODEL,
    FACET_KEY,
    FACET_POLICY,
    FACET_VERDICT,
    FACET_ENDING,
    FACET_PATTERN,
    FACET_RULE,
    FACET_JUDGE,
    FACET_KINDS
};
enum { FACETS_OF_A_KIND_MAX = 1000 }; /* clients choose the names of models */

extern const char *const facet_kind_names[FACET_KINDS];

int store_facets_new(struct store_facets **out, struct sqlite3 *sqlite) REIN_MUST_USE;
void store_facets_free(struct store_facets *facets); /* NULL is fine */
/* Counts `times` requests (negative: takes them away) for a value; *number is 0 if there are too many of its kind. */
int store_facets_count(struct store_facets *facets, enum facet_kind kind, const char *value, int64_t at_us, int times,
                       int64_t *number) REIN_MUST_USE;
/* Writes the counts. */
int store_facets_flush(struct store_facets *facets) REIN_MUST_USE;
bool store_facets_are_flushed(const struct store_facets *facets);
/* After a rollback: reads everything again. */
int store_facets_reload(struct store_facets *facets) REIN_MUST_USE;

#endif
