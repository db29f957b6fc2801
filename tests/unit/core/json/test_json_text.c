/* Text in JSON strings: escapes undone and made, pairs cut between two strings.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/event.h"

struct row {
    const char *raw, *expected;
};

/* Decodes as one string, or cut in two before byte `cut` (0: not). */
static size_t decode(struct span raw, size_t cut, char *out)
{
    uint16_t half = 0;
    size_t len = 0;
    if (cut > 0) {
        len = json_unescape((struct span){raw.data, cut}, &half, out);
        raw = (struct span){raw.data + cut, raw.len - cut};
    }
    len += json_unescape(raw, &half, out + len);
    return len;
}

static void test_decoding(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC", "A\xC3\xA9\xE2\x82\xAC"},
        {"\\ud83d\\ude00!", "\xF0\x9F\x98\x80!"},
        {"\\ud83dx", "\xEF\xBF\xBDx"},
        {"\\ud83d\\n", "\xEF\xBF\xBD\n"},
        {"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\\ude00", "\xEF\xBF\xBD"},
        {"a\xFF\xC3", "a\xFF\xC3"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span raw = {rows[i].raw, strlen(rows[i].raw)};
        char out[64];
        size_t len = decode(raw, 0, out);
        assert_int_equal(len, strlen(rows[i].expected));
        assert_memory_equal(out, rows[i].expected, len);
    }
}

static void test_pairs_cut_between_strings(void **state)
{
    (void)state;
    char out[64];
    struct span pair = SPAN("x\\ud83d\\ude00y");
    static const size_t cuts[] = {1, 7, 13};
    for (size_t i = 0; i < 3; i++) {
        size_t len = decode(pair, cuts[i], out);
        assert_int_equal(len, 6);
        assert_memory_equal(out, "x\xF0\x9F\x98\x80y", len);
    }
    uint16_t half = 0;
    assert_int_equal(json_unescape(SPAN("\\ud83d"), &half, out), 0);
    assert_int_equal(half, 0xD83D);
    assert_int_equal(json_unescape(SPAN(""), &half, out), 0);
    assert_int_equal(half, 0xD83D);
    assert_int_equal(json_unescape(SPAN("a"), &half, out), 4);
    assert_int_equal(half, 0);
}

static void test_encoding_round_trips(void **state)
{
    (void)state;
    struct bytes out;
    bytes_init(&out, 4096);
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    assert_int_equal(json_escape(&out, (struct span){all, sizeof(all)}), 0);
    assert_int_equal(bytes_append(&out, "\"", 1), 0);
    struct span json = bytes_span(&out);
    assert_ptr_equal(walk_string_end(json.data, json.data + json.len), json.data + json.len - 1);
    char back[2048];
    uint16_t half = 0;
    size_t len = json_unescape((struct span){json.data, json.len - 1}, &half, back);
    assert_int_equal(len, sizeof(all));
    assert_memory_equal(back, all, sizeof(all));
    bytes_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_pairs_cut_between_strings),
        cmocka_unit_test(test_encoding_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
