/* See decision_play.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_play.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/decision_known.h"
#include "backtest/decision_replies.h"
#include "backtest/decision_script.h"
#include "backtest/decision_turns.h"

enum { PLAY_BODY_MAX = 64 << 20 };

struct play {
    const json_t *decision, *texts;
    const struct wire *wire;
    const struct rein_policy_settings *settings;
    struct rein_trace *trace;
    struct rein_update update;
    bool is_streamed, may_continue;
    bool is_over, restarts; /* what the steps asked so far */
    bool is_stopped;        /* this attempt was */
    bool asks_anew;         /* a judge was asked what the record has no reply to */
    bool lacks_readings;    /* something was to be read of what is masked that the record does not say */
    struct decision_replies replies;
    struct decision_script script; /* of this attempt */
    struct buffer bytes;           /* of it, before they are played */
    uint32_t attempt;
    unsigned choices;
};

const char *play_reason_text(enum play_reason reason)
{
    static const char *const texts[] = {
#define PLAY_TEXT(name, text) text,
        PLAY_REASONS(PLAY_TEXT)
#undef PLAY_TEXT
    };
    return texts[reason];
}

/* ---- outcomes ---- */

static int compare_findings(const void *a, const void *b)
{
    const struct play_finding *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (int)x->is_shadow - (int)y->is_shadow;
}

static void sort_findings(struct play_outcome *o)
{
    size_t to = 0;
    if (o->findings_len > 1)
        qsort(o->findings, o->findings_len, sizeof *o->findings, compare_findings);
    for (size_t i = 1; i < o->findings_len; i++)
        if (compare_findings(&o->findings[to], &o->findings[i]) != 0)
            o->findings[++to] = o->findings[i];
    o->findings_len = o->findings_len > 0 ? to + 1 : 0;
}

static void add_outcome_finding(struct play_outcome *o, const char *name, bool is_rule, bool is_shadow)
{
    struct play_finding *f = &o->findings[o->findings_len];
    if (o->findings_len == PLAY_FINDINGS_MAX)
        return;
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->is_rule = is_rule;
    f->is_shadow = is_shadow;
    o->findings_len++;
}

void play_read_record(struct play_outcome *out, const json_t *decision)
{
    const json_t *finding;
    size_t i;
    out->findings_len = 0;
    snprintf(out->action, sizeof out->action, "%s", script_word(decision, "action"));
    snprintf(out->shadow, sizeof out->shadow, "%s", script_word(decision, "shadow"));
    json_array_foreach(json_object_get(decision, "findings"), i, finding)
        add_outcome_finding(out, script_word(finding, "id"), strcmp(script_word(finding, "kind"), "rule") == 0,
                            json_is_true(json_object_get(finding, "shadow")));
    sort_findings(out);
}

static void read_engine(struct play_outcome *out, struct rein_trace *trace)
{
    const struct rein_decision *d = rein_trace_decision(trace);
    out->findings_len = 0;
    snprintf(out->action, sizeof out->action, "%s", rein_action_name(d->verdict));
    snprintf(out->shadow, sizeof out->shadow, "%s", rein_action_name(d->shadow));
    for (size_t i = 0; i < d->findings_len; i++)
        add_outcome_finding(out, d->findings[i].id, d->findings[i].is_rule, d->findings[i].shadow);
    sort_findings(out);
}

bool play_is_same(const struct play_outcome *a, const struct play_outcome *b)
{
    if (strcmp(a->action, b->action) != 0 || strcmp(a->shadow, b->shadow) != 0 || a->findings_len != b->findings_len)
        return false;
    for (size_t i = 0; i < a->findings_len; i++)
        if (compare_findings(&a->findings[i], &b->findings[i]) != 0)
            return false;
    return true;
}

/* ---- judges ---- */

static int play_settle(struct play *p, int rv);

/* Questions are good until the next step. Those that are not in the decision's list have no reply. */
static void note_questions(struct play *p)
{
    size_t len;
    const struct rein_question *questions = rein_trace_questions(p->trace, &len);
    const struct rein_decision *d = rein_trace_decision(p->trace);
    for (size_t i = 0; i < len; i++)
        replies_ask(&p->replies, questions[i].id,
                    questions[i].asked < d->asked_len ? &d->asked[questions[i].asked] : NULL);
}

/* Says what judges had said by then, or all of it. */
static int give_replies(struct play *p, bool all)
{
    struct rein_answer answer;
    uint32_t id;
    int rv = 0;
    while (rv == 0 && replies_take(&p->replies, all ? UINT64_MAX : rein_trace_heard(p->trace), &id, &answer))
        rv = play_settle(p, rein_trace_answer(p->trace, id, &answer, &p->update));
    return rv;
}

/* More may be asked than at the time, when a reply stopped the attempt before all of its text was there: what the same
 * judges would say behind that does not matter. */
static void close_questions(struct play *p)
{
    p->asks_anew |= p->replies.is_unanswered && (p->replies.is_unknown_judge || !p->is_stopped);
    p->is_stopped = false;
}

/* ---- steps ---- */

/* A step was made; what it asks for is done at once. */
static int play_settle(struct play *p, int rv)
{
    if (rv != 0)
        return rv;
    unsigned asks = p->update.asks;
    p->is_over |= (asks & (REIN_ASK_STOP | REIN_ASK_END)) != 0;
    p->restarts |= (asks & REIN_ASK_RESTART) != 0;
    p->is_stopped |= (asks & (REIN_ASK_STOP | REIN_ASK_RESTART)) != 0;
    if ((asks & REIN_ASK_JUDGE) != 0)
        note_questions(p);
    if ((asks & REIN_ASK_COMMIT) != 0)
        rv = play_settle(p, rein_trace_committed(p->trace, &p->update));
    return rv;
}

/* The same, and what judges had said by then. */
static int play_step(struct play *p, int rv)
{
    rv = play_settle(p, rv);
    return rv == 0 ? give_replies(p, false) : rv;
}

static bool is_done(const struct play *p)
{
    return p->is_over || p->restarts;
}

/* What was written is played. */
static int play_bytes(struct play *p, int rv)
{
    if (rv == 0 && p->bytes.len > 0 && !is_done(p))
        rv = play_step(p, rein_trace_feed(p->trace, p->bytes.data, p->bytes.len, &p->update));
    p->bytes.len = 0;
    return rv;
}

/* A piece of a turn, from so many bytes of the text on. It ends where a judge's reply came. */
static int play_piece(struct play *p, const struct decision_turn *turn, size_t at, size_t *len)
{
    const struct wire_text *text = &p->script.said.texts[turn->text];
    uint64_t heard = rein_trace_heard(p->trace), next = replies_next(&p->replies, p->attempt, heard);
    size_t rest = turn->from + turn->len - at;
    *len = decision_script_piece(text, at, next - heard < rest ? (size_t)(next - heard) : rest);
    return play_bytes(p, p->wire->piece(&p->bytes, &p->script.said, turn->text, text->text + at, *len));
}

/* A text begins with its first turn, and ends with its last one before another text goes on; the last text ends with
 * the attempt. */
static int play_turn(struct play *p, const struct decision_turn *turn, bool is_last)
{
    const struct wire_text *text = &p->script.said.texts[turn->text];
    int rv = turn->from == 0 ? play_bytes(p, p->wire->open(&p->bytes, &p->script.said, turn->text)) : 0;
    for (size_t at = turn->from, len; at < turn->from + turn->len && rv == 0 && !is_done(p); at += len)
        rv = play_piece(p, turn, at, &len);
    if (rv != 0 || is_last || turn->from + turn->len < text->len)
        return rv;
    return play_bytes(p, p->wire->close(&p->bytes, &p->script.said, turn->text));
}

static int play_events(struct play *p)
{
    struct decision_turn *turns;
    size_t len;
    int rv = decision_turns_read(&turns, &len, p->texts, p->attempt);
    if (rv != 0)
        return rv;
    rv = play_bytes(p, p->wire->begin(&p->bytes, &p->script.said));
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = play_turn(p, &turns[i], i + 1 == len);
    free(turns);
    return rv;
}

static int play_body(struct play *p)
{
    struct wire_script said = p->script.said;
    struct decision_turn *turns = NULL;
    int rv = decision_turns_read(&turns, &said.parts_len, p->texts, p->attempt);
    struct wire_part *parts = rv == 0 ? calloc(said.parts_len + 1, sizeof *parts) : NULL;
    for (size_t i = 0; parts != NULL && i < said.parts_len; i++)
        parts[i] = (struct wire_part){turns[i].text, turns[i].from, turns[i].len};
    said.parts = parts;
    if (rv == 0)
        rv = play_bytes(p, parts != NULL ? p->wire->body(&p->bytes, &said) : REIN_ENOMEM);
    free(turns);
    free(parts);
    return rv;
}

static int play_text(struct play *p, const json_t *text)
{
    const struct rein_source said = script_text(text);
    const char *speaker = script_word(text, "speaker");
    json_t *fields = decision_known_fields(text);
    const json_t *field;
    size_t i;
    int rv = fields != NULL ? 0 : rein_trace_prompt(p->trace, speaker, said.text, said.len);
    json_array_foreach(fields, i, field)
    {
        rv = rv == 0 && json_is_string(field)
                 ? rein_trace_prompt(p->trace, speaker, json_string_value(field), json_string_length(field))
                 : rv;
    }
    json_decref(fields);
    return rv;
}

static int play_prompt(struct play *p)
{
    const json_t *text;
    size_t i;
    int rv = 0;
    json_array_foreach(p->texts, i, text)
    {
        if (rv == 0 && script_channel(text) == REIN_PROMPT)
            rv = play_text(p, text);
    }
    return rv == 0 ? play_step(p, rein_trace_prompt_end(p->trace, &p->update)) : rv;
}

static bool has_attempt(const struct play *p, uint32_t attempt)
{
    return attempt < json_array_size(json_object_get(p->decision, "attempts"));
}

/* From how many bytes that were shown the attempt goes on. */
static uint64_t origin_of(const struct play *p, uint32_t attempt)
{
    const json_t *text;
    size_t i;
    json_array_foreach(p->texts, i, text)
    {
        if (script_is_of(text, attempt) && script_number(text, "origin") > 0)
            return (uint64_t)script_number(text, "origin");
    }
    return 0;
}

static int begin_attempt(struct play *p, uint32_t attempt)
{
    const json_t *row = json_array_get(json_object_get(p->decision, "attempts"), attempt);
    const char *delivery = script_word(row, "delivery");
    const json_t *may_continue = json_object_get(row, "may_continue");
    struct rein_attempt a = {
        .is_apart = true,
        .goes_on = true, /* what is masked looks alike */
        .may_continue = json_is_boolean(may_continue) ? json_is_true(may_continue) : p->may_continue,
    };
    for (int d = REIN_DELIVER_OFF; d <= REIN_DELIVER_PREFILL; d++)
        if (strcmp(rein_delivery_name((enum rein_delivery)d), delivery) == 0)
            a.delivery = (enum rein_delivery)d;
    a.prefix = attempt == 0 ? p->settings->prefix.text : p->settings->steer.corrective;
    if (a.delivery == REIN_DELIVER_OFF)
        a.prefix = "";
    a.origin = origin_of(p, attempt);
    a.continues_shown = a.origin > 0;
    close_questions(p);
    replies_begin(&p->replies, attempt);
    p->restarts = p->is_over = false;
    p->attempt = attempt;
    decision_script_fini(&p->script);
    int rv = decision_script_read(&p->script, p->decision, attempt, p->choices);
    return rv == 0 ? rein_trace_attempt(p->trace, &a) : rv;
}

/* The ends of the last text, of the choices, and of the stream: judges may have answered in between. */
static int play_last(struct play *p)
{
    const struct wire_script *said = &p->script.said;
    int rv = said->len > 0 ? play_bytes(p, p->wire->close(&p->bytes, said, said->len - 1)) : 0;
    for (unsigned i = 0; i < p->choices && rv == 0; i++)
        rv = play_bytes(p, p->wire->last(&p->bytes, said, i));
    return rv == 0 ? play_bytes(p, p->wire->done(&p->bytes, said)) : rv;
}

/* The attempt's end. If the record stopped there, the end itself counts only where it decides what the record says. */
static int end_attempt(struct play *p, bool was_stopped, const struct play_outcome *was, struct play_outcome *would)
{
    struct play_outcome ended;
    read_engine(would, p->trace);
    int rv = p->is_streamed ? play_last(p) : 0;
    if (rv == 0 && !is_done(p))
        rv = play_step(p, rein_trace_finish(p->trace, true, NULL, &p->update));
    if (rv == 0 && !is_done(p)) /* in another API texts end elsewhere, so the place of a reply may not come */
        rv = give_replies(p, true);
    if (rv != 0 || p->restarts)
        return rv;
    read_engine(&ended, p->trace);
    if (!was_stopped || play_is_same(&ended, was))
        *would = ended;
    return 0;
}

static int play_attempts(struct play *p, const struct play_outcome *was, struct play_outcome *would)
{
    size_t all = json_array_size(json_object_get(p->decision, "attempts"));
    bool was_complete = strcmp(script_word(p->decision, "ending"), "complete") == 0;
    int rv = 0;
    for (uint32_t attempt = 0; has_attempt(p, attempt) && rv == 0; attempt++) {
        rv = begin_attempt(p, attempt);
        if (rv == 0)
            rv = p->is_streamed ? play_events(p) : play_body(p);
        if (rv == 0 && !is_done(p))
            rv = end_attempt(p, !was_complete || attempt + 1 < all, was, would);
        else if (rv == 0)
            read_engine(would, p->trace);
        if (rv != 0 || !p->restarts)
            return rv;
        read_engine(would, p->trace);
    }
    if (rv == 0 && p->restarts && !was_complete) {
        /* There was no other attempt: the fallback was taken. */
        rv = play_settle(p, rein_trace_give_up(p->trace, &p->update));
        if (rv == 0)
            read_engine(would, p->trace);
    }
    return rv;
}

static int play_once(struct play *p, const struct rein_trace_options *options, const struct play_outcome *was,
                     struct play_outcome *would)
{
    int rv = rein_trace_new(&p->trace, options);
    if (rv != 0)
        return rv;
    p->is_over = p->restarts = p->asks_anew = p->is_stopped = false;
    p->replies = (struct decision_replies){.decision = p->decision};
    p->attempt = 0;
    rv = play_prompt(p);
    if (rv == 0)
        read_engine(would, p->trace);
    if (rv == 0 && !p->is_over)
        rv = play_attempts(p, was, would);
    close_questions(p);
    p->lacks_readings = rein_trace_lacks_readings(p->trace);
    rein_trace_free(p->trace);
    p->trace = NULL;
    decision_script_fini(&p->script);
    buffer_clear(&p->bytes);
    return rv;
}

/* ---- what can be compared ---- */

static bool has_channel(const json_t *texts, enum rein_channel channel)
{
    const json_t *text;
    size_t i;
    json_array_foreach(texts, i, text)
    {
        if (script_channel(text) == channel)
            return true;
    }
    return false;
}

static enum play_reason check_decision(const json_t *decision, const json_t *texts)
{
    static const struct {
        const char *received;
        enum rein_channel channel;
    } flows[] = {{"prompt_received", REIN_PROMPT},
                 {"reasoning_received", REIN_REASONING},
                 {"answer_received", REIN_ANSWER},
                 {"tool_received", REIN_TOOL}};
    const char *ending = script_word(decision, "ending");
    const json_t *findings = json_object_get(decision, "findings"), *item;
    size_t i;
    if (json_array_size(texts) == 0)
        return PLAY_NO_TEXT;
    json_array_foreach(texts, i, item)
    {
        const json_t *turns = json_object_get(item, "turns");
        if (!json_is_true(json_object_get(item, "whole")))
            return PLAY_CUT;
        if (json_is_array(turns) && json_array_size(turns) == 0)
            return PLAY_TURNS;
    }
    for (i = 0; i < sizeof flows / sizeof *flows; i++)
        if (script_number(decision, flows[i].received) > 0 && !has_channel(texts, flows[i].channel))
            return PLAY_CHANNEL;
    if (strcmp(ending, "complete") != 0 && strcmp(ending, "refused") != 0 && strcmp(ending, "cut") != 0)
        return PLAY_ENDING;
    if (script_number(decision, "findings_count") > (int64_t)json_array_size(findings))
        return PLAY_FINDINGS;
    json_array_foreach(findings, i, item)
    {
        if (script_channel(item) == REIN_OTHER)
            return PLAY_OTHER;
    }
    return PLAY_COMPARED;
}

/* Older records say only in which choices there is text. */
static unsigned count_choices(const json_t *decision, const json_t *texts)
{
    const json_t *text, *first = json_array_get(json_object_get(decision, "attempts"), 0);
    size_t i;
    int64_t most = script_number(first, "choices") - 1;
    json_array_foreach(texts, i, text) most =
        script_number(text, "choice") > most ? script_number(text, "choice") : most;
    most = most < 0 ? 0 : most;
    return most < REIN_CHOICES_MAX ? (unsigned)most + 1 : REIN_CHOICES_MAX;
}

/* Older records do not say whether a restart could have gone on from what was shown. */
static bool lacks_may_continue(const json_t *decision)
{
    const json_t *attempt;
    size_t i;
    json_array_foreach(json_object_get(decision, "attempts"), i, attempt)
    {
        if (!json_is_boolean(json_object_get(attempt, "may_continue")))
            return true;
    }
    return false;
}

static int play_known(struct play *p, const struct decision_known *known, const struct play_outcome *was,
                      struct rein_policy *policy, struct rein_engine *engine, enum play_reason *reason,
                      struct play_outcome *would)
{
    static const unsigned char mask_key[REIN_MASK_KEY];
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = p->wire->dialect,
                                         .streamed = p->is_streamed,
                                         .body_max = PLAY_BODY_MAX,
                                         .held_min = PLAY_BODY_MAX, /* these events are longer than they were */
                                         .choices = p->choices,
                                         .has_unjudged = script_number(p->decision, "unjudged_parts") > 0,
                                         .mask_key = p->settings->restores ? mask_key : NULL,
                                         .known = known->items,
                                         .known_len = known->len,
                                         .known_texts = known->texts,
                                         .known_texts_len = known->texts_len};
    int rv = play_once(p, &options, was, would);
    bool asks_anew = p->asks_anew, lacks_readings = p->lacks_readings;
    bool may_be_otherwise = p->settings->may_steer && lacks_may_continue(p->decision);
    if (rv == 0 && may_be_otherwise && !play_is_same(would, was)) {
        struct play_outcome other;
        p->may_continue = true;
        rv = play_once(p, &options, was, &other);
        if (rv == 0 && play_is_same(&other, was)) {
            *would = other;
            asks_anew = p->asks_anew;
            lacks_readings = p->lacks_readings;
        }
    }
    if (rv != 0)
        return rv;
    if (asks_anew)
        *reason = PLAY_JUDGE;
    else if (lacks_readings)
        *reason = PLAY_READING;
    return 0;
}

int decision_play(const json_t *decision, const struct play_outcome *was, struct rein_policy *policy,
                  const struct policy_match *match, struct rein_engine *engine, enum play_reason *reason,
                  struct play_outcome *would)
{
    const json_t *texts = json_object_get(decision, "texts");
    struct play p = {.decision = decision,
                     .texts = texts,
                     .settings = rein_policy_settings(policy),
                     .is_streamed = json_is_true(json_object_get(decision, "streamed")),
                     .choices = count_choices(decision, texts)};
    struct decision_known known;
    *reason = check_decision(decision, texts);
    if (*reason != PLAY_COMPARED)
        return 0;
    int rv = decision_known_read(&known, texts, match, policy);
    if (rv == 0)
        rv = decision_script_wire(&p.wire, decision, p.choices);
    if (rv == 0 && known.lacks_rule)
        *reason = PLAY_MASK;
    else if (rv == 0 && known.lacks_readings)
        *reason = PLAY_READING;
    else if (rv == 0)
        rv = play_known(&p, &known, was, policy, engine, reason, would);
    decision_known_fini(&known);
    if (rv != 0 && rv != REIN_ENOMEM) {
        *reason = PLAY_BROKEN;
        rv = 0;
    }
    return rv;
}
