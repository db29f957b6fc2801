/* Placeholders: what they look like, where they are found in an answer at every cut, and where not (links).
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mask/restore.h"
#include "tracekit.h"

static const unsigned char key[DIGEST_KEY] = "a key of the client, 32 bytes";
static struct rein_policy *policy;

static int set_up(void **state)
{
    (void)state;
    policy = kit_policy(
        "version: 1\nname: m\nrules:\n"
        "  - { id: card-number, channels: [prompt], builtin: card_number, action: redact, restore: true }\n"
        "  - { id: a-name-that-is-longer-than-a-label, channels: [prompt], regex: 'no[0-9]{3}', action: "
        "redact, restore: true }\n"
        "  - { id: final, channels: [prompt], regex: 'gone[0-9]', action: redact }\n"
        "  - { id: vowels, channels: [answer], regex: '[0-9A-Z]*A[0-9A-Z]*', max_bytes: 20, action: refuse }\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rein_policy_unref(policy);
    return 0;
}

static struct mask_set *new_set(const unsigned char *with)
{
    struct mask_set *set;
    assert_int_equal(mask_set_new(&set, policy, with), 0);
    return set;
}

static struct span name_of(struct mask_set *set, uint16_t rule, const char *value)
{
    struct span name;
    assert_int_equal(mask_set_name(set, rule, (struct span){value, strlen(value)}, &name), 0);
    return name;
}

static void is_short_stable_and_of_its_rule(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key), *again = new_set(key);
    struct span name = name_of(set, 0, "4111 1111 1111 1111");
    assert_int_equal(name.len, strlen("[card-number:K7QX2M9A]"));
    assert_memory_equal(name.data, "[card-number:", 13);
    assert_int_equal(strspn(name.data + 13, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"), MASK_CODE);
    assert_int_equal(name.data[name.len - 1], ']');
    assert_true(span_is(name, name_of(set, 0, "4111 1111 1111 1111")));
    assert_int_equal(set->len, 1);
    (void)name_of(again, 0, "4242 4242 4242 4242");
    assert_true(span_is(name, name_of(again, 0, "4111 1111 1111 1111")));
    assert_false(span_is(name, name_of(again, 0, "4242 4242 4242 4242")));
    assert_int_equal(name_of(set, 1, "no123").len, MASK_NAME_MAX);
    assert_int_equal(name_of(set, 2, "gone1").len, 0);
    mask_set_free(set);
    mask_set_free(again);
}

static void is_another_for_another_key_and_none_without(void **state)
{
    (void)state;
    static const unsigned char other[DIGEST_KEY] = "another one";
    struct mask_set *mine = new_set(key), *theirs = new_set(other), *none = new_set(NULL);
    assert_false(span_is(name_of(mine, 0, "4111111111111111"), name_of(theirs, 0, "4111111111111111")));
    assert_int_equal(name_of(none, 0, "4111111111111111").len, 0);
    mask_set_free(mine);
    mask_set_free(theirs);
    mask_set_free(none);
}

/* Half of all codes have an A, which a rule of the answer refuses. */
static void is_found_by_no_rule_and_shared_by_no_values(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key);
    for (unsigned i = 0; i < 2000; i++) {
        char value[16];
        snprintf(value, sizeof value, "no%u", i);
        struct span name = name_of(set, 1, value);
        assert_null(memchr(name.data + name.len - MASK_CODE - 1, 'A', MASK_CODE));
    }
    assert_int_equal(set->len, 2000);
    for (size_t i = 1; i < set->len; i++)
        assert_false(span_is(set->values[i - 1].name, set->values[i].name));
    mask_set_free(set);
}

static void has_a_ceiling(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key);
    for (unsigned i = 0; i < MASK_VALUES_MAX + 10; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", i);
        assert_int_equal(name_of(set, 0, value).len == 0, i >= MASK_VALUES_MAX);
    }
    assert_int_equal(set->len, MASK_VALUES_MAX);
    mask_set_free(set);
}

/* ---- finding ---- */

/* The text with `V` in the place of each placeholder that is found, read in pieces of `piece` bytes. */
static void put_back(const struct mask_set *set, const char *text, size_t piece, char *out)
{
    struct restore r;
    size_t len = strlen(text), shown = 0, out_len = 0;
    uint64_t hold_before = 0;
    restore_init(&r, set);
    for (size_t at = 0; at < len;) {
        struct restored found;
        size_t room = piece - at % piece, left = len - at;
        at += restore_feed(&r, (struct span){text + at, left < room ? left : room}, &found);
        assert_true(restore_hold(&r) >= hold_before && r.at == at);
        hold_before = restore_hold(&r);
        if (found.end == 0)
            continue;
        out_len += (size_t)sprintf(out + out_len, "%.*sV", (int)(found.start - shown), text + shown);
        shown = (size_t)found.end;
        assert_int_equal(shown, at);
    }
    strcpy(out + out_len, text + shown);
}

static void expect(const struct mask_set *set, const char *format, const char *wanted)
{
    char text[512], out[512];
    struct span name = set->values[0].name;
    size_t len = 0;
    for (const char *at = format; *at != '\0'; at++)
        len += (size_t)(*at == '@' ? sprintf(text + len, "%.*s", (int)name.len, name.data)
                                   : sprintf(text + len, "%c", *at));
    char spelled[512];
    len = 0;
    for (const char *at = wanted; *at != '\0'; at++)
        len += (size_t)(*at == '@' ? sprintf(spelled + len, "%.*s", (int)name.len, name.data)
                                   : sprintf(spelled + len, "%c", *at));
    for (size_t piece = 1; piece < 40; piece++) {
        put_back(set, text, piece, out);
        assert_string_equal(out, spelled);
    }
}

static void comes_back_where_it_stands_exactly(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key);
    (void)name_of(set, 0, "4111111111111111");
    static const char *const cases[][2] = {
        {"@", "V"},
        {"It is @.", "It is V."},
        {"@@ and @", "VV and V"},
        {"[@]", "[V]"},
        {"[[[@]]]", "[[[V]]]"},
        {"[card-number:@", "[card-number:V"},
        {"`@` **@** \"@\" (@) <@>", "`V` **V** \"V\" (V) <V>"},
        {"[card-number:AAAAAAAA] [card-number:] [card-number]", "[card-number:AAAAAAAA] [card-number:] [card-number]"},
        {"card:@, e-mail:@", "card:V, e-mail:V"},
        {"a=@&b=@", "a=V&b=V"},
        {"1. e.g. @ i.e. @", "1. e.g. V i.e. V"},
        {"5 < 6 and @", "5 < 6 and V"},
        {"@: the first\n\n@: the second", "V: the first\n\nV: the second"},
        {"[x](http://h/y) @", "[x](http://h/y) V"},
        {"<b>@</b> @", "<b>V</b> V"},
        {"http://h/y\n@", "http://h/y\nV"},
        {"<style>a{}</style> @", "<style>a{}</style> V"},
        {"<styled> @", "<styled> V"},
        {"https://h/ @", "https://h/ V"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(set, cases[i][0], cases[i][1]);
    mask_set_free(set);
}

static void does_not_come_back_in_links(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key);
    (void)name_of(set, 0, "4111111111111111");
    static const char *const cases[] = {
        "![a](https://h.example/?q=@)",
        "![a](https://h.example/x(1)?q=@)",
        "[a](@)",
        "[a]( <h @> )",
        "[a](h \"@\")",
        "[a](\nh @",
        "![a](<//h/ @>)",
        "[a](<h) @>",
        "https://h.example/@",
        "HTTPS:\\\\h\\@",
        "(see https://h.example/@)",
        "http:h/@",
        "//h.example/@",
        "www.h.example/@",
        "h.example/?q=@",
        "xn--h.example/@",
        "data:text/html,@",
        "mailto:a?body=@",
        "[a]: @",
        "[a]:\n  <x @>",
        "<img src=\"https://h/ @\">",
        "<img src='https://h/\n\n@'>",
        "<img alt=\">\" src=\"//h/ @\">",
        "<a href=@>",
        "<a\nhref = @ >",
        "<https://h/@>",
        "<style>a{background:url(\"//h/ @\")}",
        "url( @ )",
        "<style>@import \"//h/? @\"",
        "<SCRIPT async>f('//h/', '@')",
        "[x](a\\) @)",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(set, cases[i], cases[i]);
    mask_set_free(set);
}

/* In a value of JSON, which programs read: one that begins with a URL is one, blanks or not. */
static void a_value_that_begins_with_a_url_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_back;
    } cases[] = {
        {"https://h/? ", false}, {" //h/? a ", false}, {"www.h.d a ", false}, {"see https://h/ ", true}, {"a ", true}};
    struct mask_set *set = new_set(key);
    struct span name = name_of(set, 0, "4111111111111111");
    struct restore r;
    struct restored found;
    restore_init(&r, set);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].text);
        restore_begin(&r, false);
        assert_int_equal(restore_feed(&r, (struct span){cases[i].text, len}, &found), len);
        assert_int_equal(restore_feed(&r, name, &found), name.len);
        assert_int_equal(found.end != 0, cases[i].is_back);
    }
    restore_begin(&r, true);
    assert_int_equal(restore_feed(&r, name, &found), name.len);
    assert_int_equal(found.end, 0);
    mask_set_free(set);
}

static void holds_exactly_what_may_become_one(void **state)
{
    (void)state;
    struct mask_set *set = new_set(key);
    (void)name_of(set, 0, "4111111111111111");
    (void)name_of(set, 0, "4242424242424242");
    struct span name = set->values[0].name;
    for (size_t cut = 0; cut < name.len; cut++) {
        struct restore r;
        struct restored found;
        restore_init(&r, set);
        assert_int_equal(restore_feed(&r, SPAN("ab "), &found), 3);
        assert_int_equal(restore_feed(&r, (struct span){name.data, cut}, &found), cut);
        assert_int_equal(restore_hold(&r), 3);
        assert_int_equal(restore_feed(&r, SPAN("~"), &found), 1);
        assert_int_equal(restore_hold(&r), 4 + cut);
    }
    mask_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_short_stable_and_of_its_rule),
        cmocka_unit_test(is_another_for_another_key_and_none_without),
        cmocka_unit_test(is_found_by_no_rule_and_shared_by_no_values),
        cmocka_unit_test(has_a_ceiling),
        cmocka_unit_test(comes_back_where_it_stands_exactly),
        cmocka_unit_test(does_not_come_back_in_links),
        cmocka_unit_test(a_value_that_begins_with_a_url_is_one),
        cmocka_unit_test(holds_exactly_what_may_become_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
