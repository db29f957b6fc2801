/* Kinds of upstream: how each is called, and how a safe reasoning prefix reaches its model.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A kind is one file, or a part of hosted.c, with one table of functions, and one line in backend.c. Its main part is a
 * plan: a state machine that turns a checked request into the call whose response is the answer. A plan that has to
 * check something first (render the prompt, count its tokens) asks for calls of its own:
 *
 *     next -> BACKEND_CALL -> (the session makes plan->call) -> next -> ... -> BACKEND_READY
 *                                                                                           or BACKEND_ASIDE
 *
 * BACKEND_READY: the plan has the body, the path, and how to read the response. BACKEND_ASIDE: prefill is not possible
 * here, because of plan->reason; the session falls back to `instruct`, or fails if the policy says `prefill`.
 *
 * Plans do no I/O and keep no state but their own. Thread: one at a time. */
#ifndef SERVER_BACKENDS_BACKEND_H
#define SERVER_BACKENDS_BACKEND_H

#include <jansson.h>
#include <stdbool.h>

#include "api/request.h"
#include "backends/stream_filter.h"
#include "rein/rein.h"

enum backend_next { BACKEND_READY, BACKEND_CALL, BACKEND_ASIDE };

/* A call that a plan needs, and its reply. */
struct backend_call {
    const char *method; /* static */
    char path[144];     /* from the upstream's root: "/v1/models" */
    json_t *body;       /* owned by the plan; NULL: none */
};
struct backend_reply {
    unsigned status; /* 0: the call failed */
    json_t *body;    /* borrowed; NULL: not JSON */
};

enum { BACKEND_ANSWER_ID_MAX = 64 };

struct prefix_plan {
    /* given; borrowed */
    const struct request *request;
    const char *path_prefix;  /* "/v1" unless configured */
    const char *prefix;       /* the text that the reasoning should begin with */
    const char *shown;        /* for for a restart: the reasoning that the client already has, "" for none */
    const char *field;        /* and its field, see rein_trace_shown_reasoning; static */
    const char *open, *close; /* the operator's delimiters of inline reasoning; NULL: none were given */
    const struct config_template *template; /* the operator's; NULL or empty except for the kind `completions` */
    bool verified; /* this upstream, model and prefix passed the check recently, so it need not be repeated ... */
    unsigned memo; /* ... and this is what it found; a plan that checks sets it */
    char answer_id[BACKEND_ANSWER_ID_MAX]; /* of an answer that is rebuilt, ... */
    int64_t answer_created_s;              /* ... when it was made, ... */
    size_t answer_max;                     /* ... and its size at most */

    /* the plan's own */
    unsigned stage;
    json_t *kept; /* owned */
    struct backend_call call;

    /* made */
    json_t *body;                  /* for the upstream; owned; NULL: the client's own bytes */
    char path[128];                /* from the upstream's root */
    struct rein_attempt attempt;   /* delivery, opened, continues_shown, delimiters; its prefix is `prefix` */
    struct stream_filter *filters; /* what the answer goes through before it is judged; owned; NULL: nothing */
    bool may_be_lines;             /* the stream may have one event per line instead of SSE */
    bool checked;                  /* the check was made just now: to be remembered, READY as passed, ASIDE as failed */
    const char *reason;            /* why this delivery: "instruct_only", "verified", "tools", ...; static */
};

enum { BACKEND_DIALECTS_MAX = 8 };

struct backend {
    const char *kind;
    bool can_prefill;
    bool tells_apart;                                /* reasoning comes in fields of its own, never in the answer */
    bool may_lack_model;                             /* a request without a model's name is served */
    struct field_table fields[BACKEND_DIALECTS_MAX]; /* its own rows for the API of a dialect, before the API's own */
    /* The next step of a prefill plan. NULL if the kind cannot prefill. `reply` is NULL on the first call. REIN_ENOMEM
     * is the only error. */
    int (*next)(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out);
    /* Changes a chat call so that its reasoning can be ended with this text in flight, and puts up the filter that does
     * it. Without memory, or where the answer is rebuilt, it leaves the call alone. NULL: the kind cannot. */
    void (*arm)(struct prefix_plan *plan, const char *words);
};

/* NULL if there is no such kind. */
const struct backend *backend_find(const char *kind);
/* The kind's rows for an API; NULL: none. `backend` may be NULL. */
const struct field_table *backend_fields(const struct backend *backend, const struct api *api);
/* The kinds, in order; NULL past the last. */
const struct backend *backend_at(size_t i);
/* docs/reference/request-fields.md. Owned; NULL: no memory. */
char *backend_fields_page(void);
/* Does any API or kind know the field at this path? *is_refused: some kind refuses or drops it. */
bool backend_knows_field(const char *path, bool *is_refused);
/* The known field with the most similar name; NULL: none is similar. */
const char *backend_nearest_field(const char *name);
/* Does the kind know how to open the model's turn in requests of this API? `backend` may be NULL. */
bool backend_has_plan(const struct backend *backend, const struct request *request);
/* May this request be prefilled here, as far as is known without asking the backend? `backend` may be NULL. */
bool backend_may_prefill(const struct backend *backend, const struct prefix_plan *plan);

void backend_plan_fini(struct prefix_plan *plan);

/* Plans without a prefix. The first makes no body: the client's own bytes are sent. */
void backend_plan_as_sent(struct prefix_plan *plan, const char *reason);
int backend_plan_plain(struct prefix_plan *plan, const char *reason) REIN_MUST_USE;
/* The plan for `instruct`: an instruction of the conversation asks for the prefix. Always possible. */
int backend_plan_instruct(struct prefix_plan *plan, const char *reason) REIN_MUST_USE;

/* The entries of the table. */
extern const struct backend backend_openai, backend_vllm, backend_sglang, backend_llamacpp, backend_ollama,
    backend_deepseek, backend_mistral, backend_groq, backend_openrouter, backend_anthropic, backend_gemini,
    backend_completions;

#endif
