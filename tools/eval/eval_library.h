/* Policies of the command line, and what they refer to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any, one at a time. */
#ifndef TOOLS_EVAL_EVAL_LIBRARY_H
#define TOOLS_EVAL_EVAL_LIBRARY_H

#include "config/policy_files.h"

/* Reads lexicons/, templates/, models/ and lists/ of a folder; only the first must be there. Compiled lexicons come
 * from the user's own cache. REIN_EPOLICY: `problems`. Fini in any case: policy_files_library_fini. */
int eval_library_read(struct policy_files_library *files, const char *folder,
                      struct rein_problems *problems) REIN_MUST_USE;

/* Loads a policy's file, which may extend those beside it. `peers`: as rein_policy_load_beside. REIN_EPOLICY:
 * `problems`. */
int eval_policy_load(struct rein_policy **out, const char *path, const struct rein_library *library,
                     struct rein_policy *const *peers, size_t peers_len, struct rein_problems *problems) REIN_MUST_USE;
/* The same for a text that was read from this file. */
int eval_policy_load_text(struct rein_policy **out, const char *path, const char *text,
                          const struct rein_library *library, struct rein_policy *const *peers, size_t peers_len,
                          struct rein_problems *problems) REIN_MUST_USE;

#endif
