/* The policies that are in use, and what they say: noted by the writer, read by operators.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_POLICIES_H
#define SERVER_STORE_POLICIES_H

#include <jansson.h>

#include "store/store.h"

struct store_reader;

/* One policy. */
struct store_policy {
    const char *version, *name;
    const char *source;    /* the file as it was written */
    const char *resolved;  /* JSON: what it means, with the defaults */
    const char *documents; /* JSON array: all that it resolves to */
};

/* All that are in use from a time on: one block, with a copy of the texts. */
struct store_policies {
    struct store_policies *next;
    int64_t at_us; /* Unix time */
    size_t len;
    struct store_policy items[];
};

/* More sets than this do not wait for a store that fails: the oldest go, and the log says so. */
enum { STORE_POLICIES_WAITING_MAX = 64 };

/* From now on these policies are in use and no others (none: the server stops). The writer notes them soon, and again
 * if the database is replaced. Any thread. REIN_ENOMEM. */
int store_use_policies(struct store *store, const struct store_policy *policies, size_t len) REIN_MUST_USE;

/* ---- the store's own ---- */

int store_policies_new(struct store_policies **out, const struct store_policy *policies, size_t len) REIN_MUST_USE;
void store_policies_free(struct store_policies *policies); /* one; NULL is fine */

/* ---- reading (read.h) ---- */

struct store_policy_row {
    struct store_policy policy;              /* the texts may be NULL: not known */
    int64_t first_active_us, last_active_us; /* STORE_UNKNOWN */
    bool in_use;
};

/* All versions as an array, newest first, without texts. Returns owned. */
int store_read_policies(struct store_reader *reader, json_t **out) REIN_MUST_USE;
/* One version with its texts; *out is NULL if there is none. Returns owned. */
int store_read_policy(struct store_reader *reader, const char *version, json_t **out) REIN_MUST_USE;

#endif
