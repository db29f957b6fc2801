/* See live.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <assert.h>

#include "drawn_text.h"
#include "kept_record.h"
#include "live_wire.h"

enum { OPEN_MAX = 2048, ATTEMPTS_MAX = 8, LIVE_TEXT_MAX = 1 << 20, BODY_MAX = 1 << 20 };

struct live {
    const struct live_options *o;
    const struct rein_policy_settings *settings;
    struct rein_trace *trace;
    struct drawn texts;
    struct dice time;
    unsigned answers, commits, late; /* how likely each is in a step; how many questions wait for the end */
    size_t feed_max;
    bool streamed, is_apart, is_inline, is_opened;
    unsigned unjudged;
    struct {
        uint32_t id;
        bool is_late;
    } open[OPEN_MAX];
    size_t open_len, held;
    bool committing, stopped, restarts, waits, ended;
    struct kept_attempt attempts[ATTEMPTS_MAX];
    size_t attempts_len;
    struct live_wire wire;
    json_t *record;
};

/* ---- steps ---- */

/* Must hold; else the seed is printed. */
static void check(const struct live *l, bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)l->o->seed, what);
    abort();
}

static void make_record(struct live *l, const char *ending)
{
    if (l->record == NULL)
        l->record = kept_record(l->trace, &(struct kept_facts){.dialect = l->wire.dialect,
                                                               .streamed = l->streamed,
                                                               .ending = ending,
                                                               .unjudged_parts = l->unjudged,
                                                               .attempts = l->attempts,
                                                               .attempts_len = l->attempts_len});
}

static void close_attempt(struct live *l, const char *outcome)
{
    struct kept_attempt *last = l->attempts_len > 0 ? &l->attempts[l->attempts_len - 1] : NULL;
    bool is_open = last != NULL && strcmp(last->outcome, "running") == 0;
    if (is_open || (last != NULL && strcmp(outcome, "steered") == 0))
        last->outcome = outcome;
}

static void note_open(struct live *l)
{
    size_t len;
    const struct rein_question *questions = rein_trace_questions(l->trace, &len);
    for (size_t i = 0; i < len; i++) {
        assert(l->open_len < OPEN_MAX);
        l->open[l->open_len].id = questions[i].id;
        l->open[l->open_len++].is_late = dice_chance(&l->time, l->late);
    }
}

static void take(struct live *l, int rv, const struct rein_update *u)
{
    check(l, rv == 0, rein_strerror(rv));
    if (l->o->prints)
        fprintf(stderr, "    asks%s%s%s%s%s%s, %zu held: %.*s\n", u->asks & REIN_ASK_COMMIT ? " commit" : "",
                u->asks & REIN_ASK_STOP ? " stop" : "", u->asks & REIN_ASK_RESTART ? " restart" : "",
                u->asks & REIN_ASK_END ? " end" : "", u->asks & REIN_ASK_JUDGE ? " judge" : "",
                u->waits ? " waits" : "", u->held, (int)u->out_len, u->out);
    l->held = u->held;
    l->waits = u->waits;
    if ((u->asks & REIN_ASK_STOP) != 0) {
        l->stopped = true;
        l->open_len = 0;
        close_attempt(l, "stopped");
    }
    l->restarts |= (u->asks & REIN_ASK_RESTART) != 0;
    l->ended |= (u->asks & REIN_ASK_END) != 0;
    if ((u->asks & REIN_ASK_JUDGE) != 0)
        note_open(l);
    if ((u->asks & REIN_ASK_COMMIT) == 0)
        return;
    l->committing = true;
    if (rein_trace_decision(l->trace)->ending == REIN_OPEN)
        return;
    close_attempt(l, "whole");
    make_record(l, NULL);
}

static void commit(struct live *l)
{
    struct rein_update u;
    l->committing = false;
    if (l->o->prints)
        fprintf(stderr, "  committed\n");
    int rv = rein_trace_committed(l->trace, &u);
    take(l, rv, &u);
}

static struct rein_answer draw_answer(struct live *l)
{
    static const enum rein_judge_outcome others[] = {REIN_JUDGE_UNPARSED, REIN_JUDGE_TIMED_OUT, REIN_JUDGE_FAILED,
                                                     REIN_JUDGE_BUSY, REIN_JUDGE_LEFT_ALONE};
    static const double risks[] = {0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.95, 1};
    struct rein_answer answer = {.outcome = REIN_JUDGE_OPINED};
    bool names = dice_chance(&l->time, 15) != 0, has_categories = dice_chance(&l->time, 30) != 0;
    size_t other = dice_below(&l->time, sizeof others / sizeof *others);
    answer.risk = risks[dice_below(&l->time, sizeof risks / sizeof *risks)];
    unsigned leaves = (unsigned)dice_next(&l->time) & (unsigned)dice_next(&l->time) & ((1u << REIN_PATTERNS) - 1);
    answer.leaves = names ? leaves : 0;
    answer.categories = has_categories ? "S1,S2" : NULL;
    answer.took_ms = (unsigned)dice_below(&l->time, 3000);
    answer.was_known = dice_chance(&l->time, 10) != 0;
    if (dice_chance(&l->time, 20))
        answer = (struct rein_answer){.outcome = others[other], .took_ms = 100};
    return answer;
}

static void answer_one(struct live *l, size_t which)
{
    struct rein_update u;
    struct rein_answer answer = draw_answer(l);
    uint32_t id = l->open[which].id;
    l->open[which] = l->open[--l->open_len];
    if (l->o->prints)
        fprintf(stderr, "  %u is answered: %s, risk %g, leaves %x\n", id, rein_judge_outcome_name(answer.outcome),
                answer.risk, answer.leaves);
    int rv = rein_trace_answer(l->trace, id, &answer, &u);
    take(l, rv, &u);
}

/* One of what may happen without the upstream. `late`: a question may be answered that waits for the end. */
static bool happen(struct live *l, bool late)
{
    size_t from = dice_below(&l->time, l->open_len + 1);
    bool commits_first = dice_chance(&l->time, 50) != 0;
    if (l->committing && (commits_first || l->open_len == 0)) {
        commit(l);
        return true;
    }
    for (size_t i = 0; i < l->open_len; i++) {
        size_t which = (from + i) % l->open_len;
        if (!l->open[which].is_late || late) {
            answer_one(l, which);
            return true;
        }
    }
    if (l->committing)
        commit(l);
    else
        return false;
    return true;
}

static void happen_at_times(struct live *l)
{
    while (!l->ended && !(l->stopped && l->restarts)) {
        bool answers = dice_chance(&l->time, l->answers) != 0, commits = dice_chance(&l->time, l->commits) != 0;
        if (commits && l->committing)
            commit(l);
        else if (!answers || l->open_len == 0 || !happen(l, false))
            return;
    }
}

/* ---- the prompt ---- */

static void say_prompt(struct live *l, const char *speaker)
{
    struct bytes text;
    bytes_init(&text, LIVE_TEXT_MAX);
    drawn_text_add(&l->texts, &text, REIN_PROMPT, l->o->rules, strcmp(speaker, "field") == 0 ? 1 : 5);
    struct span said = bytes_span(&text);
    if (l->o->prints)
        fprintf(stderr, "  %s: %.*s\n", speaker, (int)said.len, said.data);
    int rv = rein_trace_prompt(l->trace, speaker, said.data, said.len);
    check(l, rv == 0, "a prompt");
    bytes_fini(&text);
}

static void begin_live(struct live *l)
{
    static const char *const more[] = {"system", "assistant", "tool", "user", "field", "developer", "user_id"};
    struct rein_update u;
    size_t before = drawn_below(&l->texts, 3), behind = drawn_chance(&l->texts, 20) ? 1 : 0;
    for (size_t i = 0; i < before; i++)
        say_prompt(l, DRAWN_OF(&l->texts, more));
    say_prompt(l, "user");
    for (size_t i = 0; i < behind; i++)
        say_prompt(l, DRAWN_OF(&l->texts, more));
    int rv = rein_trace_prompt_end(l->trace, &u);
    take(l, rv, &u);
    while (l->waits && !l->stopped)
        check(l, happen(l, true), "nothing is asked about the prompt, but it is waited for");
}

/* ---- what the upstream sends ---- */

static void add_text(struct live *l, unsigned choice, enum rein_channel channel, unsigned call)
{
    struct live_text *text = &l->wire.texts[l->wire.len++];
    *text = (struct live_text){.choice = choice, .call = call, .channel = channel};
    bytes_init(&text->text, LIVE_TEXT_MAX);
    size_t masks_len = 0;
    const struct rein_mask *masks = rein_trace_masks(l->trace, &masks_len);
    drawn_text_add(&l->texts, &text->text, channel, l->o->rules, channel == REIN_REASONING ? 14 : 9);
    bool repeats = drawn_chance(&l->texts, 30);
    size_t which = drawn_below(&l->texts, 1000);
    if (drawn_part(&l->texts) && repeats && masks_len > 0) {
        const struct rein_mask *mask = &masks[which % masks_len];
        drawn_put(&text->text, " %.*s", (int)mask->text_len, mask->text);
    }
}

/* The reasoning in the answer's field, between its tags. */
static void join_inline(struct live *l, struct live_text *reasoning, struct live_text *answer)
{
    struct bytes both;
    bytes_init(&both, 2 * LIVE_TEXT_MAX);
    struct span thought = bytes_span(&reasoning->text), said = bytes_span(&answer->text);
    drawn_put(&both, "%s%.*s</think>\n\n%.*s", l->is_opened ? "" : "<think>\n", (int)thought.len, thought.data,
              (int)said.len, said.data);
    bytes_fini(&reasoning->text);
    bytes_fini(&answer->text);
    answer->text = both;
}

static void draw_texts(struct live *l)
{
    for (unsigned c = 0; c < l->wire.choices; c++) {
        bool thinks = drawn_chance(&l->texts, 85), answers = drawn_chance(&l->texts, 90);
        size_t calls = drawn_chance(&l->texts, 25) ? 1 + drawn_below(&l->texts, LIVE_TOOLS_MAX) : 0;
        thinks &= drawn_part(&l->texts);
        answers &= drawn_part(&l->texts);
        calls = drawn_part(&l->texts) ? calls : 0;
        size_t first = l->wire.len;
        if (thinks)
            add_text(l, c, REIN_REASONING, 0);
        if (answers)
            add_text(l, c, REIN_ANSWER, 0);
        if (l->is_inline && thinks && answers) {
            join_inline(l, &l->wire.texts[first], &l->wire.texts[first + 1]);
            l->wire.texts[first] = l->wire.texts[first + 1];
            l->wire.len--;
        }
        for (size_t i = 0; i < calls; i++)
            add_text(l, c, REIN_TOOL, (unsigned)i);
    }
}

/* ---- attempts ---- */

static void send_attempt(struct live *l, struct span sent)
{
    struct rein_update u;
    size_t at = 0;
    bool finished = false;
    while (!l->ended && !l->stopped) {
        happen_at_times(l);
        if (l->ended || l->stopped)
            return;
        bool waits = l->committing || l->open_len > 0;
        bool is_paused = waits && l->held > l->settings->stream_max_bytes / 2;
        if (is_paused || finished) {
            check(l, happen(l, true), "nothing is waited for, but it has not ended");
            continue;
        }
        size_t len = 1 + dice_below(&l->time, l->feed_max);
        len = len < sent.len - at ? len : sent.len - at;
        finished = at == sent.len;
        if (l->o->prints)
            fprintf(stderr, finished ? "  over\n" : "  %.*s\n", (int)len, sent.data + at);
        int rv = finished ? rein_trace_finish(l->trace, !l->wire.breaks_off, NULL, &u)
                          : rein_trace_feed(l->trace, sent.data + at, len, &u);
        take(l, rv, &u);
        at += len;
    }
}

static void open_attempt(struct live *l, const struct rein_attempt *attempt)
{
    assert(l->attempts_len < ATTEMPTS_MAX);
    l->attempts[l->attempts_len++] = (struct kept_attempt){.delivery = attempt->delivery,
                                                           .may_continue = attempt->may_continue,
                                                           .choices = l->wire.choices,
                                                           .outcome = "running"};
}

static void make_attempt(struct live *l, struct rein_attempt attempt)
{
    struct bytes sent;
    attempt.is_apart = l->is_apart && !l->is_inline;
    attempt.opened = l->is_inline && l->is_opened;
    if (l->o->prints)
        fprintf(stderr, "  attempt: %s%s%s\n", rein_delivery_name(attempt.delivery),
                attempt.continues_shown ? ", goes on" : "", attempt.may_continue ? ", may go on" : "");
    open_attempt(l, &attempt);
    draw_texts(l);
    bytes_init(&sent, SIZE_MAX / 2);
    if (l->streamed)
        live_wire_stream(&l->wire, &sent);
    else
        live_wire_body(&l->wire, &sent);
    l->stopped = l->restarts = false;
    check(l, rein_trace_attempt(l->trace, &attempt) == 0, "an attempt");
    send_attempt(l, bytes_span(&sent));
    bytes_fini(&sent);
    live_wire_clear(&l->wire);
}

/* As session_plan.c does it. */
static struct rein_attempt plan_first(struct live *l)
{
    const struct rein_policy_settings *s = l->settings;
    bool is_plain = s->prefix.deliver == REIN_DELIVER_OFF || s->prefix.when == REIN_WHEN_NEVER ||
                    *s->prefix.text == '\0' || (s->prefix.when == REIN_WHEN_RISKY && !rein_trace_is_risky(l->trace));
    bool prefills = dice_chance(&l->time, 60) != 0, may_continue = dice_chance(&l->time, 60) != 0;
    if (is_plain)
        return (struct rein_attempt){.delivery = REIN_DELIVER_OFF,
                                     .prefix = "",
                                     .may_continue = may_continue && s->may_steer && l->wire.choices == 1 &&
                                                     s->prefix.deliver != REIN_DELIVER_INSTRUCT};
    if (s->prefix.deliver == REIN_DELIVER_PREFILL || (s->prefix.deliver == REIN_DELIVER_AUTO && prefills))
        return (struct rein_attempt){
            .delivery = REIN_DELIVER_PREFILL, .prefix = s->prefix.text, .continues_shown = true};
    return (struct rein_attempt){.delivery = REIN_DELIVER_INSTRUCT, .prefix = s->prefix.text};
}

/* False: there will be none. */
static bool plan_next(struct live *l, struct rein_attempt *out)
{
    const struct rein_policy_settings *s = l->settings;
    struct rein_source shown = rein_trace_shown_reasoning(l->trace);
    bool has_shown = false, prefills = dice_chance(&l->time, 70) != 0, is_late = dice_chance(&l->time, 8) != 0;
    for (size_t i = 0; i < shown.len; i++)
        has_shown |= strchr(" \t\r\n", shown.text[i]) == NULL;
    if (is_late)
        return false;
    *out = (struct rein_attempt){.delivery = REIN_DELIVER_INSTRUCT, .prefix = s->steer.corrective};
    if (s->prefix.deliver == REIN_DELIVER_INSTRUCT)
        return true;
    if (prefills)
        *out = (struct rein_attempt){
            .delivery = REIN_DELIVER_PREFILL, .prefix = s->steer.corrective, .continues_shown = true};
    return prefills || (s->prefix.deliver != REIN_DELIVER_PREFILL && !has_shown);
}

static void give_up(struct live *l)
{
    struct rein_update u;
    l->restarts = false;
    if (l->o->prints)
        fprintf(stderr, "  given up\n");
    int rv = rein_trace_give_up(l->trace, &u);
    take(l, rv, &u);
}

static void restart(struct live *l)
{
    struct rein_attempt attempt;
    bool commits = dice_chance(&l->time, l->commits) != 0, is_lost = dice_chance(&l->time, 4) != 0;
    close_attempt(l, "steered");
    if (commits && l->committing)
        commit(l);
    if (!plan_next(l, &attempt)) {
        give_up(l);
    } else if (is_lost) {
        open_attempt(l, &attempt);
        close_attempt(l, "no_connect");
        give_up(l);
    } else {
        make_attempt(l, attempt);
    }
}

/* ---- the run ---- */

/* What is usual is a part that can be left out, too. */
static void draw_ways(struct live *l)
{
    static const unsigned likely[] = {95, 40, 5}, lates[] = {0, 0, 10, 60};
    static const size_t pieces[] = {4, 40, 300}, feeds[] = {9, 120, 700, 1 << 20};
    static const enum rein_dialect dialects[] = {REIN_OPENAI_CHAT, REIN_OPENAI_CHAT, REIN_OPENAI_RESPONSES,
                                                 REIN_ANTHROPIC_MESSAGES};
    struct dice *t = &l->time;
    enum rein_dialect dialect = dialects[dice_below(t, 4)];
    unsigned answers = likely[dice_below(t, 3)], commits = likely[dice_below(t, 3)], late = lates[dice_below(t, 4)];
    size_t piece_max = pieces[dice_below(t, 3)], feed_max = feeds[dice_below(t, 4)];
    l->streamed = dice_chance(t, 75) != 0;
    bool is_apart = dice_chance(t, 50) != 0, is_inline = dice_chance(t, 12) != 0, is_opened = dice_chance(t, 30) != 0,
         is_mixed = dice_chance(t, 8) != 0, has_two = dice_chance(t, 10) != 0, has_unjudged = dice_chance(t, 5) != 0;
    l->wire.breaks_off = dice_chance(t, 1) != 0;
    l->answers = drawn_part(&l->texts) ? answers : 100;
    l->commits = drawn_part(&l->texts) ? commits : 100;
    l->late = drawn_part(&l->texts) ? late : 0;
    l->wire.piece_max = drawn_part(&l->texts) ? piece_max : LIVE_TEXT_MAX;
    l->feed_max = drawn_part(&l->texts) ? feed_max : BODY_MAX;
    l->is_apart = drawn_part(&l->texts) ? is_apart : true;
    l->is_inline = drawn_part(&l->texts) && is_inline;
    l->is_opened = is_opened;
    l->wire.dialect = drawn_part(&l->texts) ? dialect : REIN_OPENAI_CHAT;
    l->is_inline &= l->wire.dialect == REIN_OPENAI_CHAT;
    l->wire.is_mixed = drawn_part(&l->texts) && is_mixed;
    l->wire.choices = drawn_part(&l->texts) && has_two && l->wire.dialect == REIN_OPENAI_CHAT ? 2 : 1;
    l->unjudged = drawn_part(&l->texts) && has_unjudged ? 1 : 0;
}

json_t *live_run(const struct live_options *options, size_t *parts)
{
    static const unsigned char mask_key[REIN_MASK_KEY] = {7, 1, 2};
    static struct live l;
    l = (struct live){.o = options,
                      .settings = rein_policy_settings(options->policy),
                      .texts = drawn_of(options->seed, options->left_out),
                      .time = dice_of(options->seed ^ UINT64_C(0x74696d65))};
    l.wire.dice = &l.time;
    draw_ways(&l);
    struct rein_trace_options of_trace = {.policy = options->policy,
                                          .engine = options->engine,
                                          .dialect = l.wire.dialect,
                                          .streamed = l.streamed,
                                          .choices = l.wire.choices,
                                          .body_max = BODY_MAX,
                                          .has_unjudged = l.unjudged > 0,
                                          .mask_key = l.settings->restores ? mask_key : NULL,
                                          .model = "m",
                                          .id = "own"};
    check(&l, rein_trace_new(&l.trace, &of_trace) == 0, "a trace");
    begin_live(&l);
    if (!l.stopped)
        make_attempt(&l, plan_first(&l));
    while (!l.ended)
        if (l.restarts)
            restart(&l);
        else
            check(&l, happen(&l, true), "it is stopped, but has not ended");
    rein_trace_free(l.trace);
    *parts = l.texts.parts;
    return l.record;
}
