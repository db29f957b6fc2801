/* A database of many decisions, made by SQL: for tests and the bench of views over time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DESKROWS_H
#define TESTS_DESKROWS_H

#include <stdbool.h>
#include <stdint.h>

enum { DESK_ROUTES = 3, DESK_MODELS = 6, DESK_KEYS = 40, DESK_POLICIES = 5, DESK_DAYS = 30 };

struct sqlite3;

/* Adds `rows` decisions of the last DESK_DAYS days to an empty database of this version at `path`, which nobody has
 * open: routes route-0 …, models model-0 …, keys key-1 …, policy versions version-0 … one after the other; 8% are not
 * `allow`, 6% have findings, 10% have a request id of their client's (client-N). Prints what takes long if `talks`. */
void desk_rows_make(const char *path, int64_t rows, bool talks);
/* Adds them to the sums, as the server does in the background; returns in how many steps. */
int64_t desk_rows_sum(const char *path, bool talks);

#endif
