/* What the prefill plans of several kinds share: their calls, their checks, and the two forms of a finished plan.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A prefill is checked in two ways before it is used, both with a conversation of our own, so that no client can
 * influence the result. A *render* shows the prompt: it must end with the prefix inside open reasoning. A *recall* lets
 * the model continue: our prefix tells it a code, and the place where the code comes back shows where the prefix
 * arrived and how the backend divides its answer.
 *
 * Functions that make a step return 0 with *out set, or REIN_ENOMEM. JSON arguments are taken, NULL means out of
 * memory. */
#ifndef SERVER_BACKENDS_STEPS_H
#define SERVER_BACKENDS_STEPS_H

#include "backends/backend.h"
#include "backends/completions_to_chat.h"
#include "backends/prompt.h"

typedef int (*plan_step)(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out);

/* ---- what is remembered of a check: plan->memo ---- */

enum {
    MEMO_FAMILY = 0xff,  /* number of the delimiters */
    MEMO_CHAT = 0x100,   /* the chat API delivers the prefix; otherwise the raw prompt does */
    MEMO_INLINE = 0x200, /* chat: reasoning comes in the answer's text */
    MEMO_OPEN = 0x400,   /* the prompt opens the reasoning by itself */
};

/* The operator's delimiters; NULL: none. `room` holds them. */
const struct delimiters *plan_own(const struct prefix_plan *plan, struct delimiters *room);
const struct delimiters *plan_delimiters(const struct prefix_plan *plan, struct delimiters *room);
/* A check has passed, and its delimiters are still configured. */
bool plan_is_known(const struct prefix_plan *plan);

/* ---- steps ---- */

/* POST to a path from the upstream's root; or from the path prefix, if the path begins with '~'. */
int plan_ask(struct prefix_plan *plan, unsigned stage, const char *path, json_t *body, enum backend_next *out);
/* That path, written to `out`. */
void plan_make_path(const struct prefix_plan *plan, char *out, size_t cap, const char *path);
/* Sets the path of the call for the answer, likewise. */
void plan_put_path(struct prefix_plan *plan, const char *path);
/* `reply`: the reply that showed it; NULL: the request itself. Remembered if the reply was clear. */
int plan_aside(struct prefix_plan *plan, const char *reason, const struct backend_reply *reply, enum backend_next *out);

/* How a template opens the reasoning, from two renders of conversations of ours (`prompt`, NULL: there is none). True:
 * learnt, the memo says it, and the way is worth remembering. False: *out is set, ASIDE; or, of the first, *leaves_it:
 * the template leaves the opening to the model, and the second is to be asked for. */
bool plan_learn_end(struct prefix_plan *plan, const char *prompt, const struct backend_reply *reply, bool *leaves_it,
                    enum backend_next *out);
/* The second: plan_history. */
bool plan_learn_history(struct prefix_plan *plan, const char *prompt, const struct backend_reply *reply,
                        enum backend_next *out);

/* Why this request cannot be prefilled here; NULL: it can. */
const char *plan_obstacle(const struct prefix_plan *plan, bool is_raw);

/* The rendered prompt that a reply shows; NULL: none. */
const char *plan_prompt_of(const struct backend_reply *reply);

/* Does the rendered prompt (NULL: there is none) end with the plan's words, which follow `open` as in plan_words? Then
 * *before and *family are as prompt_before leaves them. REIN_ENOMEM. */
int plan_find_words(const struct prefix_plan *plan, const char *prompt, const struct delimiters *open,
                    enum prompt_end *before, unsigned *family);

/* ---- texts ---- */

/* What the reasoning should begin with: what the client was shown, then the prefix, after `open` and its gap if that is
 * not NULL. Returns owned (free), NULL: out of memory. */
char *plan_words(const struct prefix_plan *plan, const struct delimiters *open);

/* A rendered conversation (NULL: there is none) with the plan's words at its end, the opener before them if it lacks
 * one. 1 and *whole (owned; free). Otherwise what the step returns: it was set aside, because nothing can follow where
 * the template has closed the reasoning, or REIN_ENOMEM. */
int plan_take_prompt(struct prefix_plan *plan, const char *prompt, char **whole, enum backend_next *out);

/* The conversation of our own; with a turn of the assistant (taken; NULL: without). */
json_t *plan_hello(json_t *assistant);
/* The request's own, likewise. */
json_t *plan_messages(const struct prefix_plan *plan, json_t *assistant);
/* {role: assistant, content} */
json_t *plan_assistant(const char *content);

/* A message's content as one text, with its parts on lines; "" for none. Returns owned. */
json_t *plan_joined(const json_t *content);

#define PLAN_MARK "I weigh it with care."
/* A conversation in which the assistant has reasoned: PLAN_MARK in the field `field`. With a tool's result as its end,
 * since most templates leave reasoning out of turns that are over. */
json_t *plan_history(const char *field, bool with_tool);

/* ---- recall ---- */

#define RECALL_WORDS                                                                                                   \
    "My notes say that the code is QUARTZ-5271. Before I answer I write the code down once more, to be sure: it is"

enum { RECALL_TOKENS = 64 };
enum recall { RECALL_SPLIT, RECALL_INLINE, RECALL_ECHO, RECALL_LOST };

/* The conversation that asks for the code. */
json_t *recall_messages(void);

/* A body for a chat call: the question for the code, the assistant's turn (taken), and `more` (taken, an object). */
json_t *recall_body(const struct prefix_plan *plan, json_t *assistant, json_t *more);
/* What a chat completion says of it. `rendered`: the place is known from a render, so any text is enough. */
enum recall recall_read(const json_t *body, bool rendered);
/* After a render: does the chat API deliver the prefix? Only if the backend divides the answer itself. Without its
 * parser the opener would be missing from the answer's text; with a raw prompt the reasoning can be separated. */
bool recall_is_split(const struct backend_reply *reply);
/* What a raw completion does (NULL: there is no text): INLINE, ECHO or LOST. */
enum recall recall_read_text(const char *text);

/* ---- ready ---- */

/* The request as chat, with the assistant's turn (taken) at its end; `more` (taken, an object) is added to the body.
 * The memo says the rest. */
int plan_ready_chat(struct prefix_plan *plan, json_t *assistant, json_t *more, const char *reason,
                    enum backend_next *out);
/* Puts up the filter that rebuilds a raw answer as chat, and says how it is read; the caller has set plan->body and
 * plan->path. */
int plan_ready_raw(struct prefix_plan *plan, completion_read read, enum backend_next *out);
/* The request as a raw completion of OpenAI's form. `room`: the token limit if the client set none, 0: the backend's
 * own. */
int plan_ready_completion(struct prefix_plan *plan, json_t *prompt, json_int_t room, json_t *more,
                          enum backend_next *out);

#endif
