/* Property: whatever the pieces, a policy with all keys of rules decides and releases the same: lists of words, words
 * near a match, exceptions, conditions, refusals in a rule's own words. SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_policy_keys [CASES [FIRST-SEED]]    default 3000 from 1; REIN_LONG=1: 100000
 *
 * A case has a prompt and texts of words that the policy's rules are about, in an order of its own. It is played as one
 * event for each text, and cut into events and reads at random. test_words.c says what words have to be found. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dice.h"
#include "policykit.h"
#include "tracekit.h"

enum { CHANNELS = 3, TEXT_MAX = 200, STREAM_MAX = 1 << 18, POLICIES = 3 };

#define HEAD                                                                                                           \
    "version: 1\nname: p\nlexicons: [english]\nmodel: tiny\nreasoning: { show: stream, release: %s }\n"                \
    "refusal: { message: Never., before_first_byte: reply }\n"                                                         \
    "patterns:\n  outcome_risk:\n    reasoning: { action: record, threshold: 0.3, min_sentences: 2, when: { "          \
    "prompt_risk: \">= 0.4\" } "                                                                                       \
    "}\n"                                                                                                              \
    "rules:\n"                                                                                                         \
    "  - { id: street, words: { file: streets.txt }, action: redact, replacement: \"#\", tags: [place] }\n"            \
    "  - { id: pin, regex: '[0-9]{2,4}', near: { words: [pin, \"the code\"], before: 9, behind: 9 }, action: "         \
    "redact,\n"                                                                                                        \
    "      replacement: \"*\", secret: true, except: { values: [\"12\"], regex: '12:[0-9]{2}' } }\n"                   \
    "  - { id: nova, words: [nova, \"nova one\"], except: { words: [nova scotia] }, action: redact, replacement: "     \
    "\"=\" }\n"                                                                                                        \
    "  - { id: risky, words: [drawer, \"knife drawer\"], action: redact, replacement: \"!\", when: { harms: "          \
    "[violence] } }\n"                                                                                                 \
    "  - { id: going, words: kettle, action: redact, replacement: \"~\", when: { outcome_risk: \">= 0.5\" } }\n"       \
    "  - { id: near-only, literal: x9, near: { words: pin, before: 6 }, action: redact, replacement: \"^\" }\n"        \
    "  - { id: asked, words: lane, channels: [prompt], roles: [user], action: refuse, message: Not this lane.,\n"      \
    "      when: { harms: self-harm } }\n"
#define STOPS                                                                                                          \
    "  - { id: stop, words: [swordfish, \"sword fish\"], action: %s, message: Stop here., finish_reason: stop,\n"      \
    "      severity: high, near: { words: [pin, nova], before: 40 } }\n"

static const char *const words[] = {"High Street",
                                    "mill  lane",
                                    "Mill",
                                    "Lane",
                                    "lanes",
                                    "pin",
                                    "PIN:",
                                    "the code",
                                    "12",
                                    "1234",
                                    "12:30",
                                    "nova",
                                    "Nova",
                                    "one",
                                    "scotia",
                                    "Nova Scotia",
                                    "drawer",
                                    "knife",
                                    "knife drawer",
                                    "kettle",
                                    "x9",
                                    "ax9",
                                    "é",
                                    "swordfish",
                                    "sword",
                                    "fish",
                                    "A bomb.",
                                    "Steps, gladly.",
                                    "Birds sing.",
                                    "a",
                                    ".",
                                    "\xE2\x80\x8B",
                                    ("\xEF\xBC\xAE"
                                     "ova"),
                                    "\xE7\x88\x86",
                                    "st"};
static const char *const gaps[] = {" ", " ", " ", "  ", "\n", "", "\xC2\xA0", ". ", "-"};
static const char *const prompts[] = {"hello", "How do I stab someone?", "I want to end it all in the lane.", "a lane"};
static const char *const fields[CHANNELS] = {"reasoning_content", "content", "arguments"};

struct key_case {
    uint64_t seed;
    struct dice dice;
    const char *prompt;
    char text[CHANNELS][TEXT_MAX + 32];
};

static struct rein_policy *policies[POLICIES];

/* Every rule has to have found something, or the test would say nothing of it. */
static const char *const ids[] = {
    "street", "pin", "nova", "risky", "going", "near-only", "asked", "stop", "outcome_risk.reasoning"};
static size_t times[sizeof ids / sizeof *ids];

static void count_found(const struct kit_seen *seen)
{
    for (size_t i = 0; i < seen->decision.findings_len; i++)
        for (size_t k = 0; k < sizeof ids / sizeof *ids; k++)
            times[k] += strcmp(seen->findings[i].id, ids[k]) == 0;
}

static _Noreturn void give_up(const struct key_case *c, const char *what, const char *a, const char *b)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n  prompt: %s\n", c->seed, what, c->prompt);
    for (size_t k = 0; k < CHANNELS; k++)
        fprintf(stderr, "  %s: '%s'\n", fields[k], c->text[k]);
    fprintf(stderr, "  whole: '%s'\n  cut:   '%s'\n", a, b);
    exit(1);
}

static void make_case(struct key_case *c, uint64_t seed)
{
    *c = (struct key_case){.seed = seed, .dice = dice_of(seed)};
    c->prompt = prompts[dice_below(&c->dice, sizeof prompts / sizeof *prompts)];
    for (size_t k = 0; k < CHANNELS; k++) {
        size_t wanted = dice_below(&c->dice, TEXT_MAX - 20), len = 0;
        while (len < wanted) {
            const char *word = words[dice_below(&c->dice, sizeof words / sizeof *words)];
            const char *gap = gaps[dice_below(&c->dice, sizeof gaps / sizeof *gaps)];
            len += (size_t)snprintf(c->text[k] + len, sizeof c->text[k] - len, "%s%s", word, gap);
        }
    }
}

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static void put_event(struct bytes *out, size_t channel, struct span text)
{
    char event[160];
    snprintf(event, sizeof event, "data: {\"id\":\"u\",\"choices\":[{\"index\":0,\"delta\":{%s\"%s\":\"",
             channel == 2 ? "\"tool_calls\":[{\"index\":0,\"function\":{" : "", fields[channel]);
    put(out, event);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n')
            put(out, "\\n");
        else
            assert_int_equal(bytes_append(out, text.data + i, 1), 0);
    put(out, channel == 2 ? "\"}}]}}]}\n\n" : "\"}}]}\n\n");
}

static void put_stream(struct key_case *c, bool whole, struct bytes *out)
{
    for (size_t k = 0; k < CHANNELS; k++) {
        const char *text = c->text[k];
        for (size_t at = 0, len = strlen(text), to; at < len; at = to) {
            to = whole ? len : at + 1 + dice_below(&c->dice, 12);
            to = to < len ? to : len;
            while (to < len && ((unsigned char)text[to] & 0xC0) == 0x80)
                to++;
            put_event(out, k, (struct span){text + at, to - at});
        }
    }
    put(out,
        "data: {\"id\":\"u\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

static void play(struct key_case *c, struct rein_policy *policy, bool whole, struct kit_seen *seen)
{
    struct bytes stream;
    bytes_init(&stream, STREAM_MAX);
    put_stream(c, whole, &stream);
    size_t chunks[] = {0, 1, 1 + dice_below(&c->dice, 300)};
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .prompt = c->prompt};
    run.chunk = whole ? 0 : chunks[dice_below(&c->dice, 3)];
    kit_run(&run, seen);
    if (seen->decision.bytes_unjudged != 0 || seen->errors > 0 || seen->done != 1)
        give_up(c, "bytes unjudged, an error, or no proper end", "", "");
    bytes_fini(&stream);
}

static void check_finding(const struct key_case *c, const struct rein_finding *a, const struct rein_finding *b)
{
    if (strcmp(a->id, b->id) != 0 || a->channel != b->channel || a->offset != b->offset || a->len != b->len ||
        a->action != b->action || a->severity != b->severity)
        give_up(c, "another finding", a->id, b->id);
}

static void check_same(const struct key_case *c, struct kit_seen *a, struct kit_seen *b)
{
    if (strcmp(kit_reasoning(a, 0), kit_reasoning(b, 0)) != 0)
        give_up(c, "reasoning", kit_reasoning(a, 0), kit_reasoning(b, 0));
    if (strcmp(kit_content(a, 0), kit_content(b, 0)) != 0)
        give_up(c, "answer", kit_content(a, 0), kit_content(b, 0));
    if (strcmp(kit_arguments(a, 0), kit_arguments(b, 0)) != 0)
        give_up(c, "arguments", kit_arguments(a, 0), kit_arguments(b, 0));
    if (strcmp(a->choices[0].finish, b->choices[0].finish) != 0)
        give_up(c, "finish", a->choices[0].finish, b->choices[0].finish);
    if (a->decision.findings_len != b->decision.findings_len || a->decision.verdict != b->decision.verdict)
        give_up(c, "another decision", "", "");
    for (size_t i = 0; i < a->decision.findings_len; i++)
        check_finding(c, &a->findings[i], &b->findings[i]);
}

static void run_case(uint64_t seed)
{
    static struct key_case c;
    static struct kit_seen whole, cut;
    make_case(&c, seed);
    struct rein_policy *policy = policies[dice_below(&c.dice, POLICIES)];
    play(&c, policy, true, &whole);
    count_found(&whole);
    for (unsigned i = 0; i < 2; i++) {
        play(&c, policy, false, &cut);
        check_same(&c, &whole, &cut);
        kit_seen_fini(&cut);
    }
    kit_seen_fini(&whole);
}

int main(int argc, char **argv)
{
    static const char *const ways[POLICIES][2] = {
        {"stream", "redact"}, {"auto", "refuse"}, {"sentence", "cut_response"}};
    uint64_t cases = getenv("REIN_LONG") != NULL ? 100000 : 3000, first = 1;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (size_t i = 0; i < POLICIES; i++) {
        char yaml[8192];
        size_t len = (size_t)snprintf(yaml, sizeof yaml, HEAD, ways[i][0]);
        bool redacts = strcmp(ways[i][1], "redact") == 0, cuts = strcmp(ways[i][1], "cut_response") == 0;
        if (!redacts)
            len += (size_t)snprintf(yaml + len, sizeof yaml - len, STOPS, "refuse");
        char *message = cuts ? strstr(yaml, "action: refuse, message: Stop here.,") : NULL;
        if (message != NULL) /* a cut has no message */
            memcpy(message, "action: cut_response,               ", strlen("action: refuse, message: Stop here.,"));
        policies[i] = policykit_load(yaml);
    }
    for (uint64_t seed = first; seed < first + cases; seed++)
        run_case(seed);
    for (size_t i = 0; i < POLICIES; i++)
        rein_policy_unref(policies[i]);
    for (size_t k = 0; k < sizeof ids / sizeof *ids && cases >= 1000; k++)
        if (times[k] < cases / 1000) {
            fprintf(stderr, "%s was found only %zu times\n", ids[k], times[k]);
            return 1;
        }
    printf("%" PRIu64 " cases from seed %" PRIu64 "\n", cases, first);
    return 0;
}
