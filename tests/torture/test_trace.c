/* Torture: each allocation of a response's trace fails in turn; every step says so or works, and the secret never goes
 * out. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "failing_heap.h"
#include "messageskit.h"
#include "rein/rein.h"
#include "tracekit.h"

enum { ALLOCATIONS_MAX = 4000 };

#define SECRET "zxviolet42"

static const char yaml[] = "version: 1\nname: t\nreasoning: { show: stream, release: stream }\n"
                           "log: { text: redacted }\nrules:\n"
                           "  - { id: a, literal: " SECRET ", match: folded, channels: [prompt], action: record }\n"
                           "  - { id: b, literal: " SECRET ", match: raw, action: redact }\n"
                           "  - { id: c, regex: 'stop[0-9]{2}here', action: refuse }\n";

static const char stream[] =
    ": hello\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"<think>so zxvio\"}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"let42 "
    "\\ud83d\"},\"logprobs\":{\"a\":1}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00</think>yes\"}}]}\n\n"
    "data: {\"id\":\"x\",\"note\":\"" SECRET "\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
    "\"function\":{\"arguments\":\"{" SECRET "\"}}]}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"stop12\"}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"here\"}}]}\n\n"
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

static const char body[] =
    "{\"id\":\"x\",\"note\":\"" SECRET "\",\"choices\":["
    "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"<think>so zxvio\\u006cet42 </think>yes " SECRET
    "\","
    "\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{" SECRET
    "\"}}]},\"finish_reason\":\"stop\"},"
    "{\"index\":3,\"message\":{\"content\":\"more than was asked for\"},\"logprobs\":{\"a\":1}}]}";

/* What the upstream sends. */
struct answer {
    const char *text;
    size_t len;
    bool streamed;
    enum rein_dialect dialect;
    bool is_known; /* matches and readings come from elsewhere */
};

static const struct rein_known matches[] = {
    {.channel = REIN_PROMPT, .offset = 4, .len = sizeof SECRET - 1, .rule = "a"},
    {.channel = REIN_REASONING, .offset = 3, .len = sizeof SECRET - 1, .rule = "b"},
    {.channel = REIN_TOOL, .offset = 1, .len = sizeof SECRET - 1, .at = UINT64_MAX, .rule = "b"},
};
static const char *const rules[] = {"a", "b"};
static const char readings[] = "\1\1\0\x10\1";
static const struct rein_known_text texts[] = {
    {.channel = REIN_PROMPT, .readings = readings, .readings_len = sizeof readings - 1, .rules = rules, .rules_len = 2},
    {.channel = REIN_REASONING, .readings = readings, .readings_len = sizeof readings - 1, .rules = rules},
    {.channel = REIN_TOOL, .rules = rules, .rules_len = 2},
};

/* Commits as often as that is asked for. */
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

static int feed(struct rein_trace *trace, const struct answer *answer, struct bytes *out)
{
    struct rein_update u;
    int rv = 0;
    for (size_t at = 0; at < answer->len && rv == 0; at += 31) {
        size_t left = answer->len - at;
        rv = take(trace, out, rein_trace_feed(trace, answer->text + at, left < 31 ? left : 31, &u), &u);
    }
    if (rv != 0) { /* what failed half-way releases nothing more, whatever is called */
        assert_true(rein_trace_feed(trace, answer->text, answer->len, &u) != 0);
        assert_true(rein_trace_finish(trace, true, NULL, &u) != 0);
        assert_true(rein_trace_committed(trace, &u) != 0);
    }
    return rv == 0 ? take(trace, out, rein_trace_finish(trace, true, NULL, &u), &u) : rv;
}

static int respond(struct rein_trace *trace, const struct answer *answer, struct bytes *out)
{
    static const char prompt[] = "say " SECRET;
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .prefix = "First, is this safe?"};
    struct rein_update u;
    int rv = rein_trace_prompt(trace, "user", prompt, sizeof(prompt) - 1);
    if (rv == 0)
        rv = take(trace, out, rein_trace_prompt_end(trace, &u), &u);
    if (rv == 0)
        rv = rein_trace_attempt(trace, &attempt);
    return rv == 0 ? feed(trace, answer, out) : rv;
}

/* What is kept can be had after a step that failed, too, and no secret is in it. */
static int look_at_kept(struct rein_trace *trace, int rv)
{
    const struct rein_text *kept_texts;
    size_t len;
    int kept = rein_trace_texts(trace, &kept_texts, &len);
    assert_true(kept == 0 || kept == REIN_ENOMEM);
    for (size_t i = 0; i < len; i++)
        assert_null(memmem(kept_texts[i].text, kept_texts[i].text_len, SECRET, sizeof(SECRET) - 1));
    return rv == 0 ? kept : rv;
}

static int run(struct rein_policy *policy, const struct answer *answer, struct bytes *out)
{
    struct rein_engine *engine = NULL;
    struct rein_trace *trace = NULL;
    int rv = rein_engine_new(&engine);
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = answer->dialect,
                                         .streamed = answer->streamed,
                                         .choices = answer->dialect == REIN_OPENAI_CHAT ? 2 : 1,
                                         .model = "m",
                                         .known = matches,
                                         .known_len = answer->is_known ? sizeof matches / sizeof *matches : 0,
                                         .known_texts = texts,
                                         .known_texts_len = answer->is_known ? sizeof texts / sizeof *texts : 0};
    if (rv == 0)
        rv = rein_trace_new(&trace, &options);
    if (rv == 0)
        rv = respond(trace, answer, out);
    if (trace != NULL)
        rv = look_at_kept(trace, rv);
    rein_trace_free(trace);
    rein_engine_free(engine);
    return rv;
}

static void fail_each_in_turn(const struct answer *answer)
{
    static char room[1 << 16];
    struct failing_heap heap;
    struct rein_policy *policy = kit_policy(yaml);
    int rv = REIN_ENOMEM;
    unsigned long failed = 0;
    failing_heap_use(&heap);
    for (size_t k = 1; rv != 0; k++) {
        struct bytes out = {.data = room, .cap = sizeof(room), .limit = sizeof(room)};
        heap = (struct failing_heap){.fails_at = k};
        rv = run(policy, answer, &out);
        assert_true(rv == 0 || rv == REIN_ENOMEM);
        assert_int_equal(heap.blocks, 0);
        assert_null(memmem(out.data, out.end, SECRET, sizeof(SECRET) - 1));
        assert_null(memmem(out.data, out.end, "stop12", 6));
        failed += rv != 0;
        assert_in_range(k, 1, ALLOCATIONS_MAX);
    }
    rein_heap_set(NULL);
    print_message("%lu allocations failed in turn\n", failed);
    assert_in_range(failed, 20, ALLOCATIONS_MAX);
    rein_policy_unref(policy);
}

static void test_found_t2_of_interrupted_texts(void **state)
{
    (void)state;
    static char interrupted[1 << 14];
    size_t len = (size_t)sprintf(
        interrupted, "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"so zxviolet4\"}}]}\n\n");
    for (size_t n = 0; n < 20; n++) {
        len += (size_t)sprintf(
            interrupted + len,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a sentence of more than thirty bytes. \","
            "\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"zxvio\"}}]},\"token_ids\":[1]}]}\n\n");
        len += (size_t)sprintf(interrupted + len,
                               "data: {\"choices\":[{\"index\":0,\"n\":%zu.0,\"delta\":{\"content\":\"\"},"
                               "\"token_ids\":[1,2]}]}\n\n",
                               n);
    }
    len += (size_t)sprintf(
        interrupted + len,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"2 it is\"}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    fail_each_in_turn(&(struct answer){interrupted, len, true, REIN_OPENAI_CHAT, false});
}

static void of_a_stream(void **state)
{
    (void)state;
    fail_each_in_turn(&(struct answer){stream, sizeof(stream) - 1, true, REIN_OPENAI_CHAT, false});
}

static void of_a_stream_that_is_known(void **state)
{
    (void)state;
    fail_each_in_turn(&(struct answer){stream, sizeof(stream) - 1, true, REIN_OPENAI_CHAT, true});
}

static void of_a_body(void **state)
{
    (void)state;
    fail_each_in_turn(&(struct answer){body, sizeof(body) - 1, false, REIN_OPENAI_CHAT, false});
}

#define PLACE "\"output_index\":0,\"item_id\":\"i\",\"content_index\":0,"
#define MESSAGE(text)                                                                                                  \
    "{\"id\":\"i\",\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"

/* A text, and all that repeats it; one that says something else; a call that is refused while a message is open. */
static void of_responses(void **state)
{
    (void)state;
    static const char answer[] =
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"x\"}}\n\n"
        "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":" MESSAGE(
            "") "}\n\n"
                "data: {\"type\":\"response.output_text.delta\"," PLACE "\"delta\":\"so zxvio\"}\n\n"
                "data: {\"type\":\"response.output_text.delta\"," PLACE "\"delta\":\"let42 it is\"}\n\n"
                "data: {\"type\":\"response.output_text.done\"," PLACE "\"text\":\"so " SECRET " it is\"}\n\n"
                "data: {\"type\":\"response.content_part.done\"," PLACE
                "\"part\":{\"type\":\"output_text\",\"text\":\"or " SECRET "\"}}\n\n"
                "data: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" MESSAGE(
                    "so " SECRET
                    " it is") "}\n\n"
                              "data: {\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":" MESSAGE(
                                  "") "}\n\n"
                                      "data: "
                                      "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"item_id\":\"i\","
                                      "\"content_index\":0,"
                                      "\"delta\":\"then\"}\n\n"
                                      "data: "
                                      "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":2,\"item_"
                                      "id\":\"j\","
                                      "\"delta\":\"stop12here\"}\n\n";
    fail_each_in_turn(&(struct answer){answer, sizeof answer - 1, true, REIN_OPENAI_RESPONSES, false});
}

/* Edited thinking, a block that is left out, a match over two blocks, a refusal while two are open; and a body. */
static void of_messages(void **state)
{
    (void)state;
    static const char answer[] =
        MSTART MTHINKING(0) MTHINK(0, "so zxvio") MTHINK(0, "let42 it is") MSIGN(0) MPING MSTOP(0) MTEXT(1)
            MSAY(1, "zxviolet") MSTOP(1) MTEXT(2) MSAY(2, "42") MTOOL(3, "look") MINPUT(3, "{" SECRET "}") MSTOP(2)
                MTEXT(4) MSAY(4, "stop12") MSAY(4, "here") MSTOP(3) MSTOP(4) MEND("end_turn") MLAST;
    static const char whole[] =
        "{\"id\":\"m\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"so " SECRET
        "\",\"signature\":\"c2ln\"},{\"type\":\"text\",\"text\":\"yes " SECRET
        "\"},{\"type\":\"tool_use\",\"input\":{\"q\":\"" SECRET "\"}}],\"stop_reason\":\"tool_use\"}";
    fail_each_in_turn(&(struct answer){answer, sizeof answer - 1, true, REIN_ANTHROPIC_MESSAGES, false});
    fail_each_in_turn(&(struct answer){whole, sizeof whole - 1, false, REIN_ANTHROPIC_MESSAGES, false});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_t2_of_interrupted_texts),
                                       cmocka_unit_test(of_a_stream),
                                       cmocka_unit_test(of_a_stream_that_is_known),
                                       cmocka_unit_test(of_a_body),
                                       cmocka_unit_test(of_responses),
                                       cmocka_unit_test(of_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
