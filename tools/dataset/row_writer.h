/* Writes rows as a trainer reads them, and says what it wrote.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file appears whole or not at all: it is written beside its place and renamed. Only its owner may read it. Thread:
 * any. */
#ifndef TOOLS_DATASET_ROW_WRITER_H
#define TOOLS_DATASET_ROW_WRITER_H

#include <stddef.h>

#include "dataset/training_row.h"

enum { SHA256_HEX = 65 };

struct row_writer; /* opaque */

/* Functions return 0 or a negated errno. `path` is borrowed for the writer's lifetime. */
int row_writer_open(struct row_writer **out, const char *path, enum row_format format) REIN_MUST_USE;
int row_writer_add(struct row_writer *writer, const struct training_row *row, const char *kind) REIN_MUST_USE;
/* The same with an object that is made already; takes it. NULL: no memory. */
int row_writer_add_object(struct row_writer *writer, json_t *object) REIN_MUST_USE;
/* Ends the file and puts it in its place; frees the writer in any case. `sha256`: of the file. */
int row_writer_close(struct row_writer *writer, char sha256[SHA256_HEX]) REIN_MUST_USE;
/* Gives up: nothing is left behind. NULL is fine. */
void row_writer_drop(struct row_writer *writer);

/* Writes dataset_info.json beside `path`, if the format's trainer (LLaMA-Factory) wants it: how to read the file.
 * An existing one keeps what it says of other files. `pairs`: its rows are pairs (pair_row.h). */
int row_writer_describe(const char *path, enum row_format format, bool pairs) REIN_MUST_USE;

/* The last part of a path. */
const char *row_file_name(const char *path);
/* FILE.jsonl becomes FILE.test.jsonl. Returned owned; NULL: no memory. */
char *row_test_path(const char *train) REIN_MUST_USE;
/* SHA-256 of a file. */
int row_file_digest(const char *path, char sha256[SHA256_HEX]) REIN_MUST_USE;

#endif
