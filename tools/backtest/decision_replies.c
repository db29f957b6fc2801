/* See decision_replies.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_replies.h"

#include <string.h>

#include "backtest/decision_script.h"

static const json_t *opinions_of(const struct decision_replies *r)
{
    return json_object_get(r->decision, "opinions");
}

/* Patterns that a judge had named, as its findings show: of records that do not say whose they were. */
static unsigned leaves_found(const json_t *decision, const json_t *opinion)
{
    static const char *const place[] = {"attempt", "choice", "offset", "len"};
    const json_t *finding;
    size_t i;
    unsigned leaves = 0;
    json_array_foreach(json_object_get(decision, "findings"), i, finding)
    {
        bool is_it = strcmp(script_word(finding, "kind"), "judge") == 0 &&
                     strcmp(script_word(finding, "channel"), script_word(opinion, "channel")) == 0;
        for (size_t k = 0; k < sizeof place / sizeof *place; k++)
            is_it = is_it && script_number(finding, place[k]) == script_number(opinion, place[k]);
        for (int p = 0; is_it && p < REIN_PATTERNS; p++)
            if (strcmp(rein_pattern_name((enum rein_pattern)p), script_word(finding, "id")) == 0)
                leaves |= 1u << p;
    }
    return leaves;
}

static unsigned leaves_of(const json_t *decision, const json_t *opinion)
{
    unsigned leaves = 0;
    if (!json_is_integer(json_object_get(opinion, "heard")))
        return leaves_found(decision, opinion);
    for (const char *at = script_word(opinion, "patterns"); *at != '\0'; at += strspn(at, ",")) {
        size_t len = strcspn(at, ",");
        for (int p = 0; p < REIN_PATTERNS; p++) {
            const char *name = rein_pattern_name((enum rein_pattern)p);
            leaves |= strlen(name) == len && memcmp(name, at, len) == 0 ? 1u << p : 0;
        }
        at += len;
    }
    return leaves;
}

static enum rein_judge_outcome outcome_of(const json_t *opinion)
{
    for (int o = REIN_JUDGE_OPINED; o < REIN_JUDGE_OUTCOMES; o++)
        if (strcmp(rein_judge_outcome_name((enum rein_judge_outcome)o), script_word(opinion, "outcome")) == 0)
            return (enum rein_judge_outcome)o;
    return REIN_JUDGE_OPEN;
}

static bool is_same_judge(const json_t *opinion, const struct rein_asked *asked)
{
    return strcmp(script_word(opinion, "panel"), asked->panel) == 0 &&
           strcmp(script_word(opinion, "judge"), asked->judge) == 0;
}

/* Of the prompt there is one question, and how long that was depends on what was put in the place of what is masked. */
static bool is_same_question(const json_t *opinion, const struct rein_asked *asked)
{
    bool is_alike = is_same_judge(opinion, asked) &&
                    strcmp(script_word(opinion, "channel"), rein_channel_name(asked->channel)) == 0;
    if (asked->channel == REIN_PROMPT)
        return is_alike;
    return is_alike && script_number(opinion, "attempt") == asked->attempt &&
           script_number(opinion, "choice") == asked->choice &&
           script_number(opinion, "offset") == (int64_t)asked->offset &&
           script_number(opinion, "len") == (int64_t)asked->len;
}

static bool was_said(const struct decision_replies *r, size_t opinion)
{
    return (r->said[opinion / 64] >> opinion % 64 & 1) != 0;
}

/* The opinion about this question that was not said yet; the number of all: there is none. */
static size_t find_opinion(const struct decision_replies *r, const struct rein_asked *asked)
{
    const json_t *opinions = opinions_of(r);
    size_t len = json_array_size(opinions);
    for (size_t i = 0; i < len && i < sizeof r->said * 8; i++)
        if (!was_said(r, i) && is_same_question(json_array_get(opinions, i), asked))
            return i;
    return len;
}

static bool knows_judge(const struct decision_replies *r, const struct rein_asked *asked)
{
    const json_t *opinion;
    size_t i;
    json_array_foreach(opinions_of(r), i, opinion)
    {
        if (is_same_judge(opinion, asked))
            return true;
    }
    return false;
}

void replies_begin(struct decision_replies *r, uint32_t attempt)
{
    r->open_len = attempt == 0 ? r->open_len : 0;
    r->is_unanswered = r->is_unknown_judge = false;
}

void replies_ask(struct decision_replies *r, uint32_t id, const struct rein_asked *asked)
{
    size_t opinion = asked != NULL ? find_opinion(r, asked) : SIZE_MAX;
    const json_t *row = asked != NULL ? json_array_get(opinions_of(r), opinion) : NULL;
    if (row == NULL || r->open_len == REPLIES_OPEN_MAX) {
        r->is_unanswered = true;
        r->is_unknown_judge |= asked == NULL || !knows_judge(r, asked);
        return;
    }
    r->said[opinion / 64] |= UINT64_C(1) << opinion % 64;
    if (outcome_of(row) == REIN_JUDGE_OPEN)
        return; /* it did not reply as long as it mattered */
    r->open[r->open_len++] = (struct open_reply){.id = id,
                                                 .opinion = opinion,
                                                 .due = (uint64_t)script_number(row, "heard"),
                                                 .said = (uint64_t)script_number(row, "said")};
}

static bool is_before(const struct open_reply *a, const struct open_reply *b)
{
    return a->due < b->due || (a->due == b->due && a->said < b->said);
}

/* Of older records, those that come at the same time come in the order in which they were asked for. */
bool replies_take(struct decision_replies *r, uint64_t heard, uint32_t *id, struct rein_answer *answer)
{
    size_t first = r->open_len;
    for (size_t i = 0; i < r->open_len; i++)
        if (r->open[i].due <= heard && (first == r->open_len || is_before(&r->open[i], &r->open[first])))
            first = i;
    if (first == r->open_len)
        return false;
    const json_t *opinion = json_array_get(opinions_of(r), r->open[first].opinion);
    *id = r->open[first].id;
    *answer = (struct rein_answer){.outcome = outcome_of(opinion),
                                   .risk = json_real_value(json_object_get(opinion, "risk")),
                                   .leaves = leaves_of(r->decision, opinion),
                                   .categories = script_word(opinion, "categories"),
                                   .took_ms = (unsigned)script_number(opinion, "took_ms")};
    r->open_len--;
    memmove(&r->open[first], &r->open[first + 1], (r->open_len - first) * sizeof *r->open);
    return true;
}

uint64_t replies_next(const struct decision_replies *r, uint32_t attempt, uint64_t heard)
{
    const json_t *opinion;
    size_t i;
    uint64_t next = UINT64_MAX;
    json_array_foreach(opinions_of(r), i, opinion)
    {
        uint64_t at = (uint64_t)script_number(opinion, "heard");
        if (script_number(opinion, "attempt") == attempt && at > heard && at < next)
            next = at;
    }
    return next;
}
