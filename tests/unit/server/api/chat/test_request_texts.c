/* Judging of chat requests: no string of a request passes unread, wherever it stands.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chat/chat.h"

/* Two words, so that one which is cut in two is seen as well. */
#define RULE                                                                                                           \
    "version: 1\nname: p\nrules:\n  - { id: a, literal: [harm done, json_object, ephemeral, \"4111111111111111\"], "   \
    "channels: [prompt], action: refuse }\n"

struct fixture {
    struct rein_policy *policy;
    struct rein_engine *engine;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct rein_source source = {"p.yaml", RULE, sizeof RULE - 1};
    struct rein_library library = {0};
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0)
        return -1;
    int rv = rein_policy_load(&f.policy, &source, &library, problems);
    if (rv != 0 && rein_problems_count(problems) > 0)
        print_error("%s\n", rein_problems_at(problems, 0)->message);
    rein_problems_free(problems);
    if (rv == 0)
        rv = rein_engine_new(&f.engine);
    *state = &f;
    return rv;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rein_engine_free(f->engine);
    rein_policy_unref(f->policy);
    return 0;
}

/* Does the rule find its words in the prompt? Single quotes stand for double ones. */
static bool is_found(const struct fixture *f, const char *body)
{
    static const struct config_limits limits = {.messages = 4, .choices = 2, .tools = 2, .json_depth = 12};
    static const struct rein_request_rules rules = {.unknown = REIN_UNKNOWN_PASS, .pass_unjudged_parts = true};
    struct rein_trace_options options = {
        .policy = f->policy, .engine = f->engine, .choices = 1, .model = "m", .id = "i"};
    struct rein_update update = {0};
    struct request_error err;
    struct request *request;
    struct rein_trace *trace;
    char *text = strdup(body);
    assert_non_null(text);
    for (char *at = text; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    if (request_parse(&request, &api_chat, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err) != 0)
        fail_msg("%s: %s", err.message, text);
    if (request_check(request, &(struct request_checks){.rules = &rules, .limits = &limits}, &err) != 0)
        fail_msg("%s: %s", err.message, text);
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(chat_judge(request, trace), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &update), 0);
    rein_trace_free(trace);
    request_free(request);
    free(text);
    return (update.asks & REIN_ASK_STOP) != 0;
}

static void check_all(const struct fixture *f, const char *const *bodies, bool wanted)
{
    for (; *bodies != NULL; bodies++)
        if (is_found(f, *bodies) != wanted)
            fail_msg("%s: %s", wanted ? "not found" : "found", *bodies);
}

#define MESSAGE(fields) "{'model':'m','messages':[{'role':'user'," fields "}]}"
#define FIELDS(fields) "{'model':'m','messages':[{'role':'user','content':'a'}]," fields "}"

static void test_strings_of_messages(void **state)
{
    static const char *const found[] = {
        MESSAGE("'content':'harm done'"),
        MESSAGE("'content':'h\\u0061rm\\u0020done'"),
        MESSAGE("'content':'a','name':'harm done'"),
        MESSAGE("'content':'a','tool_calls':[{'type':'function','function':{'arguments':'harm done'}}]"),
        MESSAGE("'content':'a','tool_calls':[{'harm done':1}]"),
        MESSAGE("'content':'a','reasoning_details':[[['harm done']]]"),
        MESSAGE("'content':'a','annotations':['harm done']"),
        MESSAGE("'content':'a','thinking_blocks':[{'type':'thinking','thinking':'harm done','signature':'x'}]"),
        MESSAGE("'content':'a','thinking_blocks':[{'type':'redacted_thinking','data':'harm done'}]"),
        MESSAGE("'content':'a','provider_specific_fields':{'note':{'harm done':true}}"),
        MESSAGE("'content':'a','cache_control':{'type':'harm done'}"),
        MESSAGE("'content':'a','images':[{'caption':'harm done'}]"),
        MESSAGE("'content':'a','made_up':4111111111111111"),
        MESSAGE("'content':[{'type':'thinking','thinking':[{'type':'text','text':'harm done'}]}]"),
        /* what can be read of a part that cannot be judged */
        MESSAGE("'content':[{'type':'image_url','image_url':{'url':'https://example.org/harm done'}}]"),
        MESSAGE("'content':[{'type':'image_url','image_url':{'url':'data:text/plain,harm done'}}]"),
        MESSAGE("'content':[{'type':'image_url','image_url':{'url':'data:text/plain;base64,harm done'}}]"),
        MESSAGE("'content':[{'type':'file','file':{'filename':'harm done','file_data':'AAAA'}}]"),
        MESSAGE("'content':[{'type':'hologram','words':['harm done']},{'type':'text','text':'a'}]"),
        MESSAGE("'content':[{'type':'text','text':'harm'},{'type':'image_url','image_url':{'url':'x'}},"
                "{'type':'text','text':' done'}]"),
        MESSAGE("'content':[{'type':'text','text':'a','made_up':'harm done'}]"),
        "{'model':'m','messages':[{'role':'system','content':'harm done'},{'role':'user','content':'a'}]}",
        "{'model':'m','messages':[{'role':'user','content':'a'},{'role':'tool','content':'harm done'}]}",
        NULL,
    };
    static const char *const clean[] = {
        MESSAGE("'content':'harm'"),
        /* data, which no reader takes for words */
        MESSAGE("'content':[{'type':'image_url','image_url':{'url':"
                "'data:image/png;base64,AAAAephemeral4111111111111111AAAA'}}]"),
        MESSAGE("'content':[{'type':'input_audio','input_audio':{'data':"
                "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAephemeral'}}]"),
        NULL};
    check_all(*state, found, true);
    check_all(*state, clean, false);
}

/* Parts are one text, however they are joined; nothing else that a part may hold is left out. */
static void test_strings_of_parts(void **state)
{
    static const char *const found[] = {
        MESSAGE("'content':[{'type':'text','text':'harm done'}]"),
        MESSAGE("'content':[{'type':'refusal','refusal':'harm done'}]"),
        MESSAGE("'content':[{'type':'text','text':'ha'},{'type':'text','text':'rm done'}]"),
        MESSAGE("'content':[{'type':'text','text':'harm done'},{'type':'text','text':'a'}]"),
        MESSAGE("'content':[{'type':'text','text':'a','refusal':'harm done'}]"),
        MESSAGE("'content':[{'type':'refusal','refusal':'harm done','text':5}]"),
        MESSAGE("'content':[{'type':'refusal','refusal':'a','text':'harm done'},{'type':'text','text':'b'}]"),
        MESSAGE("'content':[{'type':'text','text':'a','cache_control':{'x':['harm done']}}]"),
        NULL,
    };
    static const char *const clean[] = {
        MESSAGE("'content':[{'type':'text','text':'harm'},{'type':'text','text':'one'}]"), NULL};
    check_all(*state, found, true);
    check_all(*state, clean, false);
}

static void test_strings_of_other_fields(void **state)
{
    static const char *const found[] = {
        FIELDS("'tools':[{'type':'function','function':{'description':'harm done'}}]"),
        FIELDS("'tools':[{'harm done':{}}]"),
        FIELDS("'user':'harm done'"),
        FIELDS("'metadata':{'type':['harm done']}"),
        NULL,
    };
    static const char *const clean[] = {
        FIELDS("'harm done':null"),
        NULL,
    };
    check_all(*state, found, true);
    check_all(*state, clean, false);
}

/* A word of the API is one where the API has it, and with a value that the API knows. */
static void test_found_t3_no_word_is_trusted_by_its_key(void **state)
{
    static const char *const found[] = {
        MESSAGE("'content':'a','tool_calls':[{'type':'harm done'}]"),
        MESSAGE("'content':'a','tool_calls':[{'role':'harm done'}]"),
        MESSAGE("'content':'a','tool_calls':[{'function':{'type':'harm done'}}]"),
        MESSAGE("'content':'a','reasoning_details':[{'type':'harm done'}]"),
        MESSAGE("'content':[{'type':'text','text':'a','cache_control':{'type':'harm done'}}]"),
        MESSAGE("'content':[{'type':'text','text':'a','cache_control':{'role':'ephemeral'}}]"),
        MESSAGE("'content':[{'type':'text','text':'a','cache_control':{'x':{'type':'ephemeral'}}}]"),
        FIELDS("'tools':[{'type':'harm done'}]"),
        FIELDS("'tools':[{'type':'function','function':{'name':'f','parameters':{'type':'harm done'}}}]"),
        FIELDS("'tools':[{'type':'function','function':{'parameters':{'properties':{'type':{'type':'harm done'}}}}}]"),
        FIELDS("'tools':[{'type':'function','function':{'parameters':{'default':{'role':'harm done'}}}}]"),
        FIELDS("'metadata':{'type':'harm done'}"),
        FIELDS("'metadata':{'type':'json_object'}"),
        FIELDS("'metadata':{'role':'harm done'}"),
        FIELDS("'tool_choice':{'type':'harm done'}"),
        FIELDS("'tool_choice':{'type':'json_object'}"),
        FIELDS("'prediction':{'type':'harm done','content':'a'}"),
        FIELDS("'response_format':{'type':'json_schema','json_schema':{'schema':{'type':'harm done'}}}"),
        NULL,
    };
    static const char *const clean[] = {
        FIELDS("'response_format':{'type':'json_object'}"),
        MESSAGE("'content':[{'type':'text','text':'a','cache_control':{'type':'ephemeral'}}]"),
        FIELDS("'tools':[{'type':'function','function':{'parameters':{'type':'object','properties':{'a':{'type':"
               "'string'}}}}}]"),
        NULL,
    };
    check_all(*state, found, true);
    check_all(*state, clean, false);
}

/* A number is what a model reads of it. Those that no model sees are not judged. */
static void test_found_t5_numbers_of_requests_are_text(void **state)
{
    static const char *const found[] = {
        MESSAGE("'content':'a','tool_calls':[{'type':'function','function':{'arguments':{'card':4111111111111111}}}]"),
        MESSAGE("'content':'a','reasoning_details':[[4111111111111111]]"),
        MESSAGE("'content':[{'type':'refusal','refusal':'a','text':4111111111111111}]"),
        FIELDS("'metadata':{'x':4111111111111111}"),
        FIELDS("'metadata':4111111111111111"),
        FIELDS("'tools':[{'type':'function','function':{'parameters':{'default':4111111111111111}}}]"),
        FIELDS("'user':4111111111111111"),
        FIELDS("'metadata':{'seed':4111111111111111}"),
        FIELDS("'metadata':{'x':4111111111111111.5}"),
        FIELDS("'metadata':{'x':4.111111111111111e15}"),
        FIELDS("'metadata':{'x':41111111111111110e-1}"),
        FIELDS("'metadata':{'x':411111111111111.1E+1}"),
        NULL,
    };
    static const char *const clean[] = {FIELDS("'seed':4111111111111111"), FIELDS("'metadata':{'x':411111111111111}"),
                                        FIELDS("'max_tokens':4111111111111111"), NULL};
    check_all(*state, found, true);
    check_all(*state, clean, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_of_messages),
        cmocka_unit_test(test_strings_of_parts),
        cmocka_unit_test(test_strings_of_other_fields),
        cmocka_unit_test(test_found_t3_no_word_is_trusted_by_its_key),
        cmocka_unit_test(test_found_t5_numbers_of_requests_are_text),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
