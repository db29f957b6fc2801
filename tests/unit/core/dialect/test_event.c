/* Reading payloads: every text in its place, nothing but valid JSON, and the same result with stencils and without.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "describe.h"
#include "dialect/dialect.h"
#include "dialect/event.h"

static struct event_reader *new_reader(void)
{
    struct event_reader *r = NULL;
    assert_int_equal(event_reader_new(&r, dialect_find(REIN_OPENAI_CHAT), NULL), 0);
    return r;
}

/* Reads from a copy that ends where the payload ends, so that a look beyond it is found. */
static int read_copy(struct event_reader *r, struct span payload, bool body, struct description *out)
{
    char *copy = malloc(payload.len + 1);
    assert_non_null(copy);
    memcpy(copy, payload.data, payload.len);
    char *exact = realloc(copy, payload.len > 0 ? payload.len : 1);
    assert_non_null(exact);
    const struct event *delta = NULL;
    int rv = event_read(r, (struct span){exact, payload.len}, body, &delta);
    out->text[0] = '\0';
    if (rv == 0)
        describe(out, (struct span){exact, payload.len}, delta);
    free(exact);
    return rv;
}

static struct span text(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* ---- what is found ------------------------------------------------------------------------------------------------
 */

struct row {
    const char *payload, *expected;
};

static void check_rows(const struct row *rows, size_t len, bool body)
{
    static struct description d;
    for (size_t i = 0; i < len; i++) {
        struct event_reader *r = new_reader();
        int rv = read_copy(r, text(rows[i].payload), body, &d);
        if (rv != 0)
            print_message("%s\n", rows[i].payload);
        assert_int_equal(rv, 0);
        assert_string_equal(d.text, rows[i].expected);
        event_reader_free(r);
    }
}

#define CHECK(rows, body) check_rows((rows), sizeof(rows) / sizeof((rows)[0]), (body))

static void test_texts_have_their_places(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{}", "no choices=\n"},
        {"{\"choices\":[]}", ""},
        {"{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
         "\"delta\":{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"why\"},\"logprobs\":null,"
         "\"finish_reason\":null}],\"usage\":null}",
         "0o other 0w=c1\n0o other 0w=m\n0r reasoning_content "
         "0=why\nchoice=0\nrole=\"role\":\"assistant\",\nid=\"c1\"\n"},
        {"{\"choices\":[{\"delta\":{\"content\":\"so\",\"reasoning\":\"why\"},\"finish_reason\":\"stop\",\"index\":3}]"
         "}",
         "3r reasoning 0=why\n3a content 0=so\nchoice=3\nfinish=\"stop\"\n"},
        {"{\"choices\":[{\"index\":1,\"delta\":{}},{\"index\":0,\"delta\":{\"content\":\"x\"}}]}",
         "0a content 0=x\nchoice=1\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"index\":null,\"delta\":{\"content\":\"b\"}}]}",
         "0a content 0=a\n1a content 0=b\nchoice=0\nchoice=1\n"},
        {"{\"choices\":[{\"index\":0,\"text\":\"t\",\"delta\":{\"content\":\"t\"}}]}",
         "0a text 0=t\n0a content 0=t\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
         "\"w\"}]"
         ",\"closed\":true},{\"type\":\"text\",\"text\":\"so\"},\"plain\"]}}]}",
         "0r thinking_part 0=w\n0a content 0=so\n0a content 0=plain\n0o other 0wk=closed\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"text\":\"late\",\"type\":\"thinking\"}]}}]}",
         "0r thinking_part 0=late\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"refusal\":\"no\",\"thinking\":\"t\",\"reasoning_text\":\"r\"}}]}",
         "0r thinking 0=t\n0r r_text 0=r\n0a refusal 0=no\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"thinking_more\":\"t\",\"reasoning\":\"r\"}}]}",
         "0r thought 0=t\n0r reasoning 0=r\n0o other 0wk=thinking_more\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"t\",\"index\":0},"
         "{\"type\":\"reasoning.summary\",\"summary\":\"s\"},{\"data\":\"ZZ\"}],\"content\":\"\"}}]}",
         "0r d_text 0=t\n0r d_summary 0=s\n0a content 0=\n0o other 0w=reasoning.text\n0o other 0w=reasoning.summary\n"
         "0o other 0w=ZZ\nchoice=0\n"},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\",\"name\":\"f\"},\"id\":\"c\","
         "\"type\":\"function\",\"index\":2},{\"custom\":{\"name\":\"g\",\"input\":\"i\"}}]}}]}",
         "0T arguments 2={\n0T input 1=i\n0o name 2=f\n0o other 2w=c\n0o name 1=g\nchoice+tools=0\n"},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{\"a\":\"b\"}}}]}}]}",
         "0T arguments 0wk=a\n0T arguments 0w=b\nchoice+tools=0\n"},
        {"{\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"a\"},\"tool_calls\":[]}}]}",
         "0T function_call 0=a\n0o name 0=f\nchoice+tools=0\n"},
        {"{\"choices\":[{\"delta\":{\"audio\":{\"id\":\"a\",\"data\":\"QQ\",\"transcript\":\"said\"}}}]}",
         "0a transcript 0=said\n0o other 0w=a\n0o other 0w=QQ\nchoice=0\n"},
        {"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{\"token\":\"a\"}]},"
         "\"token_ids\":[5]}]}",
         "0a content 0=a\n0o spelled 0w=a\nchoice=0\nspelled=,\"logprobs\":{\"content\":[{\"token\":\"a\"}]}\n"
         "spelled=,\"token_ids\":[5]\n"},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\",\"token_id\":7},\"logprobs\":null,\"token_ids\":null}]}",
         "0a content 0=a\nchoice=0\nspelled=,\"token_id\":7\n"},
        {"{\"choices\":[{\"delta\":{\"role\":\"wizard\",\"extra\":{\"note\":\"n\"}},\"finish_reason\":\"odd\"}]}",
         "0o other 0w=wizard\n0o other 0wk=extra\n0o other 0wk=note\n0o other 0w=n\n0o other 0w=odd\nchoice=0\n"
         "finish=\"odd\"\nrole=\"role\":\"wizard\",\n"},
        {"{\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"\"}]}",
         "0a content 0=x\n0o other 0w=\nchoice=0\nno finish=\"\"\n"},
        {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9,\"completion_tokens_details\":"
         "{\"reasoning_tokens\":4}},\"id\":\"i\"}",
         "0o other 0w=i\nid=\"i\"\nusage=\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":9,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":4}},\nprompt=3\ncompletion=9\nreasoned=4\n"},
        {"{\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2.5}}}",
         "0o other 0w=r\nno choices=\nprompt=1\n"},
        {"{\"error\":{\"message\":\"bad\",\"failed_generation\":\"gen\"}}",
         "0o other 0w=bad\n0o other 0w=gen\nno choices=\nerror=\"error\":{\"message\":\"bad\",\"failed_generation\":"
         "\"gen\"}\n"},
        {"{\"id\":\"i\" , \"error\" : null }", "0o other 0w=i\nno choices=\nno error=, \"error\" : null\nid=\"i\"\n"},
        {"{\"choices\":[{\"delta\":{\"c\\u006fntent\":\"x\",\"\\u0072ole\":\"assistant\"}}]}",
         "0a content 0=x\nchoice=0\nrole=,\"\\u0072ole\":\"assistant\"\n"},
        {"{\"choices\":[{\"message\":{\"content\":\"whole\"},\"delta\":{\"content\":\"part\"}}]}",
         "0a content 0+=whole\n0a content 0=part\nchoice=0\n"},
        {"{\"prompt_logprobs\":[{\"9\":{\"decoded_token\":\"x\"}}]}",
         "0o other 0wk=9\n0o other 0w=x\nno choices=\nprompt_logprobs=\"prompt_logprobs\":[{\"9\":{\"decoded_token\":"
         "\"x\"}}]\n"},
        {"{\"choices\":{\"a\":\"b\"},\"obfuscation\":\"zz\"}", "0o other 0wk=a\n0o other 0w=b\n0o noise 0w=zz\n"},
        {"{\"choices\":[\"s\",7,null]}", "0o other 0w=s\n0o other 0wn=7\n"},
    };
    CHECK(rows, false);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"id\":\"b\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
         "\"content\":\"so\",\"reasoning_content\":\"why\"},\"finish_reason\":\"length\"}],\"usage\":"
         "{\"completion_tokens\":1}}",
         "0o other 0w=b\n0r reasoning_content 0=why\n0a content 0=so\nchoice=0\nfinish=\"length\"\n"
         "role=\"role\":\"assistant\",\nid=\"b\"\nusage=,\"usage\":{\"completion_tokens\":1}\ncompletion=1\n"},
        {"\n\n {\"choices\":[{\"delta\":{\"content\":\"part\"},\"message\":{\"content\":\"whole\"}}]}\n",
         "0a content 0+=part\n0a content 0=whole\nchoice=0\n"},
    };
    CHECK(rows, true);
}

/* ---- what is refused ----------------------------------------------------------------------------------------------
 */

static void check_refused(const char *payload)
{
    static struct description d;
    struct event_reader *r = new_reader();
    int rv = read_copy(r, text(payload), false, &d);
    if (rv != REIN_EFORMAT)
        print_message("not refused: %s\n", payload);
    assert_int_equal(rv, REIN_EFORMAT);
    event_reader_free(r);
}

static void test_refuses_what_is_no_json_object(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "",
        " ",
        "[]",
        "\"s\"",
        "1",
        "null",
        "[DONE]",
        "{",
        "}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":+1}",
        "{\"a\":0x1}",
        "{\"a\":NAN}",
        "{\"a\":tru}",
        "{\"a\":nulll}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u123\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "{\"a\":\"b}",
        "{\"a\":\"b\\",
        "{\"a\":[}",
        "{\"a\":{]}",
        "\xEF\xBB\xBF{}",
        "{\"a\":1/*c*/}",
        "{\"a\":\"\\u\"}",
        "{\"a\":--1}",
    };
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        check_refused(payloads[i]);
}

static void test_refuses_known_keys_that_come_twice(void **state)
{
    (void)state;
    check_refused("{\"choices\":[],\"choices\":[]}");
    check_refused("{\"id\":\"a\",\"id\":\"b\"}");
    check_refused("{\"model\":\"a\",\"model\":\"b\"}");
    check_refused("{\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"b\"}}]}");
    check_refused("{\"choices\":[{\"delta\":{\"content\":\"a\",\"c\\u006fntent\":\"b\"}}]}");
    check_refused("{\"choices\":[{\"index\":0,\"index\":1}]}");
    check_refused("{\"choices\":[{\"delta\":{},\"delta\":{}}]}");
    check_refused(
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"\",\"arguments\":\"\"}}]}}]}");
    check_refused("{\"usage\":{\"prompt_tokens\":1,\"prompt_tokens\":2}}");
}

static void test_refuses_high_indexes(void **state)
{
    (void)state;
    check_refused("{\"choices\":[{\"index\":32}]}");
    check_refused("{\"choices\":[{\"index\":4e1}]}");
    check_refused("{\"choices\":[{\"index\":32.0}]}");
    check_refused("{\"choices\":[{\"index\":\"32\"}]}");
    check_refused("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":16384}]}}]}");
}

/* Writes `open` n times, `middle`, `close` n times. */
static char *nest(const char *open, const char *middle, const char *close, size_t n)
{
    size_t size = n * (strlen(open) + strlen(close)) + strlen(middle) + 64;
    char *json = malloc(size), *end = json;
    assert_non_null(json);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, open);
    end = stpcpy(end, middle);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, close);
    return json;
}

static void test_depth_and_counts_have_ceilings(void **state)
{
    (void)state;
    static struct description d;
    struct event_reader *r = new_reader();
    for (size_t depth = EVENT_DEPTH_MAX - 1; depth <= EVENT_DEPTH_MAX; depth++) {
        char *inner = nest("[", "1", "]", depth), *json = malloc(strlen(inner) + 16);
        assert_non_null(json);
        sprintf(json, "{\"data\":%s}", inner);
        assert_int_equal(read_copy(r, text(json), false, &d), depth < EVENT_DEPTH_MAX ? 0 : REIN_EFORMAT);
        free(inner);
        free(json);
    }
    for (size_t n = EVENT_PIECES_MAX; n <= EVENT_PIECES_MAX + 1; n++) {
        char *json = nest("\"x\",", "true", "", n), *object = malloc(strlen(json) + 16);
        assert_non_null(object);
        sprintf(object, "{\"data\":[%s]}", json);
        const struct event *delta = NULL;
        assert_int_equal(event_read(r, text(object), false, &delta), n == EVENT_PIECES_MAX ? 0 : REIN_EFORMAT);
        assert_int_equal(event_read(r, text(object), true, &delta), n == EVENT_PIECES_MAX ? 0 : REIN_EFORMAT);
        free(json);
        free(object);
    }
    char *choices = nest("{},", "{}", "", REIN_CHOICES_MAX), *object = malloc(strlen(choices) + 32);
    assert_non_null(object);
    sprintf(object, "{\"choices\":[%s]}", choices);
    assert_int_equal(read_copy(r, text(object), false, &d), REIN_EFORMAT);
    free(choices);
    free(object);
    event_reader_free(r);
}

/* Each beginning of an event, and each with one byte changed, is read without a look beyond it. */
static void test_broken_events(void **state)
{
    (void)state;
    static struct description d;
    static const char payload[] =
        "{\"id\":\"x\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"a\\u00e9\\n\"}],\"tool_calls\":[{\"index\":1,\"function\":{"
        "\"arguments\":\"{}\"}}]},\"index\":0,\"logprobs\":{\"v\":-1.5e+3},\"finish_reason\":"
        "\"stop\"}],\"usage\":{\"prompt_tokens\":12},\"error\":null}";
    struct event_reader *r = new_reader();
    for (size_t len = 0; len < sizeof(payload) - 1; len++)
        assert_int_equal(read_copy(r, (struct span){payload, len}, false, &d), REIN_EFORMAT);
    assert_int_equal(read_copy(r, text(payload), false, &d), 0);
    for (size_t at = 0; at < sizeof(payload) - 1; at++) {
        static const char bytes[] = "\"\\{}[],:0nx\x01\xFF ";
        for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
            char copy[sizeof(payload)];
            memcpy(copy, payload, sizeof(copy));
            copy[at] = bytes[i];
            int rv = read_copy(r, (struct span){copy, sizeof(copy) - 1}, false, &d);
            assert_true(rv == 0 || rv == REIN_EFORMAT);
        }
    }
    event_reader_free(r);
}

/* ---- stencils -----------------------------------------------------------------------------------------------------
 */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* Shapes of events; each %s is a string's inside. */
static const char *const shapes[] = {
    "{\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"%s\"},\"finish_"
    "reason\":"
    "null}],\"usage\":null}",
    "{\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\",\"reasoning_content\":null},\"finish_"
    "reason\":"
    "null}],\"usage\":null}",
    "{\"choices\":[{\"finish_reason\":null,\"delta\":{\"content\":\"%s\"},\"index\":1}],\"id\":\"late\",\"object\":"
    "\"x\"}",
    "{\"choices\":[{\"index\":0,\"text\":\"%s\",\"delta\":{\"role\":\"assistant\",\"content\":\"%s\"}}],\"model\":"
    "\"m\"}",
    "{\"choices\":[{\"delta\":{\"content\":\"%s\",\"reasoning\":\"%s\"},\"index\":0}],\"obfuscation\":\"%s\"}",
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"%s\"}}]}}]}",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
    "tokens\":"
    "5,\"note\":\"%s\"}}",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":{\"content\":[{\"token\":\"%s\"}]}}]}",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}},{\"delta\":{\"content\":\"%s\"},\"index\":1}]}",
    "{\"error\":{\"message\":\"%s\"}}",
    "{\"%s\":\"%s\"}",
};
static const char *const insides[] = {
    "",   "a",  " word", "\\u00e9", "\\\"quoted\\\"",   "\\ud83d", "\\\\",  "\xC3\xA9", "\xFF", "\",\"b\":\"",
    "\\", "\n", "\\q",   "index",   "longer than that", "\"",      "\\u12", "}"};

/* One event in a hundred has a byte changed. */
static size_t make_event(unsigned *seed, char *out, size_t size)
{
    const char *s[4];
    for (int i = 0; i < 4; i++)
        s[i] = insides[next_random(seed) % (sizeof(insides) / sizeof(insides[0]))];
    const char *shape = shapes[next_random(seed) % (sizeof(shapes) / sizeof(shapes[0]))];
    size_t len = 0, hole = 0;
    for (const char *at = shape; *at != '\0' && len + 32 < size; at++) {
        if (at[0] == '%' && at[1] == 's') {
            len += (size_t)snprintf(out + len, size - len, "%s", s[hole++ % 4]);
            at++;
        } else {
            out[len++] = *at;
        }
    }
    if (next_random(seed) % 100 == 0)
        out[next_random(seed) % len] = "\"x{}\\,"[next_random(seed) % 6];
    return len;
}

static void test_stencils_change_nothing(void **state)
{
    (void)state;
    static struct description with, without;
    size_t events = 0, seen = 0;
    for (unsigned start = 1; start <= 60; start++) {
        unsigned seed = start * 977;
        struct event_reader *r = new_reader();
        for (int i = 0; i < 400; i++) {
            char event[512];
            struct span payload = {event, make_event(&seed, event, sizeof(event))};
            struct event_reader *fresh = new_reader();
            int rv = read_copy(r, payload, false, &with), rv_fresh = read_copy(fresh, payload, false, &without);
            assert_int_equal(rv, rv_fresh);
            assert_string_equal(with.text, without.text);
            event_reader_free(fresh);
            const struct event *d = NULL;
            if (event_read(r, payload, false, &d) == 0)
                for (size_t p = 0; p < d->pieces_len; p++)
                    seen += d->pieces[p].seen;
            events++;
        }
        event_reader_free(r);
    }
    assert_int_equal(events, 24000);
    assert_true(seen > 1000);
}

static void test_seen_pieces_stood_there_before(void **state)
{
    (void)state;
    struct event_reader *r = new_reader();
    const struct event *d = NULL;
    static const char *const events[] = {
        "{\"id\":\"a\",\"created\":1,\"model\":\"m\"}",
        "{\"id\":\"a\",\"created\":2,\"model\":\"m\"}",
        "{\"id\":\"b\",\"created\":2,\"model\":\"m\"}",
        "{\"id\":\"b\",\"created\":2,\"model\":\"m\"}",
    };
    static const bool id_seen[] = {false, true, false, true}, model_seen[] = {false, true, true, true};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(event_read(r, text(events[i]), false, &d), 0);
        assert_int_equal(d->pieces_len, 2);
        assert_int_equal(d->pieces[0].seen, id_seen[i]);
        assert_int_equal(d->pieces[1].seen, model_seen[i]);
    }
    event_reader_free(r);
}

/* ---- what is taken out ---- */

/* Takes the ranges out, which are in order. */
static size_t take_out(struct span payload, const struct range *ranges, size_t len, char *out)
{
    size_t at = 0, to = 0;
    for (size_t i = 0; i < len; i++) {
        if (ranges[i].len == 0)
            continue;
        assert_true(ranges[i].at >= at);
        memcpy(out + to, payload.data + at, ranges[i].at - at);
        to += ranges[i].at - at;
        at = ranges[i].at + ranges[i].len;
    }
    memcpy(out + to, payload.data + at, payload.len - at);
    return to + payload.len - at;
}

/* Whatever the order of a choice's members, without those that spell the text out it is valid, and says the rest. */
static void test_members_can_be_taken_out(void **state)
{
    (void)state;
    static const char *const members[] = {"\"logprobs\":{\"t\":[\"a\"]}", "\"token_ids\" : [1,2]", "\"index\":0",
                                          "\"delta\":{\"content\":\"x\",\"token_id\":9}", "\"seed\":null"};
    unsigned seed = 5;
    for (int round = 0; round < 2000; round++) {
        char json[512], left[512];
        size_t len = (size_t)snprintf(json, sizeof(json), "{\"choices\":[{");
        unsigned used = 0;
        for (unsigned n = next_random(&seed) % 6; n > 0; n--) {
            unsigned which = next_random(&seed) % 5;
            if (used & 1u << which)
                continue;
            len += (size_t)snprintf(json + len, sizeof(json) - len, "%s%s", used != 0 ? " , " : " ", members[which]);
            used |= 1u << which;
        }
        len += (size_t)snprintf(json + len, sizeof(json) - len, " }]}");
        struct event_reader *r = new_reader();
        const struct event *d = NULL;
        assert_int_equal(event_read(r, (struct span){json, len}, false, &d), 0);
        const struct event_part *c = &d->parts[0];
        const struct range spelled[] = {c->spelled[0], c->spelled[1], c->spelled[2]};
        size_t texts = 0, left_texts = 0;
        for (size_t i = 0; i < d->pieces_len; i++)
            texts += d->pieces[i].place.kind != PIECE_WHOLE;
        size_t left_len = take_out((struct span){json, len}, spelled, 3, left);
        int rv = event_read(r, (struct span){left, left_len}, false, &d);
        if (rv != 0)
            print_message("%s\n%.*s\n", json, (int)left_len, left);
        assert_int_equal(rv, 0);
        assert_int_equal(d->parts[0].spelled[0].len, 0);
        for (size_t i = 0; i < d->pieces_len; i++)
            left_texts += d->pieces[i].place.kind != PIECE_WHOLE;
        assert_int_equal(left_texts, texts);
        assert_int_equal(d->pieces_len, texts);
        event_reader_free(r);
    }
}

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

static unsigned allocations, fails_at;

static void *failing_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return ++allocations == fails_at ? NULL : realloc(block, size);
}

static void plain_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

/* A stream with small and large events, and a body. */
static int read_all(void)
{
    struct event_reader *r = NULL;
    const struct event *d = NULL;
    int rv = event_reader_new(&r, dialect_find(REIN_OPENAI_CHAT), NULL);
    unsigned seed = 3;
    for (int i = 0; rv == 0 && i < 40; i++) {
        char event[512];
        struct span payload = {event, make_event(&seed, event, sizeof(event))};
        rv = event_read(r, payload, i % 10 == 9, &d);
        rv = rv == REIN_EFORMAT ? 0 : rv;
    }
    char *many = nest("{\"tool_calls\":\"x\"},", "{\"delta\":{\"content\":\"a\",\"reasoning\":\"b\"}}", "", 30);
    char *object = malloc(strlen(many) + 32);
    assert_non_null(object);
    sprintf(object, "{\"choices\":[%s]}", many);
    if (rv == 0)
        rv = event_read(r, text(object), false, &d);
    free(many);
    free(object);
    event_reader_free(r);
    return rv;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    const struct rein_heap heap = {NULL, failing_realloc, plain_free};
    rein_heap_set(&heap);
    fails_at = 0;
    allocations = 0;
    assert_int_equal(read_all(), 0);
    unsigned total = allocations, failed = 0;
    for (fails_at = 1; fails_at <= total; fails_at++) {
        allocations = 0;
        int rv = read_all();
        assert_true(rv == 0 || rv == REIN_ENOMEM);
        failed += rv == REIN_ENOMEM;
    }
    rein_heap_set(NULL);
    assert_true(failed >= 2);
}

/* Once a stream's shapes are known, reading allocates nothing. */
static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    const struct rein_heap heap = {NULL, failing_realloc, plain_free};
    rein_heap_set(&heap);
    fails_at = 0;
    struct event_reader *r = new_reader();
    const struct event *d = NULL;
    unsigned after_first = 0;
    for (int i = 0; i < 2000; i++) {
        char event[256];
        snprintf(event, sizeof(event), "{\"created\":%d,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d\"}}]}",
                 i / 10, i);
        assert_int_equal(event_read(r, text(event), false, &d), 0);
        if (i == 100)
            after_first = allocations;
    }
    assert_int_equal(allocations, after_first);
    event_reader_free(r);
    rein_heap_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_have_their_places),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refuses_what_is_no_json_object),
        cmocka_unit_test(test_refuses_known_keys_that_come_twice),
        cmocka_unit_test(test_refuses_high_indexes),
        cmocka_unit_test(test_depth_and_counts_have_ceilings),
        cmocka_unit_test(test_broken_events),
        cmocka_unit_test(test_stencils_change_nothing),
        cmocka_unit_test(test_seen_pieces_stood_there_before),
        cmocka_unit_test(test_members_can_be_taken_out),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_steady_state_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
