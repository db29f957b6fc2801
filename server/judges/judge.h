/* Judges: models and services that give an opinion on a text. What is asked, how it is said, and how a reply is read.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     question -> judge_kind.body -> (over HTTP) -> judge_kind.read -> opinion
 *
 * A kind is one file with one `struct judge_kind`. Kinds build and read texts only; they open no connection and keep no
 * state. The judged text is quoted, never obeyed: it is sent in a place that the judge knows as quoted, without the
 * marks of chat templates (judge_quote), and a reply counts only where it can be read in one way.
 *
 * Thread: any. */
#ifndef SERVER_JUDGES_JUDGE_H
#define SERVER_JUDGES_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

/* What is judged: the engine's channels, in their order. */
enum judge_subject { JUDGE_PROMPT, JUDGE_REASONING, JUDGE_ANSWER, JUDGE_TOOL, JUDGE_SUBJECTS };
_Static_assert((int)JUDGE_PROMPT == REIN_PROMPT && (int)JUDGE_REASONING == REIN_REASONING &&
                   (int)JUDGE_ANSWER == REIN_ANSWER && (int)JUDGE_TOOL == REIN_TOOL,
               "one is read as the other");
const char *judge_subject_name(enum judge_subject subject);

/* UTF-8 without NUL, NUL-terminated, borrowed; "" where there is none. */
struct judge_question {
    enum judge_subject subject;
    const char *prompt; /* what the user asked */
    const char *text;   /* what is judged; the prompt again if that is the subject */
    const char *nonce;  /* letters and digits that nobody who wrote the texts can know; marks the ends of quoted text */
};

enum { JUDGE_CATEGORIES_MAX = 160, JUDGE_REPLY_MAX = 64 << 10 };

struct judge_opinion {
    double risk;     /* 0: safe, 1: unsafe */
    unsigned leaves; /* the paper's patterns that it names: a set of 1 << enum rein_pattern */
    /* The judge's own names, joined by commas; "" for none. Only names that the kind knows get here, so it is fit for
     * logs and metrics. */
    char categories[JUDGE_CATEGORIES_MAX];
};

/* How to reach a kind of judge. */
enum judge_route {
    JUDGE_CHAT,       /* POST /v1/chat/completions; the reply is the text of the answer */
    JUDGE_COMPLETION, /* POST /v1/completions, where the prompt is a wire format of its own */
    JUDGE_JSON,       /* POST to the judge's own path; the reply is a JSON document */
};

struct judge_description; /* described.h; for the kind `described` */

struct judge_kind {
    const char *name; /* as configs say it */
    enum judge_route route;
    /* Can it judge this? A judge of whole turns cannot say what is wrong with a tool's arguments, for example. */
    bool (*judges)(const struct judge_description *description, enum judge_subject subject);
    /* The members of the request besides `model`, in a new object. Owned; NULL: no memory. */
    json_t *(*body)(const struct judge_description *description, const struct judge_question *question);
    /* Reads a reply: the answer's text, or for JUDGE_JSON the document's. REIN_EFORMAT: it says nothing, or two things.
     */
    int (*read)(const struct judge_description *description, const struct judge_question *question, const char *reply,
                struct judge_opinion *opinion);
};

extern const struct judge_kind judge_llama_guard;
extern const struct judge_kind judge_qwen3guard;
extern const struct judge_kind judge_gpt_oss_safeguard;
extern const struct judge_kind judge_instruct;
/* By a description: a model with a chat template, one with a raw prompt, a service. */
extern const struct judge_kind judge_described;
extern const struct judge_kind judge_described_completion;
extern const struct judge_kind judge_described_json;

/* NULL: there is no kind of this name. Kinds that need a description are not found by name. */
const struct judge_kind *judge_kind_find(const char *name);

/* The answer's text in the body of a chat or a completion. NULL: there is none. Borrowed from the document. */
const char *judge_reply_text(const json_t *document, enum judge_route route);

/* Quotes a text for a judge: the marks that chat templates give a meaning (<|...|>, [INST], <start_of_turn>, <think>,
 * ...) are taken apart by a blank, so that the text stays the text. Returns owned: free; NULL: no memory. */
char *judge_quote(const char *text);

#endif
