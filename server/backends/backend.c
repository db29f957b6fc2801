/* See backend.h: the table of kinds, and the two plans that work everywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "rein/doc.h"

enum { NAMES_MAX = 512 };

static const struct backend *const kinds[] = {
    &backend_openai,  &backend_vllm, &backend_sglang,     &backend_llamacpp,  &backend_ollama, &backend_deepseek,
    &backend_mistral, &backend_groq, &backend_openrouter, &backend_anthropic, &backend_gemini, &backend_completions,
};

const struct backend *backend_find(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->kind, kind) == 0)
            return kinds[i];
    return NULL;
}

const struct backend *backend_at(size_t i)
{
    return i < sizeof kinds / sizeof *kinds ? kinds[i] : NULL;
}

const struct field_table *backend_fields(const struct backend *backend, const struct api *api)
{
    assert((size_t)api->dialect < BACKEND_DIALECTS_MAX);
    static const struct field_table none = {NULL, 0};
    if (api->is_data) /* the rows of its dialect are another API's */
        return &none;
    return backend != NULL ? &backend->fields[api->dialect] : NULL;
}

/* The tables of all APIs, and behind them those of all kinds; NULL past the last. */
static const struct field_table *table_at(size_t i)
{
    size_t apis = api_count(), len = sizeof kinds / sizeof *kinds;
    if (i < apis)
        return api_at(i)->fields;
    i -= apis;
    return i < len * BACKEND_DIALECTS_MAX ? &kinds[i / BACKEND_DIALECTS_MAX]->fields[i % BACKEND_DIALECTS_MAX] : NULL;
}

bool backend_knows_field(const char *path, bool *is_refused)
{
    bool is_known = false, is_inside;
    const struct field_table *table;
    *is_refused = false;
    for (size_t i = 0; (table = table_at(i)) != NULL; i++) {
        const struct field *field = field_find_path(table, path, &is_inside);
        if (field == NULL || (is_inside && field->fate >= FIELD_DROP)) /* nothing looks into what does not pass */
            continue;
        is_known = true;
        *is_refused = *is_refused || field->fate >= FIELD_DROP;
    }
    return is_known;
}

const char *backend_nearest_field(const char *name)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    const struct field_table *table;
    size_t len = 0;
    for (size_t i = 0; (table = table_at(i)) != NULL; i++)
        for (size_t row = 0; row < table->len && len < NAMES_MAX; row++)
            names[len++] = table->rows[row].name;
    return rein_nearest(name, names);
}

bool backend_has_plan(const struct backend *backend, const struct request *request)
{
    return backend != NULL && backend->next != NULL && request->api->can_prefill;
}

void backend_plan_fini(struct prefix_plan *plan)
{
    json_decref(plan->kept);
    json_decref(plan->call.body);
    json_decref(plan->body);
    plan->kept = plan->call.body = plan->body = NULL;
    stream_filters_free(&plan->filters);
}

/* A path prefix beyond all reason is cut. */
static void set_api_path(struct prefix_plan *plan)
{
    const char *rest = plan->request->api->upstream_path;
    size_t room = sizeof plan->path - 1 - strlen(rest), len = strnlen(plan->path_prefix, room);
    memcpy(plan->path, plan->path_prefix, len);
    strcpy(plan->path + len, rest);
}

void backend_plan_as_sent(struct prefix_plan *plan, const char *reason)
{
    json_decref(plan->body);
    plan->body = NULL;
    set_api_path(plan);
    plan->attempt = (struct rein_attempt){.delivery = REIN_DELIVER_OFF, .prefix = ""};
    stream_filters_free(&plan->filters);
    plan->may_be_lines = false;
    plan->reason = reason;
}

int backend_plan_plain(struct prefix_plan *plan, const char *reason)
{
    backend_plan_as_sent(plan, reason);
    plan->body = plan->request->api->upstream_body(plan->request);
    return plan->body != NULL ? 0 : REIN_ENOMEM;
}

int backend_plan_instruct(struct prefix_plan *plan, const char *reason)
{
    int rv = backend_plan_plain(plan, reason);
    if (rv < 0)
        return rv;
    plan->attempt.delivery = REIN_DELIVER_INSTRUCT;
    plan->attempt.prefix = plan->prefix;
    char *text = NULL;
    if (asprintf(&text,
                 "Begin your reasoning with the text between the two lines of dashes, word for word, and go on from "
                 "there. Do not mention it in your answer.\n---\n%s\n---",
                 plan->prefix) < 0)
        return REIN_ENOMEM;
    rv = plan->request->api->instruct(plan->body, text);
    free(text);
    return rv;
}
