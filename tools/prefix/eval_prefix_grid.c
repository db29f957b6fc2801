/* Which questions there are to ask, and what is sent for each.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/chat/chat.h"
#include "backends/backend.h"
#include "prefix/eval_prefix.h"

/* ---- what is sent ---- */

/* Does the policy call the prompt risky? Only the lexicons decide; nothing is refused here. */
static int ask_risk(bool *is_risky, const struct eval_inputs *in, struct rein_policy *policy, const char *prompt)
{
    struct rein_trace_options options = {.policy = policy, .engine = in->engine, .choices = 1};
    struct rein_trace *trace;
    struct rein_update update;
    int rv = rein_trace_new(&trace, &options);
    if (rv != 0)
        return rv;
    rv = rein_trace_prompt(trace, "user", prompt, strlen(prompt));
    if (rv == 0)
        rv = rein_trace_prompt_end(trace, &update);
    *is_risky = rv == 0 && rein_trace_is_risky(trace);
    rein_trace_free(trace);
    return rv;
}

/* The text that the arm puts before this prompt's reasoning, "" for none. */
static int prefix_of(const char **prefix, const struct eval_inputs *in, const struct eval_arm *arm, const char *prompt)
{
    *prefix = "";
    if (arm->policy == NULL)
        return 0;
    const struct rein_policy_settings *s = rein_policy_settings(arm->policy);
    bool is_wanted = s->prefix.when == REIN_WHEN_ALWAYS && s->prefix.deliver != REIN_DELIVER_OFF;
    int rv = 0;
    if (s->prefix.when == REIN_WHEN_RISKY && s->prefix.deliver != REIN_DELIVER_OFF)
        rv = ask_risk(&is_wanted, in, arm->policy, prompt);
    if (is_wanted)
        *prefix = s->prefix.text;
    return rv;
}

static char *client_body(const struct eval_prefix_options *options, const char *prompt)
{
    json_t *body = json_pack("{sss[{ssss}]sIsb}", "model", options->model, "messages", "role", "user", "content",
                             prompt, "seed", (json_int_t)options->seed, "stream", 0);
    if (body != NULL && options->max_tokens > 0)
        json_object_set_new(body, "max_tokens", json_integer(options->max_tokens));
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

/* The same plans as for a served request. */
static int plan_body(char **body, const struct request *request, const char *prefix)
{
    struct prefix_plan plan = {.request = request, .path_prefix = "/v1", .prefix = prefix, .shown = ""};
    int rv = *prefix != '\0' ? backend_plan_instruct(&plan, "eval") : backend_plan_plain(&plan, "eval");
    if (rv == 0)
        *body = json_dumps(plan.body, JSON_COMPACT);
    backend_plan_fini(&plan);
    return rv == 0 && *body == NULL ? REIN_ENOMEM : rv;
}

int eval_question_body(char **body, const struct eval_inputs *in, const struct eval_prefix_options *options,
                       size_t prompt, size_t arm)
{
    static const struct config_limits limits = {
        .body_bytes = SIZE_MAX, .messages = 2, .choices = 1, .tools = 1, .json_depth = 8};
    const char *prefix, *text = in->prompts[prompt].text;
    struct request_error err;
    struct request *request = NULL;
    int rv = prefix_of(&prefix, in, &in->arms[arm], text);
    char *client = rv == 0 ? client_body(options, text) : NULL;
    if (rv == 0 && client == NULL)
        rv = REIN_ENOMEM;
    if (rv == 0)
        rv = request_parse(&request, &api_chat, (struct rein_source){"", client, strlen(client)}, &limits, &err);
    if (rv == 0)
        rv = request_check(request, &(struct request_checks){.limits = &limits}, &err);
    if (rv == 0)
        rv = request_load(request);
    if (rv == 0)
        rv = plan_body(body, request, prefix);
    request_free(request);
    free(client);
    return rv;
}

/* ---- the grid ---- */

static int make_key(char key[ASKING_KEY_SIZE], const struct eval_inputs *in, const struct eval_prefix_options *options,
                    size_t prompt, size_t arm)
{
    char *body;
    int rv = eval_question_body(&body, in, options, prompt, arm);
    if (rv != 0)
        return rv;
    uint64_t hash = asking_hash(ASKING_HASH_BEGIN, options->url);
    asking_key(key, asking_hash(asking_hash(hash, in->prompts[prompt].id), body));
    free(body);
    return 0;
}

/* The question of a cell: one that an arm before it asks already, or a new one. */
static int fill_cell(struct eval_grid *grid, const struct eval_inputs *in, const struct eval_prefix_options *options,
                     size_t prompt, size_t arm)
{
    uint32_t *cells = grid->cells + prompt * in->arms_len;
    struct eval_question *q = &grid->questions[grid->questions_len];
    *q = (struct eval_question){.prompt = (uint32_t)prompt, .arm = (uint16_t)arm};
    int rv = make_key(q->key, in, options, prompt, arm);
    cells[arm] = (uint32_t)grid->questions_len;
    for (size_t i = 0; i < arm; i++)
        if (strcmp(grid->questions[cells[i]].key, q->key) == 0) {
            cells[arm] = cells[i];
            return rv;
        }
    grid->questions_len++;
    return rv;
}

int eval_grid_new(struct eval_grid *grid, const struct eval_inputs *in, const struct eval_prefix_options *options)
{
    size_t cells = in->prompts_len * in->arms_len;
    *grid = (struct eval_grid){.questions = calloc(cells + 1, sizeof *grid->questions),
                               .cells = calloc(cells + 1, sizeof *grid->cells)};
    int rv = grid->questions != NULL && grid->cells != NULL ? 0 : REIN_ENOMEM;
    for (size_t p = 0; p < in->prompts_len && rv == 0; p++)
        for (size_t a = 0; a < in->arms_len && rv == 0; a++)
            rv = fill_cell(grid, in, options, p, a);
    if (rv != 0)
        eval_grid_fini(grid);
    return rv;
}

void eval_grid_fini(struct eval_grid *grid)
{
    free(grid->questions);
    free(grid->cells);
    *grid = (struct eval_grid){0};
}
