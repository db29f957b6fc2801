/* Answers of Rein itself in the words of the OpenAI API.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the loop's of the exchange. */
#ifndef SERVER_FRONT_REPLY_H
#define SERVER_FRONT_REPLY_H

#include <jansson.h>

#include "front/front.h"

/* Who answers an exchange when it is not answered at once: what exchange_user() points to, first in a larger struct.
 * Exchanges without one are answered already. */
struct responder {
    void (*on_drain)(struct responder *responder); /* may be NULL */
    void (*on_closed)(struct responder *responder, bool gone);
};

/* An OpenAI error object. Only `message` goes through unescaped text; all is copied into the answer. */
struct reply_error {
    unsigned status;
    const char *type;    /* "invalid_request_error", "upstream_error", ... */
    const char *code;    /* NULL: null */
    const char *param;   /* NULL or "": null */
    const char *message; /* valid UTF-8; fit for a client */
};

/* The error object as JSON text, {"error":{...}}; returns owned (free), NULL when out of memory. */
char *reply_error_text(const struct reply_error *error) REIN_MUST_USE;

/* Answers with the error object. `headers` (NULL: none) come besides the content type; at most REPLY_HEADERS_MAX. When
 * even the answer cannot be made the exchange is aborted. */
#define REPLY_HEADERS_MAX 8
void reply_error(struct exchange *x, const struct reply_error *error, const struct front_header *headers);

/* Answers with a JSON document; takes `tree`, NULL of which counts as out of memory. */
void reply_json(struct exchange *x, unsigned status, json_t *tree, const struct front_header *headers);

/* Answers with JSON text; takes it (free()), NULL of which counts as out of memory. */
void reply_text(struct exchange *x, unsigned status, char *json, size_t len, const struct front_header *headers);

#endif
