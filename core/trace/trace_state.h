/* The trace's own state, shared by the files that make it up: trace.c (the API), trace_event.c (events to texts),
 * trace_spelled.c (members that repeat text), trace_judge.c (findings and their actions), trace_alone.c (strings that
 * stand alone), trace_when.c (conditions), trace_end.c (how a response ends). SPDX-License-Identifier: Apache-2.0
 *
 *      attempt -> feed: event -> pieces -> lanes -> texts -> matches, sentences -> findings -> actions -> gate -> out
 *
 * Thread: one. */
#ifndef CORE_TRACE_TRACE_STATE_H
#define CORE_TRACE_TRACE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/engine.h"
#include "detect/pattern.h"
#include "dialect/dialect.h"
#include "dialect/event.h"
#include "mask/mask_set.h"
#include "policy/policy.h"
#include "rein/rein.h"
#include "trace/finding.h"
#include "trace/gate.h"
#include "trace/kept/kept.h"
#include "trace/lane.h"
#include "trace/pending.h"
#include "trace/text.h"

enum {
    ERROR_MAX = 8192, /* a longer payload with an error in it is not kept */
    LANES_MAX = 512,  /* fields that carry text, of all choices and tools */
    SLOTS_MAX = 4,    /* names under which a choice may send the same channel */
};

enum trace_phase {
    TRACE_PROMPT,  /* judging the prompt */
    TRACE_ASKING,  /* judges are asked about the prompt */
    TRACE_IDLE,    /* no upstream call yet, or between two */
    TRACE_RUNNING, /* an attempt's bytes are judged */
    TRACE_STEERED, /* stopped; another attempt or the fallback comes next */
    TRACE_ENDING,  /* all that the client gets is queued; waits for the last commit */
    TRACE_OVER,
    TRACE_BROKEN, /* a step failed half-way: nothing more is released */
};

/* One of the response's choices. */
struct choice {
    bool is_seen, has_reasoning, end_seen;
    bool is_apart;       /* its reasoning came in a field of its own */
    bool reasoning_over; /* its reasoning has ended and is judged: the answer may be released */
    bool awaits_answer;  /* it is held still, because the answer's beginning may steer */
    bool is_stopping;    /* something that stops it waits for its turn: nothing more of it is judged or shown */
    bool reasoning_cut;  /* a reasoning text was cut: those that begin later are not shown either */
    uint8_t reasoning_texts, answer_texts;
    uint8_t series[PLACE_SERIES]; /* one more than the slot of each series of reasoning; 0: it has not begun */
    struct pattern_tracker *trackers[SLOTS_MAX]; /* each made with the first byte of its texts; owned */
    unsigned found;                              /* set of patterns found in this attempt */
    uint64_t said;                               /* bytes of all its texts, in this attempt */
    struct channel_text *speaker;                /* the text that continued last; NULL: none yet */
    struct channel_text *paused;                 /* those before it that may yet continue, and hold something; a list */
};

/* A text, and when it spoke last. */
struct channel_text {
    struct text text;
    uint64_t spoke_at; /* choice.said, when it continued last */
    struct channel_text *next_paused;
    bool is_paused;                  /* in the choice's list */
    struct channel_text *next_begun; /* in the trace's, from its first byte on */
};

/* A field and its text or texts; its address stays. */
struct channel_lane {
    struct lane lane;
    struct channel_text texts[2]; /* [0]: answer or only text; [1]: inline reasoning */
    bool has_reasoning_text;
    struct channel_lane *next;
};

/* One block, so that most responses need few others: the first lane lies inside, the choices that were asked for,
 * the dialect's state and the strings of the options behind it. */
struct rein_trace {
    struct rein_policy *policy; /* a reference */
    struct rein_engine *engine; /* borrowed */
    const struct dialect *dialect;
    void *dialect_state; /* lies behind the choices */
    bool streamed, strip_usage;
    size_t
        held_max; /* what may be held: the policy's stream_max_bytes, or more of a body and where nothing is withheld */
    size_t event_max; /* an event that repeats all may be longer, as long as a body */
    unsigned choices_asked;
    const char *model, *fallback_id;
    int64_t created_s;

    enum trace_phase phase;
    bool needs_commit; /* a finding changed the stream and was not committed yet */
    bool committing;   /* the caller was asked to */
    bool end_due;      /* the last commit is to be asked for ... */
    bool end_asked;    /* ... and was: what it releases is in `last` */
    bool stop_asked;
    bool pattern_active; /* some pattern is searched for */
    bool withholds;      /* the policy may keep text from the client */
    bool scores_due;     /* the trackers know more than the decision says */

    struct mask_set *masks; /* what is masked of the prompt; NULL: nothing is */
    unsigned char mask_key[REIN_MASK_KEY];
    bool has_mask_key;

    struct prompt_risk risk;
    bool has_unjudged; /* what some parts of the prompt ask for is not known */

    uint32_t attempt; /* of the present one, 0 first */
    uint32_t attempts;
    enum rein_delivery delivery;
    enum rein_release release; /* of reasoning, in this attempt */
    char *prefix, *open, *close;
    bool opened, continues;
    uint64_t origin;   /* of the attempt's reasoning, if it continues; 0: it is counted */
    bool is_apart;     /* reasoning comes in fields of its own alone */
    bool goes_on;      /* no event repeats what came */
    bool may_continue; /* a restart can continue from what this attempt shows, or can try */
    bool leads;        /* the client sees the prefix before the reasoning */

    struct bytes in;
    struct framer framer;
    struct event_reader *reader;
    struct channel_lane *lanes, *last_lane,
        *recent_lane; /* in the order in which they came; owned except for the first */
    size_t lanes_len;
    struct channel_text *first_begun, *last_begun; /* texts that have bytes, in the order in which they began */
    struct choice *choice;                         /* those asked for, or with those that came without, then owned */
    size_t choice_count;
    bool saw_inner_error, saw_part; /* of the present attempt, like the next */
    bool saw_error;
    struct bytes error;   /* the first payload with an error in it */
    bool saw_last;        /* the event that the stream ends with */
    bool whole_matched;   /* a stand-alone string was acted on: those that come again are examined again */
    unsigned hidden_keys; /* of the present event: keys that a rule acted on */

    size_t keep_room; /* bytes that texts which may be repeated can still keep */

    struct pending_list pending; /* behind the first open question */
    const struct pending *turn;  /* the item that is carried out; NULL: none is */
    struct pending_list aside;   /* questions that only the end of the response waits for */
    bool completes;              /* the response is over, but for what waits */
    uint32_t next_question;
    struct bytes prompt;                    /* the end of what the user said */
    struct bytes questions, question_texts; /* struct rein_question: of the present step; and their texts */
    struct bytes asked;                     /* struct rein_asked: all of them */

    struct kept *kept;              /* owned; NULL: no text is kept */
    struct known *known;            /* owned; NULL: nothing is known from elsewhere */
    struct known_text known_prompt; /* of the prompt's text that is judged */
    bool lacks_readings;            /* something was to be read of a masked text that is not known */
    uint32_t answers;               /* of judges, so far */
    uint64_t heard;                 /* see rein_trace_heard; without the response's end */
    struct bytes late;              /* matches in the prompt that wait for its end */
    size_t late_len, late_dropped;
    uint64_t *muted; /* set of rules that find nothing in this response, because of what the prompt is; NULL: none */
    char *harms;     /* that the prompt names; NULL: none */

    const struct policy_refusal *refusal;       /* of what stopped the response; NULL: nothing did */
    const struct policy_refusal *asked_refusal; /* of the first panel that refuses the prompt; NULL: none does */
    const struct policy_rule *alone_refuser;    /* the one that would, of the stand-alone strings judged last */
    bool alone_steers;                          /* one of them steers, if that is possible when its turn has come */
    const struct policy_rule *prompt_refuser;   /* of those that refuse the prompt, the policy's first */
    unsigned speakers;                          /* of the message of the prompt that is judged */

    struct findings findings;
    uint64_t alone; /* stand-alone texts so far */
    struct rein_decision decision;
    struct match_list matches;
    struct bytes scratch, said, out;
    struct bytes last; /* what a commit that is under way will let pass: of an end, or before a restart */

    /* What lies here is cleared where it is begun with, all before it when the trace is made. */
    struct gate gate;
    struct channel_lane first_lane;
    struct choice asked_for[];
};

/* Always true between two steps that did not fail. Constant time; `deep`: examines all that waits, too. */
bool trace_is_sound(const struct rein_trace *t, bool deep);

/* ---- trace_event.c ---- */
/* Judges one frame and queues it. */
int trace_take_frame(struct rein_trace *t, const struct frame *frame) REIN_MUST_USE;
/* Judges the whole body that came in. */
int trace_take_body(struct rein_trace *t) REIN_MUST_USE;
/* No text will come any more in this attempt: decides all that is open. */
int trace_end_texts(struct rein_trace *t) REIN_MUST_USE;
void trace_drop_lanes(struct rein_trace *t);
/* dialect_memory.shown */
int trace_shown(void *ctx, uint32_t text, struct bytes *out) REIN_MUST_USE;

/* ---- trace_spelled.c ---- */
/* Marks, in the event that was pushed last, what spells out more than its own text. */
int trace_mark_spelled(struct rein_trace *t, const struct event *event, struct span payload) REIN_MUST_USE;

/* ---- trace_judge.c ---- */
/* Bytes that were given to a text. A lane_sink. */
int trace_judge_bytes(void *ctx, struct text *text, struct span bytes) REIN_MUST_USE;
/* Is there more in it than white space? */
bool trace_is_text(struct span s);
/* The text of a field that is reasoning; NULL: none is. */
struct text *trace_reasoning_text(struct channel_lane *lane);
/* The text has ended. */
int trace_judge_end(struct rein_trace *t, struct text *text) REIN_MUST_USE;
/* All texts of the choice have ended and are judged. */
void trace_end_choice(struct rein_trace *t, uint16_t choice);
/* The choice's reasoning has ended: judges it as a whole. */
int trace_end_reasoning(struct rein_trace *t, uint16_t choice) REIN_MUST_USE;
/* The action that is possible for a text now: steering may be impossible, and only reasoning can be cut alone. `text`
 * is NULL for a string that stands alone. */
enum rein_action trace_resolve(const struct rein_trace *t, enum rein_action action, const struct text *text);
/* Must an action wait until the questions before it are answered? What stops something must, and so does steering,
 * because it depends on what has been shown by then; in shadow, too. */
bool trace_must_wait(const struct rein_trace *t, enum rein_action action, bool shadow);
/* Adds a finding that is not of a text of the response. */
int trace_add_finding(struct rein_trace *t, struct rein_finding *f, const struct evidence *evidence) REIN_MUST_USE;
struct rein_finding trace_finding_of(const struct policy_rule *rule);

/* ---- trace_alone.c ---- */
/* A stand-alone string or number. *action is the strongest of what was found and is enforced. REIN_REDACT: what may be
 * shown, escaped, is in t->said. Stronger ones: nothing of it may be shown, and the caller stops the choice with
 * trace_stop.
 */
int trace_judge_whole(struct rein_trace *t, const struct place *place, struct span text,
                      enum rein_action *action) REIN_MUST_USE;
/* A message of the prompt. `edits` not NULL: what is to be redacted are its edits; it is made here, the caller calls
 * text_fini, also after an error, and `kept` gets the matches whose values never come back. */
int trace_judge_prompt(struct rein_trace *t, const char *speaker, struct span text, struct text *edits,
                       struct match_list *kept) REIN_MUST_USE;

/* ---- trace_when.c ---- */
/* Does the condition hold now, for this choice? */
bool trace_when_holds(const struct rein_trace *t, const struct policy_when *when, uint16_t choice);
/* A match in the prompt whose rule has a condition. */
int trace_match_later(struct rein_trace *t, const struct policy_rule *rule, const struct rein_finding *f,
                      const struct evidence *evidence) REIN_MUST_USE;
/* All is known of the prompt that its own words say. */
int trace_when_prompt_ends(struct rein_trace *t) REIN_MUST_USE;
/* Adds an item to the pending ones (or to those aside). */
int trace_wait(struct rein_trace *t, struct pending_list *list, enum pending_kind kind, struct span bytes,
               struct pending **out) REIN_MUST_USE;
/* Clears texts as far as they were free when the item came. */
void trace_clear_known(struct rein_trace *t, const struct pending *item);
/* Clears the item's text up to where its finding stops it. */
void trace_clear_before_stop(struct rein_trace *t, const struct pending *item);
/* The finding of an item, whose turn has come. */
int trace_act_late(struct rein_trace *t, const struct pending *item) REIN_MUST_USE;
/* The judges' opinion that is an item's, about its stretch of its text; of no text: about the prompt. */
int trace_act_on_opinion(struct rein_trace *t, const struct pending *item, struct rein_finding *f,
                         const struct policy_refusal *refusal) REIN_MUST_USE;
/* Clears all texts as far as they are free: nothing is waited for. */
void trace_clear_all(struct rein_trace *t);

/* ---- trace_panel.c: judges ---- */
/* A text begins (ends): is it one that panels judge? */
int trace_panels_begin(struct rein_trace *t, struct text *text) REIN_MUST_USE;
void trace_panels_fini(struct text *text);
/* What was said: in the prompt; a whole sentence; bytes of a text without sentences. */
int trace_panels_prompt(struct rein_trace *t, const char *speaker, struct span said) REIN_MUST_USE;
int trace_panels_sentence(struct rein_trace *t, struct text *text, struct span sentence, uint64_t offset) REIN_MUST_USE;
int trace_panels_hear(struct rein_trace *t, struct text *text, struct span bytes) REIN_MUST_USE;
REIN_MUST_USE static inline int trace_panels_bytes(struct rein_trace *t, struct text *text, struct span bytes)
{
    return text->asks == NULL || text->has_sentences ? 0 : trace_panels_hear(t, text, bytes);
}
/* What the judges get of the prompt. */
struct span trace_panels_prompt_said(const struct rein_trace *t);
/* The prompt, or the text, is over, for now at least. */
int trace_panels_prompt_end(struct rein_trace *t) REIN_MUST_USE;
int trace_panels_text_end(struct rein_trace *t, struct text *text) REIN_MUST_USE;
/* How far the text is asked about, or need not be; UINT64_MAX: as far as it goes. */
uint64_t trace_panels_bound(const struct rein_trace *t, const struct text *text);
/* The questions of the step: adds those whose turn it is; sets where their texts are; forgets them. */
int trace_panels_ask(struct rein_trace *t) REIN_MUST_USE;
void trace_panels_settle(struct rein_trace *t);
static inline void trace_panels_forget_questions(struct rein_trace *t)
{
    bytes_clear(&t->questions);
    bytes_clear(&t->question_texts);
}
/* Is anything waited for, so that the response cannot end yet? */
static inline bool trace_panels_wait(const struct rein_trace *t)
{
    return t->pending.first != NULL || t->aside.first != NULL;
}
int trace_panels_answer(struct rein_trace *t, uint32_t id, const struct rein_answer *answer) REIN_MUST_USE;

/* ---- trace_clear.c ---- */
/* How far a text is free if it is not beyond `bound`, or is already. */
uint64_t trace_free_up_to(const struct rein_trace *t, const struct text *text, uint64_t bound);
/* A text is free as far as rules, patterns and panels let it pass now, but not beyond `bound`. If nothing is waited
 * for, it is cleared so far. */
void trace_clear_up_to(const struct rein_trace *t, struct text *text, uint64_t bound);
void trace_clear_choice(struct rein_trace *t, uint16_t choice);
bool trace_answer_may_steer(const struct rein_trace *t, const struct choice *choice);
/* Before bytes of a text, and after its sentences: an answer that can steer no more, or something else than an answer,
 * ends the wait. */
void trace_look_at_wait(struct rein_trace *t, const struct text *text);
static inline void trace_await_answer(struct rein_trace *t, const struct text *text)
{
    if (t->choice[text->choice].awaits_answer)
        trace_look_at_wait(t, text);
}

/* ---- trace_end.c ---- */
/* Carries out an action that ends a choice (or all): refuse, cut_response, steer. */
int trace_stop(struct rein_trace *t, uint16_t choice, enum rein_action action) REIN_MUST_USE;
/* The same because of a stand-alone string of the event pushed last, when all questions before it are answered. */
int trace_stop_in_turn(struct rein_trace *t, uint16_t choice, enum rein_action action) REIN_MUST_USE;
/* Of rules that stop something, the one with the strongest action counts; of these the policy's first. Either may be
 * NULL. */
const struct policy_rule *trace_first_refuser(const struct policy_rule *a, const struct policy_rule *b);
/* The end of the response, whose turn has come. */
int trace_end_late(struct rein_trace *t, const struct pending *item) REIN_MUST_USE;
/* It broke off, once all texts have ended. */
int trace_break_off(struct rein_trace *t, const char *message) REIN_MUST_USE;
/* Can this response still be steered? */
bool trace_can_steer(const struct rein_trace *t);
/* Will it stop in any case, once what is waited for has come? */
bool trace_will_stop(const struct rein_trace *t);
/* The upstream's own end: `done` is its terminal event, NULL if it ended without one. */
int trace_complete(struct rein_trace *t, const struct frame *done, unsigned flags) REIN_MUST_USE;
/* The upstream failed, or more was held than may be: an error ends the response. */
int trace_fail(struct rein_trace *t, enum rein_ending ending, const char *message) REIN_MUST_USE;
int trace_refuse_prompt(struct rein_trace *t) REIN_MUST_USE;
/* Steered, and there will be no restart. */
int trace_fall_back(struct rein_trace *t) REIN_MUST_USE;

/* Is nothing more of the choice judged? */
static inline bool trace_choice_is_closed(const struct rein_trace *t, uint16_t choice)
{
    return t->gate.choice[choice].closed || t->choice[choice].is_stopping;
}

static inline bool trace_is_stopped(const struct rein_trace *t)
{
    return t->phase != TRACE_RUNNING;
}

#endif
