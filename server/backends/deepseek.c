/* The kind `deepseek`: the beta API continues a turn of the assistant that is marked as a prefix, its reasoning too.
 * The documents do not say that they do, so it is tried first. SPDX-License-Identifier: Apache-2.0 */
#include "backends/hosted.h"

static json_t *turn(const char *words)
{
    return json_pack("{sssssssb}", "role", "assistant", "content", "", "reasoning_content", words, "prefix", 1);
}

static json_t *more(void)
{
    return json_pack("{s{ss}}", "thinking", "type", "enabled");
}

static int deepseek_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const struct hosted hosted = {"/beta/chat/completions", turn, more};
    return hosted_next(&hosted, plan, reply, out);
}

const struct backend backend_deepseek = {.kind = "deepseek", .can_prefill = true, .next = deepseek_next};
