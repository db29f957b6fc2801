/* The policies that a guard's policies extend.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_ASKING_GUARD_BASES_H
#define TOOLS_ASKING_GUARD_BASES_H

#include "asking/guard.h"

/* Gets the text of a policy that is needed too. Anything but 0 ends the search and is its result. */
typedef int (*guard_base_fn)(void *ctx, size_t n, const char *text);

/* Finds them beside the files that the guard's policies are from, also by way of others, each once. What is not found,
 * the guard says when it starts. REIN_ENOMEM. */
int guard_bases_find(const struct guard_options *options, guard_base_fn each, void *ctx) REIN_MUST_USE;

#endif
