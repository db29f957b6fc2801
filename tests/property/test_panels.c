/* Property: what is released does not depend on when judges answer, nor in which order, nor on the chunking.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_panels [CASES [FIRST-SEED]]     default 3000 from 1; REIN_LONG=1: 200000
 *
 * A case has random panels and rules, and a response of random sentences in reasoning, answer and a tool's arguments,
 * streamed or not. The judge is a function of the text that it is asked about. One run answers each question at once;
 * another cuts the response differently, answers late and in any order, and commits late. Both must release the same.
 * And nothing of a stretch that the judge calls unsafe may go out. A failure prints its seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dice.h"
#include "rein/rein.h"

enum { YAML_MAX = 4096, TEXT_MAX = 2048, STREAM_MAX = 1 << 17, OPEN_MAX = 256 };

static const char *const words[] = {
    "plain", "text", "of", "words", "zap", "zop", "rude", "secret", "e.g.", "\xC3\xA9t\xC3\xA9",
    "No. 5", "3.5",  "\n", "and",   "so",  "it",  "goes", "on",     "here", "there"};
static const char *const actions[] = {"record", "cut_reasoning", "steer", "cut_response", "refuse"};

static unsigned long seen_stops, seen_late, seen_clean;

struct panel_case {
    struct dice dice;
    char yaml[YAML_MAX], stream[STREAM_MAX], prompt[256];
    size_t yaml_len, stream_len;
    bool is_body, breaks_off;
    bool is_guarded; /* some panel lets no "zap" pass anywhere */
};

static void say(struct panel_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct panel_case *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    c->yaml_len += (size_t)vsnprintf(c->yaml + c->yaml_len, YAML_MAX - c->yaml_len, format, list);
    va_end(list);
    assert_true(c->yaml_len < YAML_MAX);
}

static void make_policy(struct panel_case *c)
{
    struct dice *d = &c->dice;
    static const char *const channels[] = {"reasoning", "answer", "reasoning, answer", "tool",
                                           "reasoning, answer, tool"};
    say(c, "version: 1\nname: p\nreasoning: { release: %s }\nsteer: { fallback: %s }\nrefusal: { message: NO }\n",
        dice_chance(d, 50)   ? "sentence"
        : dice_chance(d, 50) ? "stream"
                             : "end",
        dice_chance(d, 50) ? "refuse" : "cut_response");
    static const char *const rude[] = {"record", "steer", "cut_response", "refuse"};
    if (dice_chance(d, 70))
        say(c, "rules:\n  - { id: r1, literal: rude, action: %s }\n  - { id: r2, literal: secret, action: redact }\n",
            rude[dice_below(d, 4)]);
    say(c, "judges:\n");
    size_t panels = 1 + dice_below(d, 3);
    c->is_guarded = false;
    for (size_t i = 0; i < panels; i++) {
        size_t at = dice_below(d, 5);
        const char *action = actions[dice_below(d, 5)];
        if (strcmp(action, "cut_reasoning") == 0)
            at = 0;
        bool asks_one = dice_chance(d, 50), is_any = dice_chance(d, 50), shadow = dice_chance(d, 15),
             closed = dice_chance(d, 50);
        say(c,
            "  - { id: p%zu, ask: [%s], combine: %s, channels: [%s], every: { sentences: %zu, bytes: %zu }, action: "
            "%s, "
            "shadow: %s, on_error: %s }\n",
            i, asks_one ? "zaps" : "zaps, zops", is_any ? "any" : "all", channels[at], 1 + dice_below(d, 4),
            64 + dice_below(d, 200), action, shadow ? "true" : "false", closed ? "closed" : "open");
        c->is_guarded |= (asks_one || is_any) && !shadow && closed && at == 4 && strcmp(action, "record") != 0;
    }
    if (dice_chance(d, 30))
        say(c, "  - { id: q, ask: zaps, channels: [prompt], action: refuse, shadow: %s }\n",
            dice_chance(d, 30) ? "true" : "false");
}

/* A text of random sentences, as JSON inside of a string: no escapes are needed but for line ends. */
static size_t make_text(struct dice *d, char out[TEXT_MAX])
{
    size_t len = 0, sentences = dice_below(d, 12);
    for (size_t s = 0; s < sentences; s++) {
        size_t n = 1 + dice_below(d, 6);
        for (size_t i = 0; i < n; i++) {
            size_t word = dice_below(d, sizeof words / sizeof *words);
            /* Words that decide are rare, or hardly any response would go on. */
            if (word >= 4 && word <= 7 && !dice_chance(d, 25))
                word = 0;
            len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s%s", i > 0 ? " " : "",
                                    words[word][0] == '\n' ? "\\n" : words[word]);
        }
        len += (size_t)snprintf(out + len, TEXT_MAX - len, ". ");
    }
    return len;
}

static void put(struct panel_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct panel_case *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    c->stream_len += (size_t)vsnprintf(c->stream + c->stream_len, STREAM_MAX - c->stream_len, format, list);
    va_end(list);
    assert_true(c->stream_len < STREAM_MAX);
}

/* One text, cut into events. */
static void put_text(struct panel_case *c, const char *before, const char *text, size_t len, const char *after)
{
    for (size_t at = 0; at < len;) {
        size_t n = 1 + dice_below(&c->dice, 40);
        n = n < len - at ? n : len - at;
        while (at + n < len && ((text[at + n] & 0xC0) == 0x80 || text[at + n - 1] == '\\'))
            n++;
        put(c,
            "data: "
            "{\"id\":\"u\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{%s%.*s%s},"
            "\"finish_reason\":null}]}\n\n",
            before, (int)n, text + at, after);
        at += n;
    }
}

static void make_response(struct panel_case *c)
{
    char reasoning[TEXT_MAX] = "", answer[TEXT_MAX] = "", arguments[TEXT_MAX] = "";
    struct dice *d = &c->dice;
    size_t r = make_text(d, reasoning), a = make_text(d, answer), t = dice_chance(d, 40) ? make_text(d, arguments) : 0;
    static const char *const prompts[] = {"hello", "zap it", "a question"};
    snprintf(c->prompt, sizeof c->prompt, "%s", prompts[dice_below(d, 3)]);
    c->is_body = dice_chance(d, 25);
    c->breaks_off = dice_chance(d, 10);
    c->stream_len = 0;
    if (c->is_body) {
        put(c,
            "{\"id\":\"u\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
            "\"assistant\",\"reasoning_content\":\"%s\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}]}",
            reasoning, answer);
        return;
    }
    put_text(c, "\"reasoning_content\":\"", reasoning, r, "\"");
    put_text(c, "\"content\":\"", answer, a, "\"");
    if (t > 0)
        put_text(c, "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"", arguments, t, "\"}}]");
    put(c, "data: "
           "{\"id\":\"u\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
           "reason\":\"stop\"}]}\n\n");
    if (!c->breaks_off)
        put(c, "data: [DONE]\n\n");
}

/* ---- the judge ---- */

static struct rein_answer opinion_of(const struct rein_question *q)
{
    const char *word = strcmp(q->judge, "zaps") == 0 ? "zap" : "zop";
    struct rein_answer answer = {.outcome = REIN_JUDGE_OPINED};
    answer.risk = memmem(q->text.text, q->text.len, word, 3) != NULL ? 0.9 : 0.1;
    if (memmem(q->text.text, q->text.len, "No. 5", 5) != NULL)
        answer.outcome = REIN_JUDGE_TIMED_OUT;
    return answer;
}

/* ---- a run ---- */

struct panel_run {
    struct rein_trace *trace;
    struct bytes out;
    struct {
        uint32_t id;
        struct rein_answer answer;
    } open[OPEN_MAX];
    size_t open_len, late;
    bool is_prompt, committing, over, waits, ended;
    enum rein_action verdict;
    enum rein_ending ending;
};

static void take(struct panel_run *r, const struct rein_update *u);

static void commit(struct panel_run *r)
{
    struct rein_update u;
    r->committing = false;
    assert_int_equal(rein_trace_committed(r->trace, &u), 0);
    take(r, &u);
}

static void answer_one(struct panel_run *r, size_t which)
{
    struct rein_update u;
    uint32_t id = r->open[which].id;
    struct rein_answer answer = r->open[which].answer;
    r->open[which] = r->open[--r->open_len];
    assert_int_equal(rein_trace_answer(r->trace, id, &answer, &u), 0);
    take(r, &u);
}

static void take(struct panel_run *r, const struct rein_update *u)
{
    assert_int_equal(bytes_append(&r->out, u->out, u->out_len), 0);
    r->ended |= (u->asks & REIN_ASK_END) != 0;
    r->waits = u->waits;
    if ((u->asks & REIN_ASK_JUDGE) != 0) {
        size_t len;
        const struct rein_question *q = rein_trace_questions(r->trace, &len);
        assert_true(len > 0);
        for (size_t i = 0; i < len; i++) {
            assert_true(r->open_len < OPEN_MAX);
            r->open[r->open_len].id = q[i].id;
            r->open[r->open_len++].answer = opinion_of(&q[i]);
        }
    }
    if ((u->asks & (REIN_ASK_STOP | REIN_ASK_RESTART)) != 0)
        r->over = true; /* the upstream is not heard any more */
    bool restarts = (u->asks & REIN_ASK_RESTART) != 0;
    r->committing |= (u->asks & REIN_ASK_COMMIT) != 0;
    if (restarts) {
        struct rein_update more;
        r->open_len = 0;
        assert_int_equal(rein_trace_give_up(r->trace, &more), 0);
        take(r, &more);
    }
}

/* `d` NULL: all is answered at once. */
static void some_answers(struct panel_run *r, struct dice *d, bool all)
{
    while (r->open_len > 0 || r->committing) {
        if (d != NULL && !all && !dice_chance(d, 30))
            return;
        size_t choices = r->open_len + r->committing, which = d != NULL ? dice_below(d, choices) : 0;
        if (which < r->open_len)
            answer_one(r, which);
        else
            commit(r);
    }
}

static void run(const struct panel_case *c, struct rein_policy *policy, struct rein_engine *engine, struct dice *d,
                struct panel_run *r)
{
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = !c->is_body,
                                         .choices = 1,
                                         .model = "m",
                                         .id = "own"};
    struct rein_update u;
    *r = (struct panel_run){.over = false};
    bytes_init(&r->out, 1 << 20);
    assert_int_equal(rein_trace_new(&r->trace, &options), 0);
    assert_int_equal(rein_trace_prompt(r->trace, "user", c->prompt, strlen(c->prompt)), 0);
    assert_int_equal(rein_trace_prompt_end(r->trace, &u), 0);
    take(r, &u);
    some_answers(r, d, true);
    if (!r->ended && !r->over) {
        assert_false(r->waits);
        assert_int_equal(
            rein_trace_attempt(r->trace, &(struct rein_attempt){.delivery = REIN_DELIVER_OFF, .prefix = ""}), 0);
    }
    for (size_t at = 0; at < c->stream_len && !r->over && !r->ended;) {
        size_t n = d != NULL ? 1 + dice_below(d, 300) : c->stream_len;
        n = n < c->stream_len - at ? n : c->stream_len - at;
        assert_int_equal(rein_trace_feed(r->trace, c->stream + at, n, &u), 0);
        take(r, &u);
        some_answers(r, d, d == NULL);
        at += n;
    }
    if (!r->over && !r->ended) {
        assert_int_equal(rein_trace_finish(r->trace, !c->breaks_off, NULL, &u), 0);
        take(r, &u);
    }
    r->late = r->open_len;
    some_answers(r, d, true);
    const struct rein_decision *decision = rein_trace_decision(r->trace);
    r->verdict = decision->verdict;
    r->ending = decision->ending;
    assert_true(r->ended);
    assert_int_equal(decision->bytes_unjudged, 0);
    rein_trace_free(r->trace);
}

/* ---- the property ---- */

static bool check(uint64_t seed, struct rein_engine *engine)
{
    static struct panel_case c;
    static struct panel_run prompt_run, late_run;
    struct rein_judge_name judges[] = {{"zaps", "1", 15}, {"zops", "1", 15}};
    struct rein_library library = {.judges = judges, .judges_len = 2};
    struct rein_problems *problems;
    struct rein_policy *policy = NULL;
    c.yaml_len = 0;
    c.dice = dice_of(seed);
    make_policy(&c);
    make_response(&c);
    struct rein_source source = {"p.yaml", c.yaml, c.yaml_len};
    struct rein_source corrective = {"c.yaml", "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n", 57};
    corrective.len = strlen(corrective.text);
    library.templates = &corrective;
    library.templates_len = 1;
    assert_int_equal(rein_problems_new(&problems), 0);
    if (rein_policy_load(&policy, &source, &library, problems) != 0)
        fail_msg("seed %" PRIu64 ": %s: %s\n%s", seed, rein_problems_at(problems, 0)->key,
                 rein_problems_at(problems, 0)->message, c.yaml);
    rein_problems_free(problems);
    run(&c, policy, engine, NULL, &prompt_run);
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++) {
        run(&c, policy, engine, &c.dice, &late_run);
        struct span a = bytes_span(&prompt_run.out), b = bytes_span(&late_run.out);
        if (c.is_guarded && memmem(b.data, b.len, "zap", 3) != NULL)
            fail_msg("seed %" PRIu64 ": an unsafe stretch went out:\n%s\n%.*s", seed, c.yaml, (int)b.len, b.data);
        ok = a.len == b.len && memcmp(a.data, b.data, a.len) == 0 && prompt_run.verdict == late_run.verdict &&
             prompt_run.ending == late_run.ending;
        if (!ok)
            print_error("seed %" PRIu64 "\n%s\nat once (%s, %d):\n%.*s\nlate (%s, %d):\n%.*s\n", seed, c.yaml,
                        rein_action_name(prompt_run.verdict), prompt_run.ending, (int)a.len, a.data,
                        rein_action_name(late_run.verdict), late_run.ending, (int)b.len, b.data);
        seen_late += late_run.late > 0;
        bytes_fini(&late_run.out);
    }
    seen_stops += prompt_run.verdict > REIN_REDACT;
    seen_clean += prompt_run.verdict == REIN_ALLOW;
    bytes_fini(&prompt_run.out);
    rein_policy_unref(policy);
    return ok;
}

static unsigned long cases = 3000, first = 1;

static void test_time_does_not_matter(void **state)
{
    (void)state;
    struct rein_engine *engine;
    assert_int_equal(rein_engine_new(&engine), 0);
    for (unsigned long i = 0; i < cases; i++)
        if (!check(first + i, engine))
            fail_msg("what was released depends on when the judge answered");
    rein_engine_free(engine);
    print_message("%lu cases: %lu stopped, %lu clean, %lu runs with answers after the end\n", cases, seen_stops,
                  seen_clean, seen_late);
    assert_true(cases < 1000 || (seen_stops > cases / 20 && seen_clean > cases / 20 && seen_late > cases / 20));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_time_does_not_matter)};
    cases = argc > 1 ? strtoul(argv[1], NULL, 10) : getenv("REIN_LONG") != NULL ? 200000 : cases;
    first = argc > 2 ? strtoul(argv[2], NULL, 10) : first;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
