/* Plans of the kinds that render: which calls they make, what they conclude, what the upstream gets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/steps.h"
#include "plankit.h"

#define MESSAGE "{'role':'user','content':'How?'}"
#define OPEN_TURN "{'role':'assistant','content':'<think>\\n" PLAN_PREFIX "'}"
#define SPLIT "{'choices':[{'message':{'reasoning_content':' it is QUARTZ-5271.','content':'QUARTZ-5271'}}]}"
#define INLINE "{'choices':[{'message':{'content':' QUARTZ-5271.</think>QUARTZ-5271'}}]}"
#define ECHOED "{'choices':[{'message':{'reasoning_content':'" RECALL_WORDS " QUARTZ-5271'}}]}"

/* ---- vllm ---- */

#define TOKENS "{'tokens':[1,2],'count':2,'max_model_len':100}"
#define VLLM_CHAT                                                                                                      \
    "{'model':'m','messages':[" MESSAGE "," OPEN_TURN "],'add_generation_prompt':false,"                               \
    "'continue_final_message':true,'chat_template_kwargs':{'enable_thinking':true,'thinking':true}}"

static void test_vllm_continues(void **state)
{
    (void)state;
    const struct plan_case_step steps[] = {
        {"/tokenize", "\"add_generation_prompt\":true", 200, TOKENS},
        {"/detokenize", "[1,2]", 200, "{'prompt':'<|a|><think>\\n'}"},
        {"/tokenize", "\"continue_final_message\":true", 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|><think>\\n" PLAN_PREFIX "'}"},
        {"/v1/chat/completions", "QUARTZ-5271", 200, SPLIT},
        {0},
    };
    struct plan_run run = expect_ready(&(struct plan_case){"vllm", .steps = steps}, "/v1/chat/completions", VLLM_CHAT);
    assert_true(run.plan.checked);
    assert_string_equal(run.plan.reason, "verified");
    assert_null(run.plan.filters);
    assert_false(run.plan.attempt.opened);
    unsigned memo = run.plan.memo;
    plan_end(&run);
    run = expect_ready(&(struct plan_case){"vllm", .verified = true, .memo = memo}, "/v1/chat/completions", VLLM_CHAT);
    assert_false(run.plan.checked);
    plan_end(&run);
}

static void test_vllm_goes_raw(void **state)
{
    (void)state;
    /* The template closes an empty reasoning before a turn that is continued; its own prompt leaves reasoning alone. */
    const struct plan_case_step steps[] = {
        {"/tokenize", NULL, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|>'}"},
        {"/tokenize", PLAN_MARK, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|><think>\\n" PLAN_MARK "\\n</think>'}"},
        {"/tokenize", NULL, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|><think>\\n\\n</think>\\n\\n<think>\\n" PLAN_PREFIX "'}"},
        {"/tokenize", "How?", 200, TOKENS},
        {"/tokenize", "\"prompt\":\"<think>\\nseen\\n\\n" PLAN_PREFIX "\"", 200, "{'tokens':[7,8,9]}"},
        {0},
    };
    struct plan_case c = {"vllm", .fields = "'temperature':0.5,'stream':true,'top_logprobs':2", .shown = "seen",
                          .steps = steps};
    struct plan_run run =
        expect_ready(&c, "/v1/completions",
                     "{'model':'m','prompt':[1,2,7,8,9],'max_tokens':95,'temperature':0.5,'stream':true,"
                     "'stream_options':{'include_usage':true},'skip_special_tokens':false}");
    expect_close(&run, "</think>");
    assert_true(run.plan.checked);
    plan_end(&run);
}

static void test_vllm_steps_aside(void **state)
{
    (void)state;
    const struct plan_case_step closed[] = {
        {"/tokenize", NULL, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|><think>\\n\\n</think>\\n\\n'}"},
        {0},
    };
    const struct plan_case_step plain[] = {
        {"/tokenize", NULL, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|>'}"},
        {"/tokenize", NULL, 200, TOKENS},
        {"/detokenize", NULL, 200, "{'prompt':'<|a|>Let me see.'}"},
        {0},
    };
    const struct plan_case_step none[] = {{"/tokenize", NULL, 404, "{'detail':'Not Found'}"}, {0}};
    const struct plan_case_step down[] = {{"/tokenize", NULL, 0, NULL}, {0}};
    const struct plan_case_step busy[] = {{"/tokenize", NULL, 429, NULL}, {0}};
    expect_aside(&(struct plan_case){"vllm", .steps = closed}, "reasoning_closed", true);
    expect_aside(&(struct plan_case){"vllm", .steps = plain}, "no_reasoning_template", true);
    expect_aside(&(struct plan_case){"vllm", .steps = none}, "no_render", true);
    expect_aside(&(struct plan_case){"vllm", .steps = down}, "no_render", false);
    expect_aside(&(struct plan_case){"vllm", .steps = busy}, "no_render", false);
    const struct plan_case_step too_long[] = {
        {"/tokenize", NULL, 200, "{'tokens':[1,2],'max_model_len':3}"},
        {"/tokenize", NULL, 200, "{'tokens':[1,2]}"},
        {0},
    };
    expect_aside(&(struct plan_case){"vllm", .steps = too_long, .verified = true}, "too_long", false);
}

/* ---- what no kind does ---- */

static void test_obstacles(void **state)
{
    (void)state;
    static const char *const kinds[] = {"vllm", "sglang", "llamacpp", "ollama", "deepseek", "mistral"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct plan_case c = {kinds[i], .fields = "'tools':[{'type':'function','function':{'name':'f'}}]"};
        expect_aside(&c, "tools", false);
        c.fields = "'response_format':{'type':'json_object'}";
        expect_aside(&c, "response_format", false);
        expect_aside(&(struct plan_case){kinds[i], .text =
                                                       "What is this?'},{'role':'user','content':[{'type':'image_url',"
                                                       "'image_url':{'url':'data:'}}],'name':'n"},
                     "unjudged_parts", false);
    }
    struct plan_case c = {"vllm", .fields = "'n':2", .verified = true};
    expect_aside(&c, "choices", false);
    c.fields = "'logprobs':true";
    expect_aside(&c, "logprobs", false);
    expect_aside(&(struct plan_case){"ollama", .fields = "'n':2"}, "choices", false);
}

/* ---- llamacpp ---- */

static void test_llamacpp_continues(void **state)
{
    (void)state;
    const struct plan_case_step steps[] = {
        {"/apply-template", "\"continue_final_message\":\"reasoning_content\"", 200,
         "{'prompt':'<|a|><think>\\n" PLAN_PREFIX "'}"},
        {"/v1/chat/completions", "\"echo\":false", 200, SPLIT},
        {0},
    };
    struct plan_case c = {"llamacpp", .fields = "'n':2", .steps = steps};
    struct plan_run run = expect_ready(&c, "/v1/chat/completions",
                                       "{'model':'m','n':2,'messages':[" MESSAGE
                                       ",{'role':'assistant','content':'','reasoning_content':'" PLAN_PREFIX "'}],"
                                       "'add_generation_prompt':false,'continue_final_message':'reasoning_content',"
                                       "'echo':false}");
    assert_true(run.plan.checked);
    plan_end(&run);
}

/* Dropped, echoed or refused: each time the raw way is left. */
static void test_llamacpp_goes_raw(void **state)
{
    (void)state;
    const struct plan_case_step dropped = {"/apply-template", NULL, 200, "{'prompt':'<|a|>'}"};
    const struct plan_case_step refused = {"/apply-template", NULL, 400, "{'error':{}}"};
    const struct plan_case_step kept = {"/apply-template", NULL, 200, "{'prompt':'<|a|><think>" PLAN_PREFIX "'}"};
    const struct plan_case_step echoed = {"/v1/chat/completions", NULL, 200, ECHOED};
    const struct plan_case_step whole = {"/v1/chat/completions", NULL, 200, INLINE};
    const struct plan_case_step plain = {"/apply-template", "Hello", 200, "{'prompt':'<|a|><think>\\n'}"};
    const struct plan_case_step mine = {"/apply-template", "How?", 200, "{'prompt':'<|u|>How?<|a|><think>\\n'}"};
    const struct plan_case_step ways[][6] = {
        {dropped, plain, mine, {0}},
        {refused, plain, mine, {0}},
        {kept, echoed, plain, mine, {0}},
        {kept, whole, plain, mine, {0}},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct plan_case c = {"llamacpp", .fields = "'max_completion_tokens':9", .steps = ways[i]};
        struct plan_run run = expect_ready(&c, "/v1/completions",
                                           "{'model':'m','max_tokens':9,'preserved_tokens':['</think>'],"
                                           "'prompt':'<|u|>How?<|a|><think>\\n" PLAN_PREFIX "'}");
        plan_end(&run);
    }
}

/* A conversation may render otherwise than ours did: it is looked at as well. */
static void test_llamacpp_looks_at_every_prompt(void **state)
{
    (void)state;
    const struct plan_case_step closed[] = {
        {"/apply-template", NULL, 200, "{'prompt':'<|a|><think>\\n\\n</think>\\n\\n'}"}, {0}};
    const struct plan_case_step open[] = {{"/apply-template", NULL, 200, "{'prompt':'<|a|>'}"}, {0}};
    struct plan_case c = {"llamacpp", .steps = closed, .verified = true, .memo = 1};
    expect_aside(&c, "reasoning_closed", false);
    c.steps = open;
    struct plan_run run = expect_ready(
        &c, "/v1/completions", "{'model':'m','preserved_tokens':['[/THINK]'],'prompt':'<|a|>[THINK]" PLAN_PREFIX "'}");
    plan_end(&run);
}

static void test_own_delimiters(void **state)
{
    (void)state;
    const struct plan_case_step steps[] = {
        {"/apply-template", NULL, 200, "{'prompt':'<|a|>'}"},
        {"/apply-template", NULL, 200, "{'prompt':'<|a|>'}"},
        {"/apply-template", PLAN_MARK, 200, "{'prompt':'<|a|><why>" PLAN_MARK "</why>'}"},
        {"/apply-template", "How?", 200, "{'prompt':'<|a|>'}"},
        {0},
    };
    struct plan_case c = {"llamacpp", .steps = steps, .own_open = "<why>", .own_close = "</why>"};
    struct plan_run run = expect_ready(
        &c, "/v1/completions", "{'model':'m','preserved_tokens':['</why>'],'prompt':'<|a|><why>\\n" PLAN_PREFIX "'}");
    expect_close(&run, "</why>");
    plan_end(&run);
}

/* What was remembered names delimiters that are configured no more: it is looked at anew. */
static void test_forgotten_delimiters(void **state)
{
    (void)state;
    const struct plan_case_step none[] = {{"/apply-template", PLAN_PREFIX, 404, NULL}, {0}};
    expect_aside(&(struct plan_case){"llamacpp", .steps = none, .verified = true, .memo = PROMPT_OWN}, "no_render",
                 true);
}

/* ---- ollama ---- */

static void test_ollama(void **state)
{
    (void)state;
    const struct plan_case_step steps[] = {
        {"/api/chat", "\"_debug_render_only\":true", 200, "{'_debug_info':{'rendered_template':'<|a|>'}}"},
        {"/api/chat", "\"arguments\":{}", 200,
         "{'_debug_info':{'rendered_template':'<|a|><think>" PLAN_MARK "</think>'}}"},
        {"/api/chat", "How?", 200, "{'_debug_info':{'rendered_template':'<|u|>How?<|a|>'}}"},
        {0},
    };
    struct plan_case c = {"ollama", .fields = "'max_tokens':7,'seed':3,'stop':'END','stream':true", .steps = steps};
    struct plan_run run = expect_ready(&c, "/api/generate",
                                       "{'model':'m','raw':true,'think':true,'stream':true,"
                                       "'prompt':'<|u|>How?<|a|><think>\\n" PLAN_PREFIX "',"
                                       "'options':{'num_predict':7,'seed':3,'stop':['END']}}");
    assert_true(run.plan.may_be_lines);
    char *out = plan_rebuilt(&run, "{\"response\":\"a\",\"done\":false}\n"
                                   "{\"response\":\"\",\"done\":true,\"done_reason\":\"length\","
                                   "\"prompt_eval_count\":4,\"eval_count\":5}\n");
    assert_non_null(strstr(out, "\"reasoning_content\":\"a\"},\"finish_reason\":null"));
    assert_non_null(strstr(out, "\"finish_reason\":\"length\""));
    assert_non_null(strstr(out, "\"prompt_tokens\":4,\"completion_tokens\":5"));
    free(out);
    plan_end(&run);
    const struct plan_case_step old[] = {{"/api/chat", NULL, 200, "{'message':{'content':'Hi.'},'done':true}"}, {0}};
    expect_aside(&(struct plan_case){"ollama", .steps = old}, "no_render", true);
}

/* ---- sglang ---- */

#define WITH_TOKENS(message) "{'choices':[{'message':" message ",'prompt_token_ids':[1,2]}]}"

static void test_sglang(void **state)
{
    (void)state;
    const struct plan_case_step bare[] = {
        {"/v1/chat/completions", "\"content\":\"" RECALL_WORDS "\"", 200, WITH_TOKENS("{'reasoning_content':'x'}")},
        {"/detokenize", "[1,2]", 200, "{'text':'<|a|><think>\\n" RECALL_WORDS "'}"},
        {0},
    };
    const char *more = "'continue_final_message':true,'separate_reasoning':true,'stream_reasoning':true";
    char body[512];
    snprintf(body, sizeof body,
             "{'model':'m','messages':[" MESSAGE ",{'role':'assistant','content':'" PLAN_PREFIX "'}],%s}", more);
    struct plan_run run = expect_ready(&(struct plan_case){"sglang", .steps = bare}, "/v1/chat/completions", body);
    plan_end(&run);
    const struct plan_case_step tagged[] = {
        bare[0],
        {"/detokenize", NULL, 200, "{'text':'<|a|>" RECALL_WORDS "'}"},
        {"/v1/chat/completions", PLAN_MARK, 200, WITH_TOKENS("{'content':'x'}")},
        {"/detokenize", NULL, 200, "{'text':'<|a|><think>\\n" PLAN_MARK "\\n</think>'}"},
        {"/v1/chat/completions", "<think>\\n" RECALL_WORDS, 200, WITH_TOKENS("{'reasoning_content':'x'}")},
        {"/detokenize", NULL, 200, "{'text':'<|a|><think>\\n" RECALL_WORDS "'}"},
        {0},
    };
    snprintf(body, sizeof body, "{'model':'m','messages':[" MESSAGE "," OPEN_TURN "],%s}", more);
    run = expect_ready(&(struct plan_case){"sglang", .steps = tagged}, "/v1/chat/completions", body);
    plan_end(&run);
}

static void test_sglang_steps_aside(void **state)
{
    (void)state;
    const struct plan_case_step silent[] = {{"/v1/chat/completions", NULL, 200, SPLIT}, {0}};
    const struct plan_case_step turned[] = {
        {"/v1/chat/completions", NULL, 200, WITH_TOKENS("{'reasoning_content':'x'}")},
        {"/detokenize", NULL, 200, "{'text':'<|u|>" RECALL_WORDS "<|end|><|a|>'}"},
        {0},
    };
    expect_aside(&(struct plan_case){"sglang", .steps = silent}, "no_render", true);
    expect_aside(&(struct plan_case){"sglang", .steps = turned}, "dropped", true);
}

/* ---- services that render nothing ---- */

static void test_hosted(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *reply, *reason;
    } cases[] = {
        {400, "{'error':{}}", "refused"},
        {200, "{'choices':[{'message':{'content':'QUARTZ-5271'}}]}", "wrong_place"},
        {200, "{'choices':[{'message':{'reasoning_content':'What notes?','content':'None.'}}]}", "dropped"},
        {200, ECHOED, "echoed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan_case_step steps[] = {{"/beta/chat/completions", RECALL_WORDS, cases[i].status, cases[i].reply},
                                         {0}};
        expect_aside(&(struct plan_case){"deepseek", .steps = steps}, cases[i].reason, true);
        steps[0].path = "/v1/chat/completions";
        expect_aside(&(struct plan_case){"mistral", .steps = steps}, cases[i].reason, true);
    }
    const struct plan_case_step beta[] = {{"/beta/chat/completions", NULL, 200, SPLIT}, {0}};
    struct plan_run run =
        expect_ready(&(struct plan_case){"deepseek", .shown = "seen", .steps = beta}, "/beta/chat/completions",
                     "{'model':'m','thinking':{'type':'enabled'},'messages':[" MESSAGE
                     ",{'role':'assistant','prefix':true,'content':'',"
                     "'reasoning_content':'seen\\n\\n" PLAN_PREFIX "'}]}");
    assert_string_equal(run.plan.reason, "recalled");
    plan_end(&run);
    const struct plan_case_step parts[] = {
        {"/v1/chat/completions", NULL, 200,
         "{'choices':[{'message':{'content':[{'type':'thinking','thinking':[{'type':'text','text':'QUARTZ-5271'}]},"
         "{'type':'text','text':'QUARTZ-5271'}]}}]}"},
        {0},
    };
    run = expect_ready(&(struct plan_case){"mistral", .steps = parts}, "/v1/chat/completions",
                       "{'model':'m','messages':[" MESSAGE ",{'role':'assistant','prefix':true,'content':["
                       "{'type':'thinking','thinking':[{'type':'text','text':'" PLAN_PREFIX "'}],'closed':false}]}]}");
    plan_end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vllm_continues),
        cmocka_unit_test(test_vllm_goes_raw),
        cmocka_unit_test(test_vllm_steps_aside),
        cmocka_unit_test(test_obstacles),
        cmocka_unit_test(test_llamacpp_continues),
        cmocka_unit_test(test_llamacpp_goes_raw),
        cmocka_unit_test(test_llamacpp_looks_at_every_prompt),
        cmocka_unit_test(test_own_delimiters),
        cmocka_unit_test(test_forgotten_delimiters),
        cmocka_unit_test(test_ollama),
        cmocka_unit_test(test_sglang),
        cmocka_unit_test(test_sglang_steps_aside),
        cmocka_unit_test(test_hosted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
