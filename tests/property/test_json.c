/* Property: JSON documents accept exactly the texts that jansson accepts, with the same values.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_json [CASES [FIRST-SEED]]     default 30000 from 1; REIN_LONG=1: 1000000
 *
 * A case is a random value with odd blanks, escapes, bytes and numbers, its keys from few so that some stand twice;
 * half of the texts are then damaged in up to three places. A failure prints its seed, which plays it again. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "jsonkit.h"

enum { TEXT_MAX = 1 << 14, PIECES = 7, NEST_MAX = 260 };

struct wild_text {
    struct dice dice;
    char text[TEXT_MAX];
    size_t len;
};

static void put_bytes(struct wild_text *w, const char *bytes, size_t len)
{
    if (w->len + len > sizeof w->text)
        return;
    memcpy(w->text + w->len, bytes, len);
    w->len += len;
}

static void put(struct wild_text *w, const char *text)
{
    put_bytes(w, text, strlen(text));
}

#define ONE_OF(w, list) ((list)[dice_below(&(w)->dice, sizeof(list) / sizeof *(list))])

static void put_blanks(struct wild_text *w)
{
    static const char *const blanks[] = {" ", "\n", "\t", "\r\n", "   ", "\n\n"};
    while (dice_chance(&w->dice, 15))
        put(w, ONE_OF(w, blanks));
}

static void put_unit(struct wild_text *w)
{
    static const char *const odd[] = {"\\u0000",        "\\ud83d",       "\\ude00", "\\ud83d\\ude00",
                                      "\\uDBFF\\uDFFF", "\\ud800x\\ud8", "\\uffff", "\\ud800\\ud800"};
    char unit[8];
    snprintf(unit, sizeof unit, dice_chance(&w->dice, 50) ? "\\u%04x" : "\\u%04X",
             (unsigned)dice_below(&w->dice, 0xD800));
    put(w, dice_chance(&w->dice, 6) ? ONE_OF(w, odd) : unit);
}

/* Now and then bytes that are not UTF-8, or no text at all. */
static void put_piece(struct wild_text *w)
{
    static const char *const plain[] = {"a", "b", "key", "some words, longer than a block", "/", "\x7f", "{[]}:,", "'"};
    static const char *const wide[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const escapes[] = {"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"};
    static const char *const bad[] = {
        "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82", "\x80", "\x01", "\x1f", "\n",
        "\\x",      "\\",           "\\u12g4"};
    size_t kind = dice_below(&w->dice, 100);
    if (kind < 55)
        put(w, ONE_OF(w, plain));
    else if (kind < 70)
        put(w, ONE_OF(w, wide));
    else if (kind < 85)
        put(w, ONE_OF(w, escapes));
    else if (kind < 99)
        put_unit(w);
    else if (dice_chance(&w->dice, 5))
        put_bytes(w, "\0", 1);
    else
        put(w, ONE_OF(w, bad));
}

static void put_string(struct wild_text *w)
{
    put(w, "\"");
    for (size_t n = dice_below(&w->dice, PIECES); n > 0; n--)
        put_piece(w);
    put(w, "\"");
}

static void put_digits(struct wild_text *w, size_t most)
{
    for (size_t n = 1 + dice_below(&w->dice, most); n > 0; n--)
        put_bytes(w, &"0123456789"[dice_below(&w->dice, 10)], 1);
}

/* Around the bounds, where the reading is decided by the last digit. */
static void put_edge(struct wild_text *w)
{
    static const char *const edges[] = {
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "17976931348623158.0793728971405303415079934132710037826936173e292",
        "17976931348623158.0793728971405303415079934132710037826936174e292",
        "-0.00017976931348623159e312",
        "4.9e-324",
        "1e-999999999999999999999",
        "1e999999999999999999999",
        "0.000e99999",
        "-0",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x10",
        "NaN",
        "Infinity",
    };
    put(w, ONE_OF(w, edges));
}

static void put_number(struct wild_text *w)
{
    if (dice_chance(&w->dice, 15)) {
        put_edge(w);
        return;
    }
    put(w, dice_chance(&w->dice, 30) ? "-" : "");
    put_bytes(w, &"123456789"[dice_below(&w->dice, 9)], 1);
    if (dice_chance(&w->dice, 50))
        put_digits(w, dice_chance(&w->dice, 10) ? 320 : 18);
    if (dice_chance(&w->dice, 30)) {
        put(w, ".");
        put_digits(w, 20);
    }
    if (dice_chance(&w->dice, 20)) {
        static const char *const marks[] = {"e", "E", "e+", "E-"};
        put(w, ONE_OF(w, marks));
        put_digits(w, 3);
    }
}

static void put_value(struct wild_text *w, unsigned depth);

static void put_key(struct wild_text *w)
{
    static const char *const few[] = {"\"a\"", "\"\\u0061\"", "\"b\"", "\"\"", "\"model\"", "\"mode\\u006C\""};
    char own[24];
    snprintf(own, sizeof own, "\"k%u\"", (unsigned)dice_below(&w->dice, 1000000));
    put_blanks(w);
    put(w, dice_chance(&w->dice, 4) ? ONE_OF(w, few) : own);
    put_blanks(w);
    put(w, ":");
}

static void put_list(struct wild_text *w, unsigned depth, bool is_object)
{
    size_t len = dice_chance(&w->dice, 3) ? dice_below(&w->dice, 60) : dice_below(&w->dice, 4);
    put(w, is_object ? "{" : "[");
    for (size_t i = 0; i < len; i++) {
        put(w, i > 0 ? "," : "");
        if (is_object)
            put_key(w);
        put_value(w, depth + 1);
    }
    put_blanks(w);
    put(w, is_object ? "}" : "]");
}

static void put_value(struct wild_text *w, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t kind = dice_below(&w->dice, depth < 5 ? 10 : 6);
    put_blanks(w);
    if (kind < 2)
        put_number(w);
    else if (kind < 5)
        put_string(w);
    else if (kind < 6)
        put(w, ONE_OF(w, words));
    else
        put_list(w, depth, kind < 8);
    put_blanks(w);
}

static void put_nest(struct wild_text *w)
{
    size_t depth = dice_below(&w->dice, NEST_MAX);
    for (size_t i = 0; i < depth; i++)
        put(w, "[");
    for (size_t i = 0; i < depth + dice_below(&w->dice, 2); i++)
        put(w, "]");
}

static void damage(struct wild_text *w)
{
    static const char marks[] = "\"\\{}[]:,0-.eEtfn u\x80\xc3\n";
    size_t at = dice_below(&w->dice, w->len);
    switch (dice_below(&w->dice, 4)) {
    case 0:
        w->text[at] = marks[dice_below(&w->dice, sizeof marks)];
        break;
    case 1:
        w->text[at] = (char)dice_below(&w->dice, 256);
        break;
    case 2:
        memmove(w->text + at, w->text + at + 1, w->len - at - 1);
        w->len--;
        break;
    default:
        w->len = at;
    }
}

static void make_text(struct wild_text *w, uint64_t seed)
{
    w->dice = dice_of(seed);
    w->len = 0;
    if (dice_chance(&w->dice, 2))
        put_nest(w);
    else if (dice_chance(&w->dice, 5))
        put_value(w, 0);
    else
        put_list(w, 0, dice_chance(&w->dice, 70));
    for (size_t n = dice_chance(&w->dice, 50) ? dice_below(&w->dice, 4) : 0; n > 0 && w->len > 0; n--)
        damage(w);
}

static uint64_t cases = 30000, first_seed = 1;

static void test_reads_what_jansson_reads(void **state)
{
    (void)state;
    static struct wild_text w;
    uint64_t good = 0;
    for (uint64_t seed = first_seed; seed < first_seed + cases; seed++) {
        bool accepted;
        make_text(&w, seed);
        char *exact = malloc(w.len > 0 ? w.len : 1); /* so that a byte too far is seen */
        assert_non_null(exact);
        memcpy(exact, w.text, w.len);
        if (json_text_differs(exact, w.len, &accepted)) {
            fwrite(exact, 1, w.len, stderr);
            fail_msg("seed %" PRIu64, seed);
        }
        good += accepted;
        free(exact);
    }
    printf("%" PRIu64 " of %" PRIu64 " texts were accepted\n", good, cases);
    if (cases >= 1000 && (good < cases / 4 || good > cases * 3 / 4))
        fail_msg("%" PRIu64 " of %" PRIu64 " texts were accepted: no fair mix", good, cases);
}

int main(int argc, char **argv)
{
    if (getenv("REIN_LONG") != NULL)
        cases = 1000000;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_what_jansson_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
