/* See hosted.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The recall has to come out of the reasoning, and not with our own words before it: then the model knew what only the
 * prefix had said, and was still reasoning when it said so. That is evidence, not a render; the reason says `recalled`.
 */
#include "backends/hosted.h"

#include <stdlib.h>

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

int hosted_next(const struct hosted *hosted, struct prefix_plan *plan, const struct backend_reply *reply,
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
