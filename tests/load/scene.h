/* A scene: one request, what its upstream says, and who leaves when. All of it follows from the run's seed and the
 * scene's number, so the client and the upstream know the same without telling each other.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SCENE_H
#define LOAD_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/dice.h"
#include "net.h"

enum { EVENT_BYTES = 170 }; /* of a streamed event, about */

enum scene_kind {
    SCENE_CLEAN,  /* no rule finds anything: bytes pass as they came */
    SCENE_REDACT, /* a rule takes words out */
    SCENE_REFUSE, /* a rule refuses the answer */
    SCENE_STEER,  /* a rule steers; the restart is prefilled */
    SCENE_WORDS,  /* a rule steers; the restart asks in words */
    SCENE_HIDE,   /* the reasoning is not shown */
    SCENE_PROMPT, /* a rule refuses the prompt */
    SCENE_JUDGED, /* a judge that leaves, too, calls all of it safe */
    SCENE_STRICT, /* a judge calls the answer unsafe; one that fails counts as if it did */
    SCENE_FAIL,   /* the upstream answers with an error */
    SCENE_BAD,    /* the request is none, or a bad one */
    SCENE_LOOK,   /* another path of the client listener */
    SCENE_ADMIN,  /* a path of the admin listener */
    SCENE_KINDS,
};

/* How a peer behaves. */
struct manner {
    enum leave leaves;
    unsigned at;       /* in thousandths of what there is to send or to read; the upstream's 0: before its head */
    unsigned stall_ms; /* LEAVE_STALL: goes on afterwards */
    enum leave after;  /* what becomes of the connection when all went well: NOT keeps it */
    unsigned piece;    /* most bytes of one read or write, 0: any number */
    unsigned pause_ms; /* between two of them */
    int buffer;        /* of the socket, 0: the system's */
};

struct scene {
    uint64_t number;
    struct dice dice; /* what is left of it is for the texts */
    enum scene_kind kind;
    bool is_streamed, asks_usage, relapses, is_chunked, says_close, ends_by_close, is_joined;
    unsigned choices, events, prompt_bytes, status;
    struct manner client, upstream;
};

struct text {
    char *data; /* owned */
    size_t len, cap;
};
void text_add(struct text *text, const char *data, size_t len);
void text_put(struct text *text, const char *words);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text);
void text_free(struct text *text);

/* What an upstream says. */
struct script {
    struct text wire;              /* as it is sent */
    struct text body;              /* without framing, as a client shall get it: only of CLEAN and FAIL */
    struct text reasoning, answer; /* escaped as in JSON; with the redactions made */
    size_t head_len;
    size_t ending;    /* of the wire: from here on nothing is lost that a client would miss */
    uint32_t *bursts; /* ends in the wire */
    size_t bursts_len, bursts_cap;
};

void scene_draw(struct scene *scene, uint64_t seed, uint64_t number);
/* The request's bytes. */
void scene_ask(const struct scene *scene, struct text *out);
/* Attempt 0 or 1. */
void scene_say(const struct scene *scene, unsigned attempt, struct script *out);
/* Where in the wire the upstream leaves or stalls; its length if it does not. */
size_t script_leave_at(const struct script *script, const struct scene *scene);
/* Does the upstream leave while the request still comes? */
bool scene_leaves_early(const struct scene *scene);
/* Has the upstream sent all before it leaves; at least all of the text? */
bool script_is_complete(const struct script *script, const struct scene *scene);
bool script_is_whole(const struct script *script, const struct scene *scene);
/* Is so much held at once that events may be joined? */
bool scene_may_join(const struct scene *scene);
void script_clear(struct script *script);
void script_free(struct script *script);
const char *scene_name(enum scene_kind kind);
/* Has neither side a reason to end early? */
bool scene_is_calm(const struct scene *scene);

/* The words that the rules look for. A match is the word, "-", six digits and "-END". */
#define WORD_REDACT "QXR"
#define WORD_REFUSE "QXS"
#define WORD_STEER "QXT"
#define WORD_PROMPT "QXP"
#define WORD_JUDGE "QXJ" /* unsafe, says the judge */
#define JUDGE_MODEL "guard-of-load"
#define REPLACEMENT "[gone]"
#define REFUSAL "This is not said here."
#define CORRECTION "Second thought follows here, and it is a better one."
#define REQUEST_ID "load-"

#endif
