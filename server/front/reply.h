/* Answers of Rein itself.
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

/* Whose fault it is that there is no answer. */
enum reply_fault { REPLY_FAULT_CLIENT, REPLY_FAULT_RATE, REPLY_FAULT_SERVER, REPLY_FAULT_UPSTREAM };

/* An error in no API's words: each API has its own form (front_handler, error_text). */
struct reply_error {
    unsigned status;
    enum reply_fault fault;
    const char *type;    /* the word for the fault if it is not the API's own, such as an upstream's; NULL: the API's */
    const char *code;    /* NULL: none */
    const char *param;   /* the field that it is about; NULL or "": none */
    const char *message; /* valid UTF-8; fit for a client */
};

/* Answers with the error, in the form that the front's handler gives it. `headers` (NULL: none) come besides the
 * content type; at most REPLY_HEADERS_MAX. When even the answer cannot be made the exchange is aborted. */
#define REPLY_HEADERS_MAX 8
void reply_error(struct exchange *x, const struct reply_error *error, const struct front_header *headers);

/* Answers with a JSON document; takes `tree`, NULL of which counts as out of memory. */
void reply_json(struct exchange *x, unsigned status, json_t *tree, const struct front_header *headers);

/* Answers with JSON text; takes it (free()), NULL of which counts as out of memory. */
void reply_text(struct exchange *x, unsigned status, char *json, size_t len, const struct front_header *headers);

#endif
