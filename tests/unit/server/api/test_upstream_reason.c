/* Why an upstream says that it failed: forms of an error's body, secrets, codes; and when to ask again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chat/chat.h"
#include "api/openai_error.h"
#include "upstream/retry_after.h"

static struct upstream_reason reason_of(unsigned status, const char *body)
{
    struct upstream_reason reason;
    upstream_reason_read(&reason, &api_chat, status, body, strlen(body), "operators-own");
    return reason;
}

static void test_found_r7_forms_of_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type, *code, *text;
    } cases[] = {
        {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", "t", "c", "m"},
        {"{\"error\":{\"code\":400,\"message\":\"m\",\"type\":\"t\"}}", "t", "", "m"},
        {"{\"error\":\"m\"}", "", "", "m"},
        {"{\"error\":\"m\",\"error_type\":\"t\"}", "t", "", "m"},
        {"{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\",\"code\":400}", "t", "", "m"},
        {"{\"detail\":\"m\"}", "", "", "m"},
        {"{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"m\",\"type\":\"t\"}]}", "", "", "m"},
        {"[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]", "", "INVALID_ARGUMENT", "m"},
        {"{\"message\":\"two\\nlines\"}", "", "", "two lines"},
        {"{\"error\":{\"type\":\"not a word\",\"code\":\"<b>\"}}", "", "", ""},
        {"<html>m</html>", "", "", ""},
        {"{\"error\":null}", "", "", ""},
        {"[]", "", "", ""},
        {"\"m\"", "", "", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct upstream_reason reason = reason_of(400, cases[i].body);
        assert_string_equal(reason.type, cases[i].type);
        assert_string_equal(reason.code, cases[i].code);
        assert_string_equal(reason.text, cases[i].text);
    }
}

static void test_found_r7_a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char body[4096] = "{\"error\":\"x", *at = body + strlen(body);
    for (int i = 0; i < 500; i++, at += 3)
        memcpy(at, "\xe2\x82\xac", 3);
    memcpy(at, "\"}", 3);
    struct upstream_reason reason = reason_of(500, body);
    assert_int_equal(strlen(reason.text), 1 + 3 * ((UPSTREAM_TEXT_MAX - 1) / 3));
}

static void test_found_r7_secrets_are_masked(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "operators-own",        "sk-abcdefghijkl",          "sk-proj-Ab3dEf6hIj9lMnOp",
        "Bearer abcdefgh",      "AIzaSyA1234567890abcdefg", "9f86d081884c7d659a2feaa0c55ad015",
        "gsk_aaaaBBBBccccDDDD", "eyJhbGciOiJIUzI1NiJ9",
    };
    static const char *const plain[] = {
        "This model's maximum context length is 4096 tokens, however you requested 50000 (49000 in the messages).",
        "The model `meta-llama/Meta-Llama-3.1-8B-Instruct` does not exist.",
        "DeepSeek-R1-Distill-Qwen-32B is loading",
        "request 01a1fc00-75bb-7a73-9731-4ef649bf0ae0 failed",
        "max_completion_tokens must be at least 1, at 1732000000000",
        "exceed_context_size_error",
    };
    char body[1024];
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"Incorrect key: %s (see there)\"}}", secret[i]);
        struct upstream_reason reason = reason_of(400, body);
        const char *key = strchr(secret[i], ' ') ? strchr(secret[i], ' ') + 1 : secret[i];
        if (strstr(reason.text, key) || !strstr(reason.text, "****") || !strstr(reason.text, " (see there)"))
            fail_msg("%s: %s", secret[i], reason.text);
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\"}}", plain[i]);
        struct upstream_reason reason = reason_of(400, body);
        assert_string_equal(reason.text, plain[i]);
    }
    struct upstream_reason reason =
        reason_of(400, "{\"error\":{\"type\":\"sk-abcdefghijkl\",\"code\":\"operators-own\"}}");
    assert_string_equal(reason.type, "***************");
    assert_string_equal(reason.code, "*************");
}

static void test_found_r7_known_reasons_have_codes(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *body, *code;
    } cases[] = {
        {400, "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens.\"}",
         "context_length_exceeded"},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context size\",\"type\":\"x\"}}",
         "context_length_exceeded"},
        {500, "{\"error\":{\"code\":500,\"message\":\"no\",\"type\":\"exceed_context_size_error\"}}",
         "context_length_exceeded"},
        {400, "{\"error\":{\"code\":\"context_length_exceeded\"}}", "context_length_exceeded"},
        {413, "{\"error\":\"Prompt is too long\"}", "context_length_exceeded"},
        {404, "{\"error\":\"model 'x' not found\"}", "model_not_found"},
        {404, "{\"detail\":\"Not Found\"}", NULL},
        {429, "{\"message\":\"too many tokens a minute\"}", "rate_limit_exceeded"},
        {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", "insufficient_quota"},
        {503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct upstream_reason reason = reason_of(cases[i].status, cases[i].body);
        const char *code = openai_reason_code(&reason);
        if ((code == NULL) != (cases[i].code == NULL) || (code != NULL && strcmp(code, cases[i].code) != 0))
            fail_msg("%s: %s", cases[i].body, code != NULL ? code : "none");
    }
}

static void test_found_t13_retry_after_is_a_time(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "7", "86400", "Sun, 06 Nov 1994 08:49:37 GMT"};
    static const char *const bad[] = {
        "",
        "soon",
        "7 zx-violet-42-lantern",
        "-1",
        "1.5",
        "123456789",
        "0x10",
        " 7",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Abc, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Key 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(retry_after_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (retry_after_is_valid(bad[i]))
            fail_msg("taken: \"%s\"", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r7_forms_of_an_error),
        cmocka_unit_test(test_found_r7_a_long_text_is_cut_between_characters),
        cmocka_unit_test(test_found_r7_secrets_are_masked),
        cmocka_unit_test(test_found_r7_known_reasons_have_codes),
        cmocka_unit_test(test_found_t13_retry_after_is_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
