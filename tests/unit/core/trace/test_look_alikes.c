/* Text that looks like what a rule searches for, to a reader: it is found, in whatever pieces it comes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "peerkit.h"
#include "json/text.h"

struct look_case {
    const char *text, *shown;
};

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

/* The text in events of `step` bytes, cut between characters. */
static void put_text(struct bytes *out, const char *text, size_t step)
{
    size_t len = strlen(text);
    for (size_t at = 0, n; at < len; at += n) {
        n = at + step < len ? step : len - at;
        while (at + n < len && ((unsigned char)text[at + n] & 0xC0) == 0x80)
            n++;
        put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
        assert_int_equal(json_escape(out, (struct span){text + at, n}), 0);
        put(out, "\"}}]}\n\n");
    }
    put(out, FINISH("stop") DONE);
}

static void check(const char *rule, const struct look_case *cases, size_t len)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: l\nrules:\n  - { id: r, channels: [answer], %s, action: redact, replacement: '#' }\n",
             rule);
    struct rein_policy *policy = kit_policy(yaml);
    for (size_t i = 0; i < len; i++)
        for (size_t step = 1; step < 99; step += step < 3 ? 1 : 90) {
            struct bytes stream;
            struct kit_seen seen;
            bytes_init(&stream, 1 << 20);
            put_text(&stream, cases[i].text, step);
            struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream)};
            kit_run(&run, &seen);
            assert_string_equal(kit_content(&seen, 0), cases[i].shown);
            check_proper_end(&seen);
            kit_seen_fini(&seen);
            bytes_fini(&stream);
        }
    rein_policy_unref(policy);
}

#define CHECK(rule, cases) check((rule), (cases), sizeof(cases) / sizeof((cases)[0]))

static void found_t14_white_space_in_literals(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"a nova lantern b", "a # b"},          {"a nova\nlantern b", "a # b"},
        {"a nova\tlantern b", "a # b"},         {"a nova  lantern b", "a # b"},
        {"a nova \r\n  lantern b", "a # b"},    {"a nova\xC2\xA0lantern b", "a # b"},
        {"a nova\xE2\x80\x89 lantern", "a #"},  {"a novalantern b", "a novalantern b"},
        {"a nova lanter b", "a nova lanter b"},
    };
    CHECK("literal: 'nova lantern'", cases);
    CHECK("literal: \"nova \\n lantern\"", cases);
}

static void found_t14_unseen_characters(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"a vi\x01olet b", "a # b"},         {"a vio\x7Flet b", "a # b"},         {"a vi\xE2\xA0\x80olet b", "a # b"},
        {"a vi\xEF\xBF\xB9olet b", "a # b"}, {"a vi\xD2\x89olet b", "a # b"},     {"a v\xD2\x88iolet b", "a # b"},
        {"a vi\xC2\x80olet b", "a # b"},     {"a v\x1B\x1Bi\x02olet b", "a # b"}, {"a vi\nolet b", "a vi\nolet b"},
        {"a vi olet b", "a vi olet b"},
    };
    CHECK("literal: violet", cases);
    CHECK("regex: '\\bviolet\\b', match: folded", cases);
}

static void found_t14_greek_capitals(void **state)
{
    (void)state;
    static const struct look_case nova[] = {
        {"a \xCE\x9D\xCE\x9FVA b", "a # b"}, {"a NO\xCE\xBD\xCE\xB1 b", "a # b"}, {"a nova b", "a # b"}};
    static const struct look_case hymn[] = {
        {"a \xCE\x97\xCE\xA5\xCE\x9C\xCE\x9D b", "a # b"}, {"a HYMN b", "a # b"}, {"a hymns", "a #s"}};
    static const struct look_case greek[] = {{"\xCE\x9D\xCE\x9F\xCE\x9C\xCE\x9F\xCE\xA3", "#"},
                                             {"\xCE\xBD\xCE\xBF\xCE\xBC\xCE\xBF\xCF\x83", "#"}};
    CHECK("literal: nova", nova);
    CHECK("literal: hymn", hymn);
    CHECK("literal: \"\xCE\x9D\xCE\xBF\xCE\xBC\xCE\xBF\xCF\x83\"", greek);
}

static void found_t14_cards_beside_letters(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"card_4111111111111111 x", "card_# x"},
        {"4111111111111111_old", "#old"}, /* the character that shows the end belongs to it */
        {"4111111111111111is it", "#s it"},
        {"_4111 1111 1111 1111_", "_#"},
        {"x4111111111111111", "x4111111111111111"},
        {"41111111111111112", "41111111111111112"},
        {"id 94111111111111111", "id 94111111111111111"},
    };
    CHECK("builtin: card_number", cases);
}

static void found_t14_social_security_numbers(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"it is 219-09-9999.", "it is #."},
        {"it is 219 09 9999.", "it is #."},
        {"it is 219.09.9999.", "it is #."},
        {"it is 219  09  9999.", "it is #."},
        {"it is 219\xC2\xA0"
         "09\xC2\xA0"
         "9999.",
         "it is #."},
        {"it is 219\xE2\x80\x89"
         "09\xE2\x80\x89"
         "9999.",
         "it is #."},
        {"it is 219\xE2\x80\x91"
         "09\xE2\x80\x91"
         "9999.",
         "it is #."},
        {"it is 219\xE2\x80\x93"
         "09\xE2\x80\x93"
         "9999.",
         "it is #."},
        {"SSN_219-09-9999_x", "SSN_#x"},
        {"SSN219-09-9999", "SSN#"},
        {"SSN: 219099999", "#"},
        {"my ssn is 219099999, ok", "my #, ok"},
        {"Social Security number 219099999.", "#."},
        {"id 219099999", "id 219099999"},
        {"ssn 2190999991", "ssn 2190999991"},
        {"219-09 9999", "219-09 9999"},
        {"1219-09-9999", "1219-09-9999"},
        {"219-09-99991", "219-09-99991"},
        {"000-12-3456", "000-12-3456"},
    };
    CHECK("builtin: ssn", cases);
}

static void found_t14_account_numbers(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"to DE89370400440532013000 now", "to # now"},
        {"to DE89 3704 0044 0532 0130 00 now", "to # now"},
        {"to de89370400440532013000 now", "to # now"},
        {"to de89 3704 0044 0532 0130 00 now", "to # now"},
        {"to DE89-3704-0044-0532-0130-00 now", "to # now"},
        {"to DE89.3704.0044.0532.0130.00 now", "to # now"},
        {"to DE89  3704  0044  0532  0130  00 now", "to # now"},
        {"to DE89\xC2\xA0"
         "3704\xC2\xA0"
         "0044\xC2\xA0"
         "0532\xC2\xA0"
         "0130\xC2\xA0"
         "00 now",
         "to # now"},
        {"to DE89\xE2\x80\x91"
         "3704\xE2\x80\x91"
         "0044\xE2\x80\x91"
         "0532\xE2\x80\x91"
         "0130\xE2\x80\x91"
         "00.",
         "to #."},
        {"IBAN_DE89370400440532013000_x", "IBAN_#_x"},
        {"IBANDE89370400440532013000x", "IBAN#x"},
        {"GB82 WEST 1234 5698 7654 32", "#"},
        {"gb82 west 1234 5698 7654 32", "#"},
        {"DE89370400440532013001", "DE89370400440532013001"},
        {"ZZ89370400440532013000", "ZZ89370400440532013000"},
    };
    CHECK("builtin: iban", cases);
}

static void found_t14_keys_beside_letters(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"key_AKIAIOSFODNN7EXAMPLE", "key_#"},
        {"xAKIAIOSFODNN7EXAMPLEx", "x#x"},
        {"my_sk-abcdefghijklmnopqrstuv", "my_#"},
        {"keysk-Abcd1fghijklmnopqrstuv", "key#"},
        {"task-management-and-review-of-it", "task-management-and-review-of-it"},
        {"risk-assessment-2024-for-everyone", "risk-assessment-2024-for-everyone"},
        {"TOKENghp_abcdefghijklmnopqrstuvwxyz0123456789", "TOKEN#"},
    };
    CHECK("builtin: api_key", cases);
}

static void found_t14_addresses_with_other_letters(void **state)
{
    (void)state;
    static const struct look_case cases[] = {
        {"to j\xC3\xBCrgen@m\xC3\xBCller.de now", "to # now"},
        {"to \xC3\xBCmit@x.example now", "to # now"},
        {"to ju\xCC\x88rgen@mu\xCC\x88ller.de now", "to # now"},
        {"to \xD0\xB8\xD0\xB2\xD0\xB0\xD0\xBD@\xD0\xBF\xD0\xBE\xD1\x87\xD1\x82\xD0\xB0.\xD1\x80\xD1\x84 now",
         "to # now"},
        {"to bob@mail.example now", "to # now"},
        {"gr\xC3\xBC\xC3\x9F"
         "e, @all",
         "gr\xC3\xBC\xC3\x9F"
         "e, @all"},
    };
    CHECK("builtin: email", cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_t14_white_space_in_literals), cmocka_unit_test(found_t14_unseen_characters),
        cmocka_unit_test(found_t14_greek_capitals),          cmocka_unit_test(found_t14_cards_beside_letters),
        cmocka_unit_test(found_t14_social_security_numbers), cmocka_unit_test(found_t14_account_numbers),
        cmocka_unit_test(found_t14_keys_beside_letters),     cmocka_unit_test(found_t14_addresses_with_other_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
