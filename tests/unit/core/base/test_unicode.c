/* Tests of UTF-8 steps and folding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/unicode.h"

enum { LAST_CODEPOINT = 0x10FFFF };

static bool is_surrogate(uint32_t c)
{
    return c >= 0xD800 && c <= 0xDFFF;
}

static void goes_there_and_back(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= LAST_CODEPOINT; c++) {
        if (is_surrogate(c))
            continue;
        char bytes[4];
        uint32_t back = 0;
        size_t len = utf8_encode(c, bytes);
        int step = utf8_next((struct span){bytes, len}, &back);
        if (step != (int)len || back != c)
            fail_msg("U+%04X: %zu bytes, %d read as U+%04X", c, len, step, back);
        for (size_t cut = 1; cut < len; cut++)
            assert_int_equal(utf8_next((struct span){bytes, cut}, &back), 0);
    }
}

static void refuses_what_is_no_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xBF",         "\xC0\x80",         "\xC1\xBF",     "\xC3(",
        "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80", "\xF5",
        "\xFF",         "\xE2\x82(",    "\xF0\x9F(",        "\xE0\x9F",     "\xF0\x8F\xBF\xBF",
        "\xED\xBF\xBF"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint32_t codepoint;
        int step = utf8_next((struct span){bad[i], strlen(bad[i])}, &codepoint);
        if (step != -1)
            fail_msg("number %zu: %d", i, step);
    }
}

static const char *fold(const char *text)
{
    static char out[1024];
    out[fold_text((struct span){text, strlen(text)}, out, NULL, sizeof(out) - 1)] = '\0';
    return out;
}

static void takes_away_what_does_not_matter(void **state)
{
    (void)state;
    assert_string_equal(fold("Secret PHRASE 12"), "secret phrase 12");
    assert_string_equal(fold("\xEF\xBC\xB3\xEF\xBD\x85\xEF\xBD\x83\xEF\xBD\x92\xEF\xBD\x85\xEF\xBD\x94"),
                        "secret"); /* wide */
    assert_string_equal(fold("se\xE2\x80\x8B"
                             "cr\xC2\xAD"
                             "e\xEF\xBB\xBFt"),
                        "secret");                                      /* zero-width */
    assert_string_equal(fold("s\xD0\xB5\xD1\x81r\xD0\xB5t"), "secret"); /* Cyrillic */
    assert_string_equal(fold("s\xCE\xB5"
                             "cr\xCE\xB5"
                             "t"),
                        "secret"); /* Greek */
    assert_string_equal(fold("\xF0\x9D\x90\xAC\xF0\x9D\x90\x9E"
                             "cret"),
                        "secret"); /* mathematical */
    assert_string_equal(fold("\xE2\x93\xA2\xE2\x93\x94"
                             "cret"),
                        "secret"); /* circled */
    assert_string_equal(fold("s\xC3\xA9"
                             "cr\xC3\xA8t e\xCC\x81"),
                        "secret e");                                      /* accents */
    assert_string_equal(fold("\xD9\xA3\xE0\xA5\xAB\xEF\xBC\x97"), "357"); /* digits of other scripts */
    assert_string_equal(fold("\xEF\xAC\x81re stra\xC3\x9F"
                             "e"),
                        "fire strasse");
    assert_string_equal(fold("don\xE2\x80\x99t \xE2\x80\x9Cx\xE2\x80\x9D 1\xE2\x80\x93"
                             "2"),
                        "don't \"x\" 1-2");
    assert_string_equal(fold("\xE4\xB8\xAD\xE6\x96\x87 \xEA\xB0\x80"), "\xE4\xB8\xAD\xE6\x96\x87 \xEA\xB0\x80");
}

static void keeps_invalid_bytes_and_offsets(void **state)
{
    (void)state;
    static const char text[] = "A\xFF\xEF\xAC\x81\xE2\x80\x8B"
                               "B\xE2\x82";
    char out[64];
    uint32_t map[64];
    size_t len = fold_text((struct span){text, sizeof(text) - 1}, out, map, sizeof(out));
    static const uint32_t wanted[] = {0, 1, 2, 2, 8, 9, 10};
    assert_int_equal(len, 7);
    assert_memory_equal(out,
                        "a\xFF"
                        "fib\xE2\x82",
                        7);
    assert_memory_equal(map, wanted, sizeof(wanted));
}

/* So that rules, which are folded when they are loaded, and texts meet; and letters fold alike in both cases. */
static void folding_twice_changes_nothing(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (uint32_t c = 0; c <= LAST_CODEPOINT && wrong < 20; c++) {
        if (is_surrogate(c))
            continue;
        char once[FOLD_MAX], twice[FOLD_MAX * 8], lower[FOLD_MAX];
        size_t len = fold_codepoint(c, once);
        size_t again = fold_text((struct span){once, len}, twice, NULL, sizeof(twice));
        if (len > FOLD_MAX || again != len || memcmp(once, twice, len) != 0) {
            print_message("U+%04X folds to '%.*s', and then to '%.*s'\n", c, (int)len, once, (int)again, twice);
            wrong++;
        }
        size_t lower_len = fold_codepoint(codepoint_lower(c), lower);
        bool is_greek = c == 0x397 || c == 0x39C || c == 0x39D || c == 0x3A5; /* each case looks like another letter */
        if (c != 0x130 && !is_greek &&
            (lower_len != len || memcmp(once, lower, len) != 0)) { /* dotted I has a dot in lower case */
            print_message("U+%04X folds to '%.*s', its lower case to '%.*s'\n", c, (int)len, once, (int)lower_len,
                          lower);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_there_and_back),
        cmocka_unit_test(refuses_what_is_no_utf8),
        cmocka_unit_test(takes_away_what_does_not_matter),
        cmocka_unit_test(keeps_invalid_bytes_and_offsets),
        cmocka_unit_test(folding_twice_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
