/* The trace: the steps of include/rein/rein.h, and what each asks of the caller.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A step judges what came in, then releases what may go. While a commit is under way nothing is released, but judging
 * continues; so a changed byte never goes out before the finding that changed it is durable, and the terminal event
 * never before the decision. */
#include <assert.h>

#include "base/heap.h"
#include "trace/trace_state.h"

enum { SLICE = 16384 }; /* bytes of a read that are processed at once */

/* Makes a trace with its options, and nothing else yet. */
static struct rein_trace *make(const struct rein_trace_options *o, const struct dialect *dialect)
{
    const char *model = o->model != NULL ? o->model : "", *id = o->id != NULL ? o->id : dialect->fallback_id;
    size_t model_size = strlen(model) + 1, id_size = strlen(id) + 1;
    size_t choices_size = o->choices * sizeof(struct choice), state_size = dialect->state_size;
    struct rein_trace *t = heap_resize(NULL, sizeof *t + choices_size + state_size + model_size + id_size);
    if (t == NULL)
        return NULL;
    memset(t, 0, offsetof(struct rein_trace, gate));
    memset(t->asked_for, 0, choices_size + state_size);
    t->dialect = dialect;
    t->dialect_state = t->asked_for + o->choices;
    t->engine = o->engine;
    t->streamed = o->streamed;
    t->strip_usage = o->strip_usage;
    t->has_unjudged = o->has_unjudged;
    t->created_s = o->created_s;
    t->has_mask_key = o->mask_key != NULL;
    if (o->mask_key != NULL)
        memcpy(t->mask_key, o->mask_key, sizeof t->mask_key);
    t->choices_asked = o->choices;
    t->choice_count = o->choices;
    t->choice = t->asked_for;
    char *strings = (char *)t->dialect_state + state_size;
    t->model = memcpy(strings, model, model_size);
    t->fallback_id = memcpy(strings + model_size, id, id_size);
    return t;
}

static bool any_pattern(const struct rein_policy *policy)
{
    for (size_t i = 0; i < REIN_PATTERNS; i++)
        if (policy->patterns[i].action != REIN_ALLOW)
            return true;
    return false;
}

/* Could the policy keep any text from the client, even temporarily? */
static bool may_withhold(const struct rein_policy *policy)
{
    bool withholds = policy->settings.worst_hold > 0 || !policy->settings.reasoning.show;
    for (size_t i = 0; i < REIN_PATTERNS; i++)
        withholds |= policy->patterns[i].action > REIN_RECORD && !policy->patterns[i].shadow;
    return withholds || policy->waits_for_judges != 0 || policy->settings.restores;
}

static int init_parts(struct rein_trace *t, const struct rein_trace_options *options)
{
    size_t limit = t->event_max;
    findings_init(&t->findings, t->policy);
    size_t gate_limit = t->event_max > t->held_max ? t->held_max + t->event_max : limit; /* see trace_event.c */
    gate_init(&t->gate, t->dialect, t->dialect_state, t->policy, t->decision.flow, gate_limit);
    t->gate.memory.ctx = t;
    t->gate.memory.shown = trace_shown;
    t->gate.join_from = t->held_max / 8;
    t->keep_room = t->event_max;
    framer_init(&t->framer, t->dialect->framing, limit);
    bytes_init(&t->in, limit);
    bytes_init(&t->scratch, limit + 8);
    bytes_init(&t->said, 8 * limit + 65536);
    bytes_init(&t->last, SIZE_MAX / 2);
    bytes_init(&t->error, ERROR_MAX);
    bytes_init(&t->out, SIZE_MAX / 2); /* bounded by what the gate holds */
    bytes_init(&t->prompt, 4 * REIN_QUESTION_TEXT_MAX);
    bytes_init(&t->late, SIZE_MAX / 2);      /* bounded by the number of rules */
    bytes_init(&t->questions, SIZE_MAX / 2); /* bounded by what may be pending */
    bytes_init(&t->question_texts, SIZE_MAX / 2);
    bytes_init(&t->asked, SIZE_MAX / 2); /* bounded by ASKED_MAX */
    t->decision.prompt_tokens = t->decision.completion_tokens = t->decision.reasoning_tokens = -1;
    t->pattern_active = any_pattern(t->policy) || t->policy->wants_scores;
    t->withholds = may_withhold(t->policy);
    int rv = event_reader_new(&t->reader, t->dialect, t->dialect_state);
    if (rv == 0)
        rv = kept_new(&t->kept, t->policy);
    if (rv == 0)
        rv = known_new(&t->known, t->policy, options);
    return rv == 0 ? engine_prepare(t->engine, t->policy->signals) : rv;
}

int rein_trace_new(struct rein_trace **out, const struct rein_trace_options *options)
{
    const struct dialect *dialect = dialect_find(options->dialect);
    if (dialect == NULL || options->choices < 1 || options->choices > REIN_CHOICES_MAX)
        return REIN_EINVAL;
    struct rein_trace *t = make(options, dialect);
    if (t == NULL)
        return REIN_ENOMEM;
    t->policy = rein_policy_ref(options->policy);
    t->held_max = t->policy->settings.stream_max_bytes;
    if (options->held_min > t->held_max)
        t->held_max = options->held_min;
    bool may_be_large = !options->streamed || !may_withhold(t->policy);
    if (may_be_large && options->body_max > t->held_max)
        t->held_max = options->body_max;
    t->event_max = t->held_max;
    if (dialect->echoes && options->body_max > t->event_max)
        t->event_max = options->body_max;
    int rv = init_parts(t, options);
    if (rv != 0) {
        rein_trace_free(t);
        return rv;
    }
    *out = t;
    return 0;
}

void rein_trace_free(struct rein_trace *t)
{
    if (t == NULL)
        return;
    gate_fini(&t->gate);
    pending_clear(&t->pending);
    pending_clear(&t->aside);
    trace_drop_lanes(t);
    heap_free_outgrown(t->choice, t->asked_for);
    framer_fini(&t->framer);
    event_reader_free(t->reader);
    findings_fini(&t->findings);
    kept_free(t->kept);
    known_free(t->known);
    match_list_fini(&t->matches);
    bytes_fini(&t->in);
    bytes_fini(&t->scratch);
    bytes_fini(&t->said);
    bytes_fini(&t->out);
    bytes_fini(&t->last);
    bytes_fini(&t->error);
    bytes_fini(&t->prompt);
    bytes_fini(&t->late);
    heap_free(t->muted);
    heap_free(t->harms);
    bytes_fini(&t->questions);
    bytes_fini(&t->question_texts);
    bytes_fini(&t->asked);
    mask_set_free(t->masks);
    heap_free(t->prefix);
    heap_free(t->open);
    heap_free(t->close);
    rein_policy_unref(t->policy);
    heap_free(t);
}

/* Counts what waits in the gate after a step. */
__attribute__((noinline)) static size_t count_held(struct rein_trace *t)
{
    uint64_t held[REIN_CHANNELS] = {0}, all = 0;
    for (const struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k <= lane->has_reasoning_text; k++) {
            const struct text *text = &lane->texts[k].text;
            uint64_t end = text->received < text->limit ? text->received : text->limit;
            if (end <= text->released)
                continue;
            struct rein_flow *flow = &t->decision.flow[text->channel];
            all += end - text->released;
            held[text->channel] += end - text->released;
            flow->held_max = held[text->channel] > flow->held_max ? held[text->channel] : flow->held_max;
        }
    return (size_t)all;
}

/* Events that came after an open question wait for it, even if their text was judged, or there is none. */
static inline int release(struct rein_trace *t, struct bytes *out)
{
    if (gate_is_empty(&t->gate))
        return 0;
    t->gate.hold_behind = t->pending.first != NULL ? t->pending.first->event : UINT64_MAX;
    return gate_release(&t->gate, out);
}

/* While a commit is due or under way, nothing goes. */
static inline int let_go(struct rein_trace *t)
{
    return t->needs_commit || t->committing ? 0 : release(t, &t->out);
}

/* What the decision lets pass waits for the commit in `last`: at the end, so that the record counts what the end
 * releases; before a restart, because the restart begins in the meantime and continues from what will have been shown.
 */
static int ask_commit(struct rein_trace *t, struct rein_update *u)
{
    u->asks |= REIN_ASK_COMMIT;
    t->committing = true;
    t->needs_commit = false;
    if (t->phase == TRACE_STEERED)
        u->asks |= REIN_ASK_RESTART;
    else if (!t->end_due)
        return 0;
    t->end_asked = t->gate.may_end = t->end_due;
    t->end_due = false;
    bytes_clear(&t->last);
    int rv = release(t, &t->last);
    t->decision.bytes_out += t->end_asked ? bytes_len(&t->last) : 0;
    return rv;
}

/* Sets what the step asks for, and what it releases. */
static int trace_answer(struct rein_trace *t, struct rein_update *u)
{
    *u = (struct rein_update){.out = ""};
    if (t->stop_asked)
        u->asks |= REIN_ASK_STOP;
    t->stop_asked = false;
    int rv = let_go(t);
    struct span released = bytes_span(&t->out);
    t->decision.bytes_out += released.len;
    u->held_text = gate_held(&t->gate) > 0 ? count_held(t) : 0;
    if (rv == 0 && !t->committing && (t->needs_commit || t->end_due))
        rv = ask_commit(t, u);
    u->out = released.data;
    u->out_len = released.len;
    u->held = gate_held(&t->gate);
    u->waits = t->pending.first != NULL || (t->completes && t->aside.first != NULL);
    if (rv == 0 && t->pending.first != NULL)
        rv = trace_panels_ask(t);
    if (bytes_len(&t->questions) > 0) {
        trace_panels_settle(t);
        u->asks |= REIN_ASK_JUDGE;
    }
    return rv;
}

bool trace_is_sound(const struct rein_trace *t, bool deep)
{
    bool is_sound = pending_is_sound(&t->pending) && pending_is_sound(&t->aside) &&
                    (t->pending.first == NULL || t->phase == TRACE_RUNNING || t->phase == TRACE_ASKING) &&
                    t->choice_count >= t->choices_asked && t->lanes_len <= LANES_MAX &&
                    (t->lanes == NULL) == (t->lanes_len == 0) && t->matches.len <= t->matches.cap &&
                    (!t->end_due || t->phase == TRACE_ENDING) &&
                    (!t->end_asked || t->committing || t->phase == TRACE_OVER);
    if (deep)
        is_sound &= gate_is_sound(&t->gate, true) && findings_is_sound(&t->findings);
    for (const struct channel_lane *lane = t->lanes; deep && is_sound && lane != NULL; lane = lane->next)
        is_sound = lane_is_sound(&lane->lane, true) && text_is_sound(&lane->texts[0].text) &&
                   (!lane->has_reasoning_text || text_is_sound(&lane->texts[1].text));
    return is_sound;
}

/* After a step that failed, nothing more is released, so that nothing unjudged goes out. */
static int finish_step(struct rein_trace *t, int rv, struct rein_update *u)
{
    if (rv == REIN_ELIMIT && t->phase == TRACE_RUNNING)
        rv = trace_fail(t, REIN_OVERFLOW, NULL);
    if (rv == 0)
        rv = trace_answer(t, u);
    if (rv != 0) {
        t->phase = TRACE_BROKEN;
        *u = (struct rein_update){.out = ""};
        return rv;
    }
    assert(trace_is_sound(t, false));
    return 0;
}

/* What the step before gave out is not needed any more. */
static void begin_step(struct rein_trace *t)
{
    bytes_clear(&t->out);
    trace_panels_forget_questions(t);
}

/* Nothing is asked about the prompt any more. */
static int leave_prompt(struct rein_trace *t)
{
    if (t->phase != TRACE_ASKING || t->pending.first != NULL)
        return 0;
    t->phase = TRACE_IDLE;
    t->refusal = t->prompt_refuser != NULL ? &t->prompt_refuser->refusal : t->asked_refusal;
    return t->findings.verdict == REIN_REFUSE ? trace_refuse_prompt(t) : 0;
}

int rein_trace_prompt_end(struct rein_trace *t, struct rein_update *u)
{
    if (t->phase != TRACE_PROMPT)
        return REIN_ESTATE;
    int rv = trace_when_prompt_ends(t);
    if (rv == 0 && t->findings.verdict != REIN_REFUSE)
        rv = trace_panels_prompt_end(t);
    t->decision.prompt_risk = t->risk.score;
    t->decision.heads[REIN_PROMPT_HARM] = t->risk.learned;
    t->phase = TRACE_ASKING;
    return finish_step(t, rv == 0 ? leave_prompt(t) : rv, u);
}

bool rein_trace_is_risky(const struct rein_trace *t)
{
    return t->has_unjudged || t->risk.score >= PROMPT_RISKY;
}

static int replace_copy(char **copy, const char *text)
{
    heap_free(*copy);
    *copy = NULL;
    if (text == NULL)
        return 0;
    *copy = heap_copy(text, strlen(text));
    return *copy != NULL ? 0 : REIN_ENOMEM;
}

/* An answer may have several fields; the one that takes a stance counts. */
static enum rein_stance answer_stance(const struct choice *choice)
{
    enum rein_stance stance = REIN_STANCE_OPEN;
    for (size_t slot = 0; slot < SLOTS_MAX && stance == REIN_STANCE_OPEN; slot++)
        if (choice->trackers[slot] != NULL)
            stance = pattern_answer_stance(choice->trackers[slot]);
    return stance;
}

/* The highest scores so far, because trackers end with their attempt. */
static void note_scores(struct rein_trace *t)
{
    struct rein_decision *d = &t->decision;
    if (!t->scores_due)
        return;
    t->scores_due = false;
    d->talk_len = 0;
    d->answer = t->choice_count > 0 ? answer_stance(&t->choice[0]) : REIN_STANCE_OPEN;
    for (size_t slot = 0; t->choice_count > 0 && slot < SLOTS_MAX && d->talk_len == 0; slot++)
        if (t->choice[0].trackers[slot] != NULL)
            d->talk_len = pattern_talk(t->choice[0].trackers[slot], &d->talk);
    for (size_t c = 0; c < t->choice_count; c++) {
        for (size_t slot = 0; slot < SLOTS_MAX; slot++) {
            const struct pattern_tracker *tracker = t->choice[c].trackers[slot];
            for (size_t p = 0; p < REIN_PATTERNS && tracker != NULL; p++) {
                double score = pattern_score(tracker, (enum rein_pattern)p);
                d->scores[p] = score > d->scores[p] ? score : d->scores[p];
            }
            for (size_t h = REIN_REASONING_HARM; h < REIN_HEADS && tracker != NULL; h++) {
                double score = pattern_head(tracker, (enum rein_head)h);
                d->heads[h] = score > d->heads[h] ? score : d->heads[h];
            }
            double risk = tracker != NULL ? pattern_trace_risk(tracker) : 0;
            d->trace_risk = risk > d->trace_risk ? risk : d->trace_risk;
        }
    }
}

static void forget_attempt(struct rein_trace *t)
{
    note_scores(t);
    t->decision.talk_len = 0; /* the steps end with the trackers */
    pending_clear(&t->pending);
    pending_clear(&t->aside);
    t->completes = false;
    t->heard = 0;
    gate_reset(&t->gate);
    trace_drop_lanes(t);
    framer_reset(&t->framer);
    bytes_clear(&t->in);
    bytes_clear(&t->error);
    t->saw_error = t->saw_inner_error = t->saw_part = t->saw_last = false;
    t->gate.rewrites_id = true;
}

/* What the client has seen begin in the attempt before is closed, before it is forgotten. */
static int leave_attempt(struct rein_trace *t)
{
    int rv = 0;
    bytes_clear(&t->said);
    if (t->streamed && t->dialect->leave != NULL)
        rv = t->dialect->leave(t->dialect_state, &t->gate.memory, &t->said);
    forget_attempt(t);
    if (rv == 0 && bytes_len(&t->said) > 0)
        rv = gate_say(&t->gate, bytes_span(&t->said), GATE_WRITTEN);
    bytes_clear(&t->said);
    return rv;
}

/* If a restart cannot continue from what was shown, nothing may be shown that it could contradict. A rule that
 * steers or cuts may do so in the middle of a sentence, and where something was shown steering may be impossible: with
 * such a rule, sentences wait. */
static enum rein_release release_of(const struct rein_trace *t)
{
    enum rein_release release = t->policy->settings.reasoning.release;
    bool may_restart =
        t->policy->settings.may_steer && t->choices_asked == 1 && t->attempts < t->policy->settings.steer.max_attempts;
    bool is_told = t->delivery == REIN_DELIVER_INSTRUCT;
    if (release == REIN_RELEASE_AUTO && t->policy->rule_interrupts)
        release = REIN_RELEASE_SENTENCE;
    return release != REIN_RELEASE_STREAM && may_restart && is_told ? REIN_RELEASE_END : release;
}

int rein_trace_attempt(struct rein_trace *t, const struct rein_attempt *attempt)
{
    if (t->phase != TRACE_IDLE && t->phase != TRACE_STEERED)
        return REIN_ESTATE;
    bool has_prefix = attempt->prefix != NULL && *attempt->prefix != '\0';
    int rv = t->phase == TRACE_STEERED ? leave_attempt(t) : 0;
    if (rv == 0)
        rv = replace_copy(&t->prefix, has_prefix ? attempt->prefix : NULL);
    if (rv == 0)
        rv = replace_copy(&t->open, attempt->open);
    if (rv == 0)
        rv = replace_copy(&t->close, attempt->close);
    if (rv != 0)
        return rv;
    t->attempt = t->attempts++;
    t->delivery = attempt->delivery;
    t->gate.hides_request = attempt->delivery == REIN_DELIVER_INSTRUCT;
    t->opened = attempt->opened;
    t->is_apart = attempt->is_apart;
    t->goes_on = attempt->goes_on;
    t->continues = attempt->continues_shown;
    t->origin = attempt->origin;
    t->may_continue = attempt->delivery == REIN_DELIVER_PREFILL || attempt->may_continue;
    t->release = release_of(t);
    t->leads = t->attempt == 0 && t->delivery == REIN_DELIVER_PREFILL && t->policy->settings.prefix.show;
    t->phase = TRACE_RUNNING;
    return 0;
}

struct rein_source rein_trace_shown_reasoning(const struct rein_trace *t)
{
    struct span shown = bytes_span(&t->gate.shown);
    const char *field = "";
    for (const struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        if (&lane->texts[0].text == t->gate.recorded || &lane->texts[1].text == t->gate.recorded)
            field = t->dialect->field(lane->lane.place.text);
    return (struct rein_source){field, shown.data, shown.len};
}

int rein_trace_give_up(struct rein_trace *t, struct rein_update *u)
{
    if (t->phase != TRACE_STEERED)
        return REIN_ESTATE;
    begin_step(t);
    return finish_step(t, trace_fall_back(t), u);
}

/* Is what follows in the stream not judged any more? */
static inline bool is_past_end(const struct rein_trace *t)
{
    return trace_is_stopped(t) || t->completes || (t->pending.first != NULL && trace_will_stop(t));
}

/* Takes the frames at the front of `bytes`; what is no whole frame yet is left. What a frame lets go goes before the
 * next one is judged, or at the end of the step. */
static int take_frames(struct rein_trace *t, struct span *bytes, bool at_end)
{
    struct frame frame;
    int rv = 0;
    while (rv == 0 && bytes->len > 0 && !is_past_end(t)) {
        rv = framer_next(&t->framer, *bytes, at_end, &frame);
        if (rv <= 0)
            return rv;
        rv = trace_take_frame(t, &frame);
        bytes->data += frame.raw.len;
        bytes->len -= frame.raw.len;
        if (rv == 0 && (bytes->len > 0 || at_end))
            rv = let_go(t);
    }
    return rv;
}

/* Those of what was kept. */
static int take_kept_frames(struct rein_trace *t, bool at_end)
{
    struct span bytes = bytes_span(&t->in);
    size_t len = bytes.len;
    int rv = take_frames(t, &bytes, at_end);
    bytes_consume(&t->in, len - bytes.len);
    return rv;
}

/* Only the beginning of a frame is kept; all others are read where they are. */
static int feed_slice(struct rein_trace *t, struct span slice)
{
    bool follows = bytes_len(&t->in) > 0;
    int rv = follows ? 0 : take_frames(t, &slice, false);
    if (rv == 0 && slice.len > 0 && !is_past_end(t))
        rv = bytes_append_span(&t->in, slice);
    return rv == 0 && follows ? take_kept_frames(t, false) : rv;
}

/* In slices, so that a large read needs as little room as a small one. */
static int feed_events(struct rein_trace *t, const char *data, size_t len)
{
    int rv = 0;
    while (len > 0 && rv == 0 && !is_past_end(t)) {
        size_t slice = len < SLICE ? len : SLICE;
        rv = feed_slice(t, (struct span){data, slice});
        data += slice;
        len -= slice;
        if (rv == 0 && len > 0)
            rv = let_go(t);
    }
    return rv;
}

int rein_trace_feed(struct rein_trace *t, const char *data, size_t len, struct rein_update *u)
{
    begin_step(t);
    if (t->phase == TRACE_BROKEN)
        return REIN_ESTATE;
    if (t->phase != TRACE_RUNNING)
        return finish_step(t, 0, u); /* after the response was ended, nothing is judged any more */
    t->decision.bytes_in += len;
    return finish_step(t, t->streamed ? feed_events(t, data, len) : bytes_append(&t->in, data, len), u);
}

static int finish_whole(struct rein_trace *t)
{
    int rv = t->streamed ? take_kept_frames(t, true) : trace_take_body(t);
    if (rv == REIN_EFORMAT)
        return trace_fail(t, REIN_UPSTREAM_BROKE, "The upstream's response could not be read.");
    return rv == 0 && !trace_is_stopped(t) && !t->completes ? trace_complete(t, NULL, 0) : rv;
}

static int finish_broken(struct rein_trace *t, const char *message)
{
    if (t->kept != NULL)
        kept_break_off(t->kept);
    int rv = t->streamed ? trace_end_texts(t) : 0;
    return rv == 0 && !trace_is_stopped(t) ? trace_break_off(t, message) : rv;
}

int rein_trace_finish(struct rein_trace *t, bool whole, const char *message, struct rein_update *u)
{
    begin_step(t);
    if (t->phase == TRACE_PROMPT || t->phase == TRACE_BROKEN)
        return REIN_ESTATE;
    if (t->phase != TRACE_RUNNING || t->completes)
        return finish_step(t, 0, u);
    return finish_step(t, whole ? finish_whole(t) : finish_broken(t, message), u);
}

int rein_trace_committed(struct rein_trace *t, struct rein_update *u)
{
    if (!t->committing || t->phase == TRACE_BROKEN)
        return REIN_ESTATE;
    begin_step(t);
    t->committing = false;
    struct span last = bytes_span(&t->last);
    if (t->end_asked) {
        t->phase = TRACE_OVER;
        *u = (struct rein_update){.out = last.data, .out_len = last.len, .asks = REIN_ASK_END};
        return 0;
    }
    int rv = bytes_append_span(&t->out, last);
    bytes_clear(&t->last);
    return finish_step(t, rv, u);
}

int rein_trace_answer(struct rein_trace *t, uint32_t id, const struct rein_answer *answer, struct rein_update *u)
{
    if (t->phase == TRACE_BROKEN)
        return REIN_ESTATE;
    begin_step(t);
    int rv = trace_panels_answer(t, id, answer);
    return finish_step(t, rv == 0 ? leave_prompt(t) : rv, u);
}

const char *rein_trace_refusal(const struct rein_trace *t)
{
    return policy_refusal_message(t->policy, t->refusal);
}

uint64_t rein_trace_heard(const struct rein_trace *t)
{
    return t->heard + t->completes;
}

bool rein_trace_lacks_readings(const struct rein_trace *t)
{
    return t->lacks_readings;
}

const struct rein_decision *rein_trace_decision(struct rein_trace *t)
{
    struct rein_decision *d = &t->decision;
    note_scores(t);
    d->verdict = t->findings.verdict;
    d->shadow = t->findings.shadow;
    d->findings_dropped = t->findings.dropped;
    d->findings = t->findings.items;
    d->findings_len = t->findings.len;
    d->attempts = t->attempts;
    d->error = bytes_span(&t->error).data;
    d->error_len = bytes_len(&t->error);
    d->asked = (const struct rein_asked *)(const void *)bytes_span(&t->asked).data;
    d->asked_len = bytes_len(&t->asked) / sizeof *d->asked;
    d->bytes_unjudged = t->gate.unjudged;
    d->reasoning = d->flow[REIN_REASONING].received > 0 ? REIN_EVALUABLE : REIN_NOT_EVALUABLE;
    if (d->harms == NULL)
        d->harms = "";
    return d;
}

int rein_trace_texts(struct rein_trace *t, const struct rein_text **out, size_t *len)
{
    *out = NULL;
    *len = 0;
    return t->kept != NULL ? kept_hand_over(t->kept, out, len) : 0;
}
