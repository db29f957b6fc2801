/* Tests of the expressions' parser: what is understood, and what is refused where.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rules/dfa.h"
#include "rules/regex.h"

static void refuses_with_a_position(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t offset;
        const char *what;
    } cases[] = {
        {"a(b", 1, "a ( has no closing )"},
        {"ab)", 2, "a ) without its ("},
        {"x[ab", 1, "a [ without its ]"},
        {"x[", 1, "a [ without its ]"},
        {"[b-a]", 1, "the range is out of order"},
        {"[a-\\d]", 1, "the range is out of order"},
        {"[[:alpha:]]", 1, "POSIX classes such as [:alpha:] are not supported"},
        {"*a", 0, "nothing to repeat"},
        {"a|+", 2, "nothing to repeat"},
        {"a**", 2, "a repetition cannot be repeated: use a group"},
        {"a{2}{3}", 4, "a repetition cannot be repeated: use a group"},
        {"a*+", 2, "possessive repetition is not supported"},
        {"a{3,2}", 1, "the bounds of the repetition are out of order"},
        {"a{1001}", 1, "repetition counts go up to 1000"},
        {"a{99999999999}", 1, "repetition counts go up to 1000"},
        {"^*", 1, "an anchor cannot be repeated"},
        {"a\\", 2, "a backslash at the end; to match a backslash write two"},
        {"[\\", 2, "a backslash at the end; to match a backslash write two"},
        {"(a)\\1", 4, "back references are not supported"},
        {"\\q", 1, "unknown escape"},
        {"\\p{L}", 1, "unknown escape"},
        {"\\x4", 3, "\\x needs two hexadecimal digits, or digits in braces"},
        {"\\x{41", 5, "\\x{ without a }"},
        {"\\x{110000}", 10, "this is not a valid code point"},
        {"\\x{D800}", 8, "this is not a valid code point"},
        {"\\x{0000041}", 10, "a code point has at most 6 digits"},
        {"(?=a)", 0, "lookahead is not supported"},
        {"a(?!b)", 1, "lookahead is not supported"},
        {"(?<=a)b", 3, "lookbehind is not supported"},
        {"(?>a)", 0, "atomic groups are not supported"},
        {"(*FAIL)", 0, "verbs are not supported"},
        {"(?m)^a", 2, "unknown flag or group (lookaround and conditions are not supported)"},
        {"(?<name", 7, "a group's name has no closing >"},
        {"(?i", 3, "a group has no closing )"},
        {"ab\xFFz", 2, "not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct regex re;
        struct regex_error error;
        struct span pattern = {cases[i].pattern, strlen(cases[i].pattern)};
        int rv = regex_parse(&re, pattern, false, &error);
        regex_fini(&re);
        if (rv != REIN_EPOLICY || error.offset != cases[i].offset || strcmp(error.what, cases[i].what) != 0)
            fail_msg("%s: %d, at %zu: %s", cases[i].pattern, rv, error.offset, error.what != NULL ? error.what : "-");
    }
}

static void nesting_and_size_have_ceilings(void **state)
{
    (void)state;
    char deep[1024];
    size_t len = 0;
    for (size_t i = 0; i < 200; i++)
        deep[len++] = '(';
    deep[len++] = 'a';
    for (size_t i = 0; i < 200; i++)
        deep[len++] = ')';
    struct regex re;
    struct regex_error error;
    assert_int_equal(regex_parse(&re, (struct span){deep, len}, false, &error), REIN_EPOLICY);
    assert_string_equal(error.what, "groups are nested too deeply");
    regex_fini(&re);

    static const char *const large[] = {"(((a{1000}){1000}){1000}){1000}", "((((){1000}){1000}){1000}){1000}a",
                                        "(a|b)*a(a|b){20}"};
    for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++) {
        struct nfa nfa;
        struct dfa dfa = {0};
        assert_int_equal(regex_parse(&re, (struct span){large[i], strlen(large[i])}, false, &error), 0);
        int rv = nfa_compile(&nfa, &re);
        if (rv == 0)
            rv = dfa_build(&dfa, &nfa);
        if (rv != REIN_ELIMIT)
            fail_msg("%s: %d", large[i], rv);
        dfa_fini(&dfa);
        nfa_fini(&nfa);
        regex_fini(&re);
    }
}

/* Does the whole text match? Runs the automaton from a text's beginning. */
static int matches(const char *pattern, bool folded, const char *text)
{
    struct regex re;
    struct regex_error error;
    struct nfa nfa;
    struct dfa dfa;
    assert_int_equal(regex_parse(&re, (struct span){pattern, strlen(pattern)}, folded, &error), 0);
    assert_int_equal(nfa_compile(&nfa, &re), 0);
    assert_int_equal(dfa_build(&dfa, &nfa), 0);
    uint32_t at = dfa.start[DFA_TEXT_BEGINS];
    for (const char *p = text; *p != '\0'; p++)
        at = dfa_next(&dfa, at, (unsigned char)*p);
    int flags = dfa.states[at].flags;
    dfa_fini(&dfa);
    nfa_fini(&nfa);
    regex_fini(&re);
    return (flags & (DFA_MATCH | DFA_AT_END)) != 0;
}

static void understands_its_subset(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool folded;
        int wanted;
    } cases[] = {
        {"a\\.b", "a.b", false, 1},
        {"a.b", "a\nb", false, 0},
        {"(?s)a.b", "a\nb", false, 1},
        {"a.b",
         "a\xC3\xA9"
         "b",
         false, 1},
        {"a.b",
         "a\xC3"
         "b",
         false, 0},
        {"\\x41\\x{e9}", "A\xC3\xA9", false, 1},
        {"[\\x{400}-\\x{4ff}]+", "\xD0\x90\xD1\x8F", false, 1},
        {"[^\\x{400}-\\x{4ff}]", "\xD0\x90", false, 0},
        {"[]a]+", "]a]", false, 1},
        {"[^]a]", "]", false, 0},
        {"[a\\-z]+", "a-z", false, 1},
        {"[a-]+", "a-", false, 1},
        {"{\"k\":1}", "{\"k\":1}", false, 1},
        {"a{,2}", "a{,2}", false, 1},
        {"(?i)\xC3\x89t\xC3\xA9", "\xC3\xA9T\xC3\x89", false, 1},
        {"(?i:a)b", "Ab", false, 1},
        {"(?i:a)b", "AB", false, 0},
        {"((?i)a)b", "AB", false, 0},
        {"(?P<x>a)(?<y>b)(?:c)", "abc", false, 1},
        {"a+?b*?c{1,2}?", "aabcc", false, 1},
        {"\\Aab\\z", "ab", false, 1},
        {"\\w\\W\\d\\D\\s\\S", "a-1x\ty", false, 1},
        {"[\\d\\s]+", "1 2", false, 1},
        {"\\t\\n\\r\\f\\e\\a", "\t\n\r\f\x1B\a", false, 1},
        {"Stra\xC3\x9F"
         "e [A-C]",
         "strasse b", true, 1},
        {"[^A]", "a", true, 0},
        {"\\W", "a", true, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int got = matches(cases[i].pattern, cases[i].folded, cases[i].text);
        if (got != cases[i].wanted)
            fail_msg("%s on '%s': %d", cases[i].pattern, cases[i].text, got);
    }
}

static void measures_the_longest_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t longest;
    } cases[] = {{"abc", 3}, {"a{2,5}|b", 5}, {"a+", SIZE_MAX}, {"ab\\b", 2}, {"^a(b|cd)?$", 3}, {".{3}", 12}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct regex re;
        struct regex_error error;
        struct nfa nfa;
        struct dfa dfa;
        assert_int_equal(regex_parse(&re, (struct span){cases[i].pattern, strlen(cases[i].pattern)}, false, &error), 0);
        assert_int_equal(nfa_compile(&nfa, &re), 0);
        assert_int_equal(dfa_build(&dfa, &nfa), 0);
        if (dfa.longest != cases[i].longest)
            fail_msg("%s: %zu", cases[i].pattern, dfa.longest);
        dfa_fini(&dfa);
        nfa_fini(&nfa);
        regex_fini(&re);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_a_position),
        cmocka_unit_test(nesting_and_size_have_ceilings),
        cmocka_unit_test(understands_its_subset),
        cmocka_unit_test(measures_the_longest_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
