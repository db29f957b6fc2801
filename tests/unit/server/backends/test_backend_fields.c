/* Fields of requests, kind by kind: each that would move, hide, force or prefill text is refused where it has a
 * meaning. SPDX-License-Identifier: Apache-2.0 */
#include "plankit.h"

static const char *const kinds[] = {"openai",  "vllm", "sglang",     "llamacpp",  "ollama", "deepseek",
                                    "mistral", "groq", "openrouter", "anthropic", "gemini"};

/* The code that a request with this field is refused with; "" if it passes. */
static const char *code_of(const char *kind, const char *field, const char *const *allow)
{
    static char code[64];
    char fields[128];
    struct request_error err = {.code = ""};
    snprintf(fields, sizeof fields, "'%s':{'x':1}", field);
    struct request *request = plan_request(fields, NULL);
    int rv = request_check_fields(request, &backend_find(kind)->fields, allow, &err);
    snprintf(code, sizeof code, "%s", rv < 0 ? err.code : "");
    if (rv < 0)
        assert_string_equal(err.param, field);
    plan_drop_request(request);
    return code;
}

static void expect_code(const char *kind, const char *field, const char *want)
{
    const char *code = code_of(kind, field, NULL);
    if (strcmp(code, want) != 0)
        fail_msg("%s, %s: `%s`, expected `%s`", kind, field, code, want);
}

/* What every kind refuses, whatever its own table says. */
static void test_refused_everywhere(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "add_generation_prompt",
        "chat_template",
        "chat_template_kwargs",
        "continue_final_message",
        "echo",
        "enable_thinking",
        "guided_json",
        "grammar",
        "include_reasoning",
        "input_ids",
        "logit_bias",
        "prompt",
        "prompt_token_ids",
        "reasoning",
        "reasoning_budget_message",
        "reasoning_format",
        "return_token_ids",
        "return_prompt_text",
        "separate_reasoning",
        "skip_special_tokens",
        "stop_token_ids",
        "think",
        "thinking",
        "thinking_token_budget",
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            expect_code(kinds[k], fields[i], "field_not_accepted");
}

/* The same for the whole of the common table, but for what a kind has a row of its own for. */
static void test_common(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < chat_fields.len; i++) {
            const struct field *row = &chat_fields.rows[i];
            if (i > 0 && strcmp(row[-1].name, row->name) >= 0)
                fail_msg("%s stands behind %s", row->name, row[-1].name);
            if (row->rule == FIELD_DENY &&
                field_find(&backend_find(kinds[k])->fields, row->name, strlen(row->name)) == NULL)
                expect_code(kinds[k], row->name, "field_not_accepted");
        }
}

/* Each row of each table does what it says, and the rows are sorted, for they are bisected. */
static void test_tables(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct field_table *table = &backend_find(kinds[k])->fields;
        for (size_t i = 0; i < table->len; i++) {
            const struct field *row = &table->rows[i];
            if (i > 0 && strcmp(row[-1].name, row->name) >= 0)
                fail_msg("%s: %s stands behind %s", kinds[k], row->name, row[-1].name);
            if (row->rule == FIELD_DENY)
                assert_non_null(row->why);
            expect_code(kinds[k], row->name, row->rule == FIELD_DENY ? "field_not_accepted" : "");
        }
    }
}

/* What only one kind knows. */
static void test_own(void **state)
{
    (void)state;
    static const char *const own[][2] = {
        {"vllm", "truncate_prompt_tokens"},
        {"vllm", "documents"},
        {"vllm", "kv_transfer_params"},
        {"sglang", "lora_path"},
        {"sglang", "custom_logit_processor"},
        {"sglang", "stop_regex"},
        {"sglang", "return_prompt_token_ids"},
        {"llamacpp", "prefill_assistant"},
        {"llamacpp", "preserved_tokens"},
        {"llamacpp", "n_probs"},
        {"ollama", "options"},
        {"ollama", "template"},
        {"ollama", "raw"},
        {"ollama", "_debug_render_only"},
        {"mistral", "prompt_mode"},
        {"groq", "compound_custom"},
        {"openrouter", "preset"},
        {"anthropic", "system"},
        {"anthropic", "mcp_servers"},
        {"gemini", "extra_body"},
        {"gemini", "cached_content"},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        expect_code(own[i][0], own[i][1], "field_not_accepted");
        expect_code("openai", own[i][1], "unknown_field");
    }
    expect_code("vllm", "cache_salt", "");
    expect_code("mistral", "random_seed", "");
    static const char *const allow[] = {"prompt_mode", NULL};
    assert_string_equal(code_of("mistral", "prompt_mode", allow), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_everywhere),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
