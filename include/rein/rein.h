/* Rein: the embedding API.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trace is one response on its way to one client. Bytes of the upstream go in; judged bytes and findings come out:
 *
 *     engine  = one per thread         (scratch space of the matchers)
 *     policy  = immutable, shared      (loaded once, reference counted)
 *     trace   = one per request        (prompt -> attempt -> feed ... -> finish)
 *
 *     rein_trace_new -> rein_trace_prompt (each message) -> rein_trace_prompt_end
 *       -> rein_trace_attempt -> rein_trace_feed* -> rein_trace_finish
 *
 * Every step fills a rein_update: the bytes that may go to the client now, and what the caller is asked to do. The
 * library opens no files or sockets, reads no clock, starts no threads and never calls back, except for the hooks of
 * the heap and the cache, and where a function is handed one (rein/model.h).
 *
 * Threads: all threads may share a policy; an engine and the traces that use it belong to one thread.
 * Offsets are always bytes of a channel's decoded UTF-8 text. Sizes are bytes. docs/GLOSSARY.md defines the terms. */
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

/* A text for an error code; static. */
REIN_API const char *rein_strerror(int rv);

/* The length of a text without an incomplete UTF-8 character at its end. */
REIN_API size_t rein_text_whole(const char *text, size_t len);

/* The library's version, such as "0.1.1". */
REIN_API const char *rein_version(void);

/* ---- heap -------------------------------------------------------------------------------------------------------- */

/* All memory of the library comes from here, so that a test can fail each allocation in turn. Set it before any other
 * call; NULL restores malloc, realloc and free. `realloc` gets NULL for a new block. */
struct rein_heap {
    void *ctx;
    void *(*realloc)(void *ctx, void *block, size_t size);
    void (*free)(void *ctx, void *block);
};
REIN_API void rein_heap_set(const struct rein_heap *heap);

/* ---- cache of compiled lexicons --------------------------------------------------------------------------------- */

/* Compiling a lexicon takes seconds. The caller may keep the result, as bytes, and give it back the next time. The key
 * (64 hex digits) stands for everything that the bytes depend on: the expressions, the matching library's version and
 * the processor. Bytes that are given back must be the ones that were kept: the library checks that they fit the key's
 * processor and version, but not that nobody has changed them. Set it before any other call; NULL: nothing is kept.
 * The functions are called by the thread that loads a policy or checks a lexicon. */
struct rein_cache {
    void *ctx;
    /* The bytes that were kept under the key, lent until `done`; NULL: there are none. */
    const char *(*get)(void *ctx, const char *key, size_t *len);
    void (*done)(void *ctx, const char *bytes, size_t len);
    /* Offers bytes (borrowed) to be kept. */
    void (*put)(void *ctx, const char *key, const char *bytes, size_t len);
};
REIN_API void rein_cache_set(const struct rein_cache *cache);

/* ---- vocabulary -------------------------------------------------------------------------------------------------- */

enum rein_channel { REIN_PROMPT, REIN_REASONING, REIN_ANSWER, REIN_TOOL, REIN_OTHER, REIN_CHANNELS };

/* What a finding does, weakest first. The strongest action of all enforced findings is the decision's verdict. */
enum rein_action {
    REIN_ALLOW,         /* nothing was found */
    REIN_RECORD,        /* the finding is recorded, nothing else */
    REIN_REDACT,        /* the span is replaced */
    REIN_CUT_REASONING, /* the rest of the reasoning is dropped; the answer follows */
    REIN_STEER,         /* the upstream is stopped and asked again, with a corrective prefix */
    REIN_CUT_RESPONSE,  /* the response ends there */
    REIN_REFUSE,        /* the upstream is stopped, and the policy's refusal is sent */
};

/* How bad a finding is, as its rule says; recorded with it. */
enum rein_severity {
    REIN_SEVERITY_NONE, /* the rule says nothing */
    REIN_SEVERITY_INFO,
    REIN_SEVERITY_LOW,
    REIN_SEVERITY_MEDIUM,
    REIN_SEVERITY_HIGH,
    REIN_SEVERITY_CRITICAL,
};

enum rein_pattern {
    REIN_LACK_OF_SAFETY_AWARENESS,
    REIN_STRONG_VACILLATION,
    REIN_WEAK_VACILLATION,
    REIN_HARMFUL_ADDITIONS,
    REIN_INCONSISTENCY_COMPLIES, /* the reasoning refuses, the answer complies */
    REIN_INCONSISTENCY_REFUSES,  /* the reasoning accepts, the answer refuses */
    REIN_OUTCOME_RISK_REASONING, /* the learned score: the reasoning is about harm and goes along */
    REIN_OUTCOME_RISK_ANSWER,    /* likewise, with the answer's beginning */
    REIN_PATTERNS,
};

/* The questions that the learned score answers. */
enum rein_head {
    REIN_PROMPT_HARM,     /* does a message of the user ask for something harmful? */
    REIN_REASONING_HARM,  /* is the reasoning about something harmful? */
    REIN_COMPLIES,        /* does it go along with the request? */
    REIN_COMPLIES_ANSWER, /* do the reasoning and the beginning of the answer? */
    REIN_HEADS,
};

enum rein_dialect { REIN_OPENAI_CHAT, REIN_OPENAI_RESPONSES, REIN_ANTHROPIC_MESSAGES };

/* How a safe reasoning prefix reached the model. */
enum rein_delivery { REIN_DELIVER_OFF, REIN_DELIVER_INSTRUCT, REIN_DELIVER_PREFILL, REIN_DELIVER_AUTO };

enum rein_when { REIN_WHEN_NEVER, REIN_WHEN_RISKY, REIN_WHEN_ALWAYS };
enum rein_release { REIN_RELEASE_STREAM, REIN_RELEASE_SENTENCE, REIN_RELEASE_END, REIN_RELEASE_AUTO };
enum rein_keep_text { REIN_KEEP_NONE, REIN_KEEP_EVIDENCE, REIN_KEEP_REDACTED, REIN_KEEP_FULL };

/* The words for the values above in policy files, the API and the database ("steer", "reasoning", ...); static. */
REIN_API const char *rein_channel_name(enum rein_channel channel);
REIN_API const char *rein_action_name(enum rein_action action);
REIN_API const char *rein_severity_name(enum rein_severity severity); /* "" for none */
REIN_API const char *rein_pattern_name(enum rein_pattern pattern);
REIN_API const char *rein_head_name(enum rein_head head);
REIN_API const char *rein_delivery_name(enum rein_delivery delivery);

/* ---- policy ------------------------------------------------------------------------------------------------------ */

/* One document: the file's name, as errors quote it, and its text. Borrowed during the call. */
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
/* The warnings, sorted like the problems; NULL past the last. */
REIN_API const struct rein_problem *rein_problems_warning(const struct rein_problems *problems, size_t i);

/* All documents that a policy may refer to. They are found by the `name` in them. */
struct rein_judge_name;
struct rein_library {
    const struct rein_source *templates;
    size_t templates_len;
    const struct rein_source *lexicons;
    size_t lexicons_len;
    const struct rein_source *models;
    size_t models_len;
    const struct rein_source *lists; /* of words: an entry a line. They are found by the last part of their names */
    size_t lists_len;
    const struct rein_source *policies; /* that a policy may extend, also by way of others */
    size_t policies_len;
    const struct rein_judge_name *judges;
    size_t judges_len;
    bool any_judge; /* for a policy that is only checked: a judge of any name exists, and can judge all */
};

/* A judge that the caller can ask. */
struct rein_judge_name {
    const char *name;
    const char *version; /* of all that its opinions depend on; a part of the policy's version */
    unsigned channels;   /* what it can judge: a set of 1 << enum rein_channel */
};

/* What becomes of a field of a request that nobody knows, or that is dropped because it would weaken the guard. */
enum rein_unknown { REIN_UNKNOWN_REFUSE, REIN_UNKNOWN_DROP, REIN_UNKNOWN_PASS };
/* What requests may contain. */
struct rein_request_rules {
    enum rein_unknown unknown;
    bool pass_unjudged_parts; /* images, audio, files */
    const char *const *allow; /* paths of fields that pass whatever their fate is; NULL-terminated */
};

/* What a decision keeps. */
struct rein_log_rules {
    enum rein_keep_text text;
    unsigned channels;  /* whose text is kept: a set of 1 << enum rein_channel */
    size_t max_bytes;   /* of the kept texts of one decision, in all */
    unsigned keep_days; /* kept text and evidence go after so many days, 0: as the store says */
};

/* The settings of a policy that the caller needs; strings are good as long as the policy. */
struct rein_policy_settings {
    const char *name;
    const char *version; /* SHA-256 of everything that the policy resolves to, 64 hex digits */
    struct {
        const char *template_name;
        const char *text; /* the prefix, "" for none */
        enum rein_delivery deliver;
        enum rein_when when;
        bool show; /* a prefilled prefix is shown before the reasoning of the first attempt */
    } prefix;
    struct {
        bool show; /* false: the client never gets the reasoning */
        enum rein_release release;
    } reasoning;
    struct {
        unsigned max_attempts; /* upstream calls in all, including the first */
        unsigned max_added_ms;
        enum rein_action fallback;
        const char *corrective; /* the prefix of a restart */
    } steer;
    struct {
        const char *message;
        const char *finish_reason;
        bool reply_before_first_byte; /* false: HTTP 400 with an error object; true: a 200 with the refusal as its
                                         answer */
    } refusal;
    bool pass_upstream_errors; /* the client gets the upstream's own error text, if the rules pass it */
    struct rein_request_rules request;
    size_t hold_max_bytes;   /* the longest suffix that a rule may hold */
    size_t stream_max_bytes; /* held events of one stream, in all */
    size_t worst_hold;       /* the longest suffix that a withholding rule of this policy can hold, or a placeholder
                                that may come back; 0: none */
    struct rein_log_rules log;
    bool may_steer;    /* some pattern or rule steers */
    bool masks_prompt; /* some rule redacts prompts (rein_trace_masks) */
    bool restores;     /* and masked values come back: traces need a mask_key */
    const char *model; /* the weights of the learned score; "": there are none, and words alone are judged */
};

struct rein_policy;

/* Loads and compiles a policy. On REIN_EPOLICY, `problems` has every problem of every document. *out is unchanged on
 * any error. Returns owned (one reference). */
REIN_API REIN_MUST_USE int rein_policy_load(struct rein_policy **out, const struct rein_source *policy,
                                            const struct rein_library *library, struct rein_problems *problems);
/* The same, next to policies that are already loaded (borrowed during the call). Signals of the same lexicons are
 * shared with them, because compiling them takes seconds. */
REIN_API REIN_MUST_USE int rein_policy_load_beside(struct rein_policy **out, const struct rein_source *policy,
                                                   const struct rein_library *library, struct rein_policy *const *peers,
                                                   size_t peers_len, struct rein_problems *problems);
REIN_API struct rein_policy *rein_policy_ref(struct rein_policy *policy); /* any thread */
REIN_API void rein_policy_unref(struct rein_policy *policy);              /* any thread; NULL is fine */
REIN_API const struct rein_policy_settings *rein_policy_settings(const struct rein_policy *policy);
REIN_API bool rein_policy_has_rule(const struct rein_policy *policy, const char *name);
/* For what goes upstream beside the prompt: 1 if a rule would redact something of it in a prompt, whoever said it; 0 if
 * not. REIN_ENOMEM. Any thread. */
REIN_API REIN_MUST_USE int rein_policy_masks(const struct rein_policy *policy, const char *text, size_t len);

/* A document that the policy resolves to. */
struct rein_policy_document {
    const char *kind; /* "policy", "template", "lexicon", "model", "list" (of words, in a file) */
    const char *name;
    const char *digest;   /* SHA-256 of what it means (of a list: of its bytes), 64 hex digits */
    const char *source;   /* as it was written; NULL but for the policy itself */
    const char *resolved; /* as JSON with the defaults; NULL for lexicons, models and lists */
};
/* The policy itself, with what it extends, then templates, lexicons, the model and lists. Good as long as the policy.
 */
REIN_API const struct rein_policy_document *rein_policy_documents(const struct rein_policy *policy, size_t *len);

/* Masks in a text what the policy's rules mark as secret or personal, as for kept texts: each of its bytes becomes an
 * asterisk. Changes the text in place; *spans is the number of stretches. Any thread. */
REIN_API REIN_MUST_USE int rein_policy_mask(const struct rein_policy *policy, enum rein_channel channel, char *text,
                                            size_t len, size_t *spans);

/* ---- engine ------------------------------------------------------------------------------------------------------ */

struct rein_engine;
REIN_API REIN_MUST_USE int rein_engine_new(struct rein_engine **out);
REIN_API void rein_engine_free(struct rein_engine *engine);

/* ---- findings and the decision ----------------------------------------------------------------------------------- */

/* One step of an explanation: which signal, in which sentence (0 is the first of the channel), at which offset. */
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
    const char *source;      /* the judge whose opinion it is; good as long as the policy. NULL: the words */
    bool shadow;             /* judged, but not acted on: `action` is what it would have done */
    enum rein_action action; /* what this finding does */
    enum rein_channel channel;
    uint32_t choice;
    uint32_t attempt; /* 0 is the first */
    uint64_t offset, len;
    double score;         /* patterns: 0 to 1; rules: 1 */
    const char *evidence; /* the matched text, masked if the rule says so; "" if the policy keeps none */
    size_t evidence_len;
    struct rein_step steps[REIN_STEPS_MAX];
    size_t steps_len;
    enum rein_severity severity; /* of the rule */
    const char *tags; /* of the rule: names, joined by commas; "" or NULL: none. Good as long as the policy */
};

/* Bytes of decoded text. */
struct rein_flow {
    uint64_t received, scanned, released, redacted, held_max;
};

/* How a response ended for the client. */
enum rein_ending {
    REIN_OPEN,           /* it has not ended yet */
    REIN_COMPLETE,       /* with the upstream's own end */
    REIN_REFUSED,        /* with the policy's refusal */
    REIN_CUT,            /* early, because of a finding */
    REIN_UPSTREAM_BROKE, /* the upstream ended without a proper end, or sent something unreadable */
    REIN_OVERFLOW,       /* the policy had to hold more than it allows */
};

/* Does the answer refuse or comply? Open: there is no answer, or no active pattern needs to know. */
enum rein_stance { REIN_STANCE_OPEN, REIN_STANCE_REFUSES, REIN_STANCE_COMPLIES };

enum rein_evaluable { REIN_EVALUABLE, REIN_NOT_EVALUABLE }; /* was there reasoning to judge? */

/* What became of a question to a judge. All but REIN_JUDGE_OPINED are no opinion. */
enum rein_judge_outcome {
    REIN_JUDGE_OPEN,       /* not answered yet, or not needed any more */
    REIN_JUDGE_OPINED,     /* it gave an opinion */
    REIN_JUDGE_UNPARSED,   /* its reply cannot be read in one way */
    REIN_JUDGE_TIMED_OUT,  /* no whole reply in time */
    REIN_JUDGE_FAILED,     /* no connection, an HTTP error, a redirect, a broken or too long reply */
    REIN_JUDGE_BUSY,       /* it said so for too long */
    REIN_JUDGE_LEFT_ALONE, /* it was not asked, because it had failed too often */
    REIN_JUDGE_OUTCOMES,
};
enum { REIN_CATEGORIES_MAX = 160 };
REIN_API const char *rein_judge_outcome_name(enum rein_judge_outcome outcome); /* "open", "opined", ...; static */

/* A question to a judge, and its answer; no text. */
struct rein_asked {
    const char *panel, *judge; /* good as long as the policy */
    enum rein_channel channel;
    uint32_t choice, attempt;
    uint64_t offset, len; /* of the text that was asked about: what came since the question before */
    enum rein_judge_outcome outcome;
    double risk; /* 0 to 1 */
    unsigned took_ms;
    bool was_known;  /* the opinion was given before, about the same text */
    uint64_t heard;  /* of an answer: how far the attempt had come by then (rein_trace_heard) */
    uint32_t said;   /* of an answer: its number among all answers, as they came */
    unsigned leaves; /* of an opinion: patterns that the judge named, a set of 1 << enum rein_pattern */
    char categories[REIN_CATEGORIES_MAX];
};

/* A part of a kept text, in bytes of it. */
struct rein_span {
    uint64_t offset, len;
    const char *rule; /* good as long as the policy; "" of an open one */
    bool is_open;     /* of a mask: what it hides may be the beginning of a secret; the text broke off there */
    uint64_t at;      /* of a match: the byte of the text before which it was decided; UINT64_MAX: the text's end did */
    bool is_held;     /* of a match: else rules held the text from the match on if its own rule does, or not at all */
    uint64_t held;    /* if so, they held it from this byte on when it had just been decided */
};

/* A part of a kept text that came without another text in between. */
struct rein_turn {
    uint64_t at;  /* how far the attempt had come by then (rein_trace_heard) */
    uint64_t len; /* bytes; 0: behind the attempt's last text, something came that is none, as a tool's name */
};

/* A kept text of the prompt or the response (log.text). A masked byte is an asterisk, so offsets stay what they were.
 */
struct rein_text {
    uint32_t n; /* its place: the prompt's texts, then by attempt and choice, in the order in which they began */
    enum rein_channel channel;
    uint32_t attempt, choice;
    const char *speaker;      /* of a message of the prompt; else NULL */
    enum rein_keep_text form; /* REIN_KEEP_REDACTED: what any rule found is masked; REIN_KEEP_FULL: secrets alone */
    unsigned series;          /* of reasoning: texts of one series are one to the patterns; 0: it is alone */
    uint64_t origin;          /* findings count offsets from so many bytes before it: a restart goes on from them */
    uint64_t len;             /* bytes received */
    bool whole;               /* all of them are kept */
    const char *text;         /* from the beginning, as far as it is kept */
    size_t text_len;
    const struct rein_span *masks; /* in order, not overlapping */
    size_t masks_len;
    const struct rein_span *found; /* what the rules of its channel found there, if some text of the decision is masked:
                                      else the text itself shows it. In the order in which it was decided */
    size_t found_len;
    const struct rein_turn *turns; /* NULL: the texts of the response came one after the other, as `n` says */
    size_t turns_len;              /* 0 of others: in too many turns to list */
    const char *readings; /* of a decision some of whose text is masked: what detectors read of the text (struct
                             rein_known_text); bytes without a meaning to others. NULL: nothing is masked, or it was too
                             much to be kept */
    size_t readings_len;
};

struct rein_decision {
    enum rein_action verdict; /* the strongest action of all enforced findings */
    enum rein_action shadow;  /* the strongest action that shadow findings would have had */
    enum rein_ending ending;
    enum rein_evaluable reasoning;
    enum rein_stance answer;             /* of choice 0 in the last attempt, according to its signals */
    const struct rein_finding *findings; /* good until the trace's next step */
    size_t findings_len;
    size_t findings_dropped; /* further findings: acted on and part of the verdict, but not listed */
    struct rein_flow flow[REIN_CHANNELS];
    uint32_t attempts;
    uint64_t events, garbage_events; /* frames received; frames that were not valid JSON and were dropped */
    uint64_t bytes_in, bytes_out;
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* the upstream's own figures, -1 unknown */
    double scores[REIN_PATTERNS];   /* the highest so far, including those below the thresholds */
    double heads[REIN_HEADS];       /* the learned score's, the highest of all texts; 0: nothing was scored */
    const struct rein_asked *asked; /* good until the trace's next step */
    size_t asked_len;
    size_t asked_dropped;         /* further questions: asked, but not listed */
    double prompt_risk;           /* 0 to 1 */
    double trace_risk;            /* 0 to 1: one score of prompt and reasoning */
    const struct rein_step *talk; /* sentences of the first choice's reasoning that talk themselves into complying */
    size_t talk_len;
    const char *harms; /* harm categories that the prompt's signals name, separated by commas; "" for none */
    const char *error; /* the JSON in which the upstream says, in the midst of an answer, that it failed; good
                          until the trace's next step. Its text is the upstream's and not judged */
    size_t error_len;  /* 0: it says no such thing */
    uint64_t first_finding_bytes; /* reasoning bytes judged when the first enforced finding was made, 0: none */
    uint64_t bytes_unjudged;      /* text bytes that were released without being cleared: not 0 means a bug in Rein */
};

/* ---- trace ------------------------------------------------------------------------------------------------------- */

/* What a step asks the caller to do; a set. */
enum rein_ask {
    REIN_ASK_COMMIT = 1,  /* store rein_trace_decision() durably, then call rein_trace_committed(). Nothing more is
                             released until then; feeding may continue in the meantime */
    REIN_ASK_STOP = 2,    /* the upstream is not needed any more: cancel it */
    REIN_ASK_RESTART = 4, /* steered: start another attempt (rein_trace_attempt) or give up (rein_trace_give_up). This
                             need not wait for the commit: nothing of the attempt is released before the commit, and
                             what will have been shown is already known */
    REIN_ASK_END = 8,     /* these bytes complete the client's stream */
    REIN_ASK_JUDGE = 16,  /* questions for judges (rein_trace_questions): answer each with rein_trace_answer. Text that
                             they  are about is held until then; feeding may continue in the meantime */
};

struct rein_update {
    const char *out; /* bytes for the client; good until the trace's next step */
    size_t out_len;
    unsigned asks;
    size_t held;      /* bytes of events that wait in the trace */
    bool waits;       /* judges are asked, and something waits for what they say: the prompt's end, or the response's */
    size_t held_text; /* bytes of text received and not yet released, all channels */
};

enum { REIN_MASK_KEY = 32 };
enum { REIN_CHOICES_MAX = 32 }; /* choices (`n`) of a response that a trace can follow */

/* A match that is known from elsewhere, because what matched is masked in the text that is judged now. */
struct rein_known {
    enum rein_channel channel;
    uint32_t attempt, choice;
    uint32_t text; /* which of the texts of its channel, attempt and choice, in the order in which they begin; from 0 */
    uint64_t offset, len; /* bytes of the text */
    uint64_t at;          /* where it is decided (rein_span); 0: where it ends */
    bool is_held;         /* as in rein_span */
    uint64_t held;        /* from here on, if so */
    const char *rule;     /* a rule's name; one that the policy has not, or not there, matches nothing */
};

/* What is known of a text in which something is masked, besides its matches. */
struct rein_known_text {
    enum rein_channel channel;
    uint32_t attempt, choice, text; /* as of struct rein_known */
    const char *readings; /* what detectors read of it (rein_text.readings): it is not read again. It has to be
                             of detectors that read as those of the policy do; NULL: what is there is read */
    size_t readings_len;
    const char *const *rules; /* names of rules of which all matches in it are known: they are not searched for */
    size_t rules_len;
};

struct rein_trace_options {
    struct rein_policy *policy; /* the trace takes its own reference */
    struct rein_engine *engine; /* borrowed for the trace's lifetime */
    enum rein_dialect dialect;
    bool streamed;     /* events; false: one JSON body */
    size_t body_max;   /* limit of one JSON body, which is held completely, and of one event where the policy can
                          withhold nothing; at least the policy's stream_max_bytes */
    size_t held_min;   /* so much may be held, even if it is more than the policy's stream_max_bytes; 0: no more */
    unsigned choices;  /* `n` of the request, 1 to REIN_CHOICES_MAX */
    bool strip_usage;  /* the caller asked for usage, the client did not: remove the usage event */
    bool has_unjudged; /* a part of the prompt cannot be judged, such as an image: the prompt counts as risky */
    const unsigned char *mask_key;  /* REIN_MASK_KEY secret bytes, by which placeholders are made; copied. The same for
                                       the same client, another for each. NULL: masked values do not come back */
    const char *model;              /* for events that Rein writes itself; borrowed during the call */
    const char *id;                 /* likewise: the response id if the upstream sent none */
    int64_t created_s;              /* likewise: Unix time in seconds */
    const struct rein_known *known; /* what rules shall find besides what they find: those of a text next to each other,
                                       in the order in which they are decided; borrowed during the call */
    size_t known_len;
    const struct rein_known_text *known_texts; /* borrowed as long as the trace */
    size_t known_texts_len;
};

struct rein_trace;

REIN_API REIN_MUST_USE int rein_trace_new(struct rein_trace **out, const struct rein_trace_options *options);
REIN_API void rein_trace_free(struct rein_trace *trace);

/* Judges one message of the prompt. `speaker` is who says it, in the request's words ("system", "user", "assistant",
 * "tool", ...), or "field": it is no message, but a string of another field, such as the name of a tool; or "user_id":
 * it says who the user is, and is judged; of it is kept where rules found something, if they did, and no text. */
REIN_API REIN_MUST_USE int rein_trace_prompt(struct rein_trace *trace, const char *speaker, const char *text,
                                             size_t len);

/* A part of a message. `tag` is the caller's own name for it. */
struct rein_prompt_part {
    const char *text;
    size_t len;
    const void *tag;
};
/* The same for a message in parts, which are judged as one text with `glue` between them. */
REIN_API REIN_MUST_USE int rein_trace_prompt_parts(struct rein_trace *trace, const char *speaker,
                                                   const struct rein_prompt_part *parts, size_t len, const char *glue);

/* A span of a part that must not go to the upstream as it is, because a rule redacts it: `text` goes in its place. It
 * is written as the span is: where the part's text is JSON for its reader, so is what this makes of it. A value that
 * comes back in the answer (`restore` of the rule) has a placeholder, which is the same wherever it is masked. */
struct rein_mask {
    const void *tag;      /* of the part; NULL: rein_trace_prompt */
    uint64_t offset, len; /* in the part's text */
    const char *text;     /* "" where a value continues in another part; ends with a NUL; good as long as the trace */
    size_t text_len;
    const char *rule; /* its id; good as long as the policy */
    bool restores;    /* `text` is a placeholder, in quotes where it takes a number's place */
};
/* All masks of the prompt so far: in the order of the calls, and in each of the text; *len is their number. Good until
 * the trace's next step. Two calls may have masks of the same part that overlap. */
REIN_API const struct rein_mask *rein_trace_masks(const struct rein_trace *trace, size_t *len);

/* The prompt is complete. If a rule refuses it, this asks COMMIT | STOP; after rein_trace_committed(), `out` is a
 * refusal in the client's dialect (a caller that answers with an error object instead ignores it). */
REIN_API REIN_MUST_USE int rein_trace_prompt_end(struct rein_trace *trace, struct rein_update *update);

/* True if the prompt's signals call it risky, or if it has parts that cannot be judged (prefix `when: risky`). After
 * rein_trace_prompt_end(). */
REIN_API bool rein_trace_is_risky(const struct rein_trace *trace);

enum { REIN_DELIMITER_MAX = 47 }; /* bytes of a delimiter of inline reasoning; longer ones are not found */

struct rein_attempt {
    enum rein_delivery delivery; /* the delivery that was used: off, instruct or prefill */
    const char *prefix;          /* its text, which carries no signal. Borrowed during the call */
    bool continues_shown;        /* the upstream continues from the reasoning that was shown (verified prefill) */
    uint64_t origin;          /* how much was shown then, if it is known from elsewhere (rein_text); 0: it is counted */
    bool may_continue;        /* this attempt has no prefill, but a restart may be able to continue from it. If that
                                 fails and something was shown, the caller gives up (rein_trace_give_up) */
    bool opened;              /* the prompt ends inside open reasoning, so inline text begins as reasoning */
    const char *open, *close; /* delimiters of inline reasoning, NULL: those of all known families */
    bool is_apart; /* the upstream sends reasoning in fields of its own alone: tags in the answer are its text */
    bool goes_on;  /* each event has only what is new in a text: one that begins like the one before repeats nothing */
};

/* Begins the response of an upstream call: the first one, or after REIN_ASK_RESTART the next. */
REIN_API REIN_MUST_USE int rein_trace_attempt(struct rein_trace *trace, const struct rein_attempt *attempt);

/* The reasoning of choice 0 that the client was shown so far, including a shown prefix: a restart has to continue from
 * it. Its name is the dialect's name of the field that it came in, "content" for inline reasoning, "" if there was
 * none. Good until the next step. */
REIN_API struct rein_source rein_trace_shown_reasoning(const struct rein_trace *trace);

/* Steered, but there will be no other attempt: takes the policy's fallback. */
REIN_API REIN_MUST_USE int rein_trace_give_up(struct rein_trace *trace, struct rein_update *update);

/* Upstream bytes, cut anywhere. */
REIN_API REIN_MUST_USE int rein_trace_feed(struct rein_trace *trace, const char *data, size_t len,
                                           struct rein_update *update);

/* The upstream's response is over. `whole`: its transfer ended properly; otherwise it broke off, and `message` tells
 * the client why ("upstream timed out"), NULL for a general text. */
REIN_API REIN_MUST_USE int rein_trace_finish(struct rein_trace *trace, bool whole, const char *message,
                                             struct rein_update *update);

/* The decision for which REIN_ASK_COMMIT asked is durable. */
REIN_API REIN_MUST_USE int rein_trace_committed(struct rein_trace *trace, struct rein_update *update);

/* A question for a judge. Texts are UTF-8, borrowed, good until the trace's next step. */
struct rein_question {
    uint32_t id;
    uint32_t asked;    /* its place in the decision's list; UINT32_MAX: it is not there */
    const char *judge; /* its name; good as long as the policy */
    enum rein_channel channel;
    struct rein_source prompt; /* the end of what the user said; `name` unused */
    struct rein_source text;   /* what is judged: the text up to here, or the end of it; of the prompt: as `prompt` */
};
enum { REIN_QUESTION_TEXT_MAX = 32768 };
/* The questions of the last step that asked REIN_ASK_JUDGE. *len is their number. Good until the next step. */
REIN_API const struct rein_question *rein_trace_questions(const struct rein_trace *trace, size_t *len);

struct rein_answer {
    enum rein_judge_outcome outcome; /* not REIN_JUDGE_OPEN */
    double risk;                     /* of an opinion */
    unsigned leaves;                 /* patterns that the judge names: a set of 1 << enum rein_pattern */
    const char *categories;          /* names, joined by commas, fit for logs; NULL: none. Copied */
    unsigned took_ms;
    bool was_known;
};
/* Answers one of them, in any order. What is released does not depend on the order, nor on what comes from the upstream
 * in between. A question that is not open any more (its attempt was stopped) is ignored. */
REIN_API REIN_MUST_USE int rein_trace_answer(struct rein_trace *trace, uint32_t id, const struct rein_answer *answer,
                                             struct rein_update *update);

/* The text of the refusal: that of the rule that refused, or the policy's own. Good as long as the policy. */
REIN_API const char *rein_trace_refusal(const struct rein_trace *trace);

/* How far the attempt has come: bytes of its texts, one more for each text that has ended, and one for its end. */
REIN_API uint64_t rein_trace_heard(const struct rein_trace *trace);

/* Was something to be read of a known text that its readings do not say? Then what was found may be wrong. */
REIN_API bool rein_trace_lacks_readings(const struct rein_trace *trace);

/* The decision so far. Good until the trace's next step. */
REIN_API const struct rein_decision *rein_trace_decision(struct rein_trace *trace);

/* The texts that the policy keeps of it so far (none: *len is 0), with what must not be seen masked. Each call masks
 * all of them anew. Good until the trace's next step. */
REIN_API REIN_MUST_USE int rein_trace_texts(struct rein_trace *trace, const struct rein_text **out, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
