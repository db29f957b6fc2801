/* Property: the learned score of a response does not depend on how it came: as one body, as events cut anywhere, read
 * in any pieces. SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_scores [CASES [FIRST-SEED]]     default 300 from 1; REIN_LONG=1: 10000
 *
 * A case has a reasoning and an answer of random words, some of them with a weight, with all kinds of marks, spaces and
 * line breaks between. Findings must be the same too, and so must be what a policy that acts shows of the answer. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dice.h"
#include "modelkit.h"
#include "tracekit.h"

enum { TEXT_MAX = 4000 };

static const char yaml[] = "version: 1\nname: p\nlexicons: []\nmodel: tiny\n"
                           "reasoning: { show: stream, release: sentence }\n"
                           "patterns:\n  outcome_risk:\n"
                           "    reasoning: { action: %s, threshold: 0.6, min_sentences: 2 }\n"
                           "    answer: { action: %s, threshold: 0.6, bytes: %d }\n";

static size_t make_text(struct dice *dice, char out[TEXT_MAX])
{
    static const char *const words[] = {
        "a",           "bomb", "steps", "gladly",      "poison", "birds",  "sing", "can't",
        "3.5",         "e.g.", "Dr.",   "\303\274ber", "```",    "**so**", "1.",   "\xF0\x9F\x98\x80",
        "\xE2\x80\x99"};
    static const char *const between[] = {" ", " ", " ", ". ", "? ", "\n", ", ", "  ", "...", "\n\n", "-", "! "};
    size_t len = 0, wanted = dice_below(dice, dice_chance(dice, 30) ? TEXT_MAX - 64 : 300);
    while (len < wanted) {
        len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s", words[dice_below(dice, sizeof words / sizeof *words)]);
        len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s",
                                between[dice_below(dice, sizeof between / sizeof *between)]);
    }
    out[len] = '\0';
    return len;
}

static void put_json(struct bytes *out, const char *before, json_t *tree, const char *after)
{
    char *text = json_dumps(tree, JSON_COMPACT);
    assert_non_null(text);
    assert_int_equal(bytes_append(out, before, strlen(before)), 0);
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
    assert_int_equal(bytes_append(out, after, strlen(after)), 0);
    free(text);
    json_decref(tree);
}

static void put_pieces(struct dice *dice, struct bytes *out, const char *key, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = 1 + dice_below(dice, dice_chance(dice, 50) ? 8 : 200);
        n = n < len - at ? n : len - at;
        while (at + n < len && ((unsigned char)text[at + n] & 0xC0) == 0x80)
            n++;
        put_json(out, "data: ",
                 json_pack("{s[{sis{ss%}so}]}", "choices", "index", 0, "delta", key, text + at, n, "finish_reason",
                           json_null()),
                 "\n\n");
        at += n;
    }
}

static void check_same(uint64_t seed, const struct kit_seen *a, const struct kit_seen *b)
{
    const struct rein_decision *x = &a->decision, *y = &b->decision;
    bool same = x->findings_len == y->findings_len && memcmp(x->heads, y->heads, sizeof x->heads) == 0 &&
                memcmp(x->scores, y->scores, sizeof x->scores) == 0 && x->verdict == y->verdict;
    for (size_t i = 0; same && i < x->findings_len; i++)
        same = a->findings[i].offset == b->findings[i].offset && a->findings[i].len == b->findings[i].len &&
               memcmp(&a->findings[i].score, &b->findings[i].score, sizeof(double)) == 0;
    if (same)
        return;
    for (int h = 0; h < REIN_HEADS; h++)
        print_error("%s %.17g %.17g\n", rein_head_name((enum rein_head)h), x->heads[h], y->heads[h]);
    for (int p = REIN_OUTCOME_RISK_REASONING; p < REIN_PATTERNS; p++)
        print_error("%s %.17g %.17g\n", rein_pattern_name((enum rein_pattern)p), x->scores[p], y->scores[p]);
    fail_msg("seed %" PRIu64 ": %zu and %zu findings", seed, x->findings_len, y->findings_len);
}

static size_t found, refused;

static void check_case(uint64_t seed)
{
    char reasoning[TEXT_MAX], answer[TEXT_MAX], policy_text[1024];
    struct dice dice = dice_of(seed);
    struct kit_seen whole, pieces, again;
    struct bytes body, events;
    const char *action = dice_chance(&dice, 50) ? "record" : "refuse";
    snprintf(policy_text, sizeof policy_text, yaml, action, action, 300 + (int)dice_below(&dice, 301));
    struct rein_policy *policy = modelkit_policy(policy_text);
    bytes_init(&body, 1 << 20);
    bytes_init(&events, 1 << 22);
    size_t reasoning_len = make_text(&dice, reasoning), answer_len = make_text(&dice, answer);
    put_json(&body, "",
             json_pack("{s[{sis{ss%ss%ss}ss}]}", "choices", "index", 0, "message", "reasoning_content", reasoning,
                       reasoning_len, "content", answer, answer_len, "role", "assistant", "finish_reason", "stop"),
             "");
    put_pieces(&dice, &events, "reasoning_content", reasoning, reasoning_len);
    put_pieces(&dice, &events, "content", answer, answer_len);
    put_json(&events, "data: ", json_pack("{s[{sis{}ss}]}", "choices", "index", 0, "delta", "finish_reason", "stop"),
             "\n\ndata: [DONE]\n\n");
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&body), .is_body = true, .prompt = "A bomb"};
    kit_run(&run, &whole);
    run = (struct kit_run){.policy = policy, .upstream = bytes_span(&events), .prompt = "A bomb"};
    run.chunk = 1 + dice_below(&dice, 400);
    kit_run(&run, &pieces);
    run.chunk = 0;
    kit_run(&run, &again);
    check_same(seed, &whole, &pieces);
    check_same(seed, &pieces, &again);
    found += whole.decision.findings_len;
    refused += whole.decision.verdict == REIN_REFUSE;
    assert_string_equal(kit_content(&pieces, 0), kit_content(&again, 0));
    assert_string_equal(kit_reasoning(&pieces, 0), kit_reasoning(&again, 0));
    kit_seen_fini(&whole);
    kit_seen_fini(&pieces);
    kit_seen_fini(&again);
    bytes_fini(&body);
    bytes_fini(&events);
    rein_policy_unref(policy);
}

static uint64_t cases = 300, first = 1;

static void any_pieces_have_the_same_score(void **state)
{
    (void)state;
    for (uint64_t seed = first; seed < first + cases; seed++)
        check_case(seed);
    if (found < cases / 4 || refused < cases / 20)
        fail_msg("%zu findings, %zu refused: the cases show too little", found, refused);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_pieces_have_the_same_score)};
    cases = argc > 1 ? strtoull(argv[1], NULL, 10) : getenv("REIN_LONG") != NULL ? 10000 : cases;
    first = argc > 2 ? strtoull(argv[2], NULL, 10) : first;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
