/* Clearing: how far a text may go out, as far as what was judged until now decides it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A text is free as far as it would be cleared by judges that answer at once. While they are asked, texts are cleared
 * in the order of the response: each item that waits for its turn knows how far each text was free when it came. So
 * what has been cleared when its turn has come does not depend on when judges answered. */
#include "base/heap.h"
#include "trace/trace_state.h"

/* Could what is received now complete a finding that acts, once its sentence is whole? Then the sentence waits. A
 * further source of such findings is one more condition here; it may change at the ends of sentences alone. */
static bool sentence_may_act(const struct rein_trace *t, const struct text *text)
{
    const struct pattern_tracker *tracker = t->choice[text->choice].trackers[text->slot];
    return tracker == NULL || pattern_may_act(tracker);
}

/* How far the patterns let reasoning pass. */
static uint64_t undisputed(const struct rein_trace *t, const struct text *text)
{
    const struct choice *choice = &t->choice[text->choice];
    switch (t->release) {
    case REIN_RELEASE_STREAM:
        return UINT64_MAX;
    case REIN_RELEASE_END:
        if (!choice->reasoning_over || choice->awaits_answer)
            return 0;
        break;
    case REIN_RELEASE_AUTO:
        if (text->has_sentences && !sentence_may_act(t, text))
            return text_known(text);
        break;
    case REIN_RELEASE_SENTENCE:
        break;
    }
    return text->has_sentences ? text->judged : UINT64_MAX;
}

/* How far rules and patterns let a text be cleared now. */
static inline uint64_t unheld(const struct rein_trace *t, const struct text *text)
{
    const struct choice *choice = &t->choice[text->choice];
    uint64_t unclaimed = text_unclaimed(text);
    if (text->channel == REIN_REASONING)
        return min_offset(unclaimed, undisputed(t, text));
    /* White space before the reasoning is not the answer, and must not delay the reasoning after it. */
    const struct pattern_tracker *tracker = choice->trackers[text->slot];
    bool is_open = text->has_sentences && tracker != NULL && pattern_answer_is_open(tracker);
    return !choice->reasoning_over || is_open ? min_offset(unclaimed, text->blank) : unclaimed;
}

static inline uint64_t let_pass(const struct rein_trace *t, const struct text *text, uint64_t bound)
{
    uint64_t offset = min_offset(unheld(t, text), bound);
    return text->asks == NULL ? offset : min_offset(offset, trace_panels_bound(t, text));
}

uint64_t trace_free_up_to(const struct rein_trace *t, const struct text *text, uint64_t bound)
{
    uint64_t offset = let_pass(t, text, bound);
    return offset > text->free ? offset : text->free;
}

void trace_clear_up_to(const struct rein_trace *t, struct text *text, uint64_t bound)
{
    uint64_t offset = let_pass(t, text, bound);
    if (offset > text->free)
        text->free = offset;
    if (t->pending.first == NULL && offset > text->cleared)
        text->cleared = offset;
}

void trace_clear_choice(struct rein_trace *t, uint16_t choice)
{
    for (struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < 2; k++)
            if (lane->lane.place.choice == choice && (k == 0 || lane->has_reasoning_text))
                trace_clear_up_to(t, &lane->texts[k].text, lane->texts[k].text.cursor.at);
}

/* Can the answer's beginning still steer? Then the reasoning that is held until its end must not be shown before that
 * is known: a restart could contradict it. */
bool trace_answer_may_steer(const struct rein_trace *t, const struct choice *choice)
{
    static const enum rein_pattern late[] = {REIN_OUTCOME_RISK_ANSWER, REIN_INCONSISTENCY_COMPLIES,
                                             REIN_INCONSISTENCY_REFUSES};
    if (t->release != REIN_RELEASE_END || t->choice_count != 1 || t->attempts >= t->policy->settings.steer.max_attempts)
        return false;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        const struct policy_pattern *pattern = &t->policy->patterns[late[i]];
        for (size_t slot = 0; pattern->action == REIN_STEER && slot < SLOTS_MAX; slot++)
            if (choice->trackers[slot] != NULL && pattern_answer_waits_for(choice->trackers[slot], late[i]))
                return true;
    }
    return false;
}

static void stop_awaiting(struct rein_trace *t, uint16_t index)
{
    struct choice *choice = &t->choice[index];
    if (!choice->awaits_answer)
        return;
    choice->awaits_answer = false;
    trace_clear_choice(t, index);
}

void trace_look_at_wait(struct rein_trace *t, const struct text *text)
{
    struct choice *choice = &t->choice[text->choice];
    bool may_still =
        text->channel == REIN_REASONING || (text->channel == REIN_ANSWER && trace_answer_may_steer(t, choice));
    if (!may_still)
        stop_awaiting(t, text->choice);
}

/* All texts, and how far they are free. */
static int known_list(struct rein_trace *t, struct pending *item)
{
    item->known = heap_new(2 * t->lanes_len + 1, sizeof *item->known);
    if (item->known == NULL)
        return REIN_ENOMEM;
    for (struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < (lane->has_reasoning_text ? 2u : 1u); k++) {
            struct text *text = &lane->texts[k].text;
            item->known[item->known_len++] = (struct pending_known){text, text->free};
        }
    return 0;
}

int trace_wait(struct rein_trace *t, struct pending_list *list, enum pending_kind kind, struct span bytes,
               struct pending **out)
{
    int rv = pending_add(list, kind, gate_event_number(&t->gate), bytes, out);
    if (rv != 0)
        return rv;
    (*out)->is_recorded = t->gate.recorded != NULL;
    (*out)->choices = t->choice_count;
    return known_list(t, *out);
}

static void clear_to(const struct rein_trace *t, struct text *text, uint64_t offset)
{
    if (offset > text->cleared && !t->gate.choice[text->choice].closed)
        text->cleared = offset;
}

void trace_clear_known(struct rein_trace *t, const struct pending *item)
{
    for (size_t i = 0; i < item->known_len; i++)
        clear_to(t, item->known[i].text, item->known[i].upto);
}

void trace_clear_before_stop(struct rein_trace *t, const struct pending *item)
{
    clear_to(t, item->text, item->finding.shown_to);
}

void trace_clear_all(struct rein_trace *t)
{
    for (struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next)
        for (size_t k = 0; k < (lane->has_reasoning_text ? 2u : 1u); k++)
            clear_to(t, &lane->texts[k].text, lane->texts[k].text.free);
}

void trace_end_choice(struct rein_trace *t, uint16_t index)
{
    stop_awaiting(t, index);
}
