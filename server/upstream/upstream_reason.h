/* Why an upstream says that it failed: read from the body of an error, made fit for a log, a row and perhaps a client.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_UPSTREAM_UPSTREAM_REASON_H
#define SERVER_UPSTREAM_UPSTREAM_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { UPSTREAM_WORD_MAX = 64, UPSTREAM_TEXT_MAX = 600 };

struct upstream_reason {
    unsigned status;
    char type[UPSTREAM_WORD_MAX + 1], code[UPSTREAM_WORD_MAX + 1]; /* "": none that is a mere word */
    char text[UPSTREAM_TEXT_MAX + 1]; /* valid UTF-8 without control characters, cut; "": none */
};

/* Reads an error's body in any of the forms that servers give it; a body of another form leaves all but the status
 * empty. Secrets are masked: `secret` (NULL: none; the upstream's own key) and whatever looks like a key. */
void upstream_reason_read(struct upstream_reason *out, unsigned status, const char *body, size_t len,
                          const char *secret);
/* Is it about the operator's credentials? Then its text is for nobody: it may show the key. */
bool upstream_reason_is_ours(const struct upstream_reason *reason);
/* The code that OpenAI's API has for this reason, or the upstream's own; NULL: none. */
const char *upstream_reason_code(const struct upstream_reason *reason);
/* For the row and the log: a JSON object of status, type, code and, if asked for, text. Returns owned (free), NULL if
 * out of memory. */
char *upstream_reason_json(const struct upstream_reason *reason, bool with_text) REIN_MUST_USE;

/* Is this value of Retry-After what HTTP says: seconds, or a date in the one form that is sent? */
bool upstream_retry_after_is_valid(const char *value);

#endif
