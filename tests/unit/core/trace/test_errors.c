/* Errors of an upstream that look like an answer: the response never counts as complete, and the client is told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peerkit.h"

#define BODY(choices) "{\"id\":\"up-1\",\"object\":\"chat.completion\",\"choices\":[" choices "]}"
#define CHOICE(more) "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"so far\"}," more "}"
#define ERROR "\"error\":{\"code\":502,\"message\":\"the provider failed\"}"

static void check(const char *text, bool is_body, enum rein_ending ending, unsigned errors)
{
    for (size_t chunk = 0; chunk < 20; chunk += 19) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, text);
        run.is_body = is_body;
        run.chunk = chunk;
        kit_run(&run, &seen);
        if (seen.decision.ending != ending || seen.errors != errors)
            fail_msg("ended with %d and %u errors: %s", seen.decision.ending, seen.errors, text);
        assert_int_equal(seen.unreadable, 0);
        kit_seen_fini(&seen);
    }
}

static void test_found_r6_a_body_that_is_an_error(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{" ERROR "}",
        "{\"error\":\"out of memory\"}",
        "{\"error\":{}}",
        "{" ERROR ",\"choices\":[]}",
        "{\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"code\":400}",
        BODY(CHOICE(ERROR ",\"finish_reason\":\"stop\"")),
        BODY(CHOICE("\"finish_reason\":\"error\"")),
        BODY(CHOICE("\"finish_reason\":\"stop\"") ",{\"index\":1," ERROR "}"),
        BODY(""),
        "{}",
        "{\"id\":\"up-1\",\"choices\":null}",
        "{\"detail\":\"no\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        check(bodies[i], true, REIN_UPSTREAM_BROKE, 1);
}

static void test_found_r6_a_stream_that_holds_an_error(void **state)
{
    (void)state;
    static const char *const streams[] = {
        "data: {" ERROR "}\n\n" DONE,
        CONTENT("so far") "data: {" ERROR "}\n\n",
        CONTENT("so far") "data: {" ERROR
                          ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n" DONE,
        CONTENT("so far") EVENT("{\"index\":0,\"delta\":{}," ERROR ",\"finish_reason\":\"stop\"}") DONE,
        CONTENT("so far") FINISH("error") DONE,
        CONTENT("so far") FINISH("error"),
        "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"BadRequestError\",\"code\":400}\n\n" DONE,
        "data: {\"id\":\"up-1\",\"choices\":[]}\n\n" DONE,
        DONE,
    };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        check(streams[i], false, REIN_UPSTREAM_BROKE, 1);
}

static void test_found_r6_no_error_is_seen_where_there_is_none(void **state)
{
    (void)state;
    check(BODY(CHOICE("\"error\":null,\"finish_reason\":\"stop\"")), true, REIN_COMPLETE, 0);
    check(BODY("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":\"stop\"}"), true,
          REIN_COMPLETE, 0);
    check(BODY("{\"index\":0,\"message\":{\"content\":\"error\"},\"finish_reason\":\"stop\"}"), true, REIN_COMPLETE, 0);
    check(CONTENT("error") EVENT("{\"index\":0,\"delta\":{},\"error\":null,\"finish_reason\":\"stop\"}") DONE, false,
          REIN_COMPLETE, 0);
}

/* What waits when such an event comes, half of a match here, goes out before the error. */
static void test_an_event_that_cannot_be_judged_ends_the_stream(void **state)
{
    (void)state;
    static const char *const events[] = {
        "data: {\"choices\":[],\"choices\":[]}\n\n",
        "data: {\"id\":\"up-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"content\":\"b\"}}]}\n\n",
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        char stream[1024];
        snprintf(stream, sizeof stream, "%s%s%s%s", CONTENT("so "), CONTENT("zx-violet"), events[i], DONE);
        check(stream, false, REIN_UPSTREAM_BROKE, 1);
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        kit_run(&run, &seen);
        assert_true(kit_has(&seen, "zx-violet"));
        kit_seen_fini(&seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r6_a_body_that_is_an_error),
        cmocka_unit_test(test_found_r6_a_stream_that_holds_an_error),
        cmocka_unit_test(test_an_event_that_cannot_be_judged_ends_the_stream),
        cmocka_unit_test(test_found_r6_no_error_is_seen_where_there_is_none),
    };
    return cmocka_run_group_tests(tests, load_policies, drop_policies);
}
