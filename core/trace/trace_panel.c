/* Judges: when a panel is asked about a text, what becomes of its opinion, and what waits for it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A panel judges a text in stretches: after so many sentences or bytes, always at the end of a sentence, and once more
 * at the text's end. A stretch is held until it has been judged; asking about it does not hold what another text says.
 * Where a stretch ends, and what a question quotes, depends on the text alone. */
#include <string.h>

#include "base/heap.h"
#include "trace/trace_state.h"

enum {
    ASKED_MAX = 256,
    HEARD_MAX = 2 * REIN_QUESTION_TEXT_MAX,
    /* Panels' questions that are asked at the same time; later ones wait, as offsets. The answers count in the order of
     * the text, so this changes what is released as little as a slower judge does. */
    OPEN_MAX = 8,
    /* Of shadow panels, which hold nothing: what comes beyond is recorded as busy. */
    ASIDE_MAX = 64,
};

/* ---- what was heard ---- */

int trace_panels_begin(struct rein_trace *t, struct text *text)
{
    if ((t->policy->judged >> text->channel & 1) == 0)
        return 0;
    text->asks = heap_new(1, sizeof *text->asks);
    if (text->asks == NULL)
        return REIN_ENOMEM;
    bytes_init(&text->asks->heard, HEARD_MAX + 4 + t->held_max + t->event_max); /* what is held, and before it */
    return 0;
}

void trace_panels_fini(struct text *text)
{
    if (text->asks != NULL)
        bytes_fini(&text->asks->heard);
    heap_free(text->asks);
    text->asks = NULL;
}

/* Keeps the end of what was said: what a question may still quote, in whole characters. */
static int heard_add(struct bytes *heard, struct span said, size_t wanted)
{
    if (wanted == 0 && said.len > REIN_QUESTION_TEXT_MAX) {
        size_t skip = said.len - REIN_QUESTION_TEXT_MAX;
        said = (struct span){said.data + skip, said.len - skip};
        bytes_clear(heard);
    }
    size_t len = bytes_len(heard), keep = REIN_QUESTION_TEXT_MAX + wanted;
    if (len + said.len > HEARD_MAX && len > keep)
        bytes_consume(heard, len - keep);
    return bytes_append_span(heard, said);
}

/* The last REIN_QUESTION_TEXT_MAX bytes before the last `skip` ones, from the beginning of a character on. */
static struct span heard_before(const struct bytes *heard, uint64_t skip)
{
    struct span all = bytes_span(heard);
    all.len -= skip < all.len ? (size_t)skip : all.len;
    size_t at = all.len > REIN_QUESTION_TEXT_MAX ? all.len - REIN_QUESTION_TEXT_MAX : 0;
    while (at < all.len && ((unsigned char)all.data[at] & 0xC0) == 0x80)
        at++;
    return (struct span){all.data + at, all.len - at};
}

static struct span heard_end(const struct bytes *heard)
{
    return heard_before(heard, 0);
}

/* Bytes at the end of a text that a question that waits to be asked does not quote. */
static size_t heard_since(const struct rein_trace *t, const struct text *text)
{
    for (const struct pending *item = t->pending.first; item != NULL; item = item->next)
        if (item->kind == PENDING_QUESTION && item->text == text && !item->question.is_asked)
            return (size_t)(text->asks->said - item->question.said);
    return 0;
}

struct span trace_panels_prompt_said(const struct rein_trace *t)
{
    return heard_end(&t->prompt);
}

static int text_heard(struct rein_trace *t, struct text *text, struct span said)
{
    text->asks->said += said.len;
    return heard_add(&text->asks->heard, said, t->pending.first != NULL ? heard_since(t, text) : 0);
}

int trace_panels_prompt(struct rein_trace *t, const char *speaker, struct span said)
{
    /* What the user asks is the question's context; what others say of it is not. */
    if (t->policy->panels_len == 0 || strcmp(speaker, "user") != 0)
        return 0;
    int rv = bytes_len(&t->prompt) > 0 ? bytes_append_span(&t->prompt, SPAN("\n\n")) : 0;
    return rv == 0 ? heard_add(&t->prompt, said, 0) : rv;
}

/* ---- asking ---- */

static double score_of(const struct rein_trace *t, const struct text *text, enum rein_channel channel)
{
    if (channel == REIN_PROMPT)
        return t->risk.score;
    const struct pattern_tracker *tracker = channel != REIN_TOOL ? t->choice[text->choice].trackers[text->slot] : NULL;
    if (tracker == NULL || t->policy->model == NULL)
        return -1;
    return pattern_score(tracker, channel == REIN_ANSWER ? REIN_OUTCOME_RISK_ANSWER : REIN_OUTCOME_RISK_REASONING);
}

static bool is_wanted(const struct rein_trace *t, const struct policy_panel *panel, double score)
{
    if (panel->when == PANEL_ALWAYS)
        return true;
    if (panel->when == PANEL_RISKY)
        return rein_trace_is_risky(t);
    return score >= panel->grey_from && score <= panel->grey_to;
}

/* A question's row in the decision, UINT32_MAX if the list is full. */
static int record_add(struct rein_trace *t, const struct rein_asked *asked, uint32_t *place)
{
    size_t len = bytes_len(&t->asked) / sizeof *asked;
    *place = UINT32_MAX;
    if (len == ASKED_MAX) {
        t->decision.asked_dropped++;
        return 0;
    }
    *place = (uint32_t)len;
    return bytes_append(&t->asked, (const char *)asked, sizeof *asked);
}

static struct rein_asked *record_at(struct rein_trace *t, uint32_t place)
{
    return place == UINT32_MAX ? NULL
                               : (struct rein_asked *)(void *)bytes_at(&t->asked, place * sizeof(struct rein_asked));
}

/* Puts the texts of the questions where they stay until the next step; pointers are set when all are there. */
static int question_add(struct rein_trace *t, struct rein_question *question, struct span text)
{
    question->text.len = text.len;
    question->prompt.len = heard_end(&t->prompt).len;
    int rv = bytes_append_span(&t->question_texts, heard_end(&t->prompt));
    if (rv == 0)
        rv = bytes_append_span(&t->question_texts, text);
    return rv == 0 ? bytes_append(&t->questions, (const char *)question, sizeof *question) : rv;
}

/* Adds the questions of an item to those of the step. */
static int item_ask(struct rein_trace *t, struct pending *item)
{
    struct pending_question *q = &item->question;
    const struct text *text = item->text;
    struct span quote =
        text != NULL ? heard_before(&text->asks->heard, text->asks->said - q->said) : heard_end(&t->prompt);
    int rv = 0;
    q->is_asked = true;
    for (size_t i = 0; i < q->panel->judges_len && rv == 0; i++) {
        struct rein_question question = {.id = q->first_id + (uint32_t)i,
                                         .asked = q->records[i],
                                         .judge = q->panel->judges[i],
                                         .channel = q->channel};
        rv = question_add(t, &question, quote);
    }
    return rv;
}

int trace_panels_ask(struct rein_trace *t)
{
    unsigned open = 0;
    int rv = 0;
    for (struct pending *item = t->pending.first; item != NULL && open < OPEN_MAX && rv == 0; item = item->next) {
        if (item->kind != PENDING_QUESTION || item->question.open == 0)
            continue;
        open++;
        if (!item->question.is_asked)
            rv = item_ask(t, item);
    }
    return rv;
}

/* A row for each judge of the panel. */
static int panel_record(struct rein_trace *t, const struct policy_panel *panel, const struct rein_asked *about,
                        uint32_t records[POLICY_PANEL_JUDGES_MAX])
{
    struct rein_asked asked = *about;
    int rv = 0;
    asked.panel = panel->id;
    for (size_t i = 0; i < panel->judges_len && rv == 0; i++) {
        asked.judge = panel->judges[i];
        rv = record_add(t, &asked, &records[i]);
    }
    return rv;
}

/* The patterns whose conditions hold now: a judge's answer comes when more has been read. */
static unsigned patterns_that_hold(const struct rein_trace *t, uint16_t choice)
{
    unsigned set = 0;
    for (unsigned p = 0; p < REIN_PATTERNS; p++)
        set |= trace_when_holds(t, &t->policy->patterns[p].when, choice) ? 1u << p : 0;
    return set;
}

static int panel_ask(struct rein_trace *t, const struct policy_panel *panel, struct text *text,
                     enum rein_channel channel, uint64_t start, uint64_t end, double score)
{
    struct pending *item;
    struct rein_asked asked = {.channel = channel,
                               .choice = text != NULL ? text->choice : 0,
                               .attempt = t->attempt,
                               .offset = start + (text != NULL ? text->origin : 0),
                               .len = end - start};
    if (panel->shadow && t->aside.len >= ASIDE_MAX) {
        uint32_t records[POLICY_PANEL_JUDGES_MAX];
        asked.outcome = REIN_JUDGE_BUSY;
        return panel_record(t, panel, &asked, records);
    }
    if (text != NULL)
        trace_clear_up_to(t, text, text->cursor.at); /* what is asked about is not free */
    int rv = trace_wait(t, panel->shadow ? &t->aside : &t->pending, PENDING_QUESTION, SPAN(""), &item);
    if (rv != 0)
        return rv;
    item->text = text;
    item->choice = text != NULL ? text->choice : 0;
    item->start = start;
    item->end = end;
    item->question = (struct pending_question){.panel = panel,
                                               .channel = channel,
                                               .first_id = t->next_question,
                                               .open = (unsigned)panel->judges_len,
                                               .said = text != NULL ? text->asks->said : 0,
                                               .holds = patterns_that_hold(t, item->choice),
                                               .score = score};
    t->next_question += (uint32_t)panel->judges_len;
    rv = panel_record(t, panel, &asked, item->question.records);
    return rv == 0 && panel->shadow ? item_ask(t, item) : rv;
}

static bool is_blank_since(const struct text *text, uint64_t start)
{
    return text->received <= text->blank || start >= text->received;
}

/* The stretch of each panel that is due ends here. `at_end`: so do all others. */
static int panels_check(struct rein_trace *t, struct text *text, uint64_t end, bool at_end)
{
    struct text_asks *asks = text->asks;
    int rv = 0;
    for (size_t i = 0; i < t->policy->panels_len && rv == 0; i++) {
        const struct policy_panel *panel = &t->policy->panels[i];
        bool is_due = at_end || asks->sentences[i] >= panel->sentences || end - asks->to[i] >= panel->bytes;
        if (!panel_judges(panel, text->channel) || !is_due || end <= asks->to[i])
            continue;
        double score = score_of(t, text, text->channel);
        if (is_wanted(t, panel, score) && !is_blank_since(text, asks->to[i]))
            rv = panel_ask(t, panel, text, text->channel, asks->to[i], end, score);
        asks->to[i] = end;
        asks->sentences[i] = 0;
    }
    return rv;
}

int trace_panels_sentence(struct rein_trace *t, struct text *text, struct span sentence, uint64_t offset)
{
    if (text->asks == NULL)
        return 0;
    int rv = text_heard(t, text, sentence);
    for (size_t i = 0; i < t->policy->panels_len; i++)
        text->asks->sentences[i]++;
    return rv == 0 ? panels_check(t, text, offset + sentence.len, false) : rv;
}

int trace_panels_hear(struct rein_trace *t, struct text *text, struct span bytes)
{
    return text_heard(t, text, bytes);
}

int trace_panels_text_end(struct rein_trace *t, struct text *text)
{
    return text->asks == NULL ? 0 : panels_check(t, text, text->received, true);
}

int trace_panels_prompt_end(struct rein_trace *t)
{
    int rv = 0;
    for (size_t i = 0; i < t->policy->panels_len && rv == 0; i++) {
        const struct policy_panel *panel = &t->policy->panels[i];
        uint64_t len = heard_end(&t->prompt).len;
        if (panel_judges(panel, REIN_PROMPT) && len > 0 && is_wanted(t, panel, t->risk.score))
            rv = panel_ask(t, panel, NULL, REIN_PROMPT, 0, len, t->risk.score);
    }
    return rv;
}

uint64_t trace_panels_bound(const struct rein_trace *t, const struct text *text)
{
    uint64_t bound = UINT64_MAX;
    for (size_t i = 0; text->asks != NULL && i < t->policy->panels_len; i++) {
        const struct policy_panel *panel = &t->policy->panels[i];
        if (!panel->shadow && panel_judges(panel, text->channel) && text->asks->to[i] < bound)
            bound = text->asks->to[i];
    }
    return bound;
}

const struct rein_question *rein_trace_questions(const struct rein_trace *t, size_t *len)
{
    *len = bytes_len(&t->questions) / sizeof(struct rein_question);
    return (const struct rein_question *)(const void *)bytes_span(&t->questions).data;
}

/* Their texts lie one behind the other. */
void trace_panels_settle(struct rein_trace *t)
{
    size_t len = bytes_len(&t->questions) / sizeof(struct rein_question);
    struct rein_question *question = (struct rein_question *)(void *)bytes_span(&t->questions).data;
    const char *at = bytes_span(&t->question_texts).data;
    for (size_t i = 0; i < len; i++) {
        question[i].prompt.text = at;
        question[i].text.text = at += question[i].prompt.len;
        at += question[i].text.len;
    }
}

/* ---- answers ---- */

static void answer_note(struct rein_trace *t, struct pending_question *q, size_t judge,
                        const struct rein_answer *answer)
{
    struct rein_asked *record = record_at(t, q->records[judge]);
    bool has_opinion = answer->outcome == REIN_JUDGE_OPINED;
    q->open--;
    q->answered |= 1u << judge;
    q->has_opinion[judge] = has_opinion;
    q->risks[judge] = answer->risk;
    q->leaves |= has_opinion ? answer->leaves : 0;
    q->is_busy |= answer->outcome == REIN_JUDGE_BUSY;
    if (record == NULL)
        return;
    record->outcome = answer->outcome;
    record->risk = has_opinion ? answer->risk : 0;
    record->took_ms = answer->took_ms;
    record->was_known = answer->was_known;
    record->heard = rein_trace_heard(t);
    record->said = t->answers++;
    record->leaves = has_opinion ? answer->leaves : 0;
    const char *categories = has_opinion && answer->categories != NULL ? answer->categories : "";
    size_t len = strlen(categories);
    if (len < sizeof record->categories)
        memcpy(record->categories, categories, len + 1);
}

/* Does the panel call it unsafe? *risk: how sure it is; *source: the judge that is surest. */
static bool panel_finds(const struct pending_question *q, double *risk, const char **source)
{
    const struct policy_panel *panel = q->panel;
    double most = -1;
    *source = panel->judges[0];
    for (size_t i = 0; i < panel->judges_len; i++)
        if (q->has_opinion[i] && q->risks[i] > most) {
            most = q->risks[i];
            *source = panel->judges[i];
        }
    if (most >= 0) {
        *risk = panel_risk(panel, q->risks, q->has_opinion);
        return *risk >= panel->risk_from;
    }
    *risk = 0;
    if (panel->on_error == PANEL_CLOSED)
        return true;
    if (panel->on_error == PANEL_OPEN && !q->is_busy)
        return false;
    return panel->when == PANEL_UNCERTAIN && q->score >= (panel->grey_from + panel->grey_to) / 2;
}

static int question_act(struct rein_trace *t, const struct pending *item, const char *id, enum rein_action action,
                        bool shadow, double risk, const char *source, const struct policy_refusal *refusal)
{
    struct rein_finding f = {.id = id,
                             .source = source,
                             .shadow = shadow,
                             .score = risk,
                             .action = action,
                             .channel = item->question.channel,
                             .choice = item->choice,
                             .offset = item->start,
                             .len = item->end - item->start};
    if (item->text == NULL && !shadow && action == REIN_REFUSE && t->asked_refusal == NULL)
        t->asked_refusal = refusal;
    return trace_act_on_opinion(t, item, &f, refusal);
}

/* Has what the question is about been stopped before it? An opinion that nothing waits for is recorded all the same. */
static bool is_settled(const struct rein_trace *t, const struct pending *item)
{
    bool is_closed = item->text != NULL && t->gate.choice[item->choice].closed;
    return (item->text != NULL && trace_is_stopped(t)) || (is_closed && !item->question.panel->shadow);
}

/* Names of patterns that a judge gave do what the policy says of these patterns. */
static int leaves_apply(struct rein_trace *t, const struct pending *item, const char *source, double risk)
{
    const unsigned counts = item->text != NULL ? item->question.leaves & item->question.holds : 0;
    int rv = 0;
    for (unsigned p = 0; p < REIN_PATTERNS && rv == 0 && !is_settled(t, item); p++) {
        const struct policy_pattern *pattern = &t->policy->patterns[p];
        if ((counts >> p & 1) != 0 && pattern->action != REIN_ALLOW)
            rv = question_act(t, item, rein_pattern_name((enum rein_pattern)p), pattern->action,
                              pattern->shadow || item->question.panel->shadow, risk, source, &pattern->refusal);
    }
    return rv;
}

static int question_apply(struct rein_trace *t, const struct pending *item)
{
    const struct policy_panel *panel = item->question.panel;
    double risk;
    const char *source;
    bool finds = panel_finds(&item->question, &risk, &source);
    int rv = leaves_apply(t, item, source, risk);
    if (rv != 0 || !finds || is_settled(t, item))
        return rv;
    return question_act(t, item, panel->id, panel->action, panel->shadow, risk, source, &panel->refusal);
}

/* The strongest of what a stand-alone string asked for. */
static enum rein_action stop_action(const struct rein_trace *t, const struct pending *item)
{
    enum rein_action steered = trace_resolve(t, REIN_STEER, NULL), action = item->stop.action;
    return item->stop.steers && (action == REIN_STEER || steered > action) ? steered : action;
}

static int item_apply(struct rein_trace *t, struct pending *item)
{
    switch (item->kind) {
    case PENDING_QUESTION:
        return question_apply(t, item);
    case PENDING_FINDING:
        return trace_act_late(t, item);
    case PENDING_STOP:
        t->refusal = item->stop.refusal;
        return t->gate.choice[item->choice].closed ? 0 : trace_stop(t, item->choice, stop_action(t, item));
    case PENDING_END:
        trace_clear_all(t);
        return trace_end_late(t, item);
    }
    return 0;
}

/* The end of the response also waits for what is only recorded. */
static bool is_open(const struct rein_trace *t, const struct pending *item)
{
    return (item->kind == PENDING_QUESTION && item->question.open > 0) ||
           (item->kind == PENDING_END && t->aside.first != NULL);
}

/* Carries out all up to the first question that is still open. What stops the response clears the list. */
static int pending_settle(struct rein_trace *t)
{
    int rv = 0;
    while (t->pending.first != NULL && !is_open(t, t->pending.first) && rv == 0) {
        if (t->phase == TRACE_RUNNING)
            trace_clear_known(t, t->pending.first);
        struct pending *item = pending_take_first(&t->pending);
        t->gate.cut_behind = item->event;
        t->turn = item;
        rv = item_apply(t, item);
        t->turn = NULL;
        t->gate.cut_behind = UINT64_MAX;
        pending_free(item);
    }
    if (rv != 0 || t->phase != TRACE_RUNNING)
        return rv;
    if (t->pending.first != NULL)
        trace_clear_known(t, t->pending.first); /* what is not asked about need not wait for the answer */
    else
        trace_clear_all(t);
    return 0;
}

/* Opinions that nothing waits for are only recorded, when they come. */
static int aside_settle(struct rein_trace *t)
{
    int rv = 0;
    while (t->aside.first != NULL && !is_open(t, t->aside.first) && rv == 0) {
        struct pending *item = pending_take_first(&t->aside);
        rv = question_apply(t, item);
        pending_free(item);
    }
    return rv == 0 ? pending_settle(t) : rv;
}

int trace_panels_answer(struct rein_trace *t, uint32_t id, const struct rein_answer *answer)
{
    struct pending *item = pending_find(&t->pending, id), *aside = item == NULL ? pending_find(&t->aside, id) : NULL;
    item = item != NULL ? item : aside;
    if (item == NULL)
        return 0; /* it is not needed any more */
    uint32_t judge = id - item->question.first_id;
    if ((item->question.answered >> judge & 1) != 0)
        return 0;
    answer_note(t, &item->question, judge, answer);
    return aside != NULL ? aside_settle(t) : pending_settle(t);
}
