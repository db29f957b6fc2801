/* A tool's input that is an object, in a body of Messages: judged as pieces of `partial_json` are, and valid JSON after
 * each action. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "messageskit.h"

static const char *const inputs[] = {
    "{}",
    "{\"to\":\"sister\"}",
    "{ \"to\" : \"sister\" , \"amount\" : 50000 }",
    "{\"amount\":50000,\"note\":\"zx-violet-42\"}",
    "{\"zx-violet-42\":{\"deep\":[\"a \\\"zx-violet-42\\\" b\",50000,true,null,{}]}}",
    "{\"zx-violet-42\":1,\"b zx-violet-42\":2}",
    "{\"note\":\"zx-\\u0076iolet-42\",\"list\":[]}",
};
enum { INPUTS = sizeof inputs / sizeof *inputs, ACTIONS = 4 };
static const char *const actions[ACTIONS] = {"record", "redact", "cut_response", "refuse"};
/* A word; a number; a key with its value, which no single string or number holds. */
static const char *const rules[] = {"literal: zx-violet-42", "regex: '50000'", "regex: '\"amount\" ?: ?[0-9]{5}'"};

static void run_input(const char *yaml, const char *upstream, bool is_body, struct kit_seen *seen)
{
    struct rein_policy *policy = kit_policy(yaml);
    struct kit_run run = {
        .view = &kit_view_messages, .policy = policy, .upstream = {upstream, strlen(upstream)}, .is_body = is_body};
    kit_run(&run, seen);
    rein_policy_unref(policy);
}

/* The same input as pieces of JSON. */
static void spell_stream(const char *input, char *out, size_t cap)
{
    char escaped[512];
    size_t len = 0;
    for (const char *c = input; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            escaped[len++] = '\\';
        escaped[len++] = *c;
    }
    escaped[len] = '\0';
    snprintf(out, cap,
             MSTART "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
                    "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":{}}}\n\n"
                    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                    "{\"type\":\"input_json_delta\",\"partial_json\":\"%s\"}}\n\n" MSTOP(0) MEND("tool_use") MLAST,
             escaped);
}

static void check_input(const char *yaml, const char *action, const char *input)
{
    char body[1024], stream[2048];
    struct kit_seen as_body, as_stream;
    snprintf(body, sizeof body,
             "{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
             "\"toolu_1\",\"name\":\"look\",\"input\":%s}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":3,"
             "\"output_tokens\":1}}",
             input);
    spell_stream(input, stream, sizeof stream);
    run_input(yaml, body, true, &as_body);
    run_input(yaml, stream, false, &as_stream);
    json_error_t error;
    struct span out = bytes_span(&as_body.out);
    json_t *seen = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
    if (seen == NULL || as_body.decision.verdict != as_stream.decision.verdict ||
        as_body.decision.findings_len != as_stream.decision.findings_len)
        fail_msg("%s\n%s\n%.*s\nbody: %s, %zu findings; stream: %s, %zu findings; %s", yaml, input, (int)out.len,
                 out.data, rein_action_name(as_body.decision.verdict), as_body.decision.findings_len,
                 rein_action_name(as_stream.decision.verdict), as_stream.decision.findings_len, error.text);
    const json_t *block = json_array_get(json_object_get(seen, "content"), 0);
    const json_t *left = json_object_get(block, "input");
    assert_true(left == NULL || json_is_object(left));
    assert_int_equal(as_body.decision.bytes_unjudged, 0);
    if (as_body.decision.verdict <= REIN_RECORD) {
        assert_int_equal(out.len, strlen(body));
        assert_memory_equal(out.data, body, out.len);
    }
    if (strcmp(action, "record") != 0 && strstr(yaml, "violet") != NULL)
        assert_false(kit_has(&as_body, "violet"));
    json_decref(seen);
    kit_seen_fini(&as_body);
    kit_seen_fini(&as_stream);
}

static void test_found_s13_each_action_leaves_json(void **state)
{
    (void)state;
    char yaml[512];
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (size_t a = 0; a < ACTIONS; a++)
            for (size_t i = 0; i < INPUTS; i++) {
                snprintf(yaml, sizeof yaml,
                         "version: 1\nname: t\nreasoning: { show: stream, release: stream }\nrefusal: { message: No. "
                         "}\nrules:\n  - { id: r, channels: [tool], %s, action: %s }\n",
                         rules[r], actions[a]);
                check_input(yaml, actions[a], inputs[i]);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_s13_each_action_leaves_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
