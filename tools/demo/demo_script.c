/* See demo_script.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo_script.h"

#include <stdlib.h>
#include <string.h>

struct demo_script {
    struct rein_doc *doc;
    struct demo_scenario *scenarios;
    size_t len;
};

static const char *const end_words[] = {"stop", "length", "breaks_off", "stalls", "error", NULL};

static const struct rein_key keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "What the demo upstream answers."},
    {.path = "version", .type = REIN_TYPE_INT, .flags = REIN_KEY_REQUIRED, .min = 1, .max = 1, .about = "1"},
    {.path = "name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED, .about = "the script's name"},
    {.path = "scenarios",
     .type = REIN_TYPE_LIST,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 200,
     .about = "ways to answer; the first that matches is used"},
    {.path = "scenarios[]", .type = REIN_TYPE_MAP, .about = "one way to answer"},
    {.path = "scenarios[].name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "also a model: demo-NAME is always answered this way"},
    {.path = "scenarios[].words",
     .type = REIN_TYPE_TEXTS,
     .flags = REIN_KEY_ONE_OR_MANY,
     .max = 20,
     .about = "words that must all be in the last user message for this scenario to match; without words it matches "
              "every message"},
    {.path = "scenarios[].heeds",
     .type = REIN_TYPE_TEXT,
     .fallback = "Begin your reasoning",
     .min = 1,
     .about = "a text in the instructions that makes the model behave well"},
    {.path = "scenarios[].reasoning", .type = REIN_TYPE_TEXT, .fallback = "", .about = "the model's reasoning"},
    {.path = "scenarios[].answer", .type = REIN_TYPE_TEXT, .fallback = "", .about = "the model's answer"},
    {.path = "scenarios[].guided",
     .type = REIN_TYPE_MAP,
     .about = "what the model does instead when it finds the text of `heeds`"},
    {.path = "scenarios[].guided.reasoning", .type = REIN_TYPE_TEXT, .fallback = "", .about = "its reasoning then"},
    {.path = "scenarios[].guided.answer", .type = REIN_TYPE_TEXT, .fallback = "", .about = "its answer then"},
    {.path = "scenarios[].tool", .type = REIN_TYPE_MAP, .about = "a tool that it calls after its answer"},
    {.path = "scenarios[].tool.name", .type = REIN_TYPE_NAME, .about = "the function"},
    {.path = "scenarios[].tool.arguments", .type = REIN_TYPE_TEXT, .fallback = "{}", .about = "its arguments"},
    {.path = "scenarios[].chunk",
     .type = REIN_TYPE_TEXT,
     .fallback = "random",
     .about = "characters per event: a number, random or whole"},
    {.path = "scenarios[].first_ms",
     .type = REIN_TYPE_INT,
     .fallback = "0",
     .max = 3600000,
     .about = "time before the first event"},
    {.path = "scenarios[].delay_ms",
     .type = REIN_TYPE_INT,
     .fallback = "0",
     .max = 3600000,
     .about = "time between two events"},
    {.path = "scenarios[].status",
     .type = REIN_TYPE_INT,
     .fallback = "200",
     .min = 200,
     .max = 599,
     .about = "the HTTP status; from 400 on, an error object is the whole answer"},
    {.path = "scenarios[].ends",
     .type = REIN_TYPE_WORD,
     .fallback = "stop",
     .words = end_words,
     .about = "how it ends; breaks_off, stalls and error happen halfway"},
    {.path = NULL},
};

const struct rein_schema demo_schema = {
    .name = "demo", .title = "Demo scripts", .about = "Scripts of `rein demo-upstream`.", .keys = keys};

static const char *script_text_of(const struct rein_node *node, const char *path)
{
    const char *text = rein_node_text(node, path);
    return text != NULL ? text : "";
}

static void take_scenario(struct demo_scenario *s, const struct rein_node *node)
{
    *s = (struct demo_scenario){
        .name = script_text_of(node, "name"),
        .words = rein_node_get(node, "words"),
        .heeds = script_text_of(node, "heeds"),
        .reasoning = script_text_of(node, "reasoning"),
        .answer = script_text_of(node, "answer"),
        .guided_reasoning = script_text_of(node, "guided.reasoning"),
        .guided_answer = script_text_of(node, "guided.answer"),
        .tool_name = script_text_of(node, "tool.name"),
        .tool_arguments = script_text_of(node, "tool.arguments"),
        .chunk = script_text_of(node, "chunk"),
        .first_ms = (unsigned)rein_node_int(node, "first_ms"),
        .delay_ms = (unsigned)rein_node_int(node, "delay_ms"),
        .status = (unsigned)rein_node_int(node, "status"),
        .end = (enum demo_end)rein_node_word(node, "ends"),
    };
    if (rein_node_get(node, "guided") == NULL) {
        s->guided_reasoning = s->reasoning;
        s->guided_answer = s->answer;
    }
}

static int take_scenarios(struct demo_script *script, struct rein_problems *problems)
{
    const struct rein_node *list = rein_node_get(rein_doc_root(script->doc), "scenarios");
    bool has_rest = false;
    script->scenarios = calloc(list->count, sizeof *script->scenarios);
    if (script->scenarios == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *node = list->first; node != NULL; node = node->next) {
        struct demo_scenario *s = &script->scenarios[script->len++];
        take_scenario(s, node);
        has_rest = has_rest || s->words == NULL;
    }
    if (!has_rest)
        rein_problems_node(problems, list, NULL, "one scenario must have no words: it answers the rest");
    return rein_problems_result(problems);
}

int demo_script_read(struct demo_script **out, const struct rein_source *source, struct rein_problems *problems)
{
    struct demo_script *script = calloc(1, sizeof *script);
    if (script == NULL)
        return REIN_ENOMEM;
    int rv = rein_doc_read(&script->doc, source, problems);
    if (rv == 0)
        rv = rein_doc_check(script->doc, &demo_schema, problems);
    if (rv == 0)
        rv = take_scenarios(script, problems);
    if (rv < 0) {
        demo_script_free(script);
        return rv;
    }
    *out = script;
    return 0;
}

void demo_script_free(struct demo_script *script)
{
    if (script == NULL)
        return;
    rein_doc_free(script->doc);
    free(script->scenarios);
    free(script);
}

size_t demo_script_len(const struct demo_script *script)
{
    return script->len;
}

const struct demo_scenario *demo_script_at(const struct demo_script *script, size_t i)
{
    return &script->scenarios[i];
}

/* ---- choosing ---- */

static bool script_holds(const json_t *value, const char *word)
{
    if (json_is_string(value))
        return strcasestr(json_string_value(value), word) != NULL;
    const char *key;
    size_t i;
    json_t *child;
    json_array_foreach(value, i, child) if (script_holds(child, word)) return true;
    json_object_foreach((json_t *)value, key, child) if (script_holds(child, word)) return true;
    return false;
}

static bool has_role(const json_t *message, const char *role)
{
    const char *have = json_string_value(json_object_get(message, "role"));
    return have != NULL && strcmp(have, role) == 0;
}

static const json_t *last_user(const json_t *messages)
{
    size_t i;
    json_t *message;
    const json_t *last = NULL;
    json_array_foreach(messages, i, message) if (has_role(message, "user")) last = json_object_get(message, "content");
    return last;
}

static bool fits(const struct demo_scenario *s, const json_t *content)
{
    if (s->words == NULL)
        return true;
    if (s->words->kind == REIN_NODE_TEXT)
        return script_holds(content, s->words->text);
    for (const struct rein_node *word = s->words->first; word != NULL; word = word->next)
        if (!script_holds(content, word->text))
            return false;
    return true;
}

const struct demo_scenario *demo_script_choose(const struct demo_script *script, const char *model,
                                               const json_t *messages)
{
    const json_t *content = last_user(messages);
    const struct demo_scenario *rest = NULL;
    for (size_t i = 0; i < script->len; i++)
        if (strncmp(model, "demo-", 5) == 0 && strcmp(model + 5, script->scenarios[i].name) == 0)
            return &script->scenarios[i];
    for (size_t i = 0; i < script->len; i++) {
        const struct demo_scenario *s = &script->scenarios[i];
        if (s->words == NULL)
            rest = rest != NULL ? rest : s;
        else if (fits(s, content))
            return s;
    }
    return rest;
}

bool demo_is_guided(const struct demo_scenario *scenario, const json_t *messages)
{
    size_t i, len = json_array_size(messages);
    json_t *message;
    json_array_foreach(messages, i, message)
    {
        bool is_begun = i + 1 == len && has_role(message, "assistant");
        if ((is_begun || has_role(message, "system") || has_role(message, "developer")) &&
            script_holds(message, scenario->heeds))
            return true;
    }
    return false;
}
