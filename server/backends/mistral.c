/* The kind `mistral`: a turn of the assistant that is marked as a prefix may hold a part of thinking that is not
 * closed. SPDX-License-Identifier: Apache-2.0 */
#include "backends/hosted.h"

static json_t *turn(const char *words)
{
    return json_pack("{sssbs[{sss[{ssss}]sb}]}", "role", "assistant", "prefix", 1, "content", "type", "thinking",
                     "thinking", "type", "text", "text", words, "closed", 0);
}

static json_t *more(void)
{
    return json_object();
}

static int mistral_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const struct hosted hosted = {"~/chat/completions", turn, more};
    return hosted_next(&hosted, plan, reply, out);
}

static const struct field mistral_rows[] = {
    {"guardrails", FIELD_DENY, "changes the answer after it was judged"},
    {"prompt_mode", FIELD_DENY, "changes how the prompt is rendered, and so where the reasoning begins"},
    {"random_seed", FIELD_PASS, NULL},
    {"safe_prompt", FIELD_PASS, NULL},
};

const struct backend backend_mistral = {
    .kind = "mistral",
    .can_prefill = true,
    .fields = {mistral_rows, sizeof mistral_rows / sizeof *mistral_rows},
    .next = mistral_next,
};
