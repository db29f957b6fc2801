/* Requests of Responses: what is accepted, dropped and refused, that every string is judged, and what goes upstream.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/responses/responses.h"

#define RULE                                                                                                           \
    "version: 1\nname: p\nrules:\n  - { id: a, literal: [harm done, \"4111111111111111\"], channels: [prompt], "       \
    "action: refuse }\n"

static const struct config_limits limits = {.messages = 4, .choices = 2, .tools = 3, .json_depth = 12};

struct asked {
    struct request *request;
    struct request_error err;
    char *text;
    int rv;
};

/* Single quotes stand for double ones. */
static struct asked ask(const char *body, enum rein_unknown unknown)
{
    struct rein_request_rules rules = {.unknown = unknown, .pass_unjudged_parts = true};
    struct request_checks checks = {.rules = &rules, .limits = &limits};
    struct asked a = {.text = strdup(body)};
    assert_non_null(a.text);
    for (char *at = a.text; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    a.rv = request_parse(&a.request, &api_responses, (struct rein_source){.text = a.text, .len = strlen(a.text)},
                         &limits, &a.err);
    if (a.rv == 0)
        a.rv = request_check(a.request, &checks, &a.err);
    return a;
}

static void forget(struct asked *a)
{
    request_free(a->request);
    free(a->text);
}

#define FIELDS(fields) "{'model':'m','input':'Hi'," fields "}"
#define ITEMS(items) "{'model':'m','input':[" items "]}"
#define USER "{'role':'user','content':'Hi'}"

/* ---- what is accepted
 * ------------------------------------------------------------------------------------------------ */

static void passes(void **state)
{
    static const char *const bodies[] = {
        "{'model':'m','input':'Hi'}",
        FIELDS("'store':false,'stream':true,'include':['reasoning.encrypted_content'],'reasoning':{'effort':'low','"
               "summary':'auto'}"),
        FIELDS("'background':false,'truncation':'disabled','text':{'format':{'type':'text'},'verbosity':'low'},'"
               "parallel_tool_calls':true"),
        FIELDS("'previous_response_id':null,'conversation':null,'prompt':null,'max_output_tokens':5,'temperature':1"),
        FIELDS("'tools':[{'type':'function','name':'f','parameters':{'type':'object'}},{'type':'custom','name':'p'}],'"
               "tool_choice':'auto'"),
        FIELDS("'tools':[{'type':'function','name':'f'}],'tool_choice':{'type':'function','name':'f'}"),
        ITEMS(USER),
        ITEMS("{'type':'message','role':'user','content':[{'type':'input_text','text':'Hi'},{'type':'input_image','"
              "image_url':'data:image/png;base64,AAAA','detail':'auto'}]}"),
        ITEMS(
            "{'type':'reasoning','id':'r','summary':[{'type':'summary_text','text':'hm'}],'encrypted_content':'x'},{'"
            "type':'function_call',"
            "'call_id':'c','name':'f','arguments':'{}'},{'type':'function_call_output','call_id':'c','output':'rain'}"),
        ITEMS("{'role':'assistant','content':[{'type':'output_text','text':'Yes','annotations':[]}]}," USER),
        ITEMS("{'type':'custom_tool_call_output','call_id':'c','output':[{'type':'input_text','text':'done'}]}"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct asked a = ask(bodies[i], REIN_UNKNOWN_REFUSE);
        if (a.rv != 0)
            fail_msg("%s: %s", a.err.message, bodies[i]);
        assert_int_equal(a.request->choices, 1);
        assert_true(a.request->wants_usage);
        forget(&a);
    }
}

static void is_refused_by_name(void **state)
{
    static const struct {
        const char *body, *param, *words;
    } cases[] = {
        {FIELDS("'previous_response_id':'resp_1'"), "previous_response_id", "set 'store' to false"},
        {FIELDS("'conversation':'conv_1'"), "conversation", "send the whole conversation"},
        {FIELDS("'background':true"), "background", "answer later"},
        {FIELDS("'prompt':{'id':'pmpt_1'}"), "prompt", "send its text in 'instructions'"},
        {FIELDS("'truncation':'auto'"), "truncation", "cuts the prompt"},
        {FIELDS("'include':['message.output_text.logprobs']"), "include", "not judged"},
        {FIELDS("'tools':[{'type':'web_search'}]"), "tools[0]",
         "'web_search' is not accepted: it runs at the upstream"},
        {FIELDS("'tools':[{'type':'function','name':'f'},{'type':'mcp','server_url':'https://x'}]"), "tools[1]",
         "'mcp'"},
        {FIELDS("'tool_choice':{'type':'file_search'}"), "tool_choice", "'file_search'"},
        {FIELDS("'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[{'type':'code_interpreter'}]}"),
         "tool_choice.tools[0]", "'code_interpreter'"},
        {ITEMS("{'type':'item_reference','id':'msg_1'}," USER), "input[0]",
         "Set 'store' to false and send the whole item"},
        {ITEMS("{'type':'compaction','encrypted_content':'x'}," USER), "input[0]", "'compaction'"},
        {ITEMS(USER ",{'role':'assistant','content':'Sure, here is'}"), "input[1]",
         "must not end with a turn of the assistant"},
        {ITEMS(USER ",{'type':'reasoning','summary':[],'status':'in_progress'}"), "input[1]", "must not end"},
        {ITEMS(USER ",{'type':'message','role':'user','content':'a','status':'incomplete'}"), "input[1]",
         "must not end"},
        {ITEMS("{'role':'tool','content':'x'}"), "input[0]", "needs a 'role'"},
        {ITEMS("{'role':'user'}"), "input[0]", "needs a 'content'"},
        {ITEMS("'Hi'"), "input[0]", "an object"},
        {"{'model':'m'}", "input", "must be a string"},
        {"{'model':'m','input':[]}", "input", "must be a string"},
        {ITEMS(USER "," USER "," USER "," USER "," USER), "input", "at most 4"},
        {FIELDS("'store':1"), "store", "false"},
        {FIELDS("'n':2"), "n", "unknown"},
        {FIELDS("'logit_bias':{'5':1}"), "logit_bias", "forces"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked a = ask(cases[i].body, REIN_UNKNOWN_REFUSE);
        if (a.rv != REIN_EFORMAT || strcmp(a.err.param, cases[i].param) != 0 ||
            strstr(a.err.message, cases[i].words) == NULL)
            fail_msg("%d, '%s': %s of %s", a.rv, a.err.param, a.err.message, cases[i].body);
        forget(&a);
    }
}

static void is_dropped_and_named(void **state)
{
    struct asked a =
        ask(FIELDS("'store':true,'top_logprobs':3,'reasoning':{'effort':'none','summary':'auto'},'of_next_year':1"),
            REIN_UNKNOWN_DROP);
    (void)state;
    assert_int_equal(a.rv, 0);
    assert_string_equal(a.request->dropped->text, "store, top_logprobs, reasoning.effort, of_next_year");
    assert_true(responses_is_as_sent(a.request));
    char *text = responses_sent_text(a.request);
    assert_string_equal(text,
                        "{\"store\":false,\"model\":\"m\",\"input\":\"Hi\",\"reasoning\":{\"summary\":\"auto\"}}");
    free(text);
    forget(&a);
    a = ask(FIELDS("'store':true"), REIN_UNKNOWN_REFUSE);
    assert_int_equal(a.rv, REIN_EFORMAT);
    assert_non_null(strstr(a.err.message, "set it to false"));
    forget(&a);
}

/* ---- what is judged
 * -------------------------------------------------------------------------------------------------- */

static bool is_found(const char *body)
{
    static struct rein_policy *policy;
    static struct rein_engine *engine;
    struct rein_source source = {"p.yaml", RULE, sizeof RULE - 1};
    struct rein_library library = {0};
    struct rein_problems *problems = NULL;
    struct rein_trace *trace;
    struct rein_update update = {0};
    if (policy == NULL) {
        assert_int_equal(rein_problems_new(&problems), 0);
        assert_int_equal(rein_policy_load(&policy, &source, &library, problems), 0);
        rein_problems_free(problems);
        assert_int_equal(rein_engine_new(&engine), 0);
    }
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .dialect = REIN_OPENAI_RESPONSES, .choices = 1, .model = "m", .id = "i"};
    struct asked a = ask(body, REIN_UNKNOWN_PASS);
    if (a.rv != 0)
        fail_msg("%s: %s", a.err.message, body);
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(responses_judge(a.request, trace), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &update), 0);
    rein_trace_free(trace);
    forget(&a);
    return (update.asks & REIN_ASK_STOP) != 0;
}

static void every_string_is_judged(void **state)
{
    static const char *const found[] = {
        "{'model':'m','input':'harm done'}",
        FIELDS("'instructions':'harm done'"),
        FIELDS("'metadata':{'harm done':'x'}"),
        FIELDS("'text':{'format':{'type':'json_schema','name':'n','schema':{'description':'harm done'}}}"),
        FIELDS("'tools':[{'type':'function','name':'f','description':'harm done'}]"),
        FIELDS("'tools':[{'type':'custom','name':'f','format':{'type':'grammar','definition':'harm done'}}]"),
        FIELDS("'of_next_year':{'a':[1,'harm done']}"),
        ITEMS("{'role':'user','content':'harm done'}"),
        ITEMS("{'role':'user','content':[{'type':'input_text','text':'harm '},{'type':'input_text','text':'done'}]}"),
        ITEMS("{'role':'user','content':[{'type':'input_text','text':'harm'},{'type':'input_text','text':' done'}]}"),
        ITEMS("{'role':'user','content':[{'type':'input_file','filename':'harm done'}]}"),
        ITEMS("{'role':'user','content':[{'type':'input_image','image_url':'https://x/harm done'}]}"),
        ITEMS("{'role':'user','content':[{'type':'input_image','image_url':'a','text':'harm done'}]}"),
        ITEMS("{'role':'assistant','content':[{'type':'refusal','refusal':'harm done'}]}," USER),
        ITEMS("{'role':'assistant','content':[{'type':'output_text','text':'a','annotations':[{'title':'harm "
              "done'}]}]}," USER),
        ITEMS("{'type':'reasoning','summary':[{'type':'summary_text','text':'harm done'}]}," USER),
        ITEMS("{'type':'reasoning','summary':[],'content':[{'type':'reasoning_text','text':'harm done'}]}," USER),
        ITEMS("{'type':'reasoning','summary':[],'encrypted_content':'harm done'}," USER),
        ITEMS("{'type':'function_call','call_id':'c','name':'f','arguments':'{\\\"a\\\":\\\"harm done\\\"}'}," USER),
        ITEMS("{'type':'function_call','call_id':'c','name':'harm done','arguments':'{}'}," USER),
        ITEMS("{'type':'function_call_output','call_id':'c','output':'harm done'}"),
        ITEMS("{'type':'function_call_output','call_id':'c','output':[{'type':'input_text','text':'harm done'}]}"),
        ITEMS("{'type':'local_shell_call','call_id':'c','action':{'command':['harm done']}}," USER),
        ITEMS("{'type':'harm done','x':1}," USER),
        ITEMS("{'role':'user','content':'a','id':'harm done'}"),
        ITEMS("{'type':'function_call_output','call_id':'c','output':'n','of_next_year':4111111111111111}"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!is_found(found[i]))
            fail_msg("not found: %s", found[i]);
    assert_false(is_found(ITEMS(USER)));
    assert_false(is_found(FIELDS("'temperature':0.5,'metadata':{'a':'harm','b':'done'}")));
}

/* ---- what goes upstream
 * ------------------------------------------------------------------------------------------------ */

static void nothing_is_stored(void **state)
{
    (void)state;
    struct asked a = ask(FIELDS("'stream':true"), REIN_UNKNOWN_REFUSE);
    assert_true(responses_is_as_sent(a.request));
    char *text = responses_sent_text(a.request);
    assert_string_equal(text, "{\"store\":false,\"model\":\"m\",\"input\":\"Hi\",\"stream\":true}");
    free(text);
    forget(&a);
    a = ask(FIELDS("'stream':true,'store':false"), REIN_UNKNOWN_REFUSE);
    text = responses_sent_text(a.request);
    assert_string_equal(text, a.text);
    free(text);
    forget(&a);
    a = ask("{'model':'m','input':'Hi'}", REIN_UNKNOWN_REFUSE);
    assert_false(responses_is_as_sent(a.request));
    assert_int_equal(request_load(a.request), 0);
    json_t *body = responses_upstream_body(a.request);
    assert_true(json_is_false(json_object_get(body, "store")));
    json_decref(body);
    forget(&a);
}

static void instructions_come_after_the_applications(void **state)
{
    static const char *const bodies[] = {"{'model':'m','input':'Hi'}", FIELDS("'instructions':'Be kind.'"),
                                         FIELDS("'instructions':''")};
    static const char *const wanted[] = {"Think first.", "Be kind.\n\nThink first.", "Think first."};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct asked a = ask(bodies[i], REIN_UNKNOWN_REFUSE);
        assert_int_equal(request_load(a.request), 0);
        json_t *body = responses_upstream_body(a.request);
        assert_int_equal(responses_instruct(body, "Think first."), 0);
        assert_string_equal(json_string_value(json_object_get(body, "instructions")), wanted[i]);
        json_decref(body);
        forget(&a);
    }
}

static void errors_are_events_that_clients_notice(void **state)
{
    char out[512], small[8];
    struct reply_error error = {.code = "upstream_broke", .message = "It \"broke\"."};
    size_t len = responses_error_event(&error, out, sizeof out);
    (void)state;
    assert_int_equal(len, strlen(out));
    assert_int_equal(responses_error_event(&error, small, sizeof small), len);
    assert_memory_equal(out, "event: error\ndata: ", 19);
    json_t *event = json_loads(strstr(out, "{"), JSON_DISABLE_EOF_CHECK, NULL);
    assert_string_equal(json_string_value(json_object_get(event, "code")), "upstream_broke");
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "error"), "message")),
                        "It \"broke\".");
    json_decref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes),
        cmocka_unit_test(is_refused_by_name),
        cmocka_unit_test(is_dropped_and_named),
        cmocka_unit_test(every_string_is_judged),
        cmocka_unit_test(nothing_is_stored),
        cmocka_unit_test(instructions_come_after_the_applications),
        cmocka_unit_test(errors_are_events_that_clients_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
