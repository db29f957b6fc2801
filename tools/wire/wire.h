/* A response on the wire of one API, as an upstream sends it: written from its texts.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      begin | open piece piece close | open piece close | last | done        or: body
 *
 * One table for each API: wire_chat.c, wire_messages.c, wire_responses.c. Thread: any. */
#ifndef TOOLS_WIRE_WIRE_H
#define TOOLS_WIRE_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "rein/rein.h"

enum { WIRE_MAX = 512 << 20 };

/* A text of a response: its reasoning, its answer, or the arguments of one tool. UTF-8. */
struct wire_text {
    enum rein_channel channel;
    unsigned choice;
    const char *text; /* borrowed */
    size_t len;
    unsigned series; /* rein_text.series */
};

/* A part of a text that came without another one in between. */
struct wire_part {
    size_t text;      /* which of them */
    size_t from, len; /* bytes, whole characters */
};

/* A response. To the engine, each of its texts is a text of its own. */
struct wire_script {
    const struct wire_text *texts; /* in the order in which they begin; borrowed */
    size_t len;
    /* Of a body: all parts of the texts, in the order in which they came, for an API that can say it. Borrowed; NULL:
     * text by text. */
    const struct wire_part *parts;
    size_t parts_len;
    unsigned choices; /* 1 in an API that has no others */
    /* The name that the model, the tools and all else has that has one; borrowed. NULL: nothing has a name, and events
     * have none: texts are all that is judged of the response. */
    const char *name;
};

/* Functions append whole events to `out`, or nothing where the API has no event for it. REIN_ENOMEM, REIN_ELIMIT: what
 * was appended is no event. */
struct wire {
    enum rein_dialect dialect;
    const char *name; /* the API's name in configs: "chat", ... */
    /* Has the API a place for each text? */
    bool (*fits)(const struct wire_script *script, bool streamed);
    int (*begin)(struct buffer *out, const struct wire_script *script);
    /* The text number i begins, goes on (a part of it, whole characters) and ends. In chat and Messages texts end with
     * their choice, whatever `close` says. */
    int (*open)(struct buffer *out, const struct wire_script *script, size_t i);
    int (*piece)(struct buffer *out, const struct wire_script *script, size_t i, const char *text, size_t len);
    int (*close)(struct buffer *out, const struct wire_script *script, size_t i);
    /* The choice ends; the response does. */
    int (*last)(struct buffer *out, const struct wire_script *script, unsigned choice);
    int (*done)(struct buffer *out, const struct wire_script *script);
    /* All of it as one body. */
    int (*body)(struct buffer *out, const struct wire_script *script);
};

extern const struct wire wire_chat, wire_messages, wire_responses;

/* ---- for the tables ---- */

/* How many texts of the same channel and choice begin before this one. */
size_t wire_number(const struct wire_script *script, size_t i);
/* Is there one of this channel in the choice? */
bool wire_has(const struct wire_script *script, enum rein_channel channel, unsigned choice);

int wire_add(struct buffer *out, const char *text) REIN_MUST_USE;
/* An object, as it is or as an event, which has its `type` as a name if the response has names. Take `json`; NULL is
 * REIN_ENOMEM. */
int wire_add_json(struct buffer *out, json_t *json) REIN_MUST_USE;
int wire_add_event(struct buffer *out, const struct wire_script *script, json_t *json) REIN_MUST_USE;
/* Adds a member, if there is a value; takes it. An object that could not be made, or a value, is REIN_ENOMEM later:
 * returns the object, or NULL. */
json_t *wire_with(json_t *object, const char *key, json_t *value) REIN_MUST_USE;

#endif
