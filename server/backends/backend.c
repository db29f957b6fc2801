/* See backend.h: the table of kinds, and the two plans that work everywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The common table, and behind it those of all kinds; NULL past the last. */
static const struct field_table *table_at(size_t i)
{
    return i == 0 ? &fields_common : i <= sizeof kinds / sizeof *kinds ? &kinds[i - 1]->fields : NULL;
}

bool backend_knows_field(const char *name, bool *is_refused)
{
    bool is_known = false;
    const struct field_table *table;
    *is_refused = false;
    for (size_t i = 0; (table = table_at(i)) != NULL; i++) {
        const struct field *field = field_find(table, name, strlen(name));
        is_known = is_known || field != NULL;
        *is_refused = *is_refused || (field != NULL && field->rule == FIELD_DENY);
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

void backend_plan_fini(struct prefix_plan *plan)
{
    json_decref(plan->kept);
    json_decref(plan->call.body);
    json_decref(plan->body);
    plan->kept = plan->call.body = plan->body = NULL;
    stream_filters_free(&plan->filters);
}

/* Where chats are; a prefix beyond all reason is cut. */
static void set_chat_path(struct prefix_plan *plan)
{
    static const char chat[] = "/chat/completions";
    size_t len = strnlen(plan->path_prefix, sizeof plan->path - sizeof chat);
    memcpy(plan->path, plan->path_prefix, len);
    memcpy(plan->path + len, chat, sizeof chat);
}

void backend_plan_as_sent(struct prefix_plan *plan, const char *reason)
{
    json_decref(plan->body);
    plan->body = NULL;
    set_chat_path(plan);
    plan->attempt = (struct rein_attempt){.delivery = REIN_DELIVER_OFF, .prefix = ""};
    stream_filters_free(&plan->filters);
    plan->may_be_lines = false;
    plan->reason = reason;
}

int backend_plan_plain(struct prefix_plan *plan, const char *reason)
{
    backend_plan_as_sent(plan, reason);
    plan->body = request_upstream_body(plan->request);
    return plan->body != NULL ? 0 : REIN_ENOMEM;
}

static bool is_system(const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    return strcmp(role, "system") == 0 || strcmp(role, "developer") == 0;
}

/* A conversation that has a system message keeps having exactly one, its own words first: many templates accept no
 * second one, and the application's instructions stay what they were. */
static int add_to_system(json_t *message, const char *text)
{
    json_t *content = json_object_get(message, "content");
    if (json_is_array(content))
        return json_array_append_new(content, json_pack("{ssss}", "type", "text", "text", text));
    json_t *joined = json_sprintf("%s\n\n%s", json_string_value(content), text);
    return joined == NULL ? -1 : json_object_set_new(message, "content", joined);
}

static int put_instruction(json_t *messages, const char *prefix)
{
    char *text = NULL;
    if (asprintf(&text,
                 "Begin your reasoning with the text between the two lines of dashes, word for word, and go on from "
                 "there. Do not mention it in your answer.\n---\n%s\n---",
                 prefix) < 0)
        return REIN_ENOMEM;
    json_t *first = json_array_get(messages, 0);
    int rv = is_system(first)
                 ? add_to_system(first, text)
                 : json_array_insert_new(messages, 0, json_pack("{ssss}", "role", "system", "content", text));
    free(text);
    return rv < 0 ? REIN_ENOMEM : 0;
}

int backend_plan_instruct(struct prefix_plan *plan, const char *reason)
{
    int rv = backend_plan_plain(plan, reason);
    if (rv < 0)
        return rv;
    plan->attempt.delivery = REIN_DELIVER_INSTRUCT;
    plan->attempt.prefix = plan->prefix;
    json_t *messages = json_deep_copy(json_object_get(plan->body, "messages"));
    if (messages == NULL || json_object_set_new(plan->body, "messages", messages) < 0)
        return REIN_ENOMEM;
    return put_instruction(messages, plan->prefix);
}
