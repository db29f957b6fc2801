/* The APIs that clients call: what is different from one to the other, and the table of them (apis.c).
 * SPDX-License-Identifier: Apache-2.0
 *
 * An API is one folder with one `struct api`: its path, its keys, what of a request is text, what may go upstream, what
 * errors look like. Routes, sessions, backends and the front use nothing else of it. How its responses are read and
 * written is the business of its dialect, in the core.
 *
 * Thread: any; APIs are constant and keep no state. */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/request.h"
#include "api/upstream_reason.h"
#include "front/reply.h"
#include "rein/rein.h"
#include "upstream/upstream.h"

/* A header of the client that upstreams get. */
struct api_header {
    const char *name;
    const char *otherwise; /* what they get if the client sends none; NULL: nothing */
};

struct api {
    /* ---- where it is ---- */
    const char *method, *path;
    /* Paths that begin so are meant for it: errors come in its form. The longest one of all APIs counts. */
    const char *prefix;
    const char *upstream_path; /* after the upstream's path prefix */
    const char *paths_below;   /* what a client of a path below this one is told; NULL: it is like any other */
    unsigned serves;           /* the enum config_api that its upstream must have */

    /* Its answer is data, not text: it passes as it came, unjudged, once it is complete, and no prefix is asked for. It
     * is never streamed. Parts of this table for streams and steering (stream_type, stream_header, keep_alive,
     * instruct, can_prefill, error_event) are then not used, and `dialect` is the one of its errors. */
    bool is_data;

    /* ---- keys and headers ---- */
    /* The client's key; NULL: it sent none. Good until on_closed. */
    const char *(*key)(const struct exchange *x);
    const char *key_missing;                /* what a client without a valid key is told */
    const struct front_header *key_headers; /* of that answer; ends with a NULL name */
    /* The operator's key as this upstream of the API wants it; it has one. Borrows from the config. */
    struct upstream_header (*upstream_key)(const struct config_upstream *upstream);
    const char *request_id_header;           /* carries the id of a request, in both directions */
    const struct api_header *passed_headers; /* to the upstream; at most API_HEADERS_MAX; NULL ends it */
    const char *stream_type, *stream_header; /* the media type of a stream, and the header that says so */
    const char *keep_alive;                  /* what is written into a silent stream */

    /* ---- the dialect of its responses ---- */
    enum rein_dialect dialect;
    const char *dialect_name; /* as decisions name it */
    const char *id_prefix;    /* of the id of an answer that Rein makes */

    /* ---- requests (request.h) ---- */
    const struct field_table *fields; /* for every kind of upstream */
    /* Checks what the table cannot say of a document to which it was applied, and sets what struct request says of it.
     * REIN_EFORMAT with `err` filled, REIN_ENOMEM. */
    int (*check)(struct request *request, const struct config_limits *limits, struct request_error *err);
    /* Gives every text of the request to the trace, whoever says it and wherever it stands. */
    int (*judge)(const struct request *request, struct rein_trace *trace);
    /* Who the request says its user is; a string, or NULL. Good as long as the document. */
    const struct rein_json_node *(*user)(const struct request *request);
    /* May the client's bytes be forwarded, but for what was removed? Not where something is to be changed. */
    bool (*is_as_sent)(const struct request *request);
    /* If so, this is the upstream's body: those bytes (request_text), with what every call needs. Owned; NULL: no
     * memory. */
    char *(*sent_text)(const struct request *request);
    /* The fields for one upstream call, of a loaded request, in a new object. Their values belong to the request, so a
     * field is replaced, never changed in place. Owned; NULL: no memory. */
    json_t *(*upstream_body)(const struct request *request);
    /* Adds an instruction of the application to such a body. */
    int (*instruct)(json_t *body, const char *text);
    /* Do the plans of the kinds (backends/) know how to open the model's turn in a request of this API, and how to
     * correct its response in flight? Otherwise the prefix is asked for by an instruction. */
    bool can_prefill;

    /* ---- errors ---- */
    /* An error as it is answered, and as the last event of a stream. Like snprintf: at most `cap` bytes with a NUL at
     * their end; returns the whole length. */
    size_t (*error_text)(const struct reply_error *error, char *out, size_t cap);
    size_t (*error_event)(const struct reply_error *error, char *out, size_t cap);
    struct reply_error refusal; /* of a prompt, before the first byte; the policy has the message */
    /* Reads the body of an upstream's error. */
    void (*read_reason)(struct upstream_reason *out, const json_t *body);
    /* The code that a client of this API knows for such a reason, or the upstream's own; NULL: none. */
    const char *(*reason_code)(const struct upstream_reason *reason);
    /* A whole answer that says these words, as an upstream would send it. Owned; NULL: no memory. */
    char *(*answer_saying)(const char *words);
};

enum { API_HEADERS_MAX = 4 };

size_t api_count(void);
const struct api *api_at(size_t i);
/* The API at this path; NULL: none. */
const struct api *api_find(const char *path);
/* The API that a client of this path most likely speaks; the first one if nothing suggests any. NULL: unknown path. */
const struct api *api_suggested(const char *path);

/* The key of a client at a path that several APIs share, wherever one of them has it; NULL: there is none. */
const char *api_any_key(const struct exchange *x);
/* "POST /v1/chat/completions, ...": the paths of these APIs (a set of enum config_api); cut to fit. */
void api_list(unsigned apis, char *out, size_t cap);

/* An error in the form that the path suggests: a front_handler's `error_text`. */
size_t api_error_text(const char *path, const struct reply_error *error, char *out, size_t cap);

#endif
