/* The hosted kinds: services with OpenAI's chat API that never show their prompt, and servers of which no more is
 * known. SPDX-License-Identifier: Apache-2.0
 *
 * Some continue a turn of the assistant, its reasoning too. Recall is the only check there is: the code has to come out
 * of the reasoning, and not with our own words before it. Then the model knew what only the prefix had said, and was
 * still reasoning when it said so. That is evidence, not a render; the reason says `recalled`.
 *
 * The others continue no turn, so the prefix is asked for in words: the delivery is `instruct`. */
#include <stdlib.h>

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
    json_t *body = recall_body(plan, hosted->turn(RECALL_WORDS)), *more = hosted->more();
    json_object_update(body, more);
    json_decref(more);
    return plan_ask(plan, RECALL, hosted->path, body, out);
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

#define ELSEWHERE "sends the request to another model or service than its route says"
#define UNCHECKED "sets fields that are not checked"

static const struct field mistral_rows[] = {
    {"guardrails", FIELD_DENY, "changes the answer after it was judged"},
    {"prompt_mode", FIELD_DENY, "changes how the prompt is rendered, and so where the reasoning begins"},
    {"random_seed", FIELD_PASS, NULL},
    {"safe_prompt", FIELD_PASS, NULL},
};

static const struct field groq_rows[] = {
    {"citation_options", FIELD_DENY, "adds text that the model did not write"},
    {"compound_custom", FIELD_DENY, ELSEWHERE},
    {"disable_tool_validation", FIELD_DENY, "accepts tool calls that are not valid"},
    {"documents", FIELD_DENY, "adds text to the prompt through the template"},
    {"search_settings", FIELD_DENY, ELSEWHERE},
};

static const struct field openrouter_rows[] = {
    {"debug", FIELD_DENY, "returns the request as it was forwarded"},
    {"preset", FIELD_DENY, ELSEWHERE},
    {"session_id", FIELD_PASS, NULL},
    {"trace", FIELD_DENY, "sends the request to another service than its route says"},
    {"usage", FIELD_PASS, NULL},
};

static const struct field anthropic_rows[] = {
    {"container", FIELD_DENY, ELSEWHERE},
    {"context_management", FIELD_DENY, "cuts the prompt after it was judged"},
    {"mcp_servers", FIELD_DENY, ELSEWHERE},
    {"stop_sequences", FIELD_DENY, "may remove the mark that ends the reasoning"},
    {"system", FIELD_DENY, "adds text to the prompt outside its messages"},
};

static const struct field gemini_rows[] = {
    {"cached_content", FIELD_DENY, "adds text to the prompt that was not judged"},
    {"extra_body", FIELD_DENY, UNCHECKED},
    {"google", FIELD_DENY, UNCHECKED},
    {"safety_settings", FIELD_DENY, "belongs to the operator"},
};

#define FIELDS(rows)                                                                                                   \
    {                                                                                                                  \
        rows, sizeof rows / sizeof *rows                                                                               \
    }

/* ---- the kinds ---- */

/* Any server that speaks OpenAI's chat API and promises no more. */
const struct backend backend_openai = {.kind = "openai"};

const struct backend backend_deepseek = {.kind = "deepseek", .can_prefill = true, .next = deepseek_next};

const struct backend backend_mistral = {
    .kind = "mistral", .can_prefill = true, .fields = FIELDS(mistral_rows), .next = mistral_next};

const struct backend backend_groq = {.kind = "groq", .fields = FIELDS(groq_rows)};

/* Many other services behind one API, none of which is known here. */
const struct backend backend_openrouter = {.kind = "openrouter", .fields = FIELDS(openrouter_rows)};

/* Refuses a turn of the assistant at the end, and does not send its reasoning, which therefore cannot be judged. */
const struct backend backend_anthropic = {.kind = "anthropic", .fields = FIELDS(anthropic_rows)};

/* The path prefix is /v1beta/openai. Newer models refuse a turn of the assistant at the end, and none takes up
 * reasoning from one. Summaries of the reasoning come inline, between <thought> and </thought>. */
const struct backend backend_gemini = {.kind = "gemini", .fields = FIELDS(gemini_rows)};
