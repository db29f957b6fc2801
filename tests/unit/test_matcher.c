/* Tests of the matcher: what matches, what is held, and that neither depends on the pieces.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "matching.h"

enum { ALL = (1 << REIN_CHANNELS) - 1, HOLD = 4096 };

static struct ruleset *rules_of(const struct rule_spec *specs, size_t len)
{
    struct ruleset *rules;
    assert_int_equal(ruleset_new(&rules, HOLD), 0);
    for (size_t i = 0; i < len; i++) {
        struct rule_spec spec = specs[i];
        const char *why = "";
        spec.channels = ALL;
        spec.withholds = true;
        int rv = ruleset_add(rules, &spec, &why);
        if (rv != 0)
            fail_msg("rule %zu: %s", i, why);
    }
    assert_int_equal(ruleset_finish(rules), 0);
    return rules;
}

static struct ruleset *rule_of(struct rule_spec spec)
{
    return rules_of(&spec, 1);
}

/* All matches as "rule:start-end ...". */
static const char *spell(const struct match_list *found)
{
    static char text[4096];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < found->len && len < sizeof(text) - 64; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u:%llu-%llu", i > 0 ? " " : "",
                                (unsigned)found->items[i].rule, (unsigned long long)found->items[i].start,
                                (unsigned long long)found->items[i].end);
    return text;
}

/* Whole, and byte by byte. */
static void expect(struct ruleset *rules, const char *text, const char *wanted)
{
    for (int whole = 0; whole < 2; whole++) {
        struct match_list found = {0};
        struct span span = {text, strlen(text)};
        int rv = whole ? matcher_scan(rules, REIN_ANSWER, span, &found)
                       : match_in_pieces(rules, span, NULL, 0, &found, NULL, NULL);
        assert_int_equal(rv, 0);
        assert_string_equal(spell(&found), wanted);
        match_list_fini(&found);
    }
}

static void expect_regex(const char *regex, const char *text, const char *wanted)
{
    struct ruleset *rules = rule_of((struct rule_spec){.regex = regex, .max_bytes = 64});
    expect(rules, text, wanted);
    ruleset_free(rules);
}

static void expect_builtin(const char *name, const char *text, const char *wanted)
{
    struct ruleset *rules = rule_of((struct rule_spec){.builtin = name});
    expect(rules, text, wanted);
    ruleset_free(rules);
}

static void finds_leftmost_longest(void **state)
{
    (void)state;
    expect_regex("abc", "xxabcxabc", "0:2-5 0:6-9");
    expect_regex("a+", "aaabaa", "0:0-3 0:4-6");
    expect_regex("ab|abcd|bcde", "abcde", "0:0-4");
    expect_regex("ab|bcde", "abcde", "0:0-2");
    expect_regex("a.*?b", "a1b2b3", "0:0-5");
    expect_regex("\\bcat\\b", "cat concat cat. cats cat", "0:0-3 0:11-14 0:21-24");
    expect_regex("^ab|b$", "ababb", "0:0-2 0:4-5");
    expect_regex("(?i)Key", "KEY key kEy", "0:0-3 0:4-7 0:8-11");
    expect_regex("[^a-c]d",
                 "adxd\xC3\xA9"
                 "d",
                 "0:2-4 0:4-7");
    expect_regex("x{2,3}", "xxxxxxx", "0:0-3 0:3-6");
}

static void honours_max_bytes(void **state)
{
    (void)state;
    struct ruleset *rules = rule_of((struct rule_spec){.regex = "a.*b", .max_bytes = 5});
    expect(rules, "aaxxxb", "0:1-6");
    expect(rules, "axxxxxxb", "");
    ruleset_free(rules);
}

static void finds_literals_folded(void **state)
{
    (void)state;
    static const char *const words[] = {"Secret Phrase", "open sesame"};
    struct ruleset *rules = rule_of((struct rule_spec){.literals = words, .literals_len = 2, .folded = true});
    expect(rules, "a SECRET phrase; OPEN SESAME", "0:2-15 0:17-28");
    expect(rules,
           "s\xE2\x80\x8B"
           "ecret p\xD0\xB0"
           "se",
           "");
    expect(rules,
           "x s\xE2\x80\x8B"
           "ecret phr\xD0\xB0se",
           "0:2-19");
    ruleset_free(rules);
}

static void knows_card_numbers(void **state)
{
    (void)state;
    expect_builtin("card_number", "card 4111 1111 1111 1111.", "0:5-24");
    expect_builtin("card_number", "card 4111-1111-1111-1112.", "");
    expect_builtin("card_number", "card 378282246310005 ok", "0:5-20");
    expect_builtin("card_number", "no 41111111111111111111111 no", "");
    expect_builtin("card_number", "4111111111111111", "0:0-16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_leftmost_longest),
        cmocka_unit_test(honours_max_bytes),
        cmocka_unit_test(finds_literals_folded),
        cmocka_unit_test(knows_card_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
