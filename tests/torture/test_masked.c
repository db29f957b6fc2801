/* Torture: each allocation of a masked request and of its answer fails in turn, in the engine and in the server. Every
 * step says so or works; no value is in the request then, and none comes back where it should not.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"
#include "base/bytes.h"
#include "failing_heap.h"
#include "tracekit.h"

enum { ALLOCATIONS_MAX = 4000 };

static const char yaml[] = "version: 1\nname: t\nreasoning: { show: stream, release: stream }\nrules:\n"
                           "  - { id: card, channels: [prompt], builtin: card_number, action: redact, restore: true }\n"
                           "  - { id: gone, channels: [prompt], literal: swordfish, action: redact }\n"
                           "  - { id: word, channels: [answer], literal: \"] now\", match: raw, action: redact }\n";
static const char body[] =
    "{\"model\":\"m\",\"stream\":true,\"store\":true,\"messages\":["
    "{\"role\":\"system\",\"content\":\"swordfish 4111 1111 1111 1111\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a 4111 1111\"},{\"type\":\"text\",\"text\":\" 1111 "
    "1111 "
    "b\"}]},"
    "{\"role\":\"user\",\"content\":\"{\\\"card\\\":\\\"4111 1111 1111 1111\\\",\\\"n\\\":4111111111111111}\"}]}";
static const unsigned char key[REIN_MASK_KEY] = "k";

/* ---- the server's memory ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
static struct {
    size_t calls, fails_at;
} server;

void *__wrap_malloc(size_t size)
{
    return server.fails_at > 0 && ++server.calls == server.fails_at ? NULL : __real_malloc(size);
}

/* ---- one request ---- */

struct run {
    struct rein_policy *policy;
    const char *answer; /* NULL: only the request */
    char sent[2048];
    struct bytes out;
};

static int take(struct rein_trace *trace, struct bytes *out, int rv, struct rein_update *u)
{
    while (rv == 0) {
        assert_int_equal(bytes_append(out, u->out, u->out_len), 0);
        if (!(u->asks & REIN_ASK_COMMIT))
            return 0;
        rv = rein_trace_committed(trace, u);
    }
    return rv;
}

static int feed(struct rein_trace *trace, const char *answer, struct bytes *out)
{
    struct rein_update u;
    size_t len = strlen(answer);
    int rv = rein_trace_attempt(trace, &(struct rein_attempt){.delivery = REIN_DELIVER_OFF});
    for (size_t at = 0; at < len && rv == 0; at += 23)
        rv = take(trace, out, rein_trace_feed(trace, answer + at, len - at < 23 ? len - at : 23, &u), &u);
    return rv == 0 ? take(trace, out, rein_trace_finish(trace, true, NULL, &u), &u) : rv;
}

static int ask(struct run *run, struct request *request, struct rein_engine *engine)
{
    struct rein_trace_options options = {
        .policy = run->policy, .engine = engine, .streamed = true, .choices = 1, .model = "m", .mask_key = key};
    struct rein_trace *trace = NULL;
    struct request_error err = {.code = ""};
    struct rein_update u;
    size_t len;
    int rv = rein_trace_new(&trace, &options);
    if (rv == 0)
        rv = request->api->judge(request, trace);
    if (rv == 0)
        rv = request_mask(request, trace, &err);
    char *sent = rv == 0 ? request_text(request, &len) : NULL;
    if (sent != NULL)
        snprintf(run->sent, sizeof run->sent, "%s", sent);
    free(sent);
    if (rv == 0)
        rv = take(trace, &run->out, rein_trace_prompt_end(trace, &u), &u);
    if (rv == 0 && run->answer != NULL)
        rv = feed(trace, run->answer, &run->out);
    rein_trace_free(trace);
    return rv;
}

static int run_once(struct run *run)
{
    static const struct config_limits limits = {.messages = 9, .choices = 2, .tools = 2, .json_depth = 12};
    static const struct rein_request_rules rules = {.unknown = REIN_UNKNOWN_DROP};
    struct request_error err = {.code = ""};
    struct request *request = NULL;
    struct rein_engine *engine = NULL;
    int rv = rein_engine_new(&engine);
    *run->sent = '\0';
    if (rv == 0)
        rv = request_parse(&request, api_find("/v1/chat/completions"),
                           (struct rein_source){.text = body, .len = sizeof body - 1}, &limits, &err);
    if (rv == 0)
        rv = request_check(request, &(struct request_checks){.rules = &rules, .limits = &limits}, &err);
    if (rv == 0)
        rv = ask(run, request, engine);
    request_free(request);
    rein_engine_free(engine);
    return rv;
}

static void check(const struct run *run)
{
    assert_null(strstr(run->sent, "1111"));
    assert_null(strstr(run->sent, "swordfish"));
    assert_null(memmem(run->out.data, run->out.end, "swordfish", 9));
}

/* An answer that has the placeholder, in pieces, in a link and before what a rule redacts. */
static void make_answer(const struct run *first, char *answer)
{
    char name[32] = "";
    const char *at = strstr(first->sent, "[card:");
    assert_non_null(at);
    snprintf(name, sizeof name, "%.*s", (int)(strchr(at, ']') + 1 - at), at);
    int len =
        sprintf(answer, "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n");
    const char *const texts[] = {"It is ", name, ", https://h/", name, " ", name, " now"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (const char *text = texts[i]; *text != '\0'; text += strnlen(text, 4))
            len +=
                sprintf(answer + len,
                        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%.4s\"}}]}\n\n", text);
    sprintf(answer + len,
            "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: "
            "[DONE]\n\n");
}

/* `fails`: where the number of the allocation that fails is put. */
static void fail_each_in_turn(struct failing_heap *heap, size_t *fails)
{
    static char room[1 << 16], answer[1 << 14];
    struct run run = {.policy = kit_policy(yaml)};
    unsigned long failed = 0;
    int rv = REIN_ENOMEM;
    run.out = (struct bytes){.data = room, .cap = sizeof room, .limit = sizeof room};
    assert_int_equal(run_once(&run), 0);
    check(&run);
    make_answer(&run, answer);
    run.answer = answer;
    if (heap != NULL)
        failing_heap_use(heap);
    for (size_t k = 1; rv != 0; k++) {
        run.out = (struct bytes){.data = room, .cap = sizeof room, .limit = sizeof room};
        if (heap != NULL)
            *heap = (struct failing_heap){0};
        server.calls = 0;
        *fails = k;
        rv = run_once(&run);
        *fails = 0;
        assert_true(rv == 0 || rv == REIN_ENOMEM);
        if (heap != NULL)
            assert_int_equal(heap->blocks, 0);
        check(&run);
        failed += rv != 0;
        assert_in_range(k, 1, ALLOCATIONS_MAX);
    }
    rein_heap_set(NULL);
    assert_non_null(memmem(room, run.out.end, "4111 1111 1111 1111", 19));
    print_message("%lu allocations failed in turn\n", failed);
    assert_true(failed > 3);
    rein_policy_unref(run.policy);
}

static void of_the_engine(void **state)
{
    (void)state;
    struct failing_heap heap = {0};
    fail_each_in_turn(&heap, &heap.fails_at);
}

static void of_the_server(void **state)
{
    (void)state;
    fail_each_in_turn(NULL, &server.fails_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_the_engine),
        cmocka_unit_test(of_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
