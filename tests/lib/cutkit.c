/* See cutkit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cutkit.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "modelkit.h"
#include "json/text.h"

static const char lexicon[] =
    "version: 1\nname: own\nlanguage: en\nentries:\n"
    "  - { id: a, class: names_harm, phrases: ['bad'], match: ['bad'] }\n"
    "  - { id: b, class: decides_to_refuse, phrases: ['no'], match: ['no'] }\n"
    "  - { id: c, class: concedes, phrases: ['maybe'], match: ['maybe'] }\n"
    "  - { id: d, class: reframes_fiction, phrases: ['story'], match: ['story'], weight: 3 }\n"
    "  - { id: e, class: commits_to_comply, phrases: ['will'], match: ['will'] }\n"
    "  - { id: f, class: adopts_goal, phrases: ['goal'], match: ['goal'], weight: 0.6 }\n"
    "  - { id: g, class: specific_procedure, phrases: ['steps'], match: ['steps'], weight: 1.5 }\n"
    "  - { id: h, class: keeps_persona, phrases: ['tone'], match: ['tone'] }\n"
    "  - { id: i, class: prompt_harm, phrases: ['bomb'], match: ['bomb'], category: weapons }\n"
    "  - { id: k, class: answer_refuses, phrases: ['never'], match: ['never'] }\n"
    "  - { id: l, class: answer_complies, phrases: ['sure'], match: ['sure'] }\n";
static const char *const words[] = {"bad",
                                    "no",
                                    "maybe",
                                    "story",
                                    "will",
                                    "goal",
                                    "steps",
                                    "tone",
                                    "never",
                                    "sure",
                                    "bomb",
                                    "plain",
                                    "text",
                                    "of",
                                    "words",
                                    "zap",
                                    "zap it",
                                    "zop",
                                    "zip",
                                    "\n",
                                    "e.g.",
                                    "3.5",
                                    "\xC3\xA9t\xC3\xA9",
                                    "gladly",
                                    "\xE6\xBC\xA2",
                                    "and",
                                    "so",
                                    "on"};
enum { WORDS = sizeof words / sizeof *words };
static const char *const prompts[] = {"a bomb", "a cake", "zap the bomb"};

/* ---- the policy -------------------------------------------------------------------------------------------------- */

static void say(struct cut_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct cut_case *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    c->yaml_len += (size_t)vsnprintf(c->yaml + c->yaml_len, CUTKIT_YAML - c->yaml_len, format, list);
    va_end(list);
    assert_true(c->yaml_len < CUTKIT_YAML);
}

/* Steering is what most depends on what was shown. */
static const char *any_action(struct dice *d, bool in_answer)
{
    static const char *const all[] = {"steer", "steer", "steer", "record", "cut_response", "refuse", "cut_reasoning"};
    return all[dice_below(d, in_answer ? 6 : 7)];
}

static const char *yes_no(struct dice *d, unsigned percent)
{
    return dice_chance(d, percent) ? "true" : "false";
}

static const char *any_when(struct dice *d)
{
    static const char *const all[] = {
        "", "", "", "", ", when: { prompt_risk: \">= 0.5\" }", ", when: { outcome_risk: \">= 0.5\" }"};
    return all[dice_below(d, 6)];
}

static void say_pattern(struct cut_case *c, const char *name, const char *action, bool is_alone)
{
    struct dice *d = &c->dice;
    double threshold = dice_chance(d, 50) ? 0.05 : (double)dice_below(d, 101) / 100;
    if (is_alone && dice_chance(d, 55))
        return;
    say(c, "%s%s: { action: %s, threshold: %.2f, shadow: %s%s }%s", is_alone ? "  " : "", name, action, threshold,
        yes_no(d, 40), any_when(d), is_alone ? "\n" : "");
}

static void say_patterns(struct cut_case *c)
{
    struct dice *d = &c->dice;
    say(c, "patterns:\n  weak_vacillation: { action: record, threshold: 0.05 }\n");
    say_pattern(c, "lack_of_safety_awareness", any_action(d, false), true);
    say_pattern(c, "strong_vacillation", any_action(d, false), true);
    say_pattern(c, "harmful_additions", any_action(d, false), true);
    if (dice_chance(d, 60)) {
        say(c, "  inconsistency: { ");
        say_pattern(c, "complies", any_action(d, true), false);
        say(c, ", ");
        say_pattern(c, "refuses", dice_chance(d, 80) ? "steer" : "record", false);
        say(c, " }\n");
    }
    if (!dice_chance(d, 50))
        return;
    say(c, "  outcome_risk:\n    reasoning: { action: %s, threshold: %.2f, min_sentences: 2, shadow: %s%s }\n",
        any_action(d, false), (double)dice_below(d, 101) / 100, yes_no(d, 50), any_when(d));
    say(c, "    answer: { action: %s, threshold: %.2f, bytes: 300, shadow: %s%s }\n", any_action(d, true),
        (double)dice_below(d, 101) / 100, yes_no(d, 50), any_when(d));
}

static void say_rules(struct cut_case *c)
{
    static const char *const channels[] = {"reasoning",         "answer",       "tool",
                                           "reasoning, answer", "answer, tool", "reasoning, answer, tool"};
    static const char *const what[] = {"literal: zap",
                                       "regex: 'zap( it)?', max_bytes: 9",
                                       "regex: 'zo?p?\\b', max_bytes: 9",
                                       "words: [zip, zap it]",
                                       "regex: '[\\n ]+z.p', max_bytes: 9",
                                       "regex: '\\n', max_bytes: 4",
                                       "literal: zip, near: { words: [zap, zop], before: 30, behind: 30 }"};
    struct dice *d = &c->dice;
    size_t count = dice_below(d, 4);
    say(c, "rules:\n  - { id: hide, literal: zop, action: redact, replacement: '#' }\n");
    for (size_t i = 0; i < count; i++) {
        size_t at = dice_below(d, 6);
        say(c, "  - { id: r%zu, channels: [%s], %s, action: %s, shadow: %s%s }\n", i, channels[at],
            what[dice_below(d, sizeof what / sizeof *what)], any_action(d, at != 0), yes_no(d, 60), any_when(d));
    }
}

static void say_panels(struct cut_case *c)
{
    static const char *const channels[] = {"reasoning", "answer", "reasoning, answer", "tool",
                                           "reasoning, answer, tool"};
    struct dice *d = &c->dice;
    size_t count = c->has_judges ? 1 + dice_below(d, 2) : 0;
    if (count > 0)
        say(c, "judges:\n");
    for (size_t i = 0; i < count; i++) {
        size_t at = dice_below(d, 5);
        bool is_meek = dice_chance(d, 60);
        say(c,
            "  - { id: p%zu, ask: zaps, channels: [%s], every: { sentences: %zu, bytes: %zu }, action: %s, shadow: %s, "
            "on_error: open }\n",
            i, channels[at], 1 + dice_below(d, 5), 64 + dice_below(d, 300), is_meek ? "record" : any_action(d, at != 0),
            yes_no(d, 30));
    }
}

static void make_policy(struct cut_case *c)
{
    static const char *const releases[] = {"auto", "sentence", "stream", "end"};
    struct dice *d = &c->dice;
    c->is_shadow = dice_chance(d, 10);
    c->has_judges = dice_chance(d, 60);
    say(c,
        "version: 1\nname: p\nlexicons: [own]\nmodel: tiny\nreasoning: { show: stream, release: %s }\n"
        "refusal: { message: NO }\nsteer: { fallback: %s, max_attempts: %d }\nlog: { text: %s }\n%s",
        releases[dice_below(d, 4)], dice_chance(d, 50) ? "refuse" : "cut_response", 2 + (int)dice_below(d, 2),
        dice_chance(d, 30) ? "full" : "evidence", c->is_shadow ? "shadow: true\n" : "");
    say_patterns(c);
    say_rules(c);
    say_panels(c);
}

/* ---- the response ------------------------------------------------------------------------------------------------ */

/* Of sentences. The first letter comes nowhere else, so that no piece looks like a repetition of the one before. */
static void make_text(struct dice *d, char out[CUTKIT_TEXT])
{
    static const char *const ends[] = {". ", ". ", "! ", "?\n", "... ", "\" ", " "};
    size_t len = 0, sentences = dice_below(d, 12), most = dice_chance(d, 15) ? CUTKIT_TEXT : 700;
    if (dice_chance(d, 30))
        len += (size_t)sprintf(out, "%s", dice_chance(d, 50) ? "\n" : "\n \n");
    len += (size_t)sprintf(out + len, "Q ");
    sentences = dice_chance(d, 15) ? 60 : sentences;
    for (size_t s = 0; s < sentences && len + 200 < most; s++) {
        for (size_t n = 1 + dice_below(d, 6); n > 0; n--) {
            size_t word = dice_below(d, WORDS);
            if (word >= 15 && word <= 18 && !dice_chance(d, 25))
                word = 11; /* what stops a response is rare, or few would go on */
            len += (size_t)sprintf(out + len, "%s%s", words[word], n > 1 ? " " : "");
        }
        len += (size_t)sprintf(out + len, "%s", ends[dice_below(d, sizeof ends / sizeof *ends)]);
    }
}

static size_t char_len(const char *at)
{
    unsigned char c = (unsigned char)*at;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Up to `most` bytes from `at` on, and at least one character. */
static size_t piece_len(const char *text, size_t at, size_t end, size_t most)
{
    size_t len = 0;
    do
        len += char_len(text + at + len);
    while (at + len < end && len + char_len(text + at + len) <= most);
    return len;
}

static void add_turn(struct cut_response *r, enum cut_source source, size_t from, size_t to)
{
    if (from < to && r->turns_len < CUTKIT_TURNS)
        r->turns[r->turns_len++] = (struct cut_turn){source, from, to};
}

/* The texts one after another, or in turns at random. */
static void make_turns(struct cut_case *c, struct cut_response *r)
{
    size_t at[CUT_SOURCES] = {0}, len[CUT_SOURCES];
    bool is_mixed = !c->is_inline && dice_chance(&c->dice, 30);
    for (size_t i = 0; i < CUT_SOURCES; i++)
        len[i] = strlen(r->text[i]);
    for (size_t left = CUT_SOURCES; left > 0;) {
        size_t s = is_mixed ? dice_below(&c->dice, CUT_SOURCES) : CUT_SOURCES - left;
        bool is_last = r->turns_len + CUT_SOURCES >= CUTKIT_TURNS;
        size_t most = is_mixed && !is_last && s != CUT_ALONE ? 1 + dice_below(&c->dice, 700) : CUTKIT_TEXT;
        if (at[s] < len[s]) {
            size_t n = piece_len(r->text[s], at[s], len[s], most);
            add_turn(r, (enum cut_source)s, at[s], at[s] + n);
            at[s] += n;
        }
        left = 0;
        for (size_t i = 0; i < CUT_SOURCES; i++)
            left = left == 0 && at[i] < len[i] ? CUT_SOURCES - i : left;
    }
}

static void make_response(struct cut_case *c, struct cut_response *r)
{
    struct dice *d = &c->dice;
    static const char *const alone[] = {"a zap here", "zip, zap it", "nothing"};
    char reasoning[CUTKIT_TEXT], answer[CUTKIT_TEXT / 2];
    make_text(d, r->text[CUT_REASONING]);
    make_text(d, r->text[CUT_ANSWER]);
    if (dice_chance(d, 25))
        make_text(d, r->text[CUT_TOOL]);
    if (dice_chance(d, 25))
        strcpy(r->text[CUT_ALONE], alone[dice_below(d, 3)]);
    if (c->is_inline) {
        snprintf(reasoning, sizeof reasoning, "%s", r->text[CUT_REASONING]);
        snprintf(answer, sizeof answer, "%.1900s", r->text[CUT_ANSWER]);
        snprintf(r->text[CUT_ANSWER], CUTKIT_TEXT, "<think>%.1900s</think>%.1900s", reasoning, answer);
        r->text[CUT_REASONING][0] = '\0';
    }
    make_turns(c, r);
    r->breaks_off = dice_chance(d, 10);
}

void cutkit_case(struct cut_case *c, uint64_t seed)
{
    static const enum rein_delivery deliveries[] = {REIN_DELIVER_OFF, REIN_DELIVER_PREFILL, REIN_DELIVER_INSTRUCT};
    memset(c, 0, sizeof *c);
    c->seed = seed;
    c->dice = dice_of(seed);
    make_policy(c);
    c->is_inline = dice_chance(&c->dice, 20);
    c->may_continue = dice_chance(&c->dice, 30);
    c->delivery = deliveries[dice_below(&c->dice, 3)];
    c->prompt = prompts[dice_below(&c->dice, sizeof prompts / sizeof *prompts)];
    make_response(c, &c->responses[0]);
    make_response(c, &c->responses[1]);
}

/* ---- the stream -------------------------------------------------------------------------------------------------- */

static void put(struct cut_stream *s, const char *text)
{
    assert_int_equal(bytes_append(&s->bytes, text, strlen(text)), 0);
}

static void open_event(struct cut_stream *s)
{
    put(s, "data: {\"choices\":[{\"index\":0,\"delta\":{");
}

static void close_event(struct cut_stream *s)
{
    put(s, "}}]}\n\n");
    assert_true(s->events_len < CUTKIT_EVENTS);
    s->ends[s->events_len++] = bytes_len(&s->bytes);
}

static void put_piece(struct cut_stream *s, enum cut_source source, const char *text, size_t len)
{
    static const char *const before[] = {"\"reasoning_content\":\"", "\"content\":\"",
                                         "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"", "\"note\":\""};
    put(s, before[source]);
    assert_int_equal(json_escape(&s->bytes, (struct span){text, len}), 0);
    put(s, source == CUT_TOOL ? "\"}}]" : "\"");
}

/* What one event has of two turns is judged like two events, the reasoning first. */
static bool goes_together(const struct cut_turn *a, const struct cut_turn *b)
{
    return a->source < b->source && b->source != CUT_ALONE;
}

void cutkit_stream(const struct cut_response *r, struct dice *d, enum cut_way cut, struct cut_stream *s)
{
    bytes_clear(&s->bytes);
    s->events_len = 0;
    bool is_open = false;
    for (size_t i = 0; i < r->turns_len; i++) {
        const struct cut_turn *turn = &r->turns[i];
        for (size_t at = turn->from; at < turn->to;) {
            size_t most = turn->source == CUT_ALONE || cut == CUT_WHOLE_TURNS ? CUTKIT_TEXT
                          : cut == CUT_CHARACTERS                             ? 1
                                                  : 1 + dice_below(d, dice_chance(d, 20) ? 700 : 40);
            size_t len = piece_len(r->text[turn->source], at, turn->to, most);
            if (is_open)
                put(s, ",");
            else
                open_event(s);
            put_piece(s, turn->source, r->text[turn->source] + at, len);
            at += len;
            is_open = cut == CUT_AT_RANDOM && at == turn->to && i + 1 < r->turns_len && goes_together(turn, turn + 1) &&
                      dice_chance(d, 30);
            if (!is_open)
                close_event(s);
        }
    }
    put(s, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    if (!r->breaks_off)
        put(s, "data: [DONE]\n\n");
    s->ends[s->events_len++] = bytes_len(&s->bytes);
}

struct rein_policy *cutkit_policy(const struct cut_case *c)
{
    static struct rein_policy *peer; /* of the first case, for the whole run */
    static char *weights;
    static const struct rein_source lexicons = {"own.yaml", lexicon, sizeof lexicon - 1};
    static const char template[] = "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n";
    weights = weights != NULL ? weights : modelkit_usual();
    struct rein_source source = {"policy.yaml", c->yaml, c->yaml_len}, model = {"tiny.yaml", weights, strlen(weights)};
    struct rein_source corrective = {"corrective.yaml", template, sizeof template - 1};
    struct rein_judge_name judge = {"zaps", "1", 0xFF};
    struct rein_library library = {.templates = &corrective,
                                   .templates_len = 1,
                                   .lexicons = &lexicons,
                                   .lexicons_len = 1,
                                   .models = &model,
                                   .models_len = 1,
                                   .judges = &judge,
                                   .judges_len = 1};
    struct rein_problems *problems;
    struct rein_policy *policy = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    if (rein_policy_load_beside(&policy, &source, &library, &peer, peer != NULL, problems) != 0)
        fail_msg("seed %" PRIu64 ": %s: %s\n%s", c->seed, rein_problems_at(problems, 0)->key,
                 rein_problems_at(problems, 0)->message, c->yaml);
    rein_problems_free(problems);
    peer = peer != NULL ? peer : rein_policy_ref(policy);
    return policy;
}
