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
    static const unsigned sets[] = {1, 2, 4, 3, 6, 7};
    struct dice *d = &c->dice;
    size_t count = dice_below(d, 4);
    say(c, "rules:\n  - { id: hide, literal: zop, action: redact, replacement: '#' }\n");
    for (size_t i = 0; i < count; i++) {
        size_t at = dice_below(d, 6), which = dice_below(d, sizeof what / sizeof *what);
        const char *action = any_action(d, at != 0), *shadow = yes_no(d, 60), *when = any_when(d);
        say(c, "  - { id: r%zu, channels: [%s], %s, action: %s, shadow: %s%s }\n", i, channels[at], what[which], action,
            shadow, when);
        if (which < 2 && strcmp(action, "record") != 0 && strcmp(shadow, "true") != 0 && *when == '\0')
            c->guarded |= sets[at];
    }
}

static void say_panels(struct cut_case *c)
{
    static const char *const channels[] = {"reasoning", "answer", "reasoning, answer", "tool",
                                           "reasoning, answer, tool"};
    static const unsigned sets[] = {1, 2, 3, 4, 7};
    struct dice *d = &c->dice;
    size_t count = c->has_judges ? 1 + dice_below(d, 2) : 0;
    if (count > 0)
        say(c, "judges:\n");
    for (size_t i = 0; i < count; i++) {
        size_t at = dice_below(d, 5);
        size_t sentences = 1 + dice_below(d, 5), bytes = 64 + dice_below(d, 300);
        const char *action = dice_chance(d, 60) ? "record" : any_action(d, at != 0), *shadow = yes_no(d, 30);
        say(c,
            "  - { id: p%zu, ask: zaps, channels: [%s], every: { sentences: %zu, bytes: %zu }, action: %s, shadow: %s, "
            "on_error: open }\n",
            i, channels[at], sentences, bytes, action, shadow);
        if (strcmp(action, "record") != 0 && strcmp(shadow, "true") != 0)
            c->guarded |= sets[at];
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

/* How far one of the texts has been given turns. */
struct progress {
    size_t at[CUTKIT_CHOICES][CUT_SOURCES], len[CUTKIT_CHOICES][CUT_SOURCES];
};

/* The source of the choice that has something left, from `from` on; CUT_SOURCES: none has. */
static size_t next_source(const struct progress *p, unsigned choice, size_t from)
{
    while (from < CUT_SOURCES && p->at[choice][from] == p->len[choice][from])
        from++;
    return from;
}

static void add_turn(struct cut_response *r, struct progress *p, unsigned choice, size_t source, size_t most)
{
    size_t *at = &p->at[choice][source];
    size_t n = piece_len(r->text[choice][source], *at, p->len[choice][source], most);
    if (r->turns_len < CUTKIT_TURNS)
        r->turns[r->turns_len++] = (struct cut_turn){choice, (enum cut_source)source, *at, *at + n};
    *at += n;
}

/* The texts one after another, or in turns at random; the choices always in turns. */
static void make_turns(struct cut_case *c, struct cut_response *r)
{
    struct progress p = {0};
    bool is_mixed = !c->is_inline && dice_chance(&c->dice, 30);
    for (unsigned n = 0; n < c->choices; n++)
        for (size_t i = 0; i < CUT_SOURCES; i++)
            p.len[n][i] = strlen(r->text[n][i]);
    for (size_t left = 1; left > 0;) {
        unsigned choice = (unsigned)dice_below(&c->dice, c->choices);
        size_t source = next_source(&p, choice, is_mixed ? dice_below(&c->dice, CUT_SOURCES) : 0);
        bool is_cut = (is_mixed || c->choices > 1) && r->turns_len + 10 < CUTKIT_TURNS && source != CUT_ALONE;
        if (source < CUT_SOURCES)
            add_turn(r, &p, choice, source, is_cut ? 1 + dice_below(&c->dice, 700) : CUTKIT_TEXT);
        left = 0;
        for (unsigned n = 0; n < c->choices; n++)
            left += next_source(&p, n, 0) < CUT_SOURCES;
    }
}

/* Between tags, in the field of the answer. */
static void make_inline(char text[CUT_SOURCES][CUTKIT_TEXT])
{
    char both[CUTKIT_TEXT];
    const char *reasoning = text[CUT_REASONING], *answer = text[CUT_ANSWER];
    size_t r = rein_text_whole(reasoning, strnlen(reasoning, 1900)), a = rein_text_whole(answer, strnlen(answer, 1900));
    snprintf(both, sizeof both, "<think>%.*s</think>%.*s", (int)r, reasoning, (int)a, answer);
    memcpy(text[CUT_ANSWER], both, sizeof both);
    text[CUT_REASONING][0] = '\0';
}

static void make_response(struct cut_case *c, struct cut_response *r)
{
    struct dice *d = &c->dice;
    static const char *const alone[] = {"a zap here", "zip, zap it", "nothing"};
    for (unsigned n = 0; n < c->choices; n++) {
        make_text(d, r->text[n][CUT_REASONING]);
        make_text(d, r->text[n][CUT_ANSWER]);
        if (dice_chance(d, 25))
            make_text(d, r->text[n][CUT_TOOL]);
        if (dice_chance(d, 25))
            strcpy(r->text[n][CUT_ALONE], alone[dice_below(d, 3)]);
        if (c->is_inline)
            make_inline(r->text[n]);
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
    c->choices = dice_chance(&c->dice, 15) ? CUTKIT_CHOICES : 1; /* several cannot be steered */
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

static void open_event(struct cut_stream *s, unsigned choice)
{
    put(s,
        choice == 0 ? "data: {\"choices\":[{\"index\":0,\"delta\":{" : "data: {\"choices\":[{\"index\":1,\"delta\":{");
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
    return a->choice == b->choice && a->source < b->source && b->source != CUT_ALONE;
}

void cutkit_stream(const struct cut_case *c, const struct cut_response *r, struct dice *d, enum cut_way cut,
                   struct cut_stream *s)
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
            size_t len = piece_len(r->text[turn->choice][turn->source], at, turn->to, most);
            if (is_open)
                put(s, ",");
            else
                open_event(s, turn->choice);
            put_piece(s, turn->source, r->text[turn->choice][turn->source] + at, len);
            at += len;
            is_open = cut == CUT_AT_RANDOM && at == turn->to && i + 1 < r->turns_len && goes_together(turn, turn + 1) &&
                      dice_chance(d, 30);
            if (!is_open)
                close_event(s);
        }
    }
    for (unsigned n = 0; n < c->choices; n++) {
        open_event(s, n);
        put(s, "},\"finish_reason\":\"stop\"}]}\n\n");
    }
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
