/* Writing JSON and events: a chain of calls, of which all after the first error do nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_WRITER_H
#define CORE_DIALECT_WRITER_H

#include <stdint.h>

#include "base/bytes.h"
#include "dialect/frame.h"

struct writer {
    struct bytes *out; /* borrowed */
    size_t before;     /* length of `out` before */
    size_t payload_at; /* where the payload of the present event begins */
    int rv;
};

struct writer writer_begin(struct bytes *out);
/* Returns the first error, after which nothing of it is left. */
int writer_end(struct writer *w) REIN_MUST_USE;

/* What is JSON already. */
void write_json(struct writer *w, const char *json);
void write_raw(struct writer *w, struct span json);

void write_number(struct writer *w, int64_t number);
/* In quotes. `write_inside`: what is the inside of a JSON string already. */
void write_string(struct writer *w, struct span text);
void write_words(struct writer *w, const char *words);
void write_words_or_null(struct writer *w, const char *words); /* NULL: null */
void write_inside(struct writer *w, struct span inside);

/* An event: between the two, its payload is written. */
void write_event_begin(struct writer *w, const struct framing *framing);
void write_event_end(struct writer *w, const struct framing *framing);

#endif
