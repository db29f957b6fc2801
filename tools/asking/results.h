/* A file of results: one JSON object a line, flushed at once, so that a run goes on where it stopped.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each line has a member `key`, which stands for all that its result depends on: two runs that would do the same thing
 * have the same key. While a run goes on, lines stand in the order in which they came. When it is complete,
 * asking_results_sort puts them into the run's order, so that an interrupted run leaves the same bytes as one that was
 * not. A line that was cut off is dropped. Only places are kept in memory, no lines.
 *
 * Errors are said on stderr, with the file's name. Thread: one. */
#ifndef TOOLS_ASKING_RESULTS_H
#define TOOLS_ASKING_RESULTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { ASKING_KEY_SIZE = 17 }; /* 16 hex digits and NUL */

/* FNV-1a over texts, for keys: begin with ASKING_HASH_BEGIN. Each text counts with its end. */
#define ASKING_HASH_BEGIN 0xCBF29CE484222325u
uint64_t asking_hash(uint64_t hash, const char *text);
void asking_key(char out[ASKING_KEY_SIZE], uint64_t hash);

struct asking_results; /* opaque */

/* Gets a line that was there (borrowed). Of lines with one key, the last counts, so a later one replaces it. */
typedef int (*asking_result_fn)(void *ctx, const char *key, json_t *line);

/* Opens the file, which no other run may be writing (it is locked), and hands on what it holds. `path` is borrowed.
 * NULL: no file is kept, and adding does nothing. Returns owned. */
int asking_results_open(struct asking_results **out, const char *program, const char *path, asking_result_fn each,
                        void *ctx) REIN_MUST_USE;
/* Appends a line, whose member `key` is a text, and flushes it. Borrows it. */
int asking_results_add(struct asking_results *results, json_t *line) REIN_MUST_USE;
/* Puts the lines into this order, in the file's place at once. Lines with other keys follow, in their old order. */
int asking_results_sort(struct asking_results *results, const char (*keys)[ASKING_KEY_SIZE],
                        size_t keys_len) REIN_MUST_USE;
/* NULL is fine. */
int asking_results_close(struct asking_results *results) REIN_MUST_USE;

#endif
