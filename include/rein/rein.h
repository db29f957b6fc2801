/* Rein: the embedding API.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trace is one response on its way to one client. Bytes of the upstream go in, judged bytes and findings come out:
 *
 *     engine  = one per thread         (scratch space of the matchers)
 *     policy  = immutable, shared      (loaded once, reference counted)
 *     trace   = one per request        (prompt -> attempt -> feed ... -> finish)
 *
 *     rein_trace_new -> rein_trace_prompt (each message) -> rein_trace_prompt_end
 *       -> rein_trace_attempt -> rein_trace_feed* -> rein_trace_finish
 *
 * Every step fills a rein_update: bytes that may go to the client now, and what is asked of the caller. The library
 * opens no files or sockets, reads no clock, starts no threads and never calls back (but for the heap hook).
 *
 * Threads: a policy may be shared by all threads; an engine and the traces that use it belong to one thread.
 * Offsets are bytes of a channel's decoded UTF-8 text, everywhere. Sizes are bytes. */
#ifndef REIN_REIN_H
#define REIN_REIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REIN_API __attribute__((visibility("default")))
#define REIN_MUST_USE __attribute__((warn_unused_result))

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Results are 0 or one of these, negative. */
#define REIN_ERRORS(X)                                                                                                 \
    X(-1, REIN_ENOMEM, "out of memory")                                                                                \
    X(-2, REIN_EINVAL, "invalid argument")                                                                             \
    X(-3, REIN_ELIMIT, "a limit was exceeded")                                                                         \
    X(-4, REIN_EPOLICY, "the policy has errors")                                                                       \
    X(-5, REIN_EFORMAT, "malformed input")                                                                             \
    X(-6, REIN_ESTATE, "not possible in this state")                                                                   \
    X(-7, REIN_EMATCH, "the matching library failed")                                                                  \
    X(-8, REIN_EIO, "reading or writing failed")

enum rein_error {
#define REIN_ERROR_ENUM(code, name, text) name = (code),
    REIN_ERRORS(REIN_ERROR_ENUM)
#undef REIN_ERROR_ENUM
};

/* A static text for an error code. */
REIN_API const char *rein_strerror(int rv);

/* The length of a text without the beginning of a UTF-8 character that was cut short at its end. */
REIN_API size_t rein_text_whole(const char *text, size_t len);

/* The library's version, such as "0.1.1". */
REIN_API const char *rein_version(void);

/* ---- heap -------------------------------------------------------------------------------------------------------- */

/* All memory of the library comes from here; a test fails each allocation in turn. Set before anything else is called;
 * NULL restores malloc, realloc and free. `realloc` gets NULL for a new block. */
struct rein_heap {
    void *ctx;
    void *(*realloc)(void *ctx, void *block, size_t size);
    void (*free)(void *ctx, void *block);
};
REIN_API void rein_heap_set(const struct rein_heap *heap);

/* ---- vocabulary -------------------------------------------------------------------------------------------------- */

enum rein_channel { REIN_PROMPT, REIN_REASONING, REIN_ANSWER, REIN_TOOL, REIN_OTHER, REIN_CHANNELS };

/* What a finding does, mildest first. The strongest of all findings is the decision's. */
enum rein_action {
    REIN_ALLOW,         /* nothing was found */
    REIN_RECORD,        /* found, logged, not acted on */
    REIN_REDACT,        /* the span is replaced */
    REIN_CUT_REASONING, /* the rest of the reasoning is dropped, the answer goes on */
    REIN_STEER,         /* the upstream is stopped and asked again, with a corrective prefix */
    REIN_CUT_RESPONSE,  /* the response ends there */
    REIN_REFUSE,        /* the upstream is stopped, the policy's refusal said */
};

enum rein_pattern {
    REIN_LACK_OF_SAFETY_AWARENESS,
    REIN_STRONG_VACILLATION,
    REIN_WEAK_VACILLATION,
    REIN_HARMFUL_ADDITIONS,
    REIN_INCONSISTENCY_COMPLIES, /* the reasoning refuses, the answer complies */
    REIN_INCONSISTENCY_REFUSES,  /* the reasoning accepts, the answer refuses */
    REIN_PATTERNS,
};

enum rein_dialect { REIN_OPENAI_CHAT };

/* How a safe reasoning prefix reached the model. */
enum rein_delivery { REIN_DELIVER_OFF, REIN_DELIVER_INSTRUCT, REIN_DELIVER_PREFILL, REIN_DELIVER_AUTO };

enum rein_when { REIN_WHEN_NEVER, REIN_WHEN_RISKY, REIN_WHEN_ALWAYS };
enum rein_release { REIN_RELEASE_STREAM, REIN_RELEASE_SENTENCE, REIN_RELEASE_END };
enum rein_keep_text { REIN_KEEP_NONE, REIN_KEEP_EVIDENCE, REIN_KEEP_REDACTED, REIN_KEEP_FULL };

/* The words of the policy file, the API and the database for the values above ("steer", "reasoning", ...). */
REIN_API const char *rein_channel_name(enum rein_channel channel);
REIN_API const char *rein_action_name(enum rein_action action);
REIN_API const char *rein_pattern_name(enum rein_pattern pattern);
REIN_API const char *rein_delivery_name(enum rein_delivery delivery);

/* ---- policy ------------------------------------------------------------------------------------------------------ */

/* One document: a file's name, as errors shall quote it, and its text. Borrowed during the call. */
struct rein_source {
    const char *name;
    const char *text;
    size_t len;
};

/* What is wrong with a document. `line` and `column` count from 1, 0 if unknown; `key` is a path such as
 * "rules[2].regex". The strings are good until the list is freed. */
struct rein_problem {
    const char *file;
    unsigned line, column;
    const char *key;
    const char *message;
};
struct rein_problems;
REIN_API REIN_MUST_USE int rein_problems_new(struct rein_problems **out);
REIN_API void rein_problems_free(struct rein_problems *problems);
REIN_API size_t rein_problems_count(const struct rein_problems *problems);
REIN_API const struct rein_problem *rein_problems_at(const struct rein_problems *problems, size_t i);
/* The warnings, in the order of the files' lines; NULL past the last. */
REIN_API const struct rein_problem *rein_problems_warning(const struct rein_problems *problems, size_t i);

/* All documents that a policy may refer to. Templates and lexicons are found by the `name` inside them. */
struct rein_library {
    const struct rein_source *templates;
    size_t templates_len;
    const struct rein_source *lexicons;
    size_t lexicons_len;
};

/* What the server needs to know of a policy; strings are good as long as the policy. */
struct rein_policy_settings {
    const char *name;
    const char *version; /* SHA-256 of all that the policy resolves to, 64 hex digits */
    struct {
        const char *template_name;
        const char *text; /* the prefix, "" for none */
        enum rein_delivery deliver;
        enum rein_when when;
        bool show; /* a prefilled one is shown before the reasoning of the first attempt */
    } prefix;
    struct {
        bool show; /* false: reasoning is never sent to the client */
        enum rein_release release;
    } reasoning;
    struct {
        unsigned max_attempts; /* upstream calls in all, the first one counted */
        unsigned max_added_ms;
        enum rein_action fallback;
        const char *corrective; /* the prefix of a restart */
    } steer;
    struct {
        const char *message;
        const char *finish_reason;
        bool reply_before_first_byte; /* false: HTTP 400 with an error object; true: a 200 that says the refusal */
    } refusal;
    bool pass_upstream_errors;       /* a client reads why an upstream failed, as far as the rules let it */
    const char *const *allow_fields; /* of requests, beyond what Rein accepts by itself; NULL-terminated */
    size_t hold_max_bytes;           /* the longest suffix that a rule may hold */
    size_t stream_max_bytes;         /* held events of one stream, in all */
    size_t worst_hold;               /* the longest that any withholding rule of this policy really can hold, 0: none */
    enum rein_keep_text log_text;
    bool may_steer; /* some pattern or rule steers */
};

struct rein_policy;

/* Loads and compiles a policy. On REIN_EPOLICY every problem of every document is in `problems`; *out is untouched on
 * any error. Returns owned (one reference). */
REIN_API REIN_MUST_USE int rein_policy_load(struct rein_policy **out, const struct rein_source *policy,
                                            const struct rein_library *library, struct rein_problems *problems);
/* The same beside policies that are loaded already (borrowed during the call): signals of the same lexicons are shared
 * with them, for to compile them takes seconds. */
REIN_API REIN_MUST_USE int rein_policy_load_beside(struct rein_policy **out, const struct rein_source *policy,
                                                   const struct rein_library *library, struct rein_policy *const *peers,
                                                   size_t peers_len, struct rein_problems *problems);
REIN_API struct rein_policy *rein_policy_ref(struct rein_policy *policy); /* any thread */
REIN_API void rein_policy_unref(struct rein_policy *policy);              /* any thread; NULL is fine */
REIN_API const struct rein_policy_settings *rein_policy_settings(const struct rein_policy *policy);

/* ---- engine ------------------------------------------------------------------------------------------------------ */

struct rein_engine;
REIN_API REIN_MUST_USE int rein_engine_new(struct rein_engine **out);
REIN_API void rein_engine_free(struct rein_engine *engine);

/* ---- findings and the decision ----------------------------------------------------------------------------------- */

/* One step of an explanation: which signal, in which sentence (0 is the channel's first), where. */
struct rein_step {
    const char *signal; /* "names_harm", "concedes", ...; good as long as the policy */
    uint32_t sentence;
    uint32_t len;
    uint64_t offset;
};
#define REIN_STEPS_MAX 8

struct rein_finding {
    const char *id; /* a pattern's or a rule's name; good as long as the policy */
    bool is_rule;
    bool shadow;             /* judged, not acted on: `action` is what it would have done */
    enum rein_action action; /* what this finding does */
    enum rein_channel channel;
    uint32_t choice;
    uint32_t attempt; /* 0 is the first */
    uint64_t offset, len;
    double score;         /* patterns: 0 to 1; rules: 1 */
    const char *evidence; /* the text, masked where the rule says so; "" if the policy keeps none */
    size_t evidence_len;
    struct rein_step steps[REIN_STEPS_MAX];
    size_t steps_len;
};

/* Bytes of decoded text. */
struct rein_flow {
    uint64_t received, scanned, released, redacted, held_max;
};

/* How a response ended, as the client saw it. */
enum rein_ending {
    REIN_OPEN,           /* not yet */
    REIN_COMPLETE,       /* the upstream's own end */
    REIN_REFUSED,        /* the policy's refusal */
    REIN_CUT,            /* the response was ended early by a finding */
    REIN_UPSTREAM_BROKE, /* the upstream ended without an end, or sent what cannot be read */
    REIN_OVERFLOW,       /* more was held than the policy allows */
};

/* Does the answer decline or help? Open: there is none, or nobody looked (no pattern is active). */
enum rein_stance { REIN_STANCE_OPEN, REIN_STANCE_REFUSES, REIN_STANCE_COMPLIES };

enum rein_evaluable { REIN_EVALUABLE, REIN_NOT_EVALUABLE }; /* was there reasoning to look at? */

struct rein_decision {
    enum rein_action verdict; /* the strongest finding that was acted on; REIN_RECORD if only recorded ones */
    enum rein_action shadow;  /* the strongest that shadow findings would have done */
    enum rein_ending ending;
    enum rein_evaluable reasoning;
    enum rein_stance answer;             /* of choice 0 in the last attempt, as its signals say */
    const struct rein_finding *findings; /* good until the trace's next step */
    size_t findings_len;
    size_t findings_dropped; /* more of them: acted on and part of the verdict, but not listed */
    struct rein_flow flow[REIN_CHANNELS];
    uint32_t attempts;
    uint64_t events, garbage_events; /* frames seen; frames that were no valid JSON and were dropped */
    uint64_t bytes_in, bytes_out;
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* the upstream's own figures, -1 unknown */
    double scores[REIN_PATTERNS];                               /* highest so far, also below the thresholds */
    double prompt_risk;                                         /* 0 to 1 */
    double trace_risk;                                          /* 0 to 1: one score from prompt and reasoning */
    const struct rein_step *talk; /* sentences of the first choice's reasoning that talk themselves into complying */
    size_t talk_len;
    const char *harms;            /* comma-separated harm categories that the prompt's signals name, "" for none */
    uint64_t first_finding_bytes; /* reasoning bytes looked at when the first enforced finding was made, 0: none */
    uint64_t bytes_unjudged;      /* text bytes released that were not cleared: always 0, or Rein has a bug */
};

/* ---- trace ------------------------------------------------------------------------------------------------------- */

/* What a step asks of the caller, a set. */
enum rein_ask {
    REIN_ASK_COMMIT = 1,  /* store rein_trace_decision() durably, then call rein_trace_committed(); until then nothing
                             more  is released. Feeding may go on meanwhile. */
    REIN_ASK_STOP = 2,    /* the upstream is of no more use: cancel it */
    REIN_ASK_RESTART = 4, /* steered: start another attempt (rein_trace_attempt) or give up (rein_trace_give_up). Need
                             not wait for the commit: nothing of the attempt is released before it, and what will have
                             been shown is known */
    REIN_ASK_END = 8,     /* the client's stream is complete with these bytes */
};

struct rein_update {
    const char *out; /* for the client; good until the trace's next step */
    size_t out_len;
    unsigned asks;
    size_t held;      /* bytes of events queued in the trace */
    size_t held_text; /* bytes of text received and not yet released, all channels */
};

enum { REIN_CHOICES_MAX = 32 }; /* choices (`n`) of a response that a trace can follow */

struct rein_trace_options {
    struct rein_policy *policy; /* the trace takes its own reference */
    struct rein_engine *engine; /* borrowed as long as the trace */
    enum rein_dialect dialect;
    bool streamed;     /* events; false: one JSON body */
    size_t body_max;   /* of one JSON body, held in whole; 0, or less than that: the policy's stream_max_bytes */
    unsigned choices;  /* `n` of the request, 1 to REIN_CHOICES_MAX */
    bool strip_usage;  /* the client did not ask for usage, we did: take the usage event out */
    const char *model; /* for events that Rein says itself; borrowed during the call */
    const char *id;    /* likewise: the response id if the upstream never gave one */
    int64_t created_s; /* likewise: Unix time, seconds */
};

struct rein_trace;

REIN_API REIN_MUST_USE int rein_trace_new(struct rein_trace **out, const struct rein_trace_options *options);
REIN_API void rein_trace_free(struct rein_trace *trace);

/* Judges one message of the prompt. `role` is the request's ("system", "user", "assistant", "tool", ...). */
REIN_API REIN_MUST_USE int rein_trace_prompt(struct rein_trace *trace, const char *role, const char *text, size_t len);

/* The prompt is whole. If a rule refuses it: asks COMMIT | STOP; after rein_trace_committed() the `out` is a refusal in
 * the client's dialect (a caller that answers with an error object instead ignores it). */
REIN_API REIN_MUST_USE int rein_trace_prompt_end(struct rein_trace *trace, struct rein_update *update);

/* True if the prompt's signals call it risky (prefix `when: risky`). After rein_trace_prompt_end(). */
REIN_API bool rein_trace_is_risky(const struct rein_trace *trace);

enum { REIN_DELIMITER_MAX = 47 }; /* bytes of a delimiter of inline reasoning: a longer one is never found */

struct rein_attempt {
    enum rein_delivery delivery; /* what was really done: off, instruct or prefill */
    const char *prefix;          /* its text; what it says is no signal. Borrowed during the call */
    bool continues_shown;        /* the upstream goes on from the reasoning that was shown (verified prefill) */
    bool may_continue;           /* without a prefill of its own: a restart may yet be able to. If it then is not, and
                                    something was shown, the caller gives up (rein_trace_give_up) */
    bool opened;                 /* the prompt ends inside open reasoning: inline text starts as reasoning */
    const char *open, *close;    /* delimiters of inline reasoning, NULL: those of all known families */
};

/* Starts an upstream call's response: the first, or after REIN_ASK_RESTART the next. */
REIN_API REIN_MUST_USE int rein_trace_attempt(struct rein_trace *trace, const struct rein_attempt *attempt);

/* The reasoning of choice 0 that the client was shown so far, a shown prefix before it: what a restart has to go on
 * from. Its name is the dialect's for the field that it came in, "content" where it came inline, "" if none came. Good
 * until the next step. */
REIN_API struct rein_source rein_trace_shown_reasoning(const struct rein_trace *trace);

/* Steered, but there will be no other attempt: the policy's fallback. */
REIN_API REIN_MUST_USE int rein_trace_give_up(struct rein_trace *trace, struct rein_update *update);

/* Upstream bytes, cut anywhere. */
REIN_API REIN_MUST_USE int rein_trace_feed(struct rein_trace *trace, const char *data, size_t len,
                                           struct rein_update *update);

/* The upstream's response is over: `whole` if its transfer ended properly, else it broke off; `message` then tells the
 * client why ("upstream timed out"), NULL for a general text. */
REIN_API REIN_MUST_USE int rein_trace_finish(struct rein_trace *trace, bool whole, const char *message,
                                             struct rein_update *update);

/* What REIN_ASK_COMMIT asked for is durable. */
REIN_API REIN_MUST_USE int rein_trace_committed(struct rein_trace *trace, struct rein_update *update);

/* The decision as it stands. Good until the trace's next step. */
REIN_API const struct rein_decision *rein_trace_decision(struct rein_trace *trace);

#ifdef __cplusplus
}
#endif
#endif
