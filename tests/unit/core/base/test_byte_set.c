/* Sets of bytes: at every alignment the search finds what a naive loop finds, and reads nothing outside the text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/byte_set.h"

enum { LEN_MAX = 64 };

#define IS_NONE(c) ((c) < 0)
#define IS_ANY(c) ((c) >= 0)
#define IS_MIXED(c) ((c) == '.' || (c) == 0 || ((c) >= 'a' && (c) <= 'f') || (c) == 0x7F || (c) >= 0xF8)
#define IS_LOW(c) ((c) < 0x20 || (c) == 0x80)
static const struct byte_set none = BYTE_SET(IS_NONE), any = BYTE_SET(IS_ANY), mixed = BYTE_SET(IS_MIXED),
                             low = BYTE_SET(IS_LOW);

static struct byte_set set_of(bool (*is)(int c))
{
    struct byte_set set = {0};
    for (int c = 0; c < 256; c++)
        if (is(c))
            byte_set_add(&set, (unsigned char)c);
    return set;
}

static bool is_none(int c)
{
    return IS_NONE(c);
}
static bool is_any(int c)
{
    return IS_ANY(c);
}
static bool is_mixed(int c)
{
    return IS_MIXED(c);
}
static bool is_low(int c)
{
    return IS_LOW(c);
}

static void fixed_sets_are_those_that_are_added_up(void **state)
{
    (void)state;
    struct byte_set sets[] = {set_of(is_none), set_of(is_any), set_of(is_mixed), set_of(is_low)};
    assert_memory_equal(&sets[0], &none, sizeof none);
    assert_memory_equal(&sets[1], &any, sizeof any);
    assert_memory_equal(&sets[2], &mixed, sizeof mixed);
    assert_memory_equal(&sets[3], &low, sizeof low);
}

static size_t skip_naively(const struct byte_set *set, struct span text)
{
    size_t at = 0;
    while (at < text.len && !set->has[(unsigned char)text.data[at]])
        at++;
    return at;
}

static void check(const struct byte_set *set, struct span text)
{
    size_t got = byte_set_skip(set, text), want = skip_naively(set, text);
    if (got != want)
        fail_msg("%zu bytes: skipped %zu, expected %zu", text.len, got, want);
}

/* Every length at every alignment, with a member at each place or nowhere, and members before and behind the text. The
 * text ends where its block of memory does. */
static void finds_the_first_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len++)
        for (size_t shift = 0; shift < BYTE_BLOCK; shift++) {
            char *memory = malloc(shift + len + 1);
            assert_non_null(memory);
            memset(memory, '.', shift + len + 1);
            char *text = memory + shift;
            for (size_t at = 0; at <= len; at++) {
                memset(text, 'x', len);
                text[at] = '.';
                check(&mixed, (struct span){text, len});
                if (len > 0)
                    text[len - 1] = '.';
                check(&mixed, (struct span){text, len});
            }
            free(memory);
        }
}

static void reads_nothing_behind_the_text(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len++) {
        char *text = malloc(len > 0 ? len : 1);
        assert_non_null(text);
        memset(text, 'x', len);
        assert_int_equal(byte_set_skip(&mixed, (struct span){text, len}), len);
        free(text);
    }
}

/* A set of one byte, or of all but one, against every byte. */
static void tells_all_bytes_apart(void **state)
{
    (void)state;
    for (unsigned member = 0; member < 256; member++) {
        struct byte_set one = {0}, others = {0};
        for (unsigned c = 0; c < 256; c++)
            byte_set_add(c == member ? &one : &others, (unsigned char)c);
        for (unsigned c = 0; c < 256; c++) {
            char text[2 * BYTE_BLOCK];
            memset(text, (int)c, sizeof text);
            check(&one, (struct span){text, sizeof text});
            check(&others, (struct span){text, sizeof text});
            memset(text, (int)member, sizeof text);
            text[BYTE_BLOCK + c % BYTE_BLOCK] = (char)c;
            check(&one, (struct span){text, sizeof text});
            check(&others, (struct span){text, sizeof text});
        }
    }
}

static void sets_of_none_and_of_all(void **state)
{
    (void)state;
    char text[LEN_MAX];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 37);
    for (size_t len = 0; len <= sizeof text; len++) {
        assert_int_equal(byte_set_skip(&none, (struct span){text, len}), len);
        assert_int_equal(byte_set_skip(&any, (struct span){text, len}), 0);
        check(&low, (struct span){text, len});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_sets_are_those_that_are_added_up),
        cmocka_unit_test(finds_the_first_wherever_it_stands),
        cmocka_unit_test(reads_nothing_behind_the_text),
        cmocka_unit_test(tells_all_bytes_apart),
        cmocka_unit_test(sets_of_none_and_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
