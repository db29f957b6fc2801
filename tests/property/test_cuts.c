/* Property: what is found, and what becomes of it, depends neither on how a response was cut nor on when judges answer.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_cuts [CASES [FIRST-SEED]]     default 600 from 1; REIN_LONG=1: 20000
 *
 * A case has a random policy of what may depend on such things: actions that steer, rules, patterns and judges in
 * shadow, each way to release reasoning, conditions on the outcome; and a response of reasoning, answer, a tool's
 * arguments and strings that stand alone, in which the texts may interrupt one another, with another one for a restart.
 * It is played character by character, each question answered at once; and in other events and reads, with answers that
 * come at random times. All runs have the same findings, with the same actions, end alike, and continue from the same
 * reasoning. A failure prints its seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "cutkit.h"
#include "dialect/sse.h"
#include "dice.h"
#include "tracekit.h"

enum { OPEN_MAX = 2048, RUNS = 5 };

static unsigned long seen_findings, seen_shadow_steers, seen_fallbacks, seen_steered, seen_judged_stops, seen_stops;

/* ---- a run ------------------------------------------------------------------------------------------------------- */

enum { SHOWN_MAX = 3, LIST_MAX = 256 };

struct cut_run {
    struct rein_trace *trace;
    struct dice *dice;
    bool is_late; /* questions and commits are answered at random */
    struct {
        uint32_t id;
        struct rein_answer answer;
    } open[OPEN_MAX];
    size_t open_len;
    bool committing, restarts, stops, ended;
    struct kit_seen seen; /* by the client */
    /* what came of it */
    char shown[SHOWN_MAX][2 * CUTKIT_TEXT]; /* what each restart continues from */
    size_t restarts_len;
    struct rein_finding findings[LIST_MAX];
    size_t findings_len;
    enum rein_action verdict, shadow;
    enum rein_ending ending;
};

static struct rein_engine *engine;

static struct rein_answer opinion_of(const struct rein_question *q)
{
    struct rein_answer answer = {.outcome = REIN_JUDGE_OPINED, .risk = 0.1};
    if (memmem(q->text.text, q->text.len, "zap", 3) != NULL)
        answer.risk = 0.9;
    if (memmem(q->text.text, q->text.len, "zip", 3) != NULL)
        answer.leaves = 1u << REIN_HARMFUL_ADDITIONS | 1u << REIN_STRONG_VACILLATION;
    return answer;
}

static void take(struct cut_run *r, const struct rein_update *u)
{
    assert_int_equal(bytes_append(&r->seen.out, u->out, u->out_len), 0);
    r->ended |= (u->asks & REIN_ASK_END) != 0;
    r->stops |= (u->asks & REIN_ASK_STOP) != 0;
    r->restarts |= (u->asks & REIN_ASK_RESTART) != 0;
    r->committing |= (u->asks & REIN_ASK_COMMIT) != 0;
    if ((u->asks & REIN_ASK_JUDGE) == 0)
        return;
    size_t len;
    const struct rein_question *q = rein_trace_questions(r->trace, &len);
    for (size_t i = 0; i < len; i++) {
        assert_true(r->open_len < OPEN_MAX);
        r->open[r->open_len].id = q[i].id;
        r->open[r->open_len++].answer = opinion_of(&q[i]);
    }
}

static void answer_one(struct cut_run *r, size_t which)
{
    struct rein_update u;
    uint32_t id = r->open[which].id;
    struct rein_answer answer = r->open[which].answer;
    memmove(&r->open[which], &r->open[which + 1], (--r->open_len - which) * sizeof *r->open);
    assert_int_equal(rein_trace_answer(r->trace, id, &answer, &u), 0);
    take(r, &u);
}

static void commit(struct cut_run *r)
{
    struct rein_update u;
    r->committing = false;
    assert_int_equal(rein_trace_committed(r->trace, &u), 0);
    take(r, &u);
}

/* All that is open, or some of it. */
static void some_answers(struct cut_run *r, bool all)
{
    while ((r->open_len > 0 || r->committing) && !(r->restarts && r->open_len > 0)) {
        if (r->is_late && !all && !dice_chance(r->dice, 30))
            return;
        size_t choices = r->open_len + r->committing, which = r->is_late ? dice_below(r->dice, choices) : 0;
        if (which < r->open_len)
            answer_one(r, which);
        else
            commit(r);
    }
}

/* One upstream call: its events in reads of one, of all, or of any length. */
static void attempt(struct cut_run *r, const struct cut_case *c, struct cut_stream *s, bool by_event)
{
    struct rein_update u;
    const struct cut_response *response = &c->responses[r->restarts_len > 0];
    struct span all = bytes_span(&s->bytes);
    bool is_first = r->restarts_len == 0;
    struct rein_attempt how = {.delivery = c->delivery, .may_continue = c->may_continue};
    how.prefix = is_first && c->delivery == REIN_DELIVER_OFF ? "" : "Wait. ";
    how.continues_shown = !is_first && c->delivery == REIN_DELIVER_PREFILL;
    r->restarts = r->stops = false;
    assert_int_equal(rein_trace_attempt(r->trace, &how), 0);
    size_t most = r->is_late && dice_chance(r->dice, 70) ? 1 + dice_below(r->dice, 3000) : all.len;
    for (size_t at = 0, event = 0; at < all.len && !r->stops && !r->ended;) {
        size_t end = by_event ? s->ends[event++] : at + most;
        end = end < all.len ? end : all.len;
        assert_int_equal(rein_trace_feed(r->trace, all.data + at, end - at, &u), 0);
        take(r, &u);
        some_answers(r, false);
        at = end;
    }
    if (!r->stops && !r->ended) {
        assert_int_equal(rein_trace_finish(r->trace, !response->breaks_off, NULL, &u), 0);
        take(r, &u);
    }
    while (!r->restarts && !r->ended && (r->open_len > 0 || r->committing))
        some_answers(r, true);
}

static void note_restart(struct cut_run *r)
{
    struct rein_source shown = rein_trace_shown_reasoning(r->trace);
    assert_true(r->restarts_len < SHOWN_MAX);
    snprintf(r->shown[r->restarts_len++], sizeof r->shown[0], "%.*s", (int)shown.len, shown.text);
    r->open_len = 0;
}

static int by_place(const void *a, const void *b)
{
    const struct rein_finding *x = a, *y = b;
    const uint64_t keys[][2] = {{x->attempt, y->attempt},
                                {x->choice, y->choice},
                                {x->channel, y->channel},
                                {x->offset, y->offset},
                                {x->len, y->len}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    int order = strcmp(x->id, y->id);
    if (order == 0)
        order = (x->source != NULL) - (y->source != NULL);
    return order != 0 ? order : x->shadow - y->shadow;
}

/* Joins what the client got. What is to be removed is not in it, nor what rules and judges do not let pass. */
static void see(struct cut_run *r, const struct cut_case *c)
{
    struct framer framer;
    struct frame frame;
    struct span rest = bytes_span(&r->seen.out);
    framer_init(&framer, &framing_sse, CUTKIT_STREAM);
    for (; framer_next(&framer, rest, true, &frame) == 1; rest.data += frame.raw.len, rest.len -= frame.raw.len)
        kit_view_chat.see(&r->seen, frame.payload, false);
    framer_fini(&framer);
    for (size_t i = 0; i < 3 * c->choices && !c->is_shadow; i++) {
        unsigned n = (unsigned)i / 3;
        const char *texts[] = {kit_reasoning(&r->seen, n), kit_content(&r->seen, n), kit_arguments(&r->seen, n)};
        bool is_guarded = !c->is_inline && (c->guarded >> i % 3 & 1) != 0;
        if (strstr(texts[i % 3], "zop") != NULL || (is_guarded && strstr(texts[i % 3], "zap") != NULL))
            fail_msg("seed %" PRIu64 ": %s: the client sees what it must not see: %s", c->seed, c->yaml, texts[i % 3]);
    }
}

/* Of each channel, what counts as received is kept; and no list is full, or what is in it would depend on the order. */
static void check_decision(struct cut_run *r, const struct cut_case *c)
{
    const struct rein_decision *d = rein_trace_decision(r->trace);
    const struct rein_text *texts;
    size_t len;
    uint64_t kept[REIN_CHANNELS] = {0};
    assert_int_equal(d->bytes_unjudged, 0);
    assert_int_equal(d->findings_dropped, 0);
    r->findings_len = d->findings_len;
    if (d->findings_len > 0)
        memcpy(r->findings, d->findings, d->findings_len * sizeof *d->findings);
    qsort(r->findings, r->findings_len, sizeof *r->findings, by_place);
    r->verdict = d->verdict;
    r->shadow = d->shadow;
    r->ending = d->ending;
    assert_int_equal(rein_trace_texts(r->trace, &texts, &len), 0);
    for (size_t i = 0; i < len; i++)
        kept[texts[i].channel] += texts[i].len;
    for (int i = REIN_PROMPT; i <= REIN_TOOL && len > 0; i++)
        if (kept[i] != d->flow[i].received)
            fail_msg("seed %" PRIu64 ": %s: %" PRIu64 " bytes are kept, not %" PRIu64, c->seed,
                     rein_channel_name((enum rein_channel)i), kept[i], d->flow[i].received);
}

static void init_seen(struct kit_seen *seen)
{
    bytes_init(&seen->out, CUTKIT_STREAM);
    for (size_t i = 0; i < KIT_CHOICES; i++) {
        bytes_init(&seen->choices[i].content, CUTKIT_STREAM);
        bytes_init(&seen->choices[i].reasoning, CUTKIT_STREAM);
        bytes_init(&seen->choices[i].arguments, CUTKIT_STREAM);
    }
}

static void run(const struct cut_case *c, struct rein_policy *policy, enum cut_way cut, bool by_event,
                struct cut_run *r)
{
    static struct cut_stream stream;
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = c->choices,
                                         .model = "m"};
    struct rein_update u;
    bytes_init(&stream.bytes, CUTKIT_STREAM);
    init_seen(&r->seen);
    assert_int_equal(rein_trace_new(&r->trace, &options), 0);
    assert_int_equal(rein_trace_prompt(r->trace, "user", c->prompt, strlen(c->prompt)), 0);
    assert_int_equal(rein_trace_prompt_end(r->trace, &u), 0);
    take(r, &u);
    for (bool again = true; again && !r->ended;) {
        cutkit_stream(c, &c->responses[r->restarts_len > 0], r->dice, cut, &stream);
        attempt(r, c, &stream, by_event);
        again = r->restarts && !r->ended;
        if (again)
            note_restart(r);
        if (again && r->restarts_len == 2) { /* there is time for no other */
            assert_int_equal(rein_trace_give_up(r->trace, &u), 0);
            take(r, &u);
            again = false;
        }
        if (!r->is_late || dice_chance(r->dice, 50))
            some_answers(r, true);
    }
    some_answers(r, true);
    if (!r->ended)
        fail_msg("seed %" PRIu64 ": the response does not end", c->seed);
    check_decision(r, c);
    see(r, c);
    bytes_fini(&stream.bytes);
}

/* ---- the property ------------------------------------------------------------------------------------------------ */

static void print_run(const char *name, struct cut_run *r)
{
    fprintf(stderr, "%s: '%s' | '%s' | '%s'\n", name, kit_reasoning(&r->seen, 0), kit_content(&r->seen, 0),
            kit_arguments(&r->seen, 0));
    fprintf(stderr, "%s: verdict %s, shadow %s, ending %d, restarts %zu ('%s', '%s')\n", name,
            rein_action_name(r->verdict), rein_action_name(r->shadow), r->ending, r->restarts_len, r->shown[0],
            r->shown[1]);
    for (size_t i = 0; i < r->findings_len; i++) {
        const struct rein_finding *f = &r->findings[i];
        fprintf(stderr, "  %s %s%s attempt %u choice %u %s %" PRIu64 "+%" PRIu64 " %s\n", f->id,
                rein_action_name(f->action), f->shadow ? " (shadow)" : "", f->attempt, f->choice,
                rein_channel_name(f->channel), f->offset, f->len, f->source != NULL ? f->source : "");
    }
}

static _Noreturn void give_up(const struct cut_case *c, const char *what, const char *name, struct cut_run *a,
                              struct cut_run *b)
{
    static const char *const sources[] = {"reasoning", "answer", "tool", "alone"};
    fprintf(stderr, "seed %" PRIu64 ": %s (%s)\n%.*sdelivery %d, may_continue %d, prompt: %s\n", c->seed, what, name,
            (int)c->yaml_len, c->yaml, c->delivery, c->may_continue, c->prompt);
    for (size_t k = 0; k < 1 + (a->restarts_len > 0); k++)
        for (size_t i = 0; i < c->responses[k].turns_len; i++) {
            const struct cut_turn *t = &c->responses[k].turns[i];
            fprintf(stderr, "  %zu choice %u %s %zu: '%.*s'\n", k, t->choice, sources[t->source], t->from,
                    (int)(t->to - t->from), c->responses[k].text[t->choice][t->source] + t->from);
        }
    print_run("at once", a);
    print_run(name, b);
    exit(1);
}

static bool is_judged(const struct rein_finding *f)
{
    return f->source != NULL && *f->source != '\0';
}

/* Did a judge's opinion stop something? What came behind the question was read while it was open: then it may have
 * found what is only recorded, or removed. */
static bool judge_stopped(const struct cut_run *r)
{
    for (size_t i = 0; i < r->findings_len; i++)
        if (is_judged(&r->findings[i]) && !r->findings[i].shadow && r->findings[i].action > REIN_REDACT)
            return true;
    return false;
}

/* Opinions that nothing waits for come or do not, if Rein ends the response. */
static bool may_be_missing(const struct rein_finding *f, const struct cut_run *r)
{
    return is_judged(f) && f->shadow && (r->ending != REIN_COMPLETE || f->attempt < r->restarts_len);
}

static bool may_be_more(const struct rein_finding *f)
{
    return f->shadow ? f->action != REIN_STEER || is_judged(f) : f->action <= REIN_REDACT;
}

static bool is_same(const struct rein_finding *a, const struct rein_finding *b)
{
    return by_place(a, b) == 0 && a->action == b->action && a->shadow == b->shadow && a->score == b->score &&
           a->steps_len == b->steps_len;
}

static const char *difference(const struct cut_run *a, const struct cut_run *b)
{
    size_t i = 0, k = 0;
    bool judged = judge_stopped(a);
    while (i < a->findings_len || k < b->findings_len) {
        const struct rein_finding *x = i < a->findings_len ? &a->findings[i] : NULL;
        const struct rein_finding *y = k < b->findings_len ? &b->findings[k] : NULL;
        if (x != NULL && y != NULL && is_same(x, y)) {
            i++;
            k++;
        } else if (y != NULL && ((judged && may_be_more(y)) || may_be_missing(y, a)) &&
                   (x == NULL || by_place(x, y) > 0)) {
            k++;
        } else if (x != NULL && may_be_missing(x, a)) {
            i++;
        } else {
            return x != NULL ? x->id : y->id;
        }
    }
    if (a->verdict != b->verdict || a->ending != b->ending)
        return "the verdict";
    if (a->restarts_len != b->restarts_len)
        return "the number of restarts";
    for (size_t n = 0; n < a->restarts_len; n++)
        if (strcmp(a->shown[n], b->shown[n]) != 0)
            return "what a restart continues from";
    return NULL;
}

static void count(const struct cut_run *r)
{
    for (size_t i = 0; i < r->findings_len; i++) {
        const struct rein_finding *f = &r->findings[i];
        seen_findings++;
        seen_shadow_steers += f->shadow && f->action == REIN_STEER && !is_judged(f);
        seen_fallbacks += f->shadow && f->action > REIN_STEER && !is_judged(f);
    }
    seen_steered += r->restarts_len > 0;
    seen_judged_stops += judge_stopped(r);
    seen_stops += r->verdict > REIN_REDACT;
}

static void check_case(uint64_t seed)
{
    static const struct {
        const char *name;
        enum cut_way cut;
        bool by_event, is_late;
    } ways[RUNS] = {{"whole turns", CUT_WHOLE_TURNS, true, false},
                    {"characters, late", CUT_CHARACTERS, false, true},
                    {"one read", CUT_WHOLE_TURNS, false, false},
                    {"at random", CUT_AT_RANDOM, false, true},
                    {"at random again", CUT_AT_RANDOM, false, true}};
    static struct cut_case c;
    static struct cut_run at_once, other;
    cutkit_case(&c, seed);
    struct rein_policy *policy = cutkit_policy(&c);
    at_once = (struct cut_run){.dice = &c.dice};
    run(&c, policy, CUT_CHARACTERS, true, &at_once);
    count(&at_once);
    for (size_t i = 0; i < RUNS; i++) {
        other = (struct cut_run){.dice = &c.dice, .is_late = ways[i].is_late};
        run(&c, policy, ways[i].cut, ways[i].by_event, &other);
        const char *what = difference(&at_once, &other);
        if (what != NULL)
            give_up(&c, what, ways[i].name, &at_once, &other);
        rein_trace_free(other.trace);
        kit_seen_fini(&other.seen);
    }
    rein_trace_free(at_once.trace);
    kit_seen_fini(&at_once.seen);
    rein_policy_unref(policy);
}

static uint64_t cases = 600, first = 1;

static void cuts_and_times_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(rein_engine_new(&engine), 0);
    for (uint64_t i = 0; i < cases; i++)
        check_case(first + i);
    rein_engine_free(engine);
    printf("%" PRIu64
           " cases: 0 differences; %lu findings, in shadow %lu steer and %lu cannot; %lu responses stopped, %lu by "
           "judges, %lu steered\n",
           cases, seen_findings, seen_shadow_steers, seen_fallbacks, seen_stops, seen_judged_stops, seen_steered);
    if (cases >= 500) {
        assert_in_range(seen_shadow_steers, cases / 20, UINT64_MAX);
        assert_in_range(seen_fallbacks, cases / 20, UINT64_MAX);
        assert_in_range(seen_steered, cases / 20, cases);
        assert_in_range(seen_judged_stops, cases / 50, cases);
        assert_in_range(cases - seen_stops, cases / 10, cases);
    }
}

int main(int argc, char **argv)
{
    cases = argc > 1 ? strtoull(argv[1], NULL, 10) : getenv("REIN_LONG") != NULL ? 20000 : cases;
    first = argc > 2 ? strtoull(argv[2], NULL, 10) : first;
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_and_times_do_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
