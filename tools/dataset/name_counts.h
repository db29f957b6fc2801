/* How often each name occurs: models, policies, patterns. In the order of the names, whatever the order of counting.
 * SPDX-License-Identifier: Apache-2.0
 *
 * At most NAMES_MAX names; what comes after is counted together. Thread: any, one at a time. */
#ifndef TOOLS_DATASET_NAME_COUNTS_H
#define TOOLS_DATASET_NAME_COUNTS_H

#include <jansson.h>
#include <stddef.h>

#include "rein/rein.h"

enum { NAMES_MAX = 256 };

struct name_counts {
    struct name_count {
        char *name; /* owned */
        size_t n;
    } names[NAMES_MAX]; /* sorted */
    size_t len;
    size_t others; /* of names that had no room */
};

/* Counts a name (copied); NULL and "" count as "-". REIN_ENOMEM. */
int name_counts_add(struct name_counts *counts, const char *name) REIN_MUST_USE;
/* Counts each name of a list that commas separate; "" and NULL: none. */
int name_counts_add_list(struct name_counts *counts, const char *names) REIN_MUST_USE;
void name_counts_fini(struct name_counts *counts);
/* {"name": n, ...}, "(others)" last. Returns owned; NULL: no memory. */
json_t *name_counts_object(const struct name_counts *counts) REIN_MUST_USE;

#endif
