/* Endings: a refusal, a cut, a restart, the upstream's own end, a failure. Each response has exactly one, and its
 * terminal event waits until the decision is committed. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "trace/trace_state.h"

/* The id that the client knows, without its quotes; ids with escapes are passed on unchanged by the gate alone. */
static struct dialect_voice known_voice(struct rein_trace *t, char id[128])
{
    struct dialect_voice voice = {t->dialect_state, t->fallback_id, t->model, t->created_s};
    struct span known = bytes_span(&t->gate.id);
    if (known.len >= 2 && known.len - 2 < 128 && memchr(known.data, '\\', known.len) == NULL) {
        memcpy(id, known.data + 1, known.len - 2);
        id[known.len - 2] = '\0';
        voice.id = id;
    }
    return voice;
}

/* Queues what the dialect wrote to t->said. */
static int queue_said(struct rein_trace *t, int rv, unsigned flags)
{
    if (rv == 0) /* a body is said whole */
        rv = gate_say(&t->gate, bytes_span(&t->said), flags | (t->streamed ? 0 : GATE_WRITTEN));
    bytes_clear(&t->said);
    return rv;
}

static void stop_lanes(struct rein_trace *t, uint16_t choice, bool all)
{
    for (struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next) {
        if (!all && lane->lane.place.choice != choice)
            continue;
        lane->lane.has_stopped = true;
        text_stop(&lane->texts[0].text);
        text_stop(&lane->texts[1].text);
    }
}

/* Was anything but white space of the text cleared for the client? */
static bool is_shown(const struct text *text)
{
    uint64_t shown = text->cleared < text->limit ? text->cleared : text->limit;
    return shown > text->blank && text->received > 0;
}

/* Was anything shown where the choice's answer stands, and the line has not ended? */
static bool has_open_line(const struct rein_trace *t, uint16_t choice)
{
    for (const struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < (lane->has_reasoning_text ? 2u : 1u); k++) {
            const struct text *text = &lane->texts[k].text;
            if (lane->lane.place.choice == choice && lane->lane.place.channel == REIN_ANSWER && is_shown(text) &&
                !text_ends_line(text))
                return true;
        }
    return false;
}

/* Was any text of the response cleared for the client, in this attempt or an earlier one? White space does not count.
 */
static bool has_shown(const struct rein_trace *t, bool reasoning_too)
{
    if (!t->streamed)
        return false; /* a body is released at its end, or not at all */
    if (reasoning_too && bytes_len(&t->gate.shown) > 0)
        return true;
    for (const struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < 2; k++) {
            const struct text *text = &lane->texts[k].text;
            bool counts = text->channel != REIN_REASONING || reasoning_too;
            if (counts && is_shown(text))
                return true;
        }
    return false;
}

bool trace_can_steer(const struct rein_trace *t)
{
    size_t choices = t->turn != NULL ? t->turn->choices : t->choice_count;
    bool is_recorded = t->turn != NULL ? t->turn->is_recorded : t->gate.recorded != NULL;
    if (choices != 1 || t->attempts >= t->policy->settings.steer.max_attempts)
        return false;
    bool can_go_on = t->may_continue && !t->gate.shown_lost && is_recorded;
    return !has_shown(t, !can_go_on);
}

static int say_finish(struct rein_trace *t, uint16_t choice, const char *reason)
{
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    return queue_said(t, t->dialect->say_finish(&t->said, &voice, choice, reason), 0);
}

/* On a line of its own where text went out before it. */
static int say_refusal(struct rein_trace *t, uint16_t choice)
{
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    const char *message = rein_trace_refusal(t);
    struct span text = {message, strlen(message)};
    bool begins = !gate_has_begun(&t->gate, choice);
    t->gate.choice[choice].begun = true;
    struct bytes line;
    bytes_init(&line, text.len + 1);
    int rv = 0;
    if (has_open_line(t, choice)) {
        rv = bytes_append_span(&line, SPAN("\n"));
        if (rv == 0)
            rv = bytes_append_span(&line, text);
        text = bytes_span(&line);
    }
    if (rv == 0)
        rv = queue_said(t, t->dialect->say_text(&t->said, &voice, choice, begins, text), 0);
    bytes_fini(&line);
    return rv;
}

static int say_terminal(struct rein_trace *t)
{
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    return queue_said(t, t->dialect->say_end(&t->said, &voice), GATE_TERMINAL);
}

/* The last events of a response that Rein ended. */
static int say_end(struct rein_trace *t)
{
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    int rv = 0;
    if (!t->strip_usage && t->decision.prompt_tokens >= 0 && t->decision.completion_tokens >= 0)
        rv = queue_said(
            t, t->dialect->say_usage(&t->said, &voice, t->decision.prompt_tokens, t->decision.completion_tokens), 0);
    return rv == 0 ? say_terminal(t) : rv;
}

/* Nothing is waited for any more. */
static void drop_questions(struct rein_trace *t)
{
    pending_clear(&t->pending);
    pending_clear(&t->aside);
    trace_panels_forget_questions(t);
}

static void end_with(struct rein_trace *t, enum rein_ending ending)
{
    drop_questions(t);
    t->decision.ending = ending;
    t->phase = TRACE_ENDING;
    t->end_due = true;
}

/* Does the choice count, be it still to come? */
static bool choice_counts(const struct rein_trace *t, size_t choice)
{
    return t->choice[choice].is_seen || (t->streamed && choice < t->choices_asked);
}

static bool all_are_closed(const struct rein_trace *t)
{
    for (size_t c = 0; c < t->choice_count; c++)
        if (choice_counts(t, c) && !t->gate.choice[c].closed)
            return false;
    return true;
}

bool trace_will_stop(const struct rein_trace *t)
{
    for (size_t c = 0; c < t->choice_count; c++)
        if (choice_counts(t, c) && !trace_choice_is_closed(t, (uint16_t)c))
            return false;
    return true;
}

static void end_if_all_are_closed(struct rein_trace *t, enum rein_action action)
{
    if (!all_are_closed(t))
        return;
    end_with(t, action == REIN_REFUSE ? REIN_REFUSED : REIN_CUT);
    t->stop_asked = true;
}

/* Nothing of the choice goes out, not even what was cleared. */
static void hide_choice(struct rein_trace *t, uint16_t choice)
{
    for (struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < 2 && lane->lane.place.choice == choice; k++)
            lane->texts[k].text.limit = 0;
}

/* Replaces one choice of several by the refusal. *is_done is false if the body has no other choice. */
static int refuse_in_body(struct rein_trace *t, uint16_t choice, bool *is_done)
{
    const char *refusal = rein_trace_refusal(t);
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    struct span message = {refusal, strlen(refusal)};
    int rv = t->dialect->say_part(&t->said, &voice, choice, message, policy_refusal_reason(t->policy, t->refusal));
    *is_done = rv == 0 && gate_replace_choice(&t->gate, choice, bytes_span(&t->said), &rv);
    bytes_clear(&t->said);
    if (*is_done && rv == 0)
        hide_choice(t, choice);
    return rv;
}

/* Only the refusal, in each choice. */
static int refuse_body(struct rein_trace *t, enum rein_action action)
{
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    end_with(t, action == REIN_REFUSE ? REIN_REFUSED : REIN_CUT);
    t->stop_asked = true;
    gate_reset(&t->gate);
    const char *message = action == REIN_REFUSE ? rein_trace_refusal(t) : "";
    return queue_said(t,
                      t->dialect->say_body(&t->said, &voice, t->choices_asked, (struct span){message, strlen(message)},
                                           policy_refusal_reason(t->policy, t->refusal)),
                      GATE_TERMINAL);
}

/* A refused choice of a body becomes the refusal; a cut one keeps what was cleared. The others continue. */
static int stop_body(struct rein_trace *t, uint16_t choice, enum rein_action action)
{
    bool is_done = action == REIN_CUT_RESPONSE;
    int rv = action == REIN_REFUSE ? refuse_in_body(t, choice, &is_done) : 0;
    if (rv != 0)
        return rv;
    if (!is_done)
        return refuse_body(t, action);
    gate_close(&t->gate, choice);
    stop_lanes(t, choice, false);
    t->gate.choice[choice].end_reason = policy_refusal_reason(t->policy, t->refusal);
    end_if_all_are_closed(t, action);
    return 0;
}

static int close_choice(struct rein_trace *t, uint16_t choice, enum rein_action action)
{
    bool is_only = t->choice_count == 1;
    gate_close(&t->gate, choice);
    if (is_only)
        gate_cut(&t->gate);
    stop_lanes(t, choice, is_only);
    int rv = action == REIN_REFUSE ? say_refusal(t, choice) : 0;
    if (rv == 0 && !gate_has_ended(&t->gate, choice)) /* otherwise the refused text came after the end */
        rv = say_finish(t, choice, policy_refusal_reason(t->policy, t->refusal));
    if (rv != 0)
        return rv;
    end_if_all_are_closed(t, action);
    return trace_is_stopped(t) ? say_end(t) : 0;
}

static void steer(struct rein_trace *t)
{
    drop_questions(t);
    gate_cut(&t->gate);
    stop_lanes(t, 0, true);
    t->phase = TRACE_STEERED;
    t->stop_asked = true;
}

int trace_stop(struct rein_trace *t, uint16_t choice, enum rein_action action)
{
    t->needs_commit = true;
    if (action == REIN_STEER) {
        steer(t);
        return 0;
    }
    return t->streamed ? close_choice(t, choice, action) : stop_body(t, choice, action);
}

const struct policy_rule *trace_first_refuser(const struct policy_rule *a, const struct policy_rule *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    return b->action > a->action || (b->action == a->action && b->place < a->place) ? b : a;
}

int trace_stop_in_turn(struct rein_trace *t, uint16_t choice, enum rein_action action)
{
    struct pending *item;
    const struct policy_refusal *refusal = t->alone_refuser != NULL ? &t->alone_refuser->refusal : NULL;
    bool steers = t->alone_steers;
    t->alone_refuser = NULL;
    t->alone_steers = false;
    if (t->pending.first == NULL) {
        t->refusal = refusal;
        return trace_stop(t, choice, action);
    }
    int rv = trace_wait(t, &t->pending, PENDING_STOP, SPAN(""), &item);
    if (rv != 0)
        return rv;
    item->choice = choice;
    t->choice[choice].is_stopping = true;
    item->stop.action = action;
    item->stop.steers = steers;
    item->stop.refusal = refusal;
    return 0;
}

int trace_fall_back(struct rein_trace *t)
{
    enum rein_action action = t->policy->settings.steer.fallback;
    t->needs_commit = true;
    /* The upstream is stopped already, so a fallback that cuts or records can only end the response. */
    action = action == REIN_REFUSE ? REIN_REFUSE : REIN_CUT_RESPONSE;
    if (!t->streamed) {
        gate_reset(&t->gate);
        action = REIN_REFUSE;
    }
    t->stop_asked = false;
    return trace_stop(t, 0, action);
}

/* Clients would lose a choice without an end. */
static int say_missing_ends(struct rein_trace *t)
{
    int rv = 0;
    for (uint16_t c = 0; c < t->choice_count && rv == 0; c++)
        if (t->choice[c].is_seen && !t->choice[c].end_seen && !t->gate.choice[c].closed)
            rv = say_finish(t, c, NULL);
    return rv;
}

static bool any_end_seen(const struct rein_trace *t)
{
    for (size_t c = 0; c < t->choice_count; c++)
        if (t->choice[c].end_seen || t->gate.choice[c].closed)
            return true;
    return false;
}

/* A response with an error in it is not an answer. A top-level `error` of a stream is passed on as the upstream wrote
 * it. */
static const char *why_no_answer(const struct rein_trace *t)
{
    if (t->saw_error)
        return t->streamed ? NULL : "The upstream answered with an error.";
    if (t->saw_inner_error)
        return "The upstream answered with an error.";
    return t->saw_part ? NULL : "The upstream ended without an answer.";
}

/* The end waits for its turn. A terminal event in several parts is written anew. */
static int end_wait(struct rein_trace *t, bool is_whole, const struct frame *done, unsigned flags, struct span message)
{
    struct pending *item;
    bool has_frame = done != NULL && done->kind == FRAME_DATA;
    int rv = trace_wait(t, &t->pending, PENDING_END, has_frame ? done->raw : message, &item);
    if (rv != 0)
        return rv;
    item->ending = (struct pending_end){.is_whole = is_whole, .has_frame = has_frame, .flags = flags};
    if (has_frame) {
        size_t at = (size_t)(done->payload.data - done->raw.data);
        item->ending.frame = *done;
        item->ending.frame.raw.data = item->bytes;
        item->ending.frame.payload.data = item->bytes + at;
    }
    t->completes = true;
    return 0;
}

static int complete(struct rein_trace *t, const struct frame *done, unsigned flags);

int trace_end_late(struct rein_trace *t, const struct pending *item)
{
    char message[256];
    if (item->ending.is_whole)
        return complete(t, item->ending.has_frame ? &item->ending.frame : NULL, item->ending.flags);
    size_t len = item->bytes_len < sizeof message ? item->bytes_len : sizeof message - 1;
    memcpy(message, item->bytes, len);
    message[len] = '\0';
    return trace_fail(t, REIN_UPSTREAM_BROKE, len > 0 ? message : NULL);
}

int trace_break_off(struct rein_trace *t, const char *message)
{
    if (!trace_panels_wait(t))
        return trace_fail(t, REIN_UPSTREAM_BROKE, message);
    return end_wait(t, false, NULL, 0, (struct span){message, message != NULL ? strlen(message) : 0});
}

int trace_complete(struct rein_trace *t, const struct frame *done, unsigned flags)
{
    bool has_end = !t->streamed || done != NULL || t->saw_last || any_end_seen(t);
    if (!has_end && t->kept != NULL)
        kept_break_off(t->kept);
    int rv = trace_end_texts(t);
    if (rv != 0 || trace_is_stopped(t))
        return rv;
    return trace_panels_wait(t) ? end_wait(t, true, done, flags, SPAN("")) : complete(t, done, flags);
}

static int complete(struct rein_trace *t, const struct frame *done, unsigned flags)
{
    int rv = 0;
    const char *why = why_no_answer(t);
    if (why != NULL)
        return trace_fail(t, REIN_UPSTREAM_BROKE, why);
    if (!t->streamed) {
        end_with(t, REIN_COMPLETE);
        return 0;
    }
    if (done == NULL && !t->saw_error && !any_end_seen(t))
        return trace_fail(t, REIN_UPSTREAM_BROKE, NULL);
    if (!t->saw_error)
        rv = say_missing_ends(t);
    end_with(t, t->saw_error ? REIN_UPSTREAM_BROKE : REIN_COMPLETE);
    if (rv == 0 && done != NULL)
        (void)gate_push(&t->gate, done, NULL, GATE_TERMINAL | flags, &rv);
    else if (rv == 0 && !t->saw_error && !t->saw_last)
        rv = say_terminal(t);
    return rv;
}

int trace_fail(struct rein_trace *t, enum rein_ending ending, const char *message)
{
    const char *code = ending == REIN_OVERFLOW ? "stream_limit" : "upstream_broke";
    const char *text = ending == REIN_OVERFLOW ? "The policy had to hold more of the response than it allows."
                                               : "The upstream's response ended before it was complete.";
    text = message != NULL ? message : text;
    if (ending == REIN_OVERFLOW || !t->streamed)
        gate_reset(&t->gate);
    end_with(t, ending);
    t->stop_asked = true;
    char id[128];
    struct dialect_voice voice = known_voice(t, id);
    int rv = t->streamed ? t->dialect->say_error(&t->said, &voice, "upstream_error", code, text)
                         : t->dialect->say_error_body(&t->said, &voice, "upstream_error", code, text);
    return queue_said(t, rv, GATE_TERMINAL);
}

int trace_refuse_prompt(struct rein_trace *t)
{
    t->phase = TRACE_RUNNING;
    for (uint16_t c = 0; c + 1u < t->choices_asked && t->streamed; c++) {
        int rv = close_choice(t, c, REIN_REFUSE);
        if (rv != 0)
            return rv;
    }
    return trace_stop(t, (uint16_t)(t->choices_asked - 1), REIN_REFUSE);
}
