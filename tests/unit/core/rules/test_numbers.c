/* What the shipped policy takes for a card number: none of the numbers that systems make, all cards that people write.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "matching.h"
#include "numbers.h"
#include "policy/policy.h"
#include "rein/doc.h"

enum { PER_KIND = 500, PER_THOUSAND = 2, CARDS = 300 };

static struct rein_policy *shipped;

static int load_shipped(void **state)
{
    struct policy_files_folder policies = {0};
    struct policy_files_library files = {0};
    struct rein_problems *problems = NULL;
    (void)state;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(policy_files_read_file(&policies, REIN_SOURCE_DIR "/config/policies/default.yaml", problems), 0);
    assert_int_equal(policy_files_read(&files.templates, REIN_SOURCE_DIR "/config/templates", true, problems), 0);
    assert_int_equal(policy_files_read(&files.lexicons, REIN_SOURCE_DIR "/config/lexicons", true, problems), 0);
    assert_int_equal(policy_files_read(&files.models, REIN_SOURCE_DIR "/config/models", false, problems), 0);
    assert_int_equal(lexicon_cache_use_own(), 0);
    struct rein_library library = policy_files_lend(&files);
    assert_int_equal(rein_policy_load(&shipped, &policies.sources[0], &library, problems), 0);
    policy_files_fini(&policies);
    policy_files_library_fini(&files);
    rein_problems_free(problems);
    return 0;
}

static int free_shipped(void **state)
{
    (void)state;
    rein_policy_unref(shipped);
    return 0;
}

/* What the shipped rules find in an answer that comes a byte at a time. */
static size_t find(const char *text, struct match *first)
{
    struct match_list found = {0};
    struct span span = {text, strlen(text)};
    assert_int_equal(match_in_pieces(shipped->ruleset, span, NULL, 0, &found, NULL, NULL), 0);
    size_t len = found.len;
    if (len > 0)
        *first = found.items[0];
    match_list_fini(&found);
    return len;
}

static void test_found_h1_numbers_of_systems_are_no_cards(void **state)
{
    const uint64_t seed = 20250131;
    struct dice dice = dice_of(seed);
    size_t all = 0, hit = 0;
    (void)state;
    for (unsigned kind = 0; kind < NUMBER_KINDS; kind++) {
        size_t of_kind = 0;
        char text[NUMBER_TEXT_MAX];
        for (size_t i = 0; i < PER_KIND; i++) {
            struct match match;
            number_make(&dice, kind, text);
            of_kind += find(text, &match) > 0;
        }
        print_message("%-20s %zu of %d\n", number_kind(kind), of_kind, PER_KIND);
        hit += of_kind;
        all += PER_KIND;
    }
    print_message("seed %llu: %zu of %zu taken for a card\n", (unsigned long long)seed, hit, all);
    assert_true(all >= 5000);
    assert_true(hit * 1000 <= all * PER_THOUSAND);
}

static void test_found_t14_cards_are_found_in_every_grouping(void **state)
{
    static const char *const frames[] = {
        "@",    "My card is @.", "card: @, valid until 12/27", "{\"card\": \"@\"}", "**@**",
        "Nr.@", "12,@,0927",     "pay with @ 123 please"};
    const uint64_t seed = 20250201;
    struct dice dice = dice_of(seed);
    size_t missed = 0;
    (void)state;
    for (unsigned grouping = 0; grouping < CARD_GROUPINGS; grouping++)
        for (unsigned i = 0; i < CARDS; i++) {
            char card[NUMBER_TEXT_MAX], text[NUMBER_TEXT_MAX];
            struct match match = {0};
            card_make(&dice, i % CARD_ISSUERS, grouping, card);
            number_frame(frames[dice_below(&dice, sizeof frames / sizeof *frames)], card, text);
            size_t from = (size_t)(strstr(text, card) - text);
            if (find(text, &match) == 1 && match.start == from && match.end >= from + strlen(card))
                continue;
            print_error("%s, %s: %s\n", card_issuer(i % CARD_ISSUERS), card_grouping(grouping), text);
            missed++;
        }
    print_message("seed %llu: %zu of %d missed\n", (unsigned long long)seed, missed, CARDS * CARD_GROUPINGS);
    assert_int_equal(missed, 0);
}

/* Each shape once, with what stands around it. */
static void test_found_h1_surroundings_decide(void **state)
{
    static const struct {
        const char *text;
        bool is_card;
    } cases[] = {
        {"4111111111111111", true},
        {"x4111111111111111", false},
        {"0.4111111111111111", false},
        {"-.4111111111111111", false},
        {"no.4111111111111111", true},
        {"(see above).4111111111111111", true},
        {"x=.4111111111111111", false},
        {"4111111111111111.0", false},
        {"4111111111111111.", true},
        {"4111111111111111. 5 items", true},
        {"4111 1111 1111 1111 4111 1111 1111 1111", true},
        {"1234 5678 4111 1111 1111 1111", false},
        {"DE12 4111 1111 1111 1111", false},
        {"USD12 4111 1111 1111 1111", true},
        {"0927 4111 1111 1111 1111", true},
        {"41111 111 1111 11111", false},
        {"4111-11111-1111-111", false},
        {"4000000000006", false},          /* 13 digits */
        {"4000000000000000006", false},    /* 19, bare */
        {"4000 0000 0000 0000 006", true}, /* 19, as printed */
        {"6200000000000000000", true},     /* 19 digits are usual with UnionPay */
        {"3782 822463 10005", true},
        {"3782 8224 6310 005", true},
        {"378282246310005", true},
        {"3056 930902 5904", true},
        {"1111 1111 1111 1117", false},
        {"2000000000000000", false},
    };
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct match match;
        if ((find(cases[i].text, &match) > 0) == cases[i].is_card)
            continue;
        print_error("%s\n", cases[i].text);
        wrong++;
    }
    assert_int_equal(wrong, 0);
    struct match match;
    assert_int_equal(find("4111 1111 1111 1111 4111 1111 1111 1111", &match), 2);
}

static void the_shipped_rules_hold_little(void **state)
{
    (void)state;
    for (size_t i = 0; i < shipped->rules_len; i++)
        assert_true(ruleset_worst_hold(shipped->ruleset, (int)i) <= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_h1_numbers_of_systems_are_no_cards),
        cmocka_unit_test(test_found_t14_cards_are_found_in_every_grouping),
        cmocka_unit_test(test_found_h1_surroundings_decide),
        cmocka_unit_test(the_shipped_rules_hold_little),
    };
    return cmocka_run_group_tests(tests, load_shipped, free_shipped);
}
