/* Files of JSON lines: one object a line, read one by one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_ASKING_JSON_LINES_H
#define TOOLS_ASKING_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { JSON_LINE_MAX = 16 << 20 };

/* Gets each line's object (borrowed), or NULL and why it is none. Lines count from 1; blank ones are skipped.
 * Anything but 0 ends the reading and is its result. */
typedef int (*json_line_fn)(void *ctx, size_t line, json_t *object, const char *why);

/* REIN_EIO with errno set if the file can't be read. `*torn` (if not NULL): the last line has no line end, as after an
 * interrupted write; it is handed on nevertheless. */
int json_lines_read(const char *path, json_line_fn each, void *ctx, bool *torn) REIN_MUST_USE;

#endif
