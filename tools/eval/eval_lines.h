/* Files of JSON lines: one object a line, read one by one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_EVAL_EVAL_LINES_H
#define TOOLS_EVAL_EVAL_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { EVAL_LINE_MAX = 16 << 20 };

/* Gets each line's object (borrowed), or NULL and why it is none. Lines count from 1; blank ones are skipped.
 * Anything but 0 ends the reading and is its result. */
typedef int (*eval_line_fn)(void *ctx, size_t line, json_t *object, const char *why);

/* REIN_EIO with errno set if the file can't be read. `*torn` (if not NULL): the last line has no line end, as after an
 * interrupted write; it is handed on nevertheless. */
int eval_lines_read(const char *path, eval_line_fn each, void *ctx, bool *torn) REIN_MUST_USE;

#endif
