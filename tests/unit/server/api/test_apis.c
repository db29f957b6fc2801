/* The table of APIs: how a path leads to one, and the form of errors.
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

/* What every row must have: nothing that uses an API asks whether a part of it exists. */
static void test_each_api_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_count(); i++) {
        const struct api *api = api_at(i);
        size_t passed = 0;
        const void *const parts[] = {api->method,       api->path,          api->prefix,
                                     api->key_missing,  api->key_headers,   api->request_id_header,
                                     api->dialect_name, api->id_prefix,     api->passed_headers,
                                     api->fields,       api->upstream_path, api->refusal.code};
        const void *const of_streams[] = {api->stream_type, api->stream_header, api->keep_alive};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            assert_non_null(parts[k]);
        for (size_t k = 0; k < sizeof of_streams / sizeof *of_streams; k++)
            assert_int_equal(of_streams[k] != NULL, !api->is_data);
        assert_int_equal(api->instruct && api->error_event, !api->is_data);
        assert_true(api->key && api->upstream_key && api->check && api->judge && api->is_as_sent && api->sent_text &&
                    api->upstream_body);
        assert_true(api->error_text && api->read_reason && api->reason_code);
        assert_true(api->answer_saying && api->refusal.status >= 400);
        while (api->passed_headers[passed].name != NULL)
            passed++;
        assert_true(passed <= API_HEADERS_MAX);
        assert_int_equal(strncmp(api->path, api->prefix, strlen(api->prefix)), 0);
        assert_ptr_equal(api_find(api->path), api);
        assert_ptr_equal(api_suggested(api->path), api);
    }
}

static void test_a_path_leads_to_its_api_alone(void **state)
{
    (void)state;
    static const char *const others[] = {"/v1/chat/completions/", "/v1/chat/completion", "/V1/chat/completions", "",
                                         "/"};
    assert_ptr_equal(api_find("/v1/chat/completions"), &api_chat);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(api_find(others[i]));
}

static void test_every_path_suggests_a_form(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v1/completions", "/v1/", "/other", "", NULL};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_ptr_equal(api_suggested(paths[i]), &api_chat);
}

static void test_the_list_fits_its_room(void **state)
{
    (void)state;
    char list[64];
    api_list(CONFIG_API_CHAT, list, sizeof list);
    assert_string_equal(list, "POST /v1/chat/completions");
    for (size_t cap = 1; cap < sizeof list; cap++) {
        char *room = malloc(cap);
        assert_non_null(room);
        api_list(CONFIG_API_CHAT, room, cap);
        assert_int_equal(strncmp(list, room, cap - 1), 0);
        free(room);
    }
}

/* ---- errors ---- */

/* Writes into each room up to the whole; the text is a prefix of the whole, or empty. */
static void expect_error(size_t (*write)(const struct reply_error *, char *, size_t), const struct reply_error *error,
                         const char *want)
{
    assert_int_equal(write(error, NULL, 0), strlen(want));
    for (size_t cap = 1; cap <= strlen(want) + 1; cap++) {
        char *room = malloc(cap);
        assert_non_null(room);
        assert_int_equal(write(error, room, cap), strlen(want));
        assert_int_equal(strncmp(want, room, strlen(room)), 0);
        if (cap == strlen(want) + 1)
            assert_string_equal(room, want);
        free(room);
    }
}

static void test_an_error_has_openais_form(void **state)
{
    (void)state;
    static const struct {
        struct reply_error error;
        const char *want;
    } cases[] = {
        {{.message = "m"},
         "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}"},
        {{.fault = REPLY_FAULT_RATE, .code = "c", .param = "p", .message = ""},
         "{\"error\":{\"message\":\"\",\"type\":\"rate_limit_error\",\"param\":\"p\",\"code\":\"c\"}}"},
        {{.fault = REPLY_FAULT_SERVER, .param = "", .message = "m"},
         "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":null}}"},
        {{.fault = REPLY_FAULT_UPSTREAM, .type = "theirs", .message = "m"},
         "{\"error\":{\"message\":\"m\",\"type\":\"theirs\",\"param\":null,\"code\":null}}"},
    };
    char event[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_error(openai_error_text, &cases[i].error, cases[i].want);
        snprintf(event, sizeof event, "data: %s\n\n", cases[i].want);
        expect_error(chat_error_event, &cases[i].error, event);
    }
}

/* A message is read back as it was, whatever bytes it has. */
static void test_a_message_survives(void **state)
{
    (void)state;
    char message[512], text[4096];
    size_t len = 0;
    for (int c = 1; c < 128; c++)
        message[len++] = (char)c;
    strcpy(message + len, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    struct reply_error error = {.message = message, .code = "\"\\\n", .param = "\x01"};
    assert_true(openai_error_text(&error, text, sizeof text) < sizeof text);
    json_t *tree = json_loads(text, 0, NULL), *object = json_object_get(tree, "error");
    assert_string_equal(json_string_value(json_object_get(object, "message")), message);
    assert_string_equal(json_string_value(json_object_get(object, "code")), error.code);
    assert_string_equal(json_string_value(json_object_get(object, "param")), error.param);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_api_is_complete),       cmocka_unit_test(test_a_path_leads_to_its_api_alone),
        cmocka_unit_test(test_every_path_suggests_a_form), cmocka_unit_test(test_the_list_fits_its_room),
        cmocka_unit_test(test_an_error_has_openais_form),  cmocka_unit_test(test_a_message_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
