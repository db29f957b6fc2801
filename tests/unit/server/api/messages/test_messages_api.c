/* Requests and errors of Anthropic's Messages API: what is refused, dropped, counted and judged, and what goes
 * upstream. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/messages/messages.h"

static const struct config_limits limits = {.messages = 4, .choices = 1, .tools = 3, .json_depth = 16};
static const struct rein_request_rules strict, dropping = {.unknown = REIN_UNKNOWN_DROP, .pass_unjudged_parts = true},
                                               passing = {.unknown = REIN_UNKNOWN_PASS, .pass_unjudged_parts = true};

/* Single quotes stand for double ones. Owned. */
static char *quoted(const char *text)
{
    char *out = strdup(text);
    assert_non_null(out);
    for (char *at = out; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    return out;
}

/* "" if the request is accepted, else "code param". *out borrows the text. */
static const char *verdict_of(const struct rein_request_rules *rules, const char *text, struct request **out)
{
    static char said[256];
    struct request_error err = {.code = "?"};
    struct request *r = NULL;
    int rv = request_parse(&r, &api_messages, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err);
    if (rv == 0)
        rv = request_check(r, &(struct request_checks){.rules = rules, .limits = &limits}, &err);
    assert_true(rv == 0 || rv == REIN_EFORMAT);
    snprintf(said, sizeof said, "%s%s%s", rv < 0 ? err.code : "", rv < 0 && *err.param ? " " : "",
             rv < 0 ? err.param : "");
    if (rv == 0 && out != NULL)
        *out = r;
    else
        request_free(r);
    return said;
}

/* The same of a request with these members besides; `blocks`: the content of its first message, NULL: a string. */
static const char *verdict_with(const struct rein_request_rules *rules, const char *members, const char *blocks)
{
    char text[2048];
    snprintf(text, sizeof text, "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':%s}]%s%s}",
             blocks != NULL ? blocks : "'hello'", *members != '\0' ? "," : "", members);
    char *json = quoted(text);
    const char *said = verdict_of(rules, json, NULL);
    free(json);
    return said;
}

struct row {
    const char *text, *said;
};

static void test_members(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"'stream':true,'temperature':1,'top_k':5,'top_p':0.5,'metadata':{'user_id':'u'},'service_tier':'auto'", ""},
        {"'system':'be kind'", ""},
        {"'system':[{'type':'text','text':'be kind','cache_control':{'type':'ephemeral'}}]", ""},
        {"'system':[{'type':'image'}]", "invalid_type system[0]"},
        {"'system':1", "invalid_type system"},
        {"'stream':'yes'", "invalid_type stream"},
        {"'thinking':{'type':'enabled','budget_tokens':1024}", ""},
        {"'thinking':{'type':'adaptive','display':'summarized'}", ""},
        {"'thinking':{'type':'disabled'}", "field_not_accepted thinking"},
        {"'thinking':{'type':'enabled','budget_tokens':0}", "field_not_accepted thinking.budget_tokens"},
        {"'output_config':{'effort':'low','format':{'type':'json_schema','schema':{'type':'object'}}}", ""},
        {"'tools':[{'name':'f','input_schema':{'type':'object'}},{'type':'bash_20250124','name':'bash'}]", ""},
        {"'tools':[{'type':'web_search_20250305','name':'web_search'}]", "field_not_accepted tools[0]"},
        {"'tools':[{'name':'f'},{'type':'mcp_toolset','mcp_server_name':'x'}]", "field_not_accepted tools[1]"},
        {"'tools':[1,2,3,4]", "too_many tools"},
        {"'tools':{}", "invalid_type tools"},
        {"'tool_choice':{'type':'tool','name':'f'}", ""},
        {"'mcp_servers':[{'url':'http://x'}]", "field_not_accepted mcp_servers"},
        {"'mcp_servers':[]", ""},
        {"'container':'c'", "field_not_accepted container"},
        {"'context_management':{'edits':[{'type':'clear_thinking_20251015','keep':'all'}]}", ""},
        {"'context_management':{'edits':[{'type':'compact_20260112'}]}",
         "field_not_accepted context_management.edits[0].type"},
        {"'stop_sequences':['END']", ""},
        {"'stop_sequences':['</think>']", "field_not_accepted stop_sequences"},
        {"'stop_sequences':'END'", "invalid_type stop_sequences"},
        {"'continue_final_message':true", "field_not_accepted continue_final_message"},
        {"'chat_template':'x'", "field_not_accepted chat_template"},
        {"'made_up':1", "unknown_field made_up"},
        {"'system':null,'tools':null,'thinking':null", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(verdict_with(&strict, rows[i].text, NULL), rows[i].said);
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[{'type':'text','text':'a','citations':[]}]", ""},
        {"[]", ""},
        {"[{'type':'text'}]", "invalid_type messages[0].content[0]"},
        {"[{'text':'x'}]", "invalid_type messages[0].content[0]"},
        {"[{'type':'thinking','thinking':'t','signature':'s'},{'type':'redacted_thinking','data':'d'}]", ""},
        {"[{'type':'tool_use','id':'i','name':'f','input':{'a':1}}]", ""},
        {"[{'type':'tool_result','tool_use_id':'i','is_error':false,'content':'x'}]", ""},
        {"[{'type':'tool_result','tool_use_id':'i','content':[{'type':'text','text':'x'}]}]", ""},
        {"[{'type':'tool_result','tool_use_id':'i'}]", ""},
        {"[{'type':'tool_result','content':[{'type':'tool_result','content':[{'type':'text','text':'x'}]}]}]",
         "invalid_type messages[0].content[0].content[0]"},
        {"[{'type':'search_result','source':'s','title':'t','content':[{'type':'text','text':'x'}]}]", ""},
        {"[{'type':'document','source':{'type':'text','media_type':'text/plain','data':'x'}}]", ""},
        {"[{'type':'image','source':{'type':'base64','media_type':'image/png','data':'aaaa'}}]",
         "unsupported_content messages[0].content[0]"},
        {"[{'type':'document','source':{'type':'url','url':'http://x'}}]",
         "unsupported_content messages[0].content[0]"},
        {"[{'type':'image','source':{'type':'file','file_id':'f'}}]", "field_not_accepted messages[0].content[0]"},
        {"[{'type':'hologram'}]", "unsupported_content messages[0].content[0]"},
        {"[{'type':'server_tool_use','id':'i','name':'web_search','input':{}}]",
         "field_not_accepted messages[0].content[0]"},
        {"[{'type':'web_search_tool_result','tool_use_id':'i','content':[]}]",
         "field_not_accepted messages[0].content[0]"},
        {"[{'type':'mcp_tool_result','tool_use_id':'i','content':[]}]", "field_not_accepted messages[0].content[0]"},
        {"[{'type':'container_upload','id':'f'}]", "field_not_accepted messages[0].content[0]"},
        {"1", "invalid_type messages[0]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(verdict_with(&strict, "", rows[i].text), rows[i].said);
}

static void test_turns(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{'model':'m','messages':[]}", "invalid_type messages"},
        {"{'model':'m'}", "invalid_type messages"},
        {"{'model':'m','messages':[{'role':'system','content':'x'}]}", "invalid_type messages[0].role"},
        {"{'model':'m','messages':[{'role':'user'}]}", "invalid_type messages[0].content"},
        {"{'model':'m','messages':[1]}", "invalid_type messages[0]"},
        {"{'model':'m','messages':[{'role':'user','content':'x'},{'role':'assistant','content':'Sure'}]}",
         "field_not_accepted messages[1]"},
        {"{'model':'m','messages':[1,2,3,4,5]}", "too_many messages"},
        {"{'messages':[{'role':'user','content':'x'}]}", "missing_model model"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *json = quoted(rows[i].text);
        const char *said = verdict_of(&strict, json, NULL);
        if (i + 1 < sizeof rows / sizeof *rows)
            assert_string_equal(said, rows[i].said);
        else
            assert_true(strstr(said, "model") != NULL);
        free(json);
    }
}

/* ---- what goes upstream ------------------------------------------------------------------------------------------ */

static void check_body(const struct rein_request_rules *rules, const char *text, const char *want, const char *dropped,
                       unsigned unjudged)
{
    char *json = quoted(text), *expected = quoted(want);
    struct request *r = NULL;
    assert_string_equal(verdict_of(rules, json, &r), "");
    assert_int_equal(request_load(r), 0);
    json_t *body = messages_upstream_body(r);
    char *sent = json_dumps(body, JSON_COMPACT);
    assert_string_equal(sent, expected);
    assert_string_equal(r->dropped != NULL ? r->dropped->text : "", dropped);
    assert_int_equal(r->unjudged_parts, unjudged);
    char *bytes = messages_sent_text(r); /* of the client, without what was removed */
    json_t *reread = json_loads(bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_true(messages_is_as_sent(r));
    assert_true(json_equal(reread, body));
    json_decref(reread);
    free(bytes);
    free(sent);
    json_decref(body);
    request_free(r);
    free(json);
    free(expected);
}

#define TURN "'messages':[{'role':'user','content':'x'}]"

static void test_what_is_dropped(void **state)
{
    (void)state;
    check_body(&dropping, "{'model':'m'," TURN "}", "{'model':'m'," TURN "}", "", 0);
    check_body(&dropping, "{'model':'m','thinking':{'type':'disabled'},'made_up':[1]," TURN "}",
               "{'model':'m'," TURN "}", "thinking, made_up", 0);
    /* reasoning that is left out cannot be judged */
    check_body(&dropping, "{'model':'m','thinking':{'type':'adaptive','display':'omitted'}," TURN "}",
               "{'model':'m','thinking':{'type':'adaptive'}," TURN "}", "", 0);
    /* an answer that comes back as it was */
    check_body(
        &dropping,
        "{'model':'m','messages':[{'role':'user','content':'x'},{'id':'msg_1','type':'message','role':'assistant',"
        "'model':'m','content':[{'type':'text','text':'y'}],'stop_reason':'end_turn','stop_sequence':null,'usage':"
        "{'input_tokens':1}},{'role':'user','content':'z'}]}",
        "{'model':'m','messages':[{'role':'user','content':'x'},{'role':'assistant','content':[{'type':'text',"
        "'text':'y'}]},{'role':'user','content':'z'}]}",
        "messages.id, messages.type, messages.model, messages.stop_reason, messages.usage", 0);
    check_body(
        &dropping,
        "{'model':'m','messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','data':'aa'}},"
        "{'type':'tool_result','tool_use_id':'i','content':[{'type':'image','source':{'type':'url','url':'u'}}]}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64','data':'aa'}},"
        "{'type':'tool_result','tool_use_id':'i','content':[{'type':'image','source':{'type':'url','url':'u'}}]}]}]}",
        "", 2);
}

static void check_instruct(const char *text, const char *want)
{
    char *json = quoted(text), *expected = quoted(want);
    json_t *body = json_loads(json, 0, NULL), *before = json_deep_copy(body), *copy = json_copy(body);
    assert_int_equal(messages_instruct(copy, "now"), 0);
    char *said = json_dumps(json_object_get(copy, "system"), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(said, expected);
    assert_true(json_equal(body, before)); /* the request's own values stay */
    free(said);
    json_decref(copy);
    json_decref(before);
    json_decref(body);
    free(json);
    free(expected);
}

static void test_an_instruction_comes_last(void **state)
{
    (void)state;
    check_instruct("{'model':'m'}", "'now'");
    check_instruct("{'system':'be kind'}", "'be kind\\n\\nnow'");
    check_instruct("{'system':[{'type':'text','text':'be kind'}]}",
                   "[{'type':'text','text':'be kind'},{'type':'text','text':'now'}]");
}

/* ---- what is judged ---------------------------------------------------------------------------------------------- */

static bool is_judged(struct rein_policy *policy, struct rein_engine *engine, const char *text)
{
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .dialect = REIN_ANTHROPIC_MESSAGES, .choices = 1, .model = "m", .id = "i"};
    struct rein_update update = {0};
    struct rein_trace *trace;
    struct request *r = NULL;
    char *json = quoted(text);
    assert_string_equal(verdict_of(&passing, json, &r), "");
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(messages_judge(r, trace), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &update), 0);
    bool found = (update.asks & REIN_ASK_STOP) != 0;
    rein_trace_free(trace);
    request_free(r);
    free(json);
    return found;
}

static void test_no_text_passes_unread(void **state)
{
    (void)state;
    static const char yaml[] =
        "version: 1\nname: p\nrules:\n  - { id: a, literal: [harm done, \"4111111111111111\", json_schema, ephemeral], "
        "match: raw, channels: [prompt], action: refuse }\n";
    static const char *const found[] = {
        "{'model':'m','messages':[{'role':'user','content':'harm done'}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'harm "
        "'},{'type':'text','text':'done'}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'tool_result','tool_use_id':'i','content':'harm "
        "done'}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'tool_result','tool_use_id':'harm done'}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'tool_result','content':[{'type':'text','text':'"
        "harm "
        "done'}]}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'document','title':'harm done','source':{'type':"
        "'base64','data':'aa'}}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'document','source':{'type':'text','data':'harm "
        "done'}}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'image','source':{'type':'url','url':'harm "
        "done'}}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'search_result','source':'harm "
        "done','title':'','content':[]}]}]}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'hologram','note':{'harm done':1}}]}]}",
        "{'model':'m','messages':[{'role':'assistant','content':[{'type':'thinking','thinking':'harm "
        "done','signature':'s'}]"
        "},{'role':'user','content':'x'}]}",
        "{'model':'m','messages':[{'role':'assistant','content':[{'type':'redacted_thinking','data':'harm "
        "done'}]},{'role':"
        "'user','content':'x'}]}",
        "{'model':'m','messages':[{'role':'assistant','content':[{'type':'tool_use','name':'f','input':{'a':['harm "
        "done']}}]},{'role':'user','content':'x'}]}",
        "{'model':'m','messages':[{'role':'assistant','content':[{'type':'tool_use','name':'f','input':{'a':"
        "4111111111111111}}]},{'role':'user','content':'x'}]}",
        "{'model':'m','system':'harm done'," TURN "}",
        "{'model':'m','system':[{'type':'text','text':'harm done'}]," TURN "}",
        "{'model':'m','tools':[{'name':'f','description':'harm done','input_schema':{}}]," TURN "}",
        "{'model':'m','tools':[{'name':'f','input_schema':{'properties':{'harm done':{}}}}]," TURN "}",
        "{'model':'m','output_config':{'format':{'type':'x','schema':{'title':'harm done'}}}," TURN "}",
        "{'model':'m','metadata':{'user_id':'harm done'}," TURN "}",
        "{'model':'m','stop_sequences':['harm done']," TURN "}",
        "{'model':'m','made_up':{'harm done':0}," TURN "}",
    };
    static const char *const words[] = {
        "{'model':'m','output_config':{'format':{'type':'json_schema','schema':{}}}," TURN "}",
        "{'model':'m','cache_control':{'type':'ephemeral'}," TURN "}",
        "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'x','cache_control':{'type':"
        "'ephemeral'}}]}]}",
        "{'model':'m','max_tokens':4111111111111111," TURN "}",
    };
    struct rein_source source = {"p.yaml", yaml, sizeof yaml - 1};
    struct rein_library library = {0};
    struct rein_problems *problems;
    struct rein_policy *policy = NULL;
    struct rein_engine *engine = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_policy_load(&policy, &source, &library, problems), 0);
    assert_int_equal(rein_engine_new(&engine), 0);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!is_judged(policy, engine, found[i]))
            fail_msg("not judged: %s", found[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_judged(policy, engine, words[i]))
            fail_msg("a word of the API: %s", words[i]);
    rein_engine_free(engine);
    rein_policy_unref(policy);
    rein_problems_free(problems);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void test_errors_have_anthropics_form(void **state)
{
    (void)state;
    static const struct {
        struct reply_error error;
        const char *want;
    } cases[] = {
        {{.status = 400, .message = "m"}, "invalid_request_error"},
        {{.status = 401, .message = "m"}, "authentication_error"},
        {{.status = 403, .message = "m"}, "permission_error"},
        {{.status = 404, .message = "m"}, "not_found_error"},
        {{.status = 413, .message = "m"}, "request_too_large"},
        {{.status = 415, .message = "m"}, "invalid_request_error"},
        {{.status = 429, .message = "m"}, "rate_limit_error"},
        {{.status = 500, .fault = REPLY_FAULT_SERVER, .message = "m"}, "api_error"},
        {{.status = 503, .fault = REPLY_FAULT_SERVER, .message = "m"}, "overloaded_error"},
        {{.status = 529, .fault = REPLY_FAULT_UPSTREAM, .type = "overloaded_error", .message = "m"},
         "overloaded_error"},
        {{.status = 502, .fault = REPLY_FAULT_UPSTREAM, .message = "m"}, "api_error"},
        {{.status = 504, .fault = REPLY_FAULT_UPSTREAM, .message = "m"}, "timeout_error"},
    };
    char out[300], want[300];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(want, sizeof want, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"m\"}}",
                 cases[i].want);
        assert_int_equal(messages_error_text(&cases[i].error, out, sizeof out), strlen(want));
        assert_string_equal(out, want);
    }
    struct reply_error full = {.status = 400, .code = "c", .param = "messages[0]", .message = "\"m\""};
    size_t len = messages_error_event(&full, out, sizeof out);
    assert_int_equal(len, strlen(out));
    assert_string_equal(out, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                             "\"message\":\"\\\"m\\\"\",\"code\":\"c\",\"param\":\"messages[0]\"}}\n\n");
}

static void test_an_upstreams_reason_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type, *text;
    } cases[] = {
        {"{'type':'error','error':{'type':'overloaded_error','message':'busy'}}", "overloaded_error", "busy"},
        {"{'error':'no'}", "", "no"},
        {"{'type':'x y','message':'m'}", "", "m"},
        {"{'detail':1}", "", ""},
        {"[]", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct upstream_reason reason = {.status = 400};
        char *json = quoted(cases[i].body);
        json_t *body = json_loads(json, 0, NULL);
        messages_read_reason(&reason, body);
        assert_string_equal(reason.type, cases[i].type);
        assert_string_equal(reason.text, cases[i].text);
        json_decref(body);
        free(json);
    }
}

static void test_a_key_goes_where_the_kind_reads_it(void **state)
{
    (void)state;
    struct config_upstream upstream = {.kind = (char *)"anthropic", .authorization = (char *)"Bearer sk"};
    struct upstream_header header = api_messages.upstream_key(&upstream);
    assert_string_equal(header.name, "x-api-key");
    assert_string_equal(header.value, "sk");
    upstream.kind = (char *)"vllm";
    header = api_messages.upstream_key(&upstream);
    assert_string_equal(header.name, "authorization");
    assert_string_equal(header.value, "Bearer sk");
}

static void check_order(const struct field_table *table)
{
    for (size_t i = 0; i < table->len; i++) {
        assert_true(i == 0 || strcmp(table->rows[i - 1].name, table->rows[i].name) < 0);
        assert_non_null(table->rows[i].why);
        if (table->rows[i].below != NULL)
            check_order(table->rows[i].below);
    }
}

static void test_fields_are_sorted(void **state)
{
    (void)state;
    check_order(&messages_fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_what_is_dropped),
        cmocka_unit_test(test_an_instruction_comes_last),
        cmocka_unit_test(test_no_text_passes_unread),
        cmocka_unit_test(test_errors_have_anthropics_form),
        cmocka_unit_test(test_an_upstreams_reason_is_read),
        cmocka_unit_test(test_a_key_goes_where_the_kind_reads_it),
        cmocka_unit_test(test_fields_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
