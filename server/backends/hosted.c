/* The hosted kinds: services with OpenAI's chat API that never show their prompt, and servers of which no more is
 * known. SPDX-License-Identifier: Apache-2.0
 *
 * Some continue a turn of the assistant, its reasoning too. Recall is the only check there is: the code has to come out
 * of the reasoning, and not with our own words before it. Then the model knew what only the prefix had said, and was
 * still reasoning when it said so. That is evidence, not a render; the reason says `recalled`.
 *
 * The others continue no turn, so the prefix is asked for in words: the delivery is `instruct`. */
#include <stdlib.h>

#include "api/field_reasons.h"
#include "backends/steps.h"

/* How a service continues a turn. */
struct hosted {
    const char *path;                   /* as in plan_ask */
    json_t *(*turn)(const char *words); /* the assistant's turn; returned owned */
    json_t *(*more)(void);              /* fields that the body needs; returned owned */
};

enum stage { START, RECALL };

static int ready(const struct hosted *hosted, struct prefix_plan *plan, enum backend_next *out)
{
    char *words = plan_words(plan, NULL);
    plan_put_path(plan, hosted->path);
    int rv = words == NULL ? REIN_ENOMEM : plan_ready_chat(plan, hosted->turn(words), hosted->more(), "recalled", out);
    free(words);
    return rv;
}

static int hosted_start(const struct hosted *hosted, struct prefix_plan *plan, enum backend_next *out)
{
    const char *obstacle = plan_obstacle(plan, false);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    if (plan->verified)
        return ready(hosted, plan, out);
    plan->memo = MEMO_CHAT;
    return plan_ask(plan, RECALL, hosted->path, recall_body(plan, hosted->turn(RECALL_WORDS), hosted->more()), out);
}

static int hosted_next(const struct hosted *hosted, struct prefix_plan *plan, const struct backend_reply *reply,
                       enum backend_next *out)
{
    if (plan->stage == START)
        return hosted_start(hosted, plan, out);
    if (reply->status != 200 || reply->body == NULL)
        return plan_aside(plan, "refused", reply, out);
    switch (recall_read(reply->body, false)) {
    case RECALL_SPLIT:
        plan->checked = true;
        return ready(hosted, plan, out);
    case RECALL_ECHO:
        return plan_aside(plan, "echoed", reply, out);
    case RECALL_INLINE:
        return plan_aside(plan, "wrong_place", reply, out);
    default:
        return plan_aside(plan, "dropped", reply, out);
    }
}

/* ---- services that continue a turn ---- */

/* The beta API continues a turn that is marked as a prefix. The documents do not say that its reasoning is continued
 * too, so it is tried first. */
static json_t *deepseek_turn(const char *words)
{
    return json_pack("{sssssssb}", "role", "assistant", "content", "", "reasoning_content", words, "prefix", 1);
}

static json_t *deepseek_more(void)
{
    return json_pack("{s{ss}}", "thinking", "type", "enabled");
}

static int deepseek_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const struct hosted hosted = {"/beta/chat/completions", deepseek_turn, deepseek_more};
    return hosted_next(&hosted, plan, reply, out);
}

/* A turn that is marked as a prefix may hold a part of thinking that is not closed. */
static json_t *mistral_turn(const char *words)
{
    return json_pack("{sssbs[{sss[{ssss}]sb}]}", "role", "assistant", "prefix", 1, "content", "type", "thinking",
                     "thinking", "type", "text", "text", words, "closed", 0);
}

static json_t *mistral_more(void)
{
    return json_object();
}

static int mistral_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const struct hosted hosted = {"~/chat/completions", mistral_turn, mistral_more};
    return hosted_next(&hosted, plan, reply, out);
}

/* ---- their own fields ---- */

/* Of gateways and services behind the kind `openai`: LiteLLM, DashScope, Z.ai, Moonshot, Azure. */
static const struct field openai_rows[] = {
    {.name = "allowed_openai_params", .fate = FIELD_DROP, .why = FIELD_UNCHECKED},
    {.name = "api_base", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "api_key", .fate = FIELD_REFUSE, .why = FIELD_OPERATORS},
    {.name = "api_version", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "base_url", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "cache", .fate = FIELD_DROP, .why = "keeps answers outside the guard"},
    {.name = "caching", .fate = FIELD_DROP, .why = "keeps answers outside the guard", .passes = FIELD_IF_FALSE},
    {.name = "custom_llm_provider", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "deferred",
     .fate = FIELD_REFUSE,
     .why = "lets the upstream answer later and keep the answer, which goes around the guard",
     .passes = FIELD_IF_FALSE},
    {.name = "disable_global_guardrail",
     .fate = FIELD_REFUSE,
     .why = "turns off checks of the upstream",
     .passes = FIELD_IF_FALSE},
    {.name = "disable_global_guardrails",
     .fate = FIELD_REFUSE,
     .why = "turns off checks of the upstream",
     .passes = FIELD_IF_FALSE},
    {.name = "draft_model", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "drop_params",
     .fate = FIELD_DROP,
     .why = "lets the upstream drop what the request asks for",
     .passes = FIELD_IF_FALSE},
    {.name = "enable_code_interpreter",
     .fate = FIELD_REFUSE,
     .why = "runs code at the upstream, which adds text that was not judged",
     .passes = FIELD_IF_FALSE},
    {.name = "guardrail_config",
     .fate = FIELD_REFUSE,
     .why = "changes checks of the upstream",
     .passes = FIELD_IF_EMPTY},
    {.name = "guardrails", .fate = FIELD_JUDGE, .why = "adds checks of the upstream and takes none away"},
    {.name = "litellm_metadata", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "max_input_tokens", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT},
    {.name = "mock_response", .fate = FIELD_DROP, .why = "answers in the place of the model"},
    {.name = "mock_tool_calls", .fate = FIELD_DROP, .why = "answers in the place of the model"},
    {.name = "no-log", .fate = FIELD_PASS, .why = "keeps the text out of the upstream's log"},
    {.name = "num_retries", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "prompt_id", .fate = FIELD_REFUSE, .why = FIELD_FETCHES},
    {.name = "prompt_variables", .fate = FIELD_REFUSE, .why = FIELD_FETCHES},
    {.name = "request_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "request_timeout", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "result_format", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "search_options", .fate = FIELD_REFUSE, .why = FIELD_FETCHES, .passes = FIELD_IF_EMPTY},
    {.name = "tags", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "timeout", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "translation_options", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "ttl", .fate = FIELD_DROP, .why = FIELD_OPERATORS},
    {.name = "user_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
};

static const struct field mistral_rows[] = {
    {.name = "guardrails", .fate = FIELD_JUDGE, .why = "adds checks of the upstream and takes none away"},
    {.name = "prompt_mode", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_WORD, .words = "reasoning"},
    {.name = "random_seed", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "safe_prompt", .fate = FIELD_PASS, .why = "adds words about safety to the prompt"},
};

static const struct field groq_rows[] = {
    {.name = "citation_options",
     .fate = FIELD_DROP,
     .why = "adds text that the model did not write",
     .passes = FIELD_IF_WORD,
     .words = "disabled"},
    {.name = "compound_custom", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "disable_tool_validation",
     .fate = FIELD_DROP,
     .why = "accepts tool calls that are not valid",
     .passes = FIELD_IF_FALSE},
    {.name = "exclude_domains", .fate = FIELD_REFUSE, .why = FIELD_FETCHES, .passes = FIELD_IF_EMPTY},
    {.name = "include_domains", .fate = FIELD_REFUSE, .why = FIELD_FETCHES, .passes = FIELD_IF_EMPTY},
    {.name = "search_settings", .fate = FIELD_REFUSE, .why = FIELD_FETCHES},
};

static const struct field openrouter_provider_rows[] = {
    {.name = "allow_fallbacks", .fate = FIELD_DROP, .why = FIELD_ELSEWHERE, .passes = FIELD_IF_FALSE},
    {.name = "data_collection",
     .fate = FIELD_DROP,
     .why = "lets providers keep the text",
     .passes = FIELD_IF_WORD,
     .words = "deny"},
    {.name = "enforce_distillable_text", .fate = FIELD_PASS, .why = "narrows the choice of providers"},
    {.name = "ignore", .fate = FIELD_JUDGE, .why = "narrows the choice of providers"},
    {.name = "max_price", .fate = FIELD_JUDGE, .why = "a ceiling of costs"},
    {.name = "only", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "order", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "quantizations", .fate = FIELD_JUDGE, .why = "narrows the choice of providers"},
    {.name = "require_parameters", .fate = FIELD_PASS, .why = "narrows the choice of providers"},
    {.name = "sort", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "zdr", .fate = FIELD_DROP, .why = "lets providers keep the text", .passes = FIELD_IF_TRUE},
};
static const struct field_table openrouter_provider = FIELD_TABLE(openrouter_provider_rows);
static const struct field openrouter_rows[] = {
    {.name = "debug", .fate = FIELD_DROP, .why = FIELD_RETURNS_PROMPT, .passes = FIELD_IF_EMPTY},
    {.name = "preset", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "provider", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE, .below = &openrouter_provider},
    {.name = "session_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "trace", .fate = FIELD_DROP, .why = "sends the request to another service than its route says"},
    {.name = "usage", .fate = FIELD_JUDGE, .why = FIELD_COUNTS},
};

static const struct field anthropic_rows[] = {
    {.name = "container", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "context_management", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT},
    {.name = "mcp_servers", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE, .passes = FIELD_IF_EMPTY},
    {.name = "stop_sequences",
     .fate = FIELD_REFUSE,
     .why = "may remove the mark that ends the reasoning",
     .passes = FIELD_IF_EMPTY},
    {.name = "system", .fate = FIELD_REFUSE, .why = "adds text to the prompt outside its messages"},
};

static const struct field gemini_thinking_rows[] = {
    {.name = "include_thoughts", .fate = FIELD_DROP, .why = FIELD_HIDES, .passes = FIELD_IF_TRUE},
    {.name = "thinking_budget", .fate = FIELD_REFUSE, .why = FIELD_NO_BUDGET, .passes = FIELD_IF_NOT_ZERO},
    {.name = "thinking_level", .fate = FIELD_DROP, .why = FIELD_HIDES, .passes = FIELD_IF_OTHER, .words = "none"},
};
static const struct field_table gemini_thinking = FIELD_TABLE(gemini_thinking_rows);
static const struct field gemini_google_rows[] = {
    {.name = "cached_content", .fate = FIELD_REFUSE, .why = FIELD_FETCHES},
    {.name = "safety_settings", .fate = FIELD_REFUSE, .why = FIELD_OPERATORS, .passes = FIELD_IF_EMPTY},
    {.name = "thinking_config", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .below = &gemini_thinking},
};
static const struct field_table gemini_google = FIELD_TABLE(gemini_google_rows);
static const struct field gemini_extra_rows[] = {
    {.name = "google", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .below = &gemini_google},
};
static const struct field_table gemini_extra = FIELD_TABLE(gemini_extra_rows);
static const struct field gemini_rows[] = {
    {.name = "cached_content", .fate = FIELD_REFUSE, .why = FIELD_FETCHES},
    {.name = "extra_body", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .below = &gemini_extra},
    {.name = "google", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .below = &gemini_google},
    {.name = "safety_settings", .fate = FIELD_REFUSE, .why = FIELD_OPERATORS, .passes = FIELD_IF_EMPTY},
};

/* ---- the kinds ---- */

/* Any server that speaks OpenAI's chat API and promises no more. */
const struct backend backend_openai = {.kind = "openai", .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(openai_rows)}};

const struct backend backend_deepseek = {
    .kind = "deepseek", .can_prefill = true, .tells_apart = true, .next = deepseek_next};

const struct backend backend_mistral = {.kind = "mistral",
                                        .can_prefill = true,
                                        .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(mistral_rows)},
                                        .next = mistral_next};

const struct backend backend_groq = {.kind = "groq", .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(groq_rows)}};

/* Many other services behind one API, none of which is known here. */
const struct backend backend_openrouter = {.kind = "openrouter",
                                           .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(openrouter_rows)}};

/* Refuses a turn of the assistant at the end, and does not send its reasoning, which therefore cannot be judged. */
const struct backend backend_anthropic = {
    .kind = "anthropic", .tells_apart = true, .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(anthropic_rows)}};

/* The path prefix is /v1beta/openai. Newer models refuse a turn of the assistant at the end, and none takes up
 * reasoning from one. Summaries of the reasoning come inline, between <thought> and </thought>. */
const struct backend backend_gemini = {.kind = "gemini", .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(gemini_rows)}};
