/* The rows of policy versions and their texts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_SQLITE_POLICIES_H
#define SERVER_STORE_SQLITE_POLICIES_H

#include "store/driver.h"
#include "store/policies.h"

struct sqlite3;

/* Notes which policies are in use from a time on, inside a transaction of the caller's. The result is SQLite's. */
int store_policies_write(struct sqlite3 *sqlite, const struct store_policies *policies) REIN_MUST_USE;

/* See driver.h. */
int sqlite_read_policies(struct store_reader *reader, const char *version, store_on_policy on_policy,
                         void *ctx) REIN_MUST_USE;

#endif
