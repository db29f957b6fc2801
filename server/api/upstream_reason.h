/* Why an upstream says that it failed: read from the body of an error, made fit for a log, a row and perhaps a client.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_API_UPSTREAM_REASON_H
#define SERVER_API_UPSTREAM_REASON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct api;

enum { UPSTREAM_WORD_MAX = 64, UPSTREAM_TEXT_MAX = 600 };

struct upstream_reason {
    unsigned status;
    char type[UPSTREAM_WORD_MAX + 1], code[UPSTREAM_WORD_MAX + 1]; /* "": none that is a mere word */
    char text[UPSTREAM_TEXT_MAX + 1]; /* valid UTF-8 without control characters, cut; "": none */
};

/* Reads an error's body in the forms of an API; a body of another form leaves all but the status empty. Secrets are
 * masked: `secret` (NULL: none; the upstream's own key) and whatever looks like a key. */
void upstream_reason_read(struct upstream_reason *out, const struct api *api, unsigned status, const char *body,
                          size_t len, const char *secret);
/* For APIs: takes the first of these members (NULL ends them) that is a plain word; anything else is text and is not
 * accepted here. Nothing is changed if there is one already. */
void upstream_reason_word(char out[UPSTREAM_WORD_MAX + 1], const json_t *error, const char *const *keys);
/* Takes a text, cut between characters; control characters become blanks. */
void upstream_reason_text(char out[UPSTREAM_TEXT_MAX + 1], const char *text);
/* Is it about the operator's credentials? Then its text is for nobody: it may show the key. */
bool upstream_reason_is_ours(const struct upstream_reason *reason);
/* For the row and the log: a JSON object of status, type, code and, if asked for, text. Returns owned (free), NULL if
 * out of memory. */
char *upstream_reason_json(const struct upstream_reason *reason, bool with_text) REIN_MUST_USE;

#endif
