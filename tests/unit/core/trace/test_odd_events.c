/* Events that few servers send, and clients read: none is lost in silence.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "peerkit.h"

static struct rein_policy *none;

static int load(void **state)
{
    none = kit_policy("version: 1\nname: none\n");
    return load_policies(state);
}

static int unload(void **state)
{
    rein_policy_unref(none);
    return drop_policies(state);
}

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static void put_times(struct bytes *out, size_t times, const char *text)
{
    for (size_t i = 0; i < times; i++) {
        put(out, i > 0 ? "," : "");
        put(out, text);
    }
}

/* Events that carry "zx-", and are to be read. */
static const char *const odd[] = {
    EVENT("{\"index\":0,\"delta\":{\"content\":\"zx-\"},\"logprobs\":{\"content\":[{\"token\":\"zx-\",\"logprob\":NaN}]"
          "}}"),
    EVENT("{\"index\":0,\"delta\":{\"content\":\"zx-\"},\"logprobs\":{\"content\":[{\"token\":\"zx-\",\"logprob\":-"
          "Infinity}]}}"),
    EVENT("{\"index\":0,\"delta\":{\"content\":\"zx-\"},\"score\":Infinity}"),
    EVENT("{\"index\":\"0\",\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":-1,\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":0.0,\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":0e0,\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":null,\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":\"\",\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":[],\"delta\":{\"content\":\"zx-\"}}"),
    EVENT("{\"index\":false,\"delta\":{\"content\":\"zx-\"}}"),
};

static void found_h3_odd_numbers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct kit_seen seen;
        char stream[2048];
        snprintf(stream, sizeof stream, "%s%s", odd[i], CONTENT("violet-42-lantern ok") FINISH("stop") DONE);
        struct kit_run run = run_of(redacts, stream);
        kit_run(&run, &seen);
        if (seen.decision.findings_len != 1)
            print_error("of %s\ncame %.*s\n", odd[i], (int)bytes_len(&seen.out), bytes_span(&seen.out).data);
        assert_int_equal(seen.decision.findings_len, 1);
        assert_int_equal(seen.decision.garbage_events, 0);
        check_no_secret(&seen);
        kit_seen_fini(&seen);
        run.policy = none;
        kit_run(&run, &seen);
        assert_true(kit_has(&seen, odd[i]));
        kit_seen_fini(&seen);
    }
}

static void found_h3_high_indexes_of_tools(void **state)
{
    (void)state;
    static const char *const indexes[] = {"128", "1000", "16383", "\"7\"", "3.0"};
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        struct kit_seen seen;
        char stream[2048];
        snprintf(stream, sizeof stream, "%s%s%s%s%s%s",
                 "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":", indexes[i],
                 ",\"function\":{\"arguments\":\"zx-violet\"}}]}}]}\n\n"
                 "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":",
                 indexes[i], ",\"function\":{\"arguments\":\"-42-lantern\"}}]}}]}\n\n", FINISH("stop") DONE);
        struct kit_run run = run_of(redacts, stream);
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.findings_len, 1);
        check_no_secret(&seen);
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
}

/* 25 tokens with 20 alternatives each, 130 annotations, and ten times as many. */
static void found_h3_many_things_in_one_event(void **state)
{
    (void)state;
    for (size_t times = 1; times <= 10; times += 9) {
        struct bytes stream, tops;
        struct kit_seen seen;
        bytes_init(&stream, 1 << 24);
        bytes_init(&tops, 1 << 24);
        put(&tops, "{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[");
        put_times(&tops, 20, "{\"token\":\"a\",\"logprob\":-1.5,\"bytes\":[97]}");
        put(&tops, "]}");
        assert_int_equal(bytes_append(&tops, "", 1), 0);
        put(&stream, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
        for (size_t i = 0; i < 25 * times; i++)
            put(&stream, "a");
        put(&stream, "\"},\"logprobs\":{\"content\":[");
        put_times(&stream, 25 * times, bytes_span(&tops).data);
        put(&stream, "]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\",\"annotations\":[");
        put_times(&stream, 130 * times,
                  "{\"type\":\"url_citation\",\"url_citation\":{\"title\":\"t\",\"url\":\"https://a.example\","
                  "\"start_index\":1,\"end_index\":2,\"content\":\"c\"}}");
        put(&stream, "]}}]}\n\n" FINISH("stop") DONE);
        struct kit_run run = {.policy = redacts, .upstream = bytes_span(&stream), .body_max = 1 << 24};
        if (times > 1)
            run.policy = none;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.garbage_events, 0);
        assert_int_equal(strlen(kit_content(&seen, 0)), 25 * times + 1);
        assert_int_equal(bytes_len(&seen.out), bytes_len(&stream));
        check_proper_end(&seen);
        kit_seen_fini(&seen);
        bytes_fini(&stream);
        bytes_fini(&tops);
    }
}

/* Clients read it, and we cannot judge it. */
static void found_h3_what_cannot_be_judged_is_an_error(void **state)
{
    (void)state;
    char deep[2048] = "data: {\"choices\":[],\"x\":";
    for (size_t i = 0; i < 300; i++)
        strcat(deep, "[");
    for (size_t i = 0; i < 300; i++)
        strcat(deep, "]");
    strcat(deep, "}\n\n");
    const char *const events[] = {
        deep,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"choices\":[]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"content\":\"b\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":40,\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":16384}]}}]}\n\n",
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct kit_seen seen;
        char stream[4096];
        snprintf(stream, sizeof stream, "%s%s%s", CONTENT("before"), events[i], CONTENT("behind") FINISH("stop") DONE);
        struct kit_run run = run_of(none, stream);
        kit_run(&run, &seen);
        assert_int_equal(seen.errors, 1);
        assert_int_equal(seen.decision.ending, REIN_UPSTREAM_BROKE);
        assert_string_equal(kit_content(&seen, 0), "before");
        kit_seen_fini(&seen);
    }
}

/* What no client reads is dropped, as before. */
static void found_h3_garbage_is_dropped(void **state)
{
    (void)state;
    static const char *const garbage[] = {"data: {\"choices\":\n\n", "data: no JSON\n\n", "data: {\"a\" \"b\"}\n\n",
                                          "data: [1]\n\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        struct kit_seen seen;
        char stream[1024];
        snprintf(stream, sizeof stream, "%s%s", garbage[i], CONTENT("said") FINISH("stop") DONE);
        struct kit_run run = run_of(redacts, stream);
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.garbage_events, 1);
        assert_string_equal(kit_content(&seen, 0), "said");
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
}

enum { LARGE = 300 * 1024 };

static void put_large(struct bytes *out)
{
    for (size_t i = 0; i < LARGE / 16; i++)
        put(out, "sixteen letters.");
}

/* Where nothing can be held, no ceiling for held text applies; where it can, it does. */
static void found_h4_no_ceiling_where_nothing_is_held(void **state)
{
    (void)state;
    for (int is_body = 0; is_body < 2; is_body++)
        for (int withholds = 0; withholds < 2; withholds++) {
            struct bytes stream;
            struct kit_seen seen;
            bytes_init(&stream, 1 << 24);
            put(&stream, is_body
                             ? "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\""
                             : "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
                               "{\"arguments\":\"{\\\"a\\\":\\\"");
            put_large(&stream);
            put(&stream, is_body ? "\"},\"finish_reason\":\"stop\"}]}" : "\\\"}\"}}]}}]}\n\n" FINISH("stop") DONE);
            struct kit_run run = {.policy = withholds ? redacts : none,
                                  .upstream = bytes_span(&stream),
                                  .is_body = is_body != 0,
                                  .body_max = 1 << 22,
                                  .chunk = 4096};
            kit_run(&run, &seen);
            if (withholds && !is_body) {
                assert_int_equal(seen.decision.ending, REIN_OVERFLOW);
            } else {
                assert_int_equal(seen.decision.ending, REIN_COMPLETE);
                assert_int_equal(bytes_len(&seen.out), bytes_len(&stream));
            }
            kit_seen_fini(&seen);
            bytes_fini(&stream);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_h3_odd_numbers_are_read),
        cmocka_unit_test(found_h3_high_indexes_of_tools),
        cmocka_unit_test(found_h3_many_things_in_one_event),
        cmocka_unit_test(found_h3_what_cannot_be_judged_is_an_error),
        cmocka_unit_test(found_h3_garbage_is_dropped),
        cmocka_unit_test(found_h4_no_ceiling_where_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
