/* Views over time, from sums: requests by time, findings, and the values that filters can have.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results and thread are those of read.h. docs/reference/admin-api.md says what the members mean. */
#ifndef SERVER_STORE_OVERVIEW_H
#define SERVER_STORE_OVERVIEW_H

#include "store/read.h"

enum { OVERVIEW_BUCKETS_MAX = 1000 };

struct store_view {
    int64_t from_us, to_us;                           /* from < to */
    int64_t step_us;                                  /* of an overview; 0: chosen here */
    const char *route, *model, *key, *policy_version; /* NULL: any */
    int64_t now_us;
};

/* Sums of `view` and of the period of the same length before it, in steps; a step that is too short for the range or
 * for what is kept becomes longer. Returns owned. */
int store_read_overview(struct store_reader *reader, const struct store_view *view, json_t **out) REIN_MUST_USE;
/* Each finding with its counts, and how they changed. Returns owned. */
int store_read_found(struct store_reader *reader, const struct store_view *view, json_t **out) REIN_MUST_USE;
/* Lists of values by kind. Returns owned. */
int store_read_facets(struct store_reader *reader, json_t **out) REIN_MUST_USE;
/* The part of the older decisions that is in the sums, 0 to 1. */
int store_read_summed(struct store_reader *reader, double *out) REIN_MUST_USE;

#endif
