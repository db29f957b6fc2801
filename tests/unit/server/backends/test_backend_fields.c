/* Fields of requests, kind by kind: each that would move, hide, force or prefill text is refused where it has a
 * meaning. SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "plankit.h"

static const char *const kinds[] = {"openai",  "vllm", "sglang",     "llamacpp",  "ollama", "deepseek",
                                    "mistral", "groq", "openrouter", "anthropic", "gemini"};

static const struct config_limits limits = {.messages = 8, .choices = 4, .tools = 4, .json_depth = 12};

/* The code that a request with this field is refused with; "" if it passes. */
static const char *code_by(const char *kind, const char *field, const char *value,
                           const struct rein_request_rules *rules)
{
    static char code[64];
    char text[256];
    struct request_error err = {.code = ""};
    struct request *request = NULL;
    int len =
        snprintf(text, sizeof text, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"%s\":%s}",
                 field, value);
    int rv = request_parse(&request, &api_chat, (struct rein_source){"", text, (size_t)len}, &limits, &err);
    struct request_checks checks = {backend_fields(backend_find(kind), &api_chat), rules, &limits, false};
    assert_int_equal(rv, 0);
    rv = request_check(request, &checks, &err);
    snprintf(code, sizeof code, "%s", rv < 0 ? err.code : "");
    if (rv < 0 && strncmp(err.param, field, strlen(field)) != 0)
        fail_msg("%s: %s", field, err.param);
    request_free(request);
    return code;
}

static const char *code_of(const char *kind, const char *field, const char *const *allow)
{
    return code_by(kind, field, "{\"x\":1}", &(struct rein_request_rules){.allow = allow});
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
        "reasoning_budget_message",
        "reasoning_format",
        "return_token_ids",
        "return_prompt_text",
        "separate_reasoning",
        "skip_special_tokens",
        "stop_token_ids",
        "think",
        "thinking_token_budget",
    };
    static const char *const openings[] = {"chat_template_kwargs", "reasoning", "thinking"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            expect_code(kinds[k], fields[i], "field_not_accepted");
        for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) /* of the member `x`, which nobody knows */
            expect_code(kinds[k], openings[i], "unknown_field");
    }
}

/* A table and what is below it: sorted, because rows are found by bisection, each with a reason, none with parts that
 * contradict each other. */
static void check_table(const char *name, const struct field_table *table, int depth)
{
    assert_true(depth < 5); /* as deep as blocks of Messages; the walk has room for four lists */
    for (size_t i = 0; i < table->len; i++) {
        const struct field *row = &table->rows[i];
        if (i > 0 && strcmp(row[-1].name, row->name) >= 0)
            fail_msg("%s: %s must not stand behind %s", name, row->name, row[-1].name);
        if (row->why == NULL || *row->why == '\0')
            fail_msg("%s: %s has no reason", name, row->name);
        bool has_words = (row->passes & (FIELD_IF_WORD | FIELD_IF_OTHER)) != 0;
        if (has_words != (row->words != NULL) || (row->passes != 0 && row->fate < FIELD_OVERRIDE))
            fail_msg("%s: %s passes with no value", name, row->name);
        if (row->is_whole && row->below == NULL)
            fail_msg("%s: %s has nothing below", name, row->name);
        if (row->below != NULL)
            check_table(row->name, row->below, depth + 1);
    }
}

/* The values of a row that pass, in JSON, and one that does not. */
static void check_values(const char *kind, const struct field *row)
{
    static const struct {
        enum field_value value;
        const char *yes, *no;
    } values[] = {{FIELD_IF_TRUE, "true", "false"},        {FIELD_IF_FALSE, "false", "true"},
                  {FIELD_IF_EMPTY, "{}", "{\"x\":1}"},     {FIELD_IF_EMPTY, "[]", "[1]"},
                  {FIELD_IF_EMPTY, "\"\"", "\"no-word\""}, {FIELD_IF_ZERO, "0.0e7", "1"},
                  {FIELD_IF_NOT_ZERO, "-1", "0"},          {FIELD_IF_OTHER, "\"other\"", "\"none\""}};
    static const struct rein_request_rules rules = {0};
    if (row->below != NULL)
        return;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        bool passes = (row->passes & values[i].value) != 0;
        const char *value = passes ? values[i].yes : values[i].no;
        const char *want = passes ? "" : "field_not_accepted";
        if (!passes && (row->passes & ~(unsigned)values[i].value) != 0)
            continue; /* it may pass for another reason */
        const char *code = code_by(kind, row->name, value, &rules);
        if (strcmp(code, want) != 0)
            fail_msg("%s: {%s: %s}: `%s`, expected `%s`", kind, row->name, value, code, want);
    }
}

/* Each row of each table does what it says. */
static void check_rows(const char *kind, const struct field_table *table)
{
    for (size_t i = 0; i < table->len; i++) {
        const struct field *row = &table->rows[i];
        const struct field *of_kind =
            field_find(backend_fields(backend_find(kind), &api_chat), row->name, strlen(row->name));
        if (of_kind != NULL && of_kind != row)
            continue;
        if (row->fate >= FIELD_DROP)
            check_values(kind, row);
        else if (row->below == NULL && field_find(&chat_fields, row->name, strlen(row->name)) != row)
            expect_code(kind, row->name, "");
    }
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_count(); i++) {
        check_table(api_at(i)->path, api_at(i)->fields, 0);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            check_table(kinds[k], backend_fields(backend_find(kinds[k]), api_at(i)), 0);
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct field_table *own = backend_fields(backend_find(kinds[k]), &api_chat);
        check_rows(kinds[k], own);
        check_rows(kinds[k], &chat_fields);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *row;
        bool is_inside;
    } cases[] = {
        {"seed", "seed", false},
        {"messages", "messages", false},
        {"messages[]", "messages", false},
        {"messages[].name", "name", false},
        {"messages[].content[].text", "text", false},
        {"messages[].tool_calls[].id", "tool_calls", true},
        {"stream_options.include_usage", "include_usage", false},
        {"metadata.a.b", "metadata", true},
        {"messages.name", NULL, false},
        {"messages[0].name", NULL, false},
        {"stream_options[].include_usage", NULL, false},
        {"messages[].images", NULL, false},
        {"messages[]name", NULL, false},
        {"", NULL, false},
        {".", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_inside;
        const struct field *row = field_find_path(&chat_fields, cases[i].path, &is_inside);
        if ((row == NULL) != (cases[i].row == NULL) || (row != NULL && strcmp(row->name, cases[i].row) != 0))
            fail_msg("%s: %s", cases[i].path, row != NULL ? row->name : "none");
        assert_int_equal(row != NULL && is_inside, cases[i].is_inside);
    }
}

/* What only one kind knows. */
static void test_own(void **state)
{
    (void)state;
    static const char *const own[][2] = {
        {"vllm", "truncate_prompt_tokens"},
        {"vllm", "kv_transfer_params"},
        {"sglang", "lora_path"},
        {"sglang", "custom_logit_processor"},
        {"sglang", "stop_regex"},
        {"sglang", "return_prompt_token_ids"},
        {"llamacpp", "prefill_assistant"},
        {"llamacpp", "preserved_tokens"},
        {"llamacpp", "n_probs"},
        {"ollama", "options"},
        {"ollama", "keep_alive"},
        {"vllm", "priority"},
        {"llamacpp", "id_slot"},
        {"ollama", "template"},
        {"ollama", "raw"},
        {"ollama", "_debug_render_only"},
        {"mistral", "prompt_mode"},
        {"groq", "compound_custom"},
        {"openrouter", "preset"},
        {"anthropic", "system"},
        {"gemini", "cached_content"},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        expect_code(own[i][0], own[i][1], "field_not_accepted");
        expect_code("openai", own[i][1], "unknown_field");
    }
    expect_code("vllm", "cache_salt", "");
    expect_code("anthropic", "mcp_servers", "field_not_accepted");
    expect_code("mistral", "random_seed", "");
    expect_code("mistral", "safe_prompt", "");
    expect_code("llamacpp", "dry_multiplier", "");
    expect_code("openai", "dry_multiplier", "unknown_field");
    expect_code("openrouter", "provider", "unknown_field"); /* its member `x` */
    static const struct rein_request_rules rules = {0};
    assert_string_equal(code_by("openrouter", "provider", "{\"data_collection\":\"deny\",\"zdr\":true}", &rules), "");
    assert_string_equal(code_by("openrouter", "provider", "{\"data_collection\":\"allow\"}", &rules),
                        "field_not_accepted");
    assert_string_equal(code_by("openai", "provider", "{\"data_collection\":\"deny\"}", &rules), "field_not_accepted");
    static const char *const allow[] = {"prompt_mode", NULL};
    assert_string_equal(code_of("mistral", "prompt_mode", allow), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_everywhere),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
