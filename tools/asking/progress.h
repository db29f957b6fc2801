/* A bar on stderr: how much is done, what failed, how fast it goes, how long it still takes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is shown where stderr is no terminal. Thread: one. */
#ifndef TOOLS_ASKING_PROGRESS_H
#define TOOLS_ASKING_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct asking_progress; /* opaque */

/* Of `all`, `had` were done before. Returns owned. */
int asking_progress_new(struct asking_progress **out, size_t all, size_t had) REIN_MUST_USE;
void asking_progress_free(struct asking_progress *progress); /* NULL is fine */
/* `asked` and `failed` since it began. A few times a second at most, and always if it is the last. */
void asking_progress_show(struct asking_progress *progress, size_t asked, size_t failed, bool is_last);

enum { ASKING_PROGRESS_MAX = 160 };
/* The line, for `elapsed_ms` since it began. */
void asking_progress_text(char out[ASKING_PROGRESS_MAX], size_t all, size_t had, size_t asked, size_t failed,
                          unsigned long long elapsed_ms);

#endif
