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
    struct ruleset *folded = rule_of((struct rule_spec){.builtin = "card_number", .folded = true});
    expect(folded, "4111\xE2\x80\x8B\x31\x31\x31\x31\xE2\x80\x8B\x31\x31\x31\x31\x31\x31\x31\x31", "0:0-22");
    expect(folded, "\xEF\xBC\x94\x31\x31\x31\xE2\x80\x93\x31\x31\x31\x31-1111-1111", "0:0-23");
    expect(folded, "0.4111111111111111", "");
    ruleset_free(folded);
}

static void knows_other_builtins(void **state)
{
    (void)state;
    expect_builtin("ssn", "123-45-6789 000-12-3456 666-12-3456 123-00-6789 123 45 6789", "0:0-11 0:48-59");
    expect_builtin("iban", "DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432, DE89 3704 0044 0532 0130 01",
                   "0:0-27 0:32-54");
    expect_builtin("email", "write to Mira.K+x@mail.example.org, or @home or a@b", "0:9-34");
    expect_builtin("jwt", "t=eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl.", "0:2-40");
    expect_builtin("private_key",
                   "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq2cF\nAAA=\n"
                   "-----END RSA PRIVATE KEY-----\nThat was it.",
                   "0:0-89");
    expect_builtin("private_key", "-----BEGIN PRIVATE KEY----- begins a key file", "0:0-27");
    expect_builtin("api_key", "AKIAABCDEFGHIJKLMNOP sk-abcdefghijklmnopqrstuv task-force", "0:0-20 0:21-46");
}

/* What is held after each byte of a text: the longest suffix that may still become a match. */
/* A place to log in, or to copy from, is no address of anybody. */
static void test_found_h6_logins_are_no_addresses(void **state)
{
    static const char *const none[] = {
        "git clone git@code.example.org:team/tool.git",
        "scp a.txt deploy@host.example.com:/var/www/",
        "scp a.txt deploy@host.example.com:a.txt ",
        "rsync -av x/ deploy@host.example.com::module",
        "copy it to deploy@host.example.com:~",
        "ssh deploy@host.example.com",
        "ssh -p 2222 -i ~/.ssh/id deploy@host.example.com",
        "ssh://git@code.example.org/team/tool",
        "https://jane:secret@host.example.com/path",
        "postgres://jane:secret@db.example.com:5432/x",
        "git+ssh://git@code.example.org",
        "git@code.example.org",
    };
    static const struct {
        const char *text, *wanted;
    } some[] = {
        {"jane@example.com", "0:0-16"},
        {"jane@example.com: hello", "0:0-16"},
        {"jane@example.com:hunter2", "0:0-16"},
        {"mailto:jane@example.com", "0:7-23"},
        {"(jane@example.com)", "0:1-17"},
        {"see https://example.com/ or jane@example.com.", "0:28-44"},
        {"ssh is old; ask jane@example.com", "0:16-32"},
        {"git@code.example.org:team/tool.git jane@example.com", "0:35-51"},
        {"git.jane@example.com", "0:0-20"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        expect_builtin("email", none[i], "");
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        expect_builtin("email", some[i].text, some[i].wanted);
}

static void expect_held(const char *regex, const char *text, const char *held)
{
    struct ruleset *rules = rule_of((struct rule_spec){.regex = regex, .max_bytes = 64});
    struct matcher *m;
    struct match_list found = {0};
    assert_int_equal(matcher_new(&m, rules, REIN_ANSWER), 0);
    char seen[64] = "";
    size_t len = strlen(text);
    assert_int_equal(len, strlen(held));
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(match_piece(m, (struct span){text, len}, i, i + 1, &found), 0);
        seen[i] = (char)('0' + (i + 1 - matcher_hold(m)));
    }
    assert_string_equal(seen, held);
    match_list_fini(&found);
    matcher_free(m);
    ruleset_free(rules);
}

static void holds_no_more_than_needed(void **state)
{
    (void)state;
    expect_held("abcd", "xabxabcd", "01201230"); /* a whole match is decided at once */
    expect_held("abab|abc", "abababc", "1230120");
    expect_held("abc\\b", "abcd abc.", "123001230");
    expect_held("\\bab", "xab ab", "000010");
    expect_held("a[0-9]{2,3}", "a1a12x", "121230");
    expect_held("^ab", "abab", "1000");
    expect_held("b$", "abb", "011");
    expect_held("a(?:b\\bc|x)", "abb", "100"); /* that this \\b lets nothing through is known beforehand */
}

/* Steps that the automata of one rule take over 64 KiB of a's. */
static uint64_t steps_of(const char *regex, size_t len)
{
    struct ruleset *rules = rule_of((struct rule_spec){.regex = regex, .max_bytes = HOLD});
    struct matcher *m;
    struct match_list found = {0};
    char *text = malloc(len);
    memset(text, 'a', len);
    assert_int_equal(matcher_new(&m, rules, REIN_ANSWER), 0);
    for (size_t at = 0; at < len; at += 16)
        assert_int_equal(match_piece(m, (struct span){text, len}, at, at + 16, &found), 0);
    uint64_t steps = matcher_steps(m);
    assert_true(matcher_hold(m) + HOLD >= len);
    match_list_fini(&found);
    matcher_free(m);
    ruleset_free(rules);
    free(text);
    return steps;
}

static void defect_22_nested_repetition_costs_nothing_more(void **state)
{
    (void)state;
    enum { LEN = 64 * 1024 };
    static const struct {
        const char *regex;
        uint64_t most; /* steps for each byte: about the states that runs are in at the same time */
    } hard[] = {{"^(a+)+$", 1},     {"(a+)+$", 3},  {"(a|aa)+b", 4},   {"(a*)*b", 3},
                {"a*a*a*a*a*b", 3}, {"(a|a)*c", 3}, {"(.*a){1,9}b", 9}};
    for (size_t i = 0; i < sizeof(hard) / sizeof(*hard); i++) {
        uint64_t steps = steps_of(hard[i].regex, LEN);
        if (steps > hard[i].most * LEN)
            fail_msg("%s: %llu steps for %d bytes", hard[i].regex, (unsigned long long)steps, LEN);
        uint64_t half = steps_of(hard[i].regex, LEN / 2);
        if (steps > 2 * half + LEN / 8)
            fail_msg("%s: %llu steps for half of it, %llu for all", hard[i].regex, (unsigned long long)half,
                     (unsigned long long)steps);
    }
}

/* Zero-width characters take room: they cannot keep a match open for ever, nor hide one that is whole. */
static void ignorable_characters_end_a_hold(void **state)
{
    (void)state;
    struct ruleset *rules = rule_of((struct rule_spec){.regex = "ab\\b|ax", .folded = true, .max_bytes = 32});
    static char text[2 + 3 * 100];
    memcpy(text, "ab", 2);
    for (size_t i = 0; i < 100; i++)
        memcpy(text + 2 + 3 * i, "\xE2\x80\x8B", 3);
    struct matcher *m;
    struct match_list found = {0};
    assert_int_equal(matcher_new(&m, rules, REIN_ANSWER), 0);
    size_t most = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        assert_int_equal(match_piece(m, (struct span){text, sizeof(text)}, i, i + 1, &found), 0);
        size_t held = i + 1 - (size_t)matcher_hold(m);
        most = held > most ? held : most;
    }
    assert_true(most <= ruleset_worst_hold(rules, 0));
    assert_string_equal(spell(&found), "0:0-2");
    match_list_fini(&found);
    matcher_free(m);
    ruleset_free(rules);
}

static void expect_refused(struct rule_spec spec, const char *wanted)
{
    struct ruleset *rules;
    const char *why = "";
    spec.withholds = true;
    spec.channels = ALL;
    assert_int_equal(ruleset_new(&rules, HOLD), 0);
    assert_int_equal(ruleset_add(rules, &spec, &why), REIN_EPOLICY);
    assert_string_equal(why, wanted);
    assert_int_equal(ruleset_count(rules), 0);
    ruleset_free(rules);
}

static void refuses_rules_it_cannot_keep(void **state)
{
    (void)state;
    static const char *const empty[] = {"fine", "\xE2\x80\x8B"};
    expect_refused((struct rule_spec){.regex = "a+"},
                   "a match could have any length: limit the repetitions, or set max_bytes");
    expect_refused((struct rule_spec){.regex = "a{0,3}"}, "must not match an empty text");
    expect_refused((struct rule_spec){.regex = "a\\bb"}, "can never match");
    expect_refused((struct rule_spec){.regex = "a+", .max_bytes = 5000},
                   "could hold 5000 bytes, but the policy allows 4096 (hold.max_bytes)");
    expect_refused((struct rule_spec){.regex = "a(b"}, "at byte 2: a ( has no closing )");
    expect_refused((struct rule_spec){.builtin = "nonsense"}, "no such built-in");
    expect_refused((struct rule_spec){.literals = empty, .literals_len = 2, .folded = true}, "a literal is empty");
    expect_refused((struct rule_spec){.id = "x"}, "needs one of regex, builtin, literal and words");
    expect_refused((struct rule_spec){.regex = "(a|b)*a(a|b){18}", .max_bytes = 100},
                   "too large: it needs more than 100000 states or 4194304 table cells, or takes too long to compile. "
                   "Shorten it, or lower its counts");
}

static void worst_hold_is_told(void **state)
{
    (void)state;
    struct ruleset *rules = rules_of((struct rule_spec[]){{.regex = "abc"}, {.regex = "x+", .max_bytes = 77}}, 2);
    assert_int_equal(ruleset_worst_hold(rules, 0), 3);
    assert_int_equal(ruleset_worst_hold(rules, 1), 77);
    assert_int_equal(ruleset_worst_hold(rules, -1), 77);
    ruleset_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_leftmost_longest),
        cmocka_unit_test(honours_max_bytes),
        cmocka_unit_test(finds_literals_folded),
        cmocka_unit_test(knows_card_numbers),
        cmocka_unit_test(knows_other_builtins),
        cmocka_unit_test(test_found_h6_logins_are_no_addresses),
        cmocka_unit_test(holds_no_more_than_needed),
        cmocka_unit_test(defect_22_nested_repetition_costs_nothing_more),
        cmocka_unit_test(ignorable_characters_end_a_hold),
        cmocka_unit_test(refuses_rules_it_cannot_keep),
        cmocka_unit_test(worst_hold_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
