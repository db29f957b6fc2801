/* A client's request: read, checked, judged, and turned into the upstream's request.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     request_parse -> request_check -> api->judge -> request_mask    on the document (rein/json.h), without a tree
 *         -> api->sent_text                                           most are forwarded unchanged
 *         -> request_load -> api->upstream_body                       the others are rebuilt
 *     request_shed                                                    frees the document once the call has begun;
 *                                                                     request_load can read it again
 *
 * What was judged is what is sent: an upstream's body is the client's own bytes without the members that were
 * removed and with masks in the place of what rules redact, or is built from them. They have only one interpretation:
 * strict JSON, no duplicate keys, and every key known, removed, or judged. This file is what all APIs have in common;
 * what a request may say, and which of it is text, its API knows (api.h).
 *
 * Thread: one at a time. */
#ifndef SERVER_API_REQUEST_H
#define SERVER_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/request_fields.h"
#include "config/config.h"
#include "rein/json.h"
#include "rein/rein.h"

struct api;

/* What is wrong with a request: an HTTP 400. */
struct request_error {
    const char *code; /* static */
    char param[96];   /* "messages[2].content"; "" if it is about no single field */
    char message[240];
};

/* With which tables and rules a request is checked; all borrowed as long as the request. */
struct request_checks {
    const struct field_table *kind;         /* the rows of the upstream's kind for this API; NULL: none */
    const struct rein_request_rules *rules; /* the policy's; NULL: what is unknown or cannot be judged is refused */
    const struct config_limits *limits;
    bool may_lack_model; /* the upstream has one model and needs no name of it */
};

/* The fields that were dropped, as the client is told. */
enum { REQUEST_NAMES_MAX = 16, REQUEST_NAME_MAX = 64 };
struct request_dropped {
    unsigned names, more;                                       /* how many are in the text, and how many are not */
    size_t len;                                                 /* of the names in the text */
    char text[REQUEST_NAMES_MAX * (REQUEST_NAME_MAX + 2) + 16]; /* "echo, messages.images, +2" */
};

struct request {
    const struct api *api;
    struct request_checks checks; /* once it was checked */
    struct rein_source sent;      /* the client's bytes, borrowed, or what they are with masks */
    char *masked;                 /* owned; NULL: nothing is masked */
    struct rein_json *json;       /* the same, as a document, without what was removed; owned; NULL: shed */
    json_t *body;                 /* the same, as a tree; owned; NULL: not loaded */
    struct rein_json_place *cuts;
    size_t cuts_len;                 /* members that were removed, in no order */
    struct request_dropped *dropped; /* owned; NULL: nothing was dropped */
    unsigned unjudged_parts;         /* images, audio, files: what they say is not judged */
    bool stream;
    bool wants_usage; /* of a stream: the client asked for the usage event */
    bool has_options; /* the request says how it wants its stream */
    bool has_tools;
    bool has_format; /* the answer is to be JSON */
    unsigned choices;
    char model[];
};

/* Reads the request as far as the model's name ("": it has none), by which its route is found. REIN_EFORMAT (with `err`
 * filled) or REIN_ENOMEM. Returns owned; borrows the body's text as long as the request lives. */
int request_parse(struct request **out, const struct api *api, struct rein_source body,
                  const struct config_limits *limits, struct request_error *err) REIN_MUST_USE;
/* Applies the tables of fields (request_fields.h), then the API's own checks. Once, before anything else is done with
 * the request. REIN_EFORMAT with `err` filled, REIN_ENOMEM. */
int request_check(struct request *request, const struct request_checks *checks,
                  struct request_error *err) REIN_MUST_USE;
void request_free(struct request *request);

/* Puts the masks that the trace has found for this request's texts (rein_trace_masks, from the `first` on) into it:
 * from now on, its bytes, its document and its tree are those of the masked request. Once, after api->judge, before the
 * request is shed. What cannot be changed where it stands (a key, a name, a signed block) refuses the request:
 * REIN_EFORMAT with `err` filled. REIN_ENOMEM. */
int request_mask(struct request *request, const struct rein_trace *trace, struct request_error *err) REIN_MUST_USE;

/* The client's text without the members that were removed, byte for byte. Returns owned, *len bytes and a NUL; NULL: no
 * memory. */
char *request_text(const struct request *request, size_t *len) REIN_MUST_USE;
/* Makes the tree from which bodies are built, if it does not exist. REIN_ENOMEM, or REIN_EFORMAT if it holds a number
 * that no tree can hold: it passes only unchanged. */
int request_load(struct request *request) REIN_MUST_USE;
/* After REIN_EFORMAT of request_load: which number it is. REIN_EFORMAT with `err` filled, or REIN_EINVAL if there is
 * none or the document is shed. */
int request_explain(const struct request *request, struct request_error *err) REIN_MUST_USE;
/* Frees document and tree: a stream may last for minutes and needs them only at its beginning. */
void request_shed(struct request *request);

#endif
