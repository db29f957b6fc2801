/* Judging: what the matcher and the patterns find in a text, and what becomes of the text then.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything happens in the order of the text: a text is examined up to the byte that decides something, the finding
 * is acted on, and only then the next byte is examined. So what is found and released does not depend on the chunking.
 */
#include <assert.h>

#include "trace/trace_state.h"

static bool is_closed(const struct rein_trace *t, const struct text *text)
{
    return trace_is_stopped(t) || trace_choice_is_closed(t, text->choice);
}

enum rein_action trace_resolve(const struct rein_trace *t, enum rein_action action, const struct text *text)
{
    if (action == REIN_STEER && !trace_can_steer(t))
        action = t->policy->settings.steer.fallback;
    if (action == REIN_CUT_REASONING && (text == NULL || text->channel != REIN_REASONING))
        action = REIN_CUT_RESPONSE;
    return action;
}

/* The same if the text were shown up to there. What is in shadow shows nothing itself: what acts may have been decided
 * by the same byte, and holds no more. */
static enum rein_action resolve_if_shown(const struct rein_trace *t, enum rein_action action, struct text *text,
                                         uint64_t shown_to)
{
    uint64_t cleared = text->cleared;
    text->cleared = shown_to > cleared ? shown_to : cleared;
    action = trace_resolve(t, action, text);
    text->cleared = cleared;
    return action;
}

/* The action of a finding that is made now, which leaves shown what lies before `bound`. */
static enum rein_action resolve_now(const struct rein_trace *t, const struct rein_finding *f, struct text *text,
                                    uint64_t bound)
{
    if (f->action != REIN_STEER || f->shadow)
        return resolve_if_shown(t, f->action, text, f->action == REIN_STEER ? trace_free_up_to(t, text, bound) : 0);
    trace_clear_up_to(t, text, bound);
    return trace_resolve(t, f->action, text);
}

static int add_finding(struct rein_trace *t, struct rein_finding *f, const struct text *text,
                       const struct evidence *evidence)
{
    f->attempt = t->attempt;
    f->choice = text != NULL ? text->choice : f->choice;
    f->channel = text != NULL ? text->channel : f->channel;
    f->offset += text != NULL ? text->origin : 0;
    bool is_enforced = !f->shadow && f->action > REIN_RECORD;
    if (is_enforced && t->decision.first_finding_bytes == 0 && f->channel != REIN_PROMPT)
        t->decision.first_finding_bytes = text != NULL && text->channel == REIN_REASONING
                                              ? text->cursor.at
                                              : t->decision.flow[REIN_REASONING].received;
    return findings_add(&t->findings, f, evidence);
}

/* Evidence that is the finding's own stretch of its text, or of what a reader gets of it. */
static struct evidence own_evidence(const struct rein_finding *f, const struct text *text, struct span said)
{
    struct evidence evidence = evidence_of(said, (uintptr_t)text);
    if (said.len != f->len)
        return evidence;
    evidence.parts[0] = (struct evidence_part){.offset = f->offset + text->origin, .len = (uint32_t)said.len};
    evidence.parts_len = 1;
    return evidence;
}

/* What the sentences say that the finding's steps point to, in t->said. */
static int quote_steps(struct rein_trace *t, const struct rein_finding *f, const struct text *text,
                       const struct pattern_tracker *tracker, struct evidence *evidence)
{
    size_t max = f->steps_len > 0 ? EVIDENCE_MAX / f->steps_len - 1 : 0;
    int rv = 0;
    bytes_clear(&t->said);
    for (size_t i = 0; i < f->steps_len && rv == 0; i++) {
        struct span quote = pattern_quote(tracker, &f->steps[i]);
        bool is_repeated = i > 0 && f->steps[i].offset == f->steps[i - 1].offset;
        if (quote.len == 0 || is_repeated)
            continue;
        if (bytes_len(&t->said) > 0)
            rv = bytes_append(&t->said, "\n", 1);
        quote.len = quote.len > max ? rein_text_whole(quote.data, max) : quote.len;
        bool is_here = f->steps[i].offset >= text->before; /* else in an earlier text of its series */
        uint64_t offset = is_here ? f->steps[i].offset - text->before + text->origin : UINT64_MAX / 2;
        evidence->parts[evidence->parts_len++] =
            (struct evidence_part){.offset = offset, .at = (uint32_t)bytes_len(&t->said), .len = (uint32_t)quote.len};
        if (rv == 0)
            rv = bytes_append_span(&t->said, quote);
    }
    evidence->text = bytes_span(&t->said);
    return rv;
}

int trace_add_finding(struct rein_trace *t, struct rein_finding *f, const struct evidence *evidence)
{
    return add_finding(t, f, NULL, evidence);
}

/* Carries out an action that stops something, behind what lies before `bound`; 0: no more of the text is shown. */
static int stop_text(struct rein_trace *t, struct text *text, enum rein_action action, uint64_t bound,
                     const struct policy_refusal *refusal)
{
    if (action <= REIN_RECORD)
        return 0;
    t->needs_commit = true;
    int rv = text_settle(text);
    if (rv != 0)
        return rv;
    trace_clear_up_to(t, text, bound);
    if (action == REIN_CUT_REASONING) {
        t->choice[text->choice].reasoning_cut = true;
        text_stop(text);
        return 0;
    }
    t->refusal = refusal;
    return trace_stop(t, text->choice, action);
}

/* ---- turns of findings ----------------------------------------------------------------------------------------- */

/* So many items may wait before what is in shadow does so no more: it must not fill the list. */
enum { SHADOW_WAIT_MAX = PENDING_MAX / 4 };

bool trace_must_wait(const struct rein_trace *t, enum rein_action action, bool shadow)
{
    if (t->pending.first == NULL)
        return false;
    return shadow ? action == REIN_STEER && t->pending.len < SHADOW_WAIT_MAX : action > REIN_REDACT;
}

/* `bound`: what lies before it is shown before something is stopped. */
static int finding_wait(struct rein_trace *t, struct text *text, const struct pending_finding *finding, uint64_t bound,
                        const struct evidence *evidence)
{
    struct pending *item;
    bool shadow = finding->finding.shadow;
    if (!shadow)
        trace_clear_up_to(t, text, bound);
    int rv = trace_wait(t, &t->pending, PENDING_FINDING, evidence->text, &item);
    if (rv == 0 && !shadow)
        rv = text_settle(text);
    if (rv != 0)
        return rv;
    item->text = text;
    item->choice = text->choice;
    item->finding = *finding;
    item->finding.evidence = *evidence;
    item->finding.shown_to = trace_free_up_to(t, text, bound);
    bool stops_reasoning = finding->finding.action == REIN_CUT_REASONING && text->channel == REIN_REASONING;
    t->choice[text->choice].is_stopping |= !shadow && !stops_reasoning;
    return 0;
}

int trace_act_late(struct rein_trace *t, const struct pending *item)
{
    struct rein_finding f = item->finding.finding;
    struct text *text = item->text;
    if (text != NULL && t->gate.choice[item->choice].closed)
        return 0; /* the event of a string that stands alone may still go out, without it */
    bool is_shown = f.shadow && text != NULL;
    f.action =
        is_shown ? resolve_if_shown(t, f.action, text, item->finding.shown_to) : trace_resolve(t, f.action, text);
    struct evidence evidence = item->finding.evidence;
    evidence.text = (struct span){item->bytes, item->bytes_len};
    int rv = item->finding.is_news ? add_finding(t, &f, text, &evidence) : 0;
    if (rv != 0 || f.shadow || text == NULL)
        return rv;
    trace_clear_before_stop(t, item);
    return stop_text(t, text, f.action, 0, item->finding.refusal);
}

int trace_act_on_opinion(struct rein_trace *t, const struct pending *item, struct rein_finding *f,
                         const struct policy_refusal *refusal)
{
    struct text *text = item->text;
    if (text != NULL && !f->shadow)
        f->action = trace_resolve(t, f->action, text);
    struct span said = text != NULL ? text_slice(text, item->start, item->end) : trace_panels_prompt_said(t);
    const struct evidence evidence = text != NULL ? own_evidence(f, text, said) : evidence_of(said, 0);
    int rv = add_finding(t, f, text, &evidence);
    if (rv != 0 || f->shadow)
        return rv;
    if (text != NULL)
        return stop_text(t, text, f->action, 0, refusal);
    t->needs_commit |= f->action > REIN_RECORD;
    return 0;
}

struct rein_finding trace_finding_of(const struct policy_rule *rule)
{
    return (struct rein_finding){.id = rule->id,
                                 .is_rule = true,
                                 .shadow = rule->shadow,
                                 .score = 1.0,
                                 .severity = rule->severity,
                                 .tags = rule->tags};
}

/* `held`: where the first of the matches begins that were decided together and are held. */
static int on_match(struct rein_trace *t, struct text *text, int event, const struct match *m, uint64_t held)
{
    const struct policy_rule *rule = &t->policy->rules[m->rule];
    struct rein_finding f = trace_finding_of(rule);
    struct match span;
    struct span said;
    if (!trace_when_holds(t, &rule->when, text->choice) || !text_found(text, event, m, &span, &said))
        return 0;
    f.action = rule->action;
    f.offset = span.start;
    f.len = span.end - span.start;
    const struct evidence evidence = own_evidence(&f, text, said);
    uint64_t bound = f.shadow ? text->cursor.at : held;
    bool is_new = text_is_news(text, event, &span);
    if (trace_must_wait(t, f.action, f.shadow)) {
        const struct pending_finding waits = {.finding = f, .refusal = &rule->refusal, .is_news = is_new};
        return finding_wait(t, text, &waits, bound, &evidence);
    }
    f.action = resolve_now(t, &f, text, bound);
    int rv = is_new ? add_finding(t, &f, text, &evidence) : 0;
    if (rv != 0 || f.shadow)
        return rv;
    if (f.action != REIN_REDACT)
        return stop_text(t, text, f.action, bound, &rule->refusal);
    t->needs_commit = true;
    return text_redact(text, span.start, span.end, m->rule);
}

/* Does the rule keep what it may claim from the client? */
static bool rule_holds(const struct policy_rule *rule)
{
    return !rule->shadow && rule->action > REIN_RECORD;
}

/* Matches that end at `decided` or before were acted on already. */
static int on_matches(struct rein_trace *t, struct text *text, int event, uint64_t decided)
{
    int rv = 0;
    uint64_t held = UINT64_MAX;
    struct match span;
    struct span evidence;
    for (size_t i = 0; i < t->matches.len; i++)
        if (rule_holds(&t->policy->rules[t->matches.items[i].rule]) &&
            text_found(text, event, &t->matches.items[i], &span, &evidence))
            held = min_offset(held, span.start);
    for (size_t i = 0; i < t->matches.len && rv == 0 && !is_closed(t, text); i++)
        if (t->matches.items[i].end > decided)
            rv = on_match(t, text, event, &t->matches.items[i], held);
    t->matches.len = 0;
    return rv;
}

/* A pattern that is found again in another field with the same text is acted on, but not recorded twice. */
static bool is_news(struct choice *choice, enum rein_pattern pattern)
{
    unsigned bit = 1u << pattern;
    bool is_news = (choice->found & bit) == 0;
    choice->found |= bit;
    return is_news;
}

/* Has what completed the pattern been held? */
static bool is_held(const struct rein_trace *t, const struct text *text, enum rein_pattern pattern)
{
    bool acts = t->policy->pattern_settings.acts[pattern];
    return acts && (text->channel != REIN_REASONING || t->release != REIN_RELEASE_STREAM);
}

/* A pattern that is found in an answer has held its beginning, but for white space. */
static uint64_t held_from(const struct text *text, uint64_t from)
{
    return text->channel == REIN_ANSWER ? text->blank : from;
}

/* What is not held has been shown up to the byte that completes the finding, however the text came. */
static int on_pattern(struct rein_trace *t, struct text *text, const struct pattern_tracker *tracker,
                      const struct pattern_finding *p, uint64_t present)
{
    const struct policy_pattern *pattern = &t->policy->patterns[p->pattern];
    if (pattern->action == REIN_ALLOW || !trace_when_holds(t, &pattern->when, text->choice))
        return 0;
    struct rein_finding f = {.id = rein_pattern_name(p->pattern), .shadow = pattern->shadow, .score = p->score};
    /* In this text: what was found in earlier ones of its series counts from its beginning. */
    uint64_t from = p->offset > text->before ? p->offset - text->before : 0;
    uint64_t to = p->offset + p->len > text->before ? p->offset + p->len - text->before : 0;
    uint64_t start = is_held(t, text, p->pattern) ? held_from(text, from) : text->cursor.at;
    f.action = pattern->action;
    f.offset = p->offset;
    f.len = p->len;
    f.steps_len = p->steps_len;
    memcpy(f.steps, p->steps, sizeof f.steps);
    /* Whether earlier sentences are still in the window depends on the chunking, so only the present one is evidence,
     * or else what the tracker has kept of those before it. */
    bool is_present = p->offset >= text->before + present;
    struct evidence evidence = own_evidence(&f, text, is_present ? text_slice(text, from, to) : SPAN(""));
    bool is_new = is_news(&t->choice[text->choice], p->pattern);
    int rv = !is_present && is_new ? quote_steps(t, &f, text, tracker, &evidence) : 0;
    if (rv != 0)
        return rv;
    if (trace_must_wait(t, f.action, f.shadow)) {
        const struct pending_finding waits = {.finding = f, .refusal = &pattern->refusal, .is_news = is_new};
        return finding_wait(t, text, &waits, start, &evidence);
    }
    f.action = resolve_now(t, &f, text, start);
    rv = is_new ? add_finding(t, &f, text, &evidence) : 0;
    bytes_clear(&t->said);
    return rv == 0 && !f.shadow ? stop_text(t, text, f.action, start, &pattern->refusal) : rv;
}

static int take_findings(struct rein_trace *t, struct text *text, struct pattern_tracker *tracker, uint64_t present)
{
    struct pattern_finding p;
    int rv = 0;
    while (rv == 0 && !is_closed(t, text) && pattern_take(tracker, &p))
        rv = on_pattern(t, text, tracker, &p, present);
    return rv;
}

/* What the detectors read of a sentence is kept, also that they read no more. */
static int read_sentence(struct rein_trace *t, struct text *text, struct pattern_tracker *tracker, struct span sentence,
                         uint64_t offset)
{
    struct reading reading;
    int rv = 0;
    text_reading(text, &reading);
    reading.len = (uint32_t)sentence.len;
    if (tracker != NULL)
        rv = pattern_sentence(tracker, t->engine, text->channel, sentence, text->before + offset, &reading);
    t->lacks_readings |= reading.is_short;
    if (rv == 0)
        rv = kept_reading(text, &reading);
    if (rv != 0 || tracker == NULL || text->channel != REIN_ANSWER || text->asks != NULL ||
        !pattern_answer_is_done(tracker))
        return rv;
    text->has_sentences = false; /* nothing reads the following ones */
    return kept_reading(text, &(struct reading){.flags = READING_NO_MORE});
}

static int on_sentence(struct rein_trace *t, struct text *text, struct span sentence, uint64_t offset)
{
    struct pattern_tracker *tracker = t->choice[text->choice].trackers[text->slot];
    int rv = read_sentence(t, text, tracker, sentence, offset);
    if (rv == 0 && tracker != NULL) {
        t->scores_due = true;
        rv = take_findings(t, text, tracker, offset);
    }
    if (rv == 0 && !is_closed(t, text))
        rv = trace_panels_sentence(t, text, sentence, offset);
    if (rv == 0 && !is_closed(t, text))
        trace_await_answer(t, text);
    return rv;
}

static int on_event(struct rein_trace *t, struct text *text, int event, struct span sentence, uint64_t offset)
{
    if (event == TEXT_SENTENCE)
        return on_sentence(t, text, sentence, offset);
    return on_matches(t, text, event, event == TEXT_MATCH ? text->lifted_to : 0);
}

/* Of a text that is not closed. */
static int advance(struct rein_trace *t, struct text *text)
{
    struct span sentence;
    uint64_t offset;
    int event;
    while ((event = text_advance(text, &t->matches, &sentence, &offset)) != TEXT_DRY) {
        int rv = event < 0 ? event : on_event(t, text, event, sentence, offset);
        if (rv != 0 || is_closed(t, text))
            return rv;
    }
    return 0;
}

static size_t count_blanks(struct span s)
{
    size_t i = 0;
    while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\t' || s.data[i] == '\r' || s.data[i] == '\n'))
        i++;
    return i;
}

bool trace_is_text(struct span s)
{
    return count_blanks(s) < s.len;
}

/* A restart can continue from the reasoning that is recorded as shown: that of the first field with reasoning, because
 * several fields may have the same. */
static void record_shown(struct rein_trace *t, struct text *text)
{
    bool may_go_on = t->policy->settings.may_steer && t->may_continue;
    if (may_go_on && t->gate.recorded == NULL && text->choice == 0)
        t->gate.recorded = text;
}

/* In every field with reasoning, the prefix is its beginning. */
static void lead_in(const struct rein_trace *t, struct text *text)
{
    bool begins = text->received == 0 && !t->choice[text->choice].reasoning_over;
    if (t->leads && begins && t->prefix != NULL)
        text->lead = (struct span){t->prefix, strlen(t->prefix)};
}

static uint8_t next_slot(uint8_t *count)
{
    uint8_t slot = *count;
    *count += *count < SLOTS_MAX - 1;
    return slot;
}

/* Texts of a series are one to the patterns. */
static void join_series(const struct rein_trace *t, struct choice *choice, struct text *text)
{
    if (text->series == 0 || choice->series[text->series] == 0) {
        text->slot = next_slot(&choice->reasoning_texts);
        choice->series[text->series] = (uint8_t)(text->slot + 1);
        return;
    }
    text->slot = (uint8_t)(choice->series[text->series] - 1);
    for (const struct channel_lane *lane = t->lanes; lane != NULL; lane = lane->next) {
        const struct text *other = &lane->texts[0].text;
        if (other != text && other->series == text->series && other->choice == text->choice)
            text->before += other->received;
    }
}

/* The choice's first reasoning and its first answer belong together, and so on. Fields that never get text take no
 * number: many streams begin with an empty answer before the reasoning. */
static void number_text(const struct rein_trace *t, struct text *text)
{
    struct choice *choice = &t->choice[text->choice];
    if (text->channel == REIN_REASONING)
        join_series(t, choice, text);
    else
        text->slot = next_slot(&choice->answer_texts);
}

/* Its first byte has come. */
static void begin_text(struct rein_trace *t, struct text *text)
{
    struct channel_text *ct = (struct channel_text *)(void *)text;
    *(t->last_begun != NULL ? &t->last_begun->next_begun : &t->first_begun) = ct;
    t->last_begun = ct;
    if (text->has_sentences)
        number_text(t, text);
}

/* Most fields never get text, and a tracker is large. */
static int make_tracker(struct rein_trace *t, const struct text *text)
{
    struct pattern_tracker **tracker = &t->choice[text->choice].trackers[text->slot];
    if (*tracker != NULL)
        return 0;
    t->scores_due = true;
    const char *prefix = t->prefix != NULL ? t->prefix : "";
    return pattern_tracker_new(tracker, t->policy->signals, &t->policy->pattern_settings, &t->risk,
                               (struct span){prefix, strlen(prefix)});
}

/* ---- turns ----------------------------------------------------------------------------------------------------- */

/* So many bytes of other texts of the choice may wait for what an interrupted text holds. Then that text is treated as
 * over. */
enum { PAUSE_MAX = 512 };

_Static_assert(offsetof(struct channel_text, text) == 0, "a text is the beginning of its channel_text");

/* The patterns are decided now, though the text may continue; the rules are not. */
static int end_sentence(struct rein_trace *t, struct text *text)
{
    struct span sentence;
    uint64_t offset;
    int event = is_closed(t, text) ? TEXT_DRY : text_pause(text, &sentence, &offset);
    if (event == TEXT_SENTENCE)
        return on_sentence(t, text, sentence, offset);
    return event < 0 ? event : 0;
}

/* Reasoning and a tool's name: usually other texts follow them, and they do not continue. */
static bool gives_way(const struct text *text)
{
    return text->channel == REIN_REASONING || text->channel == REIN_OTHER;
}

static void pause_text(struct choice *choice, struct channel_text *ct)
{
    struct known_sentences *known = ct->text.known_sentences;
    bool waits = known != NULL ? known_sentence_lifts(known, ct->text.received) /* it did, then */
                               : text_unclaimed(&ct->text) < ct->text.received;
    if (ct->is_paused || !gives_way(&ct->text) || !waits)
        return;
    ct->is_paused = true;
    ct->next_paused = choice->paused;
    choice->paused = ct;
}

/* Decides a paused text as if it were over. */
static int lift_text(struct rein_trace *t, struct text *text)
{
    uint64_t decided = text->lifted_to;
    int event = text_lift_known(text, &t->matches);
    int rv = event < 0 ? event : on_matches(t, text, TEXT_KNOWN, 0);
    if (rv != 0 || is_closed(t, text))
        return rv;
    event = text_lift(text, &t->matches);
    rv = event < 0 ? event : kept_lift(text);
    if (rv == 0)
        rv = on_matches(t, text, TEXT_MATCH, decided);
    if (rv == 0 && !is_closed(t, text))
        trace_clear_up_to(t, text, UINT64_MAX);
    return rv;
}

/* A text that is not released holds nothing, so nothing waits for it. */
static bool is_waited_for(const struct choice *choice, const struct channel_text *ct)
{
    return text_passable(&ct->text) != UINT64_MAX && choice->said - ct->spoke_at <= PAUSE_MAX;
}

static int lift_paused(struct rein_trace *t, struct choice *choice)
{
    int rv = 0;
    for (struct channel_text **at = &choice->paused; *at != NULL && rv == 0;) {
        struct channel_text *ct = *at;
        if (ct != choice->speaker && is_waited_for(choice, ct)) {
            at = &ct->next_paused;
            continue;
        }
        *at = ct->next_paused;
        ct->is_paused = false;
        if (ct != choice->speaker && !ct->text.is_over && !is_closed(t, &ct->text))
            rv = lift_text(t, &ct->text);
    }
    return rv;
}

/* Sentences of the one change what the patterns expect of the other. */
static bool has_same_tracker(const struct text *a, const struct text *b)
{
    return a->has_sentences && b->has_sentences && a->channel == b->channel && a->slot == b->slot;
}

/* The text that continued last does so again, and no other one waits. */
static bool keeps_turn(const struct choice *choice, const struct text *text)
{
    return choice->speaker == (const void *)text && choice->paused == NULL;
}

static void count_said(struct choice *choice, struct channel_text *ct, size_t len)
{
    choice->said += len;
    ct->spoke_at = choice->said;
}

/* So many of the next bytes come before another paused text is lifted. */
static size_t before_lift(const struct choice *choice, size_t len)
{
    for (const struct channel_text *ct = choice->paused; ct != NULL; ct = ct->next_paused) {
        uint64_t since = choice->said - ct->spoke_at;
        if (ct != choice->speaker && since < PAUSE_MAX && PAUSE_MAX - since < len)
            len = (size_t)(PAUSE_MAX - since);
    }
    return len;
}

/* A text continues. What a rule may still claim of the previous text stays held, for a while; the patterns take its
 * unfinished sentence as it is, if they go on with this one. *len: at most so many bytes are judged then. */
static int take_turn(struct rein_trace *t, struct choice *choice, struct text *text, size_t *len)
{
    struct channel_text *ct = (struct channel_text *)(void *)text;
    struct channel_text *last = choice->speaker != ct ? choice->speaker : NULL;
    int rv = last != NULL && has_same_tracker(&last->text, text) ? end_sentence(t, &last->text) : 0;
    if (rv != 0 || is_closed(t, text))
        return rv;
    if (last != NULL) {
        trace_clear_up_to(t, &last->text, UINT64_MAX);
        pause_text(choice, last);
    }
    choice->speaker = ct;
    *len = before_lift(choice, *len);
    count_said(choice, ct, *len);
    return choice->paused != NULL ? lift_paused(t, choice) : 0;
}

/* Were sentences to be read of which nothing is known? */
static void note_short(struct rein_trace *t, const struct text *text)
{
    t->lacks_readings |= text->known_sentences != NULL && text->known_sentences->is_short;
}

/* What is known of a text is so before its first byte is judged. What counts as received is kept, also if what it
 * interrupts or ends stops the response before it is judged itself. */
static int receive(struct rein_trace *t, struct text *text, struct span bytes)
{
    struct known_text known;
    bool begins = text->received == 0 && bytes.len > 0 && t->known != NULL;
    int rv = begins ? known_response(t->known, text->channel, t->attempt, text->choice, text->has_sentences, t->muted,
                                     &known)
                    : 0;
    if (rv == 0 && begins)
        text_knows(text, &known);
    note_short(t, text);
    const struct kept_place place = {.attempt = t->attempt, .at = t->heard};
    t->decision.flow[text->channel].received += bytes.len;
    t->heard += text->channel <= REIN_TOOL ? bytes.len : 0;
    if (rv != 0 || t->kept == NULL || bytes.len == 0)
        return rv;
    return text->channel <= REIN_TOOL ? kept_hear(t->kept, text, &place, bytes) : kept_interrupt(t->kept, &place);
}

/* White space before an answer does not end the reasoning. */
static size_t blanks_before_end(const struct choice *choice, const struct text *text, struct span bytes)
{
    if (text->channel == REIN_REASONING || choice->reasoning_over)
        return bytes.len;
    size_t blanks = count_blanks(bytes);
    return blanks > 0 ? blanks : bytes.len;
}

/* Judges the next bytes of a text, at most *len. Sets how many: what they do to other texts happens before them, so
 * they are judged up to where the next byte would do something. */
static int judge_next(struct rein_trace *t, struct text *text, struct span bytes, size_t *len)
{
    struct choice *choice = &t->choice[text->choice];
    int rv = 0;
    *len = blanks_before_end(choice, text, bytes);
    if (keeps_turn(choice, text))
        count_said(choice, choice->speaker, *len);
    else if (*len > 0 && ((rv = take_turn(t, choice, text, len)) != 0 || is_closed(t, text)))
        return rv;
    bytes.len = *len;
    trace_await_answer(t, text);
    if (text->channel == REIN_REASONING) {
        choice->has_reasoning |= trace_is_text(bytes);
        record_shown(t, text);
        lead_in(t, text);
    } else if (!choice->reasoning_over && trace_is_text(bytes)) {
        rv = trace_end_reasoning(t, text->choice);
        if (rv != 0 || is_closed(t, text))
            return rv;
    }
    rv = text->has_sentences && bytes.len > 0 && t->pattern_active ? make_tracker(t, text) : 0;
    if (rv == 0)
        rv = trace_panels_bytes(t, text, bytes);
    if (rv == 0)
        rv = text_append(text, bytes);
    if (rv == 0)
        rv = advance(t, text);
    t->decision.flow[text->channel].scanned += bytes.len;
    if (rv != 0 || is_closed(t, text))
        return rv;
    trace_clear_up_to(t, text, UINT64_MAX);
    text_trim(text);
    return 0;
}

int trace_judge_bytes(void *ctx, struct text *text, struct span bytes)
{
    struct rein_trace *t = ctx;
    if (is_closed(t, text))
        return 0; /* like what comes in later events, it counts nowhere */
    if (text->received == 0 && bytes.len > 0)
        begin_text(t, text);
    int rv = receive(t, text, bytes);
    size_t len;
    do {
        rv = rv == 0 ? judge_next(t, text, bytes, &len) : rv;
        bytes = rv == 0 ? (struct span){bytes.data + len, bytes.len - len} : SPAN("");
    } while (bytes.len > 0 && !is_closed(t, text));
    return rv;
}

static int end_text(struct rein_trace *t, struct text *text)
{
    struct span sentence;
    uint64_t offset;
    int event;
    while (!is_closed(t, text) && (event = text_end(text, &t->matches, &sentence, &offset)) != TEXT_DRY) {
        int rv = event < 0 ? event : on_event(t, text, event, sentence, offset);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int end_pattern(struct rein_trace *t, struct text *text)
{
    struct pattern_tracker *tracker = t->choice[text->choice].trackers[text->slot];
    if (!text->has_sentences || text->received == 0 || tracker == NULL || is_closed(t, text))
        return 0;
    t->scores_due = true;
    int rv = pattern_end(tracker, text->channel);
    return rv == 0 ? take_findings(t, text, tracker, text->received) : rv;
}

int trace_judge_end(struct rein_trace *t, struct text *text)
{
    bool was_over = text->is_over;
    int rv = end_text(t, text);
    note_short(t, text);
    t->heard += !was_over && text->is_over && text->received > 0 && text->channel <= REIN_TOOL;
    if (rv == 0 && text->channel == REIN_ANSWER && !was_over)
        rv = end_pattern(t, text);
    /* The last sentence of the reasoning waits for what the reasoning is as a whole: trace_end_reasoning. */
    bool is_judged = text->channel != REIN_REASONING || t->choice[text->choice].reasoning_over;
    if (rv != 0 || !is_judged || is_closed(t, text))
        return rv;
    rv = trace_panels_text_end(t, text);
    if (rv != 0 || is_closed(t, text))
        return rv;
    trace_await_answer(t, text);
    trace_clear_up_to(t, text, UINT64_MAX);
    return 0;
}

struct text *trace_reasoning_text(struct channel_lane *lane)
{
    if (lane->has_reasoning_text)
        return &lane->texts[1].text;
    return lane->lane.place.channel == REIN_REASONING ? &lane->texts[0].text : NULL;
}

static bool is_reasoning_of(const struct text *text, uint16_t choice)
{
    return text->channel == REIN_REASONING && text->choice == choice;
}

int trace_end_reasoning(struct rein_trace *t, uint16_t index)
{
    struct choice *choice = &t->choice[index];
    if (choice->reasoning_over)
        return 0;
    struct text *last[SLOTS_MAX] = {NULL}; /* of each slot: what is found at the end is found in the last one */
    int rv = 0;
    for (struct channel_text *ct = t->first_begun; ct != NULL && rv == 0; ct = ct->next_begun) {
        if (!is_reasoning_of(&ct->text, index))
            continue;
        rv = end_sentence(t, &ct->text);
        last[ct->text.slot] = &ct->text;
    }
    for (size_t slot = 0; slot < SLOTS_MAX && rv == 0; slot++)
        rv = last[slot] != NULL ? end_pattern(t, last[slot]) : 0;
    for (struct channel_text *ct = t->first_begun; ct != NULL && rv == 0; ct = ct->next_begun)
        if (is_reasoning_of(&ct->text, index) && !is_closed(t, &ct->text))
            rv = trace_panels_text_end(t, &ct->text);
    if (rv != 0 || trace_is_stopped(t) || trace_choice_is_closed(t, index))
        return rv;
    choice->reasoning_over = true;
    choice->awaits_answer = trace_answer_may_steer(t, choice);
    trace_clear_choice(t, index);
    return 0;
}
