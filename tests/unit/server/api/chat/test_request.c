/* Reading and checking of chat requests: what is refused, with which code and parameter, and what an upstream gets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chat/chat.h"
#include "backends/backend.h"

static const struct config_limits limits = {.messages = 4, .choices = 2, .tools = 2, .json_depth = 12};

/* What the policy lets pass besides. */
static const char *const allowed[] = {"vendor_knob", "min_p_override", "messages[].images", NULL};
static const struct rein_request_rules strict = {.allow = allowed}, dropping = {.unknown = REIN_UNKNOWN_DROP};

/* What reading the text gives: "" if it is accepted, else "code param". *out is loaded, and borrows the text. */
static const char *verdict_by(const struct rein_request_rules *rules, const char *text, struct request **out)
{
    static char said[256];
    struct request_error err = {.code = "?"};
    struct request *r = NULL;
    int rv = request_parse(&r, &api_chat, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err);
    if (rv == 0)
        rv = request_check(r, &(struct request_checks){.rules = rules, .limits = &limits}, &err);
    snprintf(said, sizeof said, "%s%s%s", rv < 0 ? err.code : "", rv < 0 && *err.param ? " " : "",
             rv < 0 ? err.param : "");
    if (rv == 0 && out != NULL)
        rv = request_load(*out = r);
    else
        request_free(r);
    assert_true(rv == 0 || rv == REIN_EFORMAT);
    return said;
}

static const char *verdict(const char *text, struct request **out)
{
    return verdict_by(&strict, text, out);
}

/* Single quotes stand for double ones. */
static void quote(char *out, size_t cap, const char *text)
{
    assert_true(strlen(text) < cap);
    for (size_t i = 0; i == 0 || text[i - 1] != '\0'; i++)
        out[i] = text[i];
    for (char *at = out; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
}

/* A request with more fields than it needs; single quotes stand for double ones. */
static const char *with(const char *fields)
{
    static char text[4096];
    snprintf(text, sizeof text, "{'model':'m','messages':[{'role':'user','content':'hello'}]%s%s}", *fields ? "," : "",
             fields);
    quote(text, sizeof text, text);
    return text;
}

static void test_accepts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "'stream':true,'stream_options':{'include_usage':true}",
        "'n':2,'temperature':0.7,'stop':['END'],'max_tokens':5",
        "'tools':[{'type':'function','function':{'name':'f'}}]",
        "'response_format':{'type':'json_object'}",
        "'chat_template':null,'n':null,'stream':null",
        "'reasoning_effort':'low'",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_string_equal(verdict(with(good[i]), NULL), "");
}

struct bad {
    const char *fields, *said;
};

static void test_refuses_fields(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"'stream':'yes'", "invalid_type stream"},
        {"'stream_options':{'include_usage':true}", "field_not_accepted stream_options"},
        {"'stream':true,'stream_options':{'x':1}", "unknown_field stream_options.x"},
        {"'n':0", "invalid_type n"},
        {"'n':3", "too_many n"},
        {"'n':1.5", "invalid_type n"},
        {"'tools':[1,2,3]", "too_many tools"},
        {"'tools':{}", "invalid_type tools"},
        {"'made_up':1", "unknown_field made_up"},
        {"'chat_template':'x'", "field_not_accepted chat_template"},
        {"'chat_template_kwargs':{'enable_thinking':false}", "field_not_accepted chat_template_kwargs.enable_thinking"},
        {"'add_generation_prompt':false", "field_not_accepted add_generation_prompt"},
        {"'continue_final_message':true", "field_not_accepted continue_final_message"},
        {"'reasoning_format':'none'", "field_not_accepted reasoning_format"},
        {"'include_reasoning':false", "field_not_accepted include_reasoning"},
        {"'separate_reasoning':false", "field_not_accepted separate_reasoning"},
        {"'thinking':{'type':'disabled'}", "field_not_accepted thinking"},
        {"'think':false", "field_not_accepted think"},
        {"'echo':true", "field_not_accepted echo"},
        {"'input_ids':[1]", "field_not_accepted input_ids"},
        {"'return_token_ids':true", "field_not_accepted return_token_ids"},
        {"'logit_bias':{'1':5}", "field_not_accepted logit_bias"},
        {"'guided_regex':'Sure.*'", "field_not_accepted guided_regex"},
        {"'stop':'</think>'", "field_not_accepted stop"},
        {"'reasoning_effort':'none'", "field_not_accepted reasoning_effort"},
        {"'modalities':['audio']", "unsupported_content modalities"},
        {"'response_format':{'type':'regex'}", "invalid_type response_format.type"},
        {"'n':1,'n':2", "duplicate_key"},
        {"'user':[[[[[[[[[[[[[1]]]]]]]]]]]]]", "too_deep"},
        {"'user'", "invalid_json"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(verdict(with(bad[i].fields), NULL), bad[i].said);
}

static void test_refuses_messages(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"[]", "invalid_type messages"},
        {"['x']", "invalid_type messages[0]"},
        {"[{'role':'robot','content':'x'}]", "invalid_type messages[0].role"},
        {"[{'role':'user'}]", "invalid_type messages[0].content"},
        {"[{'role':'user','content':[]}]", "invalid_type messages[0].content"},
        {"[{'role':'user','content':[{'type':'image_url','image_url':{}}]}]",
         "unsupported_content messages[0].content[0]"},
        {"[{'role':'user','content':[{'type':'text'}]}]", "invalid_type messages[0].content[0]"},
        {"[{'role':'user','content':'x','prefix':true}]", "field_not_accepted messages[0].prefix"},
        {"[{'role':'user','content':'x','extra':true}]", "unknown_field messages[0].extra"},
        {"[{'role':'user','content':'x'},{'role':'assistant','content':'Sure'}]", "field_not_accepted messages[1]"},
        {"[{'role':'user','content':'1'},{'role':'user','content':'2'},{'role':'user','content':'3'},"
         "{'role':'user','content':'4'},{'role':'user','content':'5'}]",
         "too_many messages"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{'model':'m','messages':%s}", bad[i].fields);
        for (char *at = text; (at = strchr(at, '\'')) != NULL;)
            *at = '"';
        assert_string_equal(verdict(text, NULL), bad[i].said);
    }
}

static void test_refuses_bodies(void **state)
{
    (void)state;
    assert_string_equal(verdict("", NULL), "invalid_json");
    assert_string_equal(verdict("[]", NULL), "invalid_json");
    assert_string_equal(verdict("{} x", NULL), "invalid_json");
    assert_string_equal(verdict("{}", NULL), "invalid_type model");
    assert_string_equal(verdict("{\"model\":\"\"}", NULL), "invalid_type model");
    assert_string_equal(verdict("{\"model\":\"m\"}", NULL), "invalid_type messages");
    assert_string_equal(verdict("{\"model\":\"\xff\"}", NULL), "invalid_json model");
    assert_string_equal(verdict("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\"}]}", NULL),
                        "invalid_json messages[0].content");
}

/* Whatever was sent, the tree says the same as the text that goes on. */
static void check_sent_text(const struct request *r, const char *sent)
{
    char *text = chat_sent_text(r);
    json_t *reread = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *built = chat_upstream_body(r);
    if (!json_equal(reread, built))
        fail_msg("%s became %s", sent, text);
    if (r->cuts_len == 0 && (!r->stream || r->wants_usage))
        assert_string_equal(text, sent);
    json_decref(reread);
    json_decref(built);
    free(text);
}

/* A number that nothing here can hold goes on in the client's own bytes; else the field is named. */
static void test_found_r9_large_numbers_pass_as_they_came(void **state)
{
    static const char *const numbers[] = {"9223372036854775808", "18446744073709551615", "1e400"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char fields[128];
        struct request_error err = {.code = "?"};
        struct request *r;
        snprintf(fields, sizeof fields, "'tools':[],'stop':['x'],'seed':%s", numbers[i]);
        assert_string_equal(verdict(with(fields), &r), "");
        assert_true(chat_is_as_sent(r));
        char *text = chat_sent_text(r);
        assert_string_equal(text, with(fields));
        free(text);
        assert_int_equal(request_load(r), REIN_EFORMAT);
        assert_int_equal(request_explain(r, &err), REIN_EFORMAT);
        assert_string_equal(err.code, "number_too_large");
        assert_string_equal(err.param, "seed");
        request_shed(r);
        assert_int_equal(request_explain(r, &err), REIN_EINVAL);
        request_free(r);
    }
    assert_string_equal(verdict(with("'n':9223372036854775808"), NULL), "invalid_type n");
}

/* What an upstream wants to see, though it says nothing. */
static void test_found_h5_content_null_goes_on(void **state)
{
    static const char text[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\","
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"a\"}]}";
    struct request *r;
    (void)state;
    assert_string_equal(verdict(text, &r), "");
    assert_true(chat_is_as_sent(r));
    check_sent_text(r, text);
    request_free(r);
    char changed[512]; /* and where it is built anew */
    snprintf(changed, sizeof changed, "{\"n\":null,%s", text + 1);
    assert_string_equal(verdict(changed, &r), "");
    check_sent_text(r, changed);
    json_t *body = chat_upstream_body(r);
    char *built = json_dumps(body, JSON_COMPACT);
    assert_string_equal(built, text);
    free(built);
    json_decref(body);
    request_free(r);
    assert_string_equal(verdict("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":null}]}", NULL),
                        "invalid_type messages[0].content");
}

/* Names of every length, of characters of two to four bytes, wherever a name is quoted: it ends with a whole one. */
static void test_found_s4_no_name_is_cut_inside_a_character(void **state)
{
    static const char *const letters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static const char *const frames[][2] = {{",\"", "\":1}"},
                                            {",\"stream\":true,\"stream_options\":{\"", "\":1}}"},
                                            {",\"user\":\"x\",\"metadata\":{\"", "\":\"\\u0000\"}}"}};
    (void)state;
    for (size_t letter = 0; letter < 3; letter++)
        for (size_t shift = 0; shift < 4; shift++)
            for (size_t count = 1; count < 90; count++)
                for (size_t frame = 0; frame < 4; frame++) {
                    char name[512] = "", text[1024];
                    memset(name, 'x', shift);
                    for (size_t i = 0; i < count; i++)
                        strcat(name, letters[letter]);
                    if (frame < 3)
                        snprintf(text, sizeof text, "%s%s%s%s",
                                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]",
                                 frames[frame][0], name, frames[frame][1]);
                    else
                        snprintf(text, sizeof text,
                                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"%s\":1}]}",
                                 name);
                    struct request_error err = {.code = "?"};
                    struct request *r = NULL;
                    int rv = request_parse(&r, &api_chat, (struct rein_source){.text = text, .len = strlen(text)},
                                           &limits, &err);
                    if (rv == 0)
                        rv = request_check(r, &(struct request_checks){.limits = &limits}, &err);
                    request_free(r);
                    assert_int_equal(rv, REIN_EFORMAT);
                    json_t *param = json_string(err.param), *message = json_string(err.message);
                    if (param == NULL || message == NULL) /* no UTF-8 */
                        fail_msg("%s: %s", err.param, err.message);
                    json_decref(param);
                    json_decref(message);
                }
}

/* Brackets inside strings are no depth. */
static void test_depth_counts_structure_only(void **state)
{
    (void)state;
    assert_string_equal(verdict(with("'user':'[[[[[[[[[[[[[[[[[[[[\\\\{{{{{{{{{{'"), NULL), "");
}

static char *upstream_text(struct prefix_plan *plan)
{
    char *text = json_dumps(plan->body, JSON_COMPACT);
    assert_non_null(text);
    return text;
}

static void test_a_stream_asks_for_its_usage(void **state)
{
    (void)state;
    struct request *r;
    assert_string_equal(verdict(with("'stream':true,'stop':null"), &r), "");
    struct prefix_plan plan = {.request = r, .path_prefix = "/v1", .prefix = ""};
    assert_int_equal(backend_plan_plain(&plan, "off"), 0);
    char *text = upstream_text(&plan);
    assert_string_equal(text,
                        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"stream\":true,"
                        "\"stream_options\":{\"include_usage\":true}}");
    assert_string_equal(plan.path, "/v1/chat/completions");
    assert_false(r->wants_usage);
    free(text);
    backend_plan_fini(&plan);
    request_free(r);
}

/* The client's bytes go on only if the tree, from which everything was judged, says the same. */
static void test_knows_what_may_go_as_it_came(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        bool as_sent;
    } cases[] = {
        {"", true},
        {"'temperature':0.7,'stream':false", true},
        {"'n':null", true},
        {"'stream':true", true},
        {"'stream':true,'stream_options':{'include_usage':false}", false},
        {"'stream':true,'stream_options':{'include_usage':true}", true},
        {"'stream':true,'stream_options':{'include_usage':true,'include_obfuscation':true}", true},
        {"'stream':true,'stream_options':{'include_obfuscation':true}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *r;
        assert_string_equal(verdict(with(cases[i].fields), &r), "");
        if (chat_is_as_sent(r) != cases[i].as_sent)
            fail_msg("{%s}: as sent: %d", cases[i].fields, chat_is_as_sent(r));
        if (cases[i].as_sent)
            check_sent_text(r, with(cases[i].fields));
        request_free(r);
    }
    struct request *r;
    assert_string_equal(
        verdict("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"name\":null}]}", &r), "");
    assert_true(chat_is_as_sent(r));
    check_sent_text(r, "a name");
    request_free(r);
}

/* What is taken out leaves JSON, wherever it stood and whatever stands around it; what remains is as it was. After the
 * call has begun it is so again. */
static void test_what_is_taken_out_is_gone(void **state)
{
    (void)state;
    static const struct {
        const char *text, *built;
    } cases[] = {
        {"{'n':null,'model':'m','messages':[{'role':'user','content':'a'}]}",
         "{'model':'m','messages':[{'role':'user','content':'a'}]}"},
        {"{'model':'m','messages':[{'role':'user','content':'a'}],'n':null,'stop':null}",
         "{'model':'m','messages':[{'role':'user','content':'a'}]}"},
        {" { 'user' : null , 'seed' : null ,\n 'model' : 'm\\n' , 'n' : null , 'messages' : "
         "[ { 'name' : null , 'role':'user' , 'content':'a,' , 'tool_calls' : null } ] , 'stop' : null } ",
         "{'model':'m\\n','messages':[{'role':'user','content':'a,'}]}"},
        {"{'model':'m','messages':[{'role':'user','content':'a','\\u0070arsed':['\\n\\u0041,]',{'b':null}]},"
         "{'parsed':'\\'','content':'b','role':'user'}],'\\u006e':null}",
         "{'model':'m','messages':[{'role':'user','content':'a'},{'content':'b','role':'user'}]}"},
        {"{'model':'m','stream':true,'stream_options':{'include_obfuscation':true,'include_usage':null},"
         "'messages':[{'role':'user','content':'a'}]}",
         "{'model':'m','stream':true,'stream_options':{'include_usage':true},"
         "'messages':[{'role':'user','content':'a'}]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], wanted[512];
        struct request *r;
        quote(text, sizeof text, cases[i].text);
        quote(wanted, sizeof wanted, cases[i].built);
        assert_string_equal(verdict_by(&dropping, text, &r), "");
        for (int round = 0; round < 2; round++) {
            json_t *body = chat_upstream_body(r);
            char *built = json_dumps(body, JSON_COMPACT);
            assert_string_equal(built, wanted);
            free(built);
            json_decref(body);
            request_shed(r);
            assert_int_equal(request_load(r), 0);
        }
        if (chat_is_as_sent(r)) /* else options were to be changed */
            check_sent_text(r, text);
        request_free(r);
    }
}

/* Where something is dropped, the rest stays as it was written: numbers that no tree holds, blanks, escapes. */
static void test_the_rest_stays_as_it_was_written(void **state)
{
    (void)state;
    struct request *r;
    char text[512], wanted[512];
    quote(text, sizeof text,
          "{'made_up' : 1 , 'model':'m', 'messages':[{'role':'user','content':'\\u0041','x':[2]}],"
          "'seed':18446744073709551616, 'temperature':0.70 }");
    quote(wanted, sizeof wanted,
          "{ 'model':'m', 'messages':[{'role':'user','content':'\\u0041'}],"
          "'seed':18446744073709551616, 'temperature':0.70 }");
    struct request_error err;
    assert_int_equal(
        request_parse(&r, &api_chat, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err), 0);
    assert_int_equal(request_check(r, &(struct request_checks){.rules = &dropping, .limits = &limits}, &err), 0);
    assert_true(chat_is_as_sent(r));
    char *sent = chat_sent_text(r);
    assert_string_equal(sent, wanted);
    free(sent);
    request_free(r);
}

/* A kind's own table takes out what holds something that was taken out before. */
static void test_a_cut_inside_a_cut(void **state)
{
    (void)state;
    static const struct field inner[] = {{.name = "b", .fate = FIELD_DROP, .why = "is inside"}};
    static const struct field_table below = FIELD_TABLE(inner);
    static const struct field rows[] = {
        {.name = "zone", .fate = FIELD_DROP, .why = "is outside", .below = &below, .is_whole = true}};
    static const struct field_table table = FIELD_TABLE(rows);
    static const struct rein_request_rules rules = {.unknown = REIN_UNKNOWN_DROP};
    const char *text = with("'zone':{'a':null,'b':1},'n':1");
    struct request_error err;
    struct request *r;
    assert_int_equal(
        request_parse(&r, &api_chat, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err), 0);
    assert_int_equal(request_check(r, &(struct request_checks){&table, &rules, &limits, false}, &err), 0);
    assert_int_equal(request_load(r), 0);
    char *built = json_dumps(r->body, JSON_COMPACT);
    assert_string_equal(built, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"n\":1}");
    assert_string_equal(r->dropped->text, "zone");
    free(built);
    request_free(r);
}

/* The instruction joins the system message that is there, or becomes the first message; the request stays as it was. */
static void check_instruct(const char *messages, const char *before, const char *after)
{
    struct request *r;
    char body[512];
    snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":%s}", messages);
    assert_string_equal(verdict(body, &r), "");
    struct prefix_plan plan = {.request = r, .path_prefix = "/v1", .prefix = "FIRST I CHECK"};
    assert_int_equal(backend_plan_instruct(&plan, "policy"), 0);
    char *text = upstream_text(&plan), *untouched = json_dumps(r->body, JSON_COMPACT);
    const char *at = strstr(text, before);
    assert_non_null(at);
    assert_non_null(at = strstr(at, "FIRST I CHECK"));
    assert_non_null(strstr(at, after));
    assert_null(strstr(untouched, "FIRST I CHECK"));
    assert_int_equal(plan.attempt.delivery, REIN_DELIVER_INSTRUCT);
    free(text);
    free(untouched);
    backend_plan_fini(&plan);
    request_free(r);
}

static void test_instruct(void **state)
{
    (void)state;
    check_instruct("[{\"role\":\"user\",\"content\":\"hi\"}]", "[{\"role\":\"system\",\"content\":\"Begin",
                   "{\"role\":\"user\",\"content\":\"hi\"}]");
    check_instruct("[{\"role\":\"developer\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"hi\"}]",
                   "[{\"role\":\"developer\",\"content\":\"Be kind.\\n\\nBegin",
                   "\"},{\"role\":\"user\",\"content\":\"hi\"}]");
    check_instruct("[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"Be kind.\"}]},"
                   "{\"role\":\"user\",\"content\":\"hi\"}]",
                   "{\"type\":\"text\",\"text\":\"Be kind.\"},{\"type\":\"text\",\"text\":\"Begin",
                   "{\"role\":\"user\",\"content\":\"hi\"}]");
}

static void test_a_policy_may_allow_fields(void **state)
{
    (void)state;
    assert_string_equal(verdict(with("'vendor_knob':1,'min_p_override':{'a':[]}"), NULL), "");
    assert_string_equal(verdict(with("'vendor_knob':1,'other_knob':1"), NULL), "unknown_field other_knob");
    assert_string_equal(
        verdict("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"images\":[1]}]}", NULL), "");
    assert_string_equal(verdict(with("'images':[1]"), NULL), "unknown_field images");
}

/* What each policy makes of the same fields: what is dropped, and what goes on. */
static void test_unknown_fields_and_droppable_ones(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *refused, *dropped, *kept, *dropped_if_passed;
    } cases[] = {
        {"'made_up':{'a':1}", "unknown_field made_up", "made_up", "", ""},
        {"'enable_thinking':true", "", "", "enable_thinking", ""},
        {"'enable_thinking':false", "field_not_accepted enable_thinking", "enable_thinking", "", "enable_thinking"},
        {"'chat_template_kwargs':{'thinking':false,'enable_thinking':true,'x':'y'}",
         "field_not_accepted chat_template_kwargs.thinking", "chat_template_kwargs.thinking, chat_template_kwargs.x",
         "chat_template_kwargs", "chat_template_kwargs.thinking"},
        {"'thinking':{'type':'disabled'}", "field_not_accepted thinking", "thinking", "", "thinking"},
        {"'thinking':{'type':'enabled','budget_tokens':100}", "", "", "thinking", ""},
        {"'reasoning':{'effort':'high','exclude':true}", "field_not_accepted reasoning.exclude", "reasoning.exclude",
         "reasoning", "reasoning.exclude"},
        {"'reasoning_effort':'none'", "field_not_accepted reasoning_effort", "reasoning_effort", "",
         "reasoning_effort"},
        {"'reasoning_format':'none','reasoning_effort':'low'", "field_not_accepted reasoning_format",
         "reasoning_format", "reasoning_effort", "reasoning_format"},
        {"'logit_bias':{},'echo':false,'stop_token_ids':[]", "", "", "logit_bias echo stop_token_ids", ""},
        {"'prompt_logprobs':1,'return_token_ids':true", "field_not_accepted prompt_logprobs",
         "prompt_logprobs, return_token_ids", "", "prompt_logprobs, return_token_ids"},
        {"'stream':true,'stream_options':{'include_usage':true,'x':1}", "unknown_field stream_options.x",
         "stream_options.x", "stream_options", ""},
        {"'a-b':1,'\\u00e9':2,'c':3", "unknown_field a-b", "c, +2", "", ""},
    };
    static const struct rein_request_rules drop = {.unknown = REIN_UNKNOWN_DROP}, pass = {.unknown = REIN_UNKNOWN_PASS};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *r;
        if (strcmp(verdict(with(cases[i].fields), NULL), cases[i].refused) != 0)
            fail_msg("{%s}: %s", cases[i].fields, verdict(with(cases[i].fields), NULL));
        assert_string_equal(verdict_by(&drop, with(cases[i].fields), &r), "");
        const char *dropped = r->dropped != NULL ? r->dropped->text : "";
        if (strcmp(dropped, cases[i].dropped) != 0)
            fail_msg("{%s}: dropped `%s`, not `%s`", cases[i].fields, dropped, cases[i].dropped);
        char kept[128] = "";
        const char *key;
        json_t *value;
        json_object_foreach(r->body, key, value)
        {
            if (strcmp(key, "model") != 0 && strcmp(key, "messages") != 0 && strcmp(key, "stream") != 0)
                snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "%s%s", *kept != '\0' ? " " : "", key);
        }
        assert_string_equal(kept, cases[i].kept);
        request_free(r);
        assert_string_equal(verdict_by(&pass, with(cases[i].fields), &r), "");
        assert_string_equal(r->dropped != NULL ? r->dropped->text : "", cases[i].dropped_if_passed);
        request_free(r);
    }
}

/* Whatever the policy says of unknown fields: dropping these would change what is asked for, or make it less safe. */
static void test_some_fields_are_never_dropped(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "'logit_bias':{'1':5}",
        "'grammar':'root ::= x'",
        "'guardrails':['pii']",
        "'safe_prompt':true",
        "'safety_settings':[{'a':1}]",
        "'provider':{'data_collection':'deny'}",
        "'thinking_budget':0",
        "'max_tokens':5,'prompt':'x'",
        "'continue_final_message':true",
        "'prompt_token_ids':[1]",
        "'input_ids':[1]",
        "'structured_outputs':{'regex':'x'}",
        "'reasoning_budget_tokens':0",
        "'reasoning':{'max_tokens':0}",
        "'thinking':{'type':'enabled','budget_tokens':0}",
        "'extra_body':{'a':1}",
        "'documents':[{'text':'x'}]",
        "'fallbacks':['other']",
    };
    for (int unknown = REIN_UNKNOWN_REFUSE; unknown <= REIN_UNKNOWN_PASS; unknown++)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            struct rein_request_rules rules = {.unknown = (enum rein_unknown)unknown};
            const char *said = verdict_by(&rules, with(fields[i]), NULL);
            if (strncmp(said, "field_not_accepted ", 19) != 0)
                fail_msg("{%s}: `%s`", fields[i], said);
        }
}

/* Nor are unknown options that speak of such things; of messages, they are what clients replay. */
static void test_unknown_options_with_weight_are_not_dropped(void **state)
{
    (void)state;
    static const char *const refused[] = {"safe_search",      "safetyMode",      "content_filter",  "GUARD",
                                          "input_moderation", "privacy_level",   "data_retention",  "zero_retention_on",
                                          "redact_pii",       "maxCost",         "max_spend",       "budget_usd",
                                          "rate_limit",       "price_ceiling",   "cost_center_cap", "output_schema",
                                          "json_grammar",     "regex_pattern",   "structured_mode", "logit_processor",
                                          "constrained",      "data_collection", "bad_token_ids",   "guided_mode"};
    static const char *const dropped[] = {"chat_id", "features", "session", "turbo", "theme", "client_version", "axis"};
    static const struct rein_request_rules pass = {.unknown = REIN_UNKNOWN_PASS};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char fields[128], wanted[128];
        snprintf(fields, sizeof fields, "'%s':true", refused[i]);
        snprintf(wanted, sizeof wanted, "unknown_field %s", refused[i]);
        assert_string_equal(verdict_by(&dropping, with(fields), NULL), wanted);
        assert_string_equal(verdict_by(&pass, with(fields), NULL), "");
        snprintf(fields, sizeof fields, "'reasoning':{'%s':true}", refused[i]);
        snprintf(wanted, sizeof wanted, "unknown_field reasoning.%s", refused[i]);
        assert_string_equal(verdict_by(&dropping, with(fields), NULL), wanted);
    }
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "'%s':true", dropped[i]);
        assert_string_equal(verdict_by(&dropping, with(fields), NULL), "");
    }
    struct request *r;
    assert_string_equal(
        verdict_by(
            &dropping,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"content_filter_results\":{}}]}", &r),
        "");
    assert_string_equal(r->dropped->text, "messages.content_filter_results");
    request_free(r);
    /* what another API refuses */
    for (int unknown = REIN_UNKNOWN_REFUSE; unknown <= REIN_UNKNOWN_PASS; unknown++) {
        struct rein_request_rules rules = {.unknown = (enum rein_unknown)unknown};
        assert_string_equal(verdict_by(&rules, with("'previous_response_id':'resp_1'"), NULL),
                            "field_not_accepted previous_response_id");
        assert_string_equal(verdict_by(&rules, with("'context_management':{'edits':[{'x':1}]}"), NULL),
                            "field_not_accepted context_management");
        assert_string_equal(verdict_by(&rules, with("'background':false"), NULL), "");
    }
}

/* One name for all messages; the seventeenth name is a count. */
static void test_names_of_what_was_dropped(void **state)
{
    (void)state;
    static const struct rein_request_rules drop = {.unknown = REIN_UNKNOWN_DROP};
    char text[4096];
    struct request *r;
    assert_string_equal(
        verdict_by(&drop,
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"x\":1,\"y\":2},"
                   "{\"role\":\"user\",\"content\":\"b\",\"x\":\"3\"}]}",
                   &r),
        "");
    assert_string_equal(r->dropped->text, "messages.x, messages.y");
    request_free(r);
    for (unsigned count = 15; count <= 40; count++) {
        char wanted[1024] = "", fields[2048] = "";
        for (unsigned i = 0; i < count; i++) {
            snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "%s'field%u':%u", i > 0 ? "," : "", i, i);
            if (i < REQUEST_NAMES_MAX)
                snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%sfield%u", i > 0 ? ", " : "", i);
        }
        if (count > REQUEST_NAMES_MAX)
            snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), ", +%u", count - REQUEST_NAMES_MAX);
        assert_string_equal(verdict_by(&drop, with(fields), &r), "");
        assert_string_equal(r->dropped->text, wanted);
        request_free(r);
    }
    /* the longest names there are, and one that is longer */
    for (size_t len = REQUEST_NAME_MAX - 1; len <= REQUEST_NAME_MAX + 1; len++) {
        char name[REQUEST_NAME_MAX + 2];
        memset(name, 'n', len);
        name[len] = '\0';
        snprintf(text, sizeof text, "'%s':1", name);
        assert_string_equal(verdict_by(&drop, with(text), &r), "");
        assert_string_equal(r->dropped->text, len <= REQUEST_NAME_MAX ? name : "+1");
        request_free(r);
    }
}

/* Images, audio and files: counted where the policy lets them pass. */
static void test_unjudged_parts(void **state)
{
    (void)state;
    static const struct rein_request_rules pass = {.unknown = REIN_UNKNOWN_DROP, .pass_unjudged_parts = true};
    char text[1024];
    struct request *r;
    quote(text, sizeof text,
          "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'What is this?'},"
          "{'type':'image_url','image_url':{'url':'data:image/png;base64,AAAA'}},"
          "{'type':'input_audio','input_audio':{'data':'AAAA','format':'wav'}},{'type':'thinking','thinking':'so'},"
          "{'type':'file','file':{'file_data':'AAAA','filename':'a.pdf'}}]}]}");
    assert_string_equal(verdict_by(&pass, text, &r), "");
    assert_int_equal(r->unjudged_parts, 3);
    assert_null(r->dropped);
    assert_true(chat_is_as_sent(r));
    request_free(r);
    assert_string_equal(verdict(text, NULL), "unsupported_content messages[0].content[1]");
}

/* Of a server with one model. */
static void test_found_l13_a_model_may_be_missing(void **state)
{
    (void)state;
    static const char *const texts[] = {"{'messages':[{'role':'user','content':'a'}]}",
                                        "{'model':null,'messages':[{'role':'user','content':'a'}]}"};
    for (size_t i = 0; i < 2; i++) {
        char text[128];
        struct request *r;
        struct request_error err;
        quote(text, sizeof text, texts[i]);
        assert_string_equal(verdict(text, NULL), "invalid_type model");
        assert_int_equal(
            request_parse(&r, &api_chat, (struct rein_source){.text = text, .len = strlen(text)}, &limits, &err), 0);
        assert_int_equal(request_check(r, &(struct request_checks){.limits = &limits, .may_lack_model = true}, &err),
                         0);
        assert_string_equal(r->model, "");
        request_free(r);
    }
    assert_string_equal(verdict("{\"model\":5,\"messages\":[]}", NULL), "invalid_type model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_policy_may_allow_fields),
        cmocka_unit_test(test_unknown_fields_and_droppable_ones),
        cmocka_unit_test(test_some_fields_are_never_dropped),
        cmocka_unit_test(test_unknown_options_with_weight_are_not_dropped),
        cmocka_unit_test(test_names_of_what_was_dropped),
        cmocka_unit_test(test_unjudged_parts),
        cmocka_unit_test(test_found_l13_a_model_may_be_missing),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses_fields),
        cmocka_unit_test(test_refuses_messages),
        cmocka_unit_test(test_found_r9_large_numbers_pass_as_they_came),
        cmocka_unit_test(test_found_h5_content_null_goes_on),
        cmocka_unit_test(test_found_s4_no_name_is_cut_inside_a_character),
        cmocka_unit_test(test_refuses_bodies),
        cmocka_unit_test(test_depth_counts_structure_only),
        cmocka_unit_test(test_a_stream_asks_for_its_usage),
        cmocka_unit_test(test_knows_what_may_go_as_it_came),
        cmocka_unit_test(test_what_is_taken_out_is_gone),
        cmocka_unit_test(test_the_rest_stays_as_it_was_written),
        cmocka_unit_test(test_a_cut_inside_a_cut),
        cmocka_unit_test(test_instruct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
