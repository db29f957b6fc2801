/* A client's chat request: read, checked, judged, and turned into the upstream's request.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     request_parse -> request_check_fields -> request_judge          on the document (rein/json.h), without a tree
 *         -> request_sent_text                                        most are forwarded unchanged
 *         -> request_load -> request_upstream_body                    the others are rebuilt
 *     request_shed                                                    frees the document once the call has begun;
 *                                                                     request_load can read it again
 *
 * What was judged is what is sent: an upstream's body is the client's own bytes, or is built from these bytes without
 * the members that were removed. They have only one interpretation: strict JSON, no duplicate keys, every key known.
 *
 * Thread: one at a time. */
#ifndef SERVER_API_CHAT_REQUEST_H
#define SERVER_API_CHAT_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/chat/request_fields.h"
#include "config/config.h"
#include "rein/json.h"
#include "rein/rein.h"

/* What is wrong with a request: an HTTP 400 with the fields of an OpenAI error. */
struct request_error {
    const char *code; /* static */
    char param[96];   /* "messages[2].content"; "" if it is about no single field */
    char message[240];
};

struct request {
    struct rein_source sent; /* the client's bytes; borrowed */
    struct rein_json *json;  /* the same, as a document, without what was removed; owned; NULL: shed */
    json_t *body;            /* the same, as a tree; owned; NULL: not loaded */
    struct rein_json_place *cuts;
    size_t cuts_len; /* members that were removed, in no order */
    bool stream;
    bool wants_usage; /* of a stream: the client asked for the usage event */
    bool has_options; /* the request has stream_options */
    bool has_tools;
    bool has_format; /* response_format asks for JSON */
    unsigned choices;
    char model[];
};

/* Reads and checks the request, as far as this is the same for all upstreams. REIN_EFORMAT (with `err` filled) or
 * REIN_ENOMEM. Returns owned; borrows the body's text as long as the request lives. */
int request_parse(struct request **out, struct rein_source body, const struct config_limits *limits,
                  struct request_error *err) REIN_MUST_USE;
void request_free(struct request *request);

/* Makes the tree from which bodies are built, if it does not exist. REIN_ENOMEM, or REIN_EFORMAT if it holds a number
 * that no tree can hold: it passes only unchanged. */
int request_load(struct request *request) REIN_MUST_USE;
/* After REIN_EFORMAT of request_load: which number it is. REIN_EFORMAT with `err` filled, or REIN_EINVAL if there is
 * none or the document is shed. */
int request_explain(const struct request *request, struct request_error *err) REIN_MUST_USE;
/* Frees document and tree: a stream may last for minutes and needs them only at its beginning. */
void request_shed(struct request *request);

/* Applies the table of the upstream's kind (NULL: none of its own), then the common one: refuses or drops fields.
 * `allow`: fields that pass though the tables refuse them (NULL-terminated; NULL: none). REIN_EFORMAT with `err`
 * filled.
 */
int request_check_fields(struct request *request, const struct field_table *kind, const char *const *allow,
                         struct request_error *err) REIN_MUST_USE;

/* Gives every text of the request to the trace: all messages, whatever their role, all their parts, tool definitions
 * and whatever else holds a string. */
int request_judge(const struct request *request, struct rein_trace *trace) REIN_MUST_USE;

/* May the client's bytes be forwarded unchanged? Not where something was removed, or is to be changed. */
bool request_is_as_sent(const struct request *request);
/* If so, this is the upstream's body: those bytes, with a request for usage if it is a stream. Owned; NULL: no memory.
 */
char *request_sent_text(const struct request *request);

/* The fields for one upstream call, of a loaded request, in a new object. Their values belong to the request, so a
 * field is replaced, never changed in place. A stream always asks for its usage. Returns owned, NULL when out of
 * memory. */
json_t *request_upstream_body(const struct request *request) REIN_MUST_USE;

#endif
