/* Reads a description; see described_internal.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "judges/described_internal.h"

struct description_reader {
    struct judge_description *description;
    struct rein_problems *problems;
    bool no_memory;
};

static char *text_copy(struct description_reader *r, const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    r->no_memory |= text != NULL && copy == NULL;
    return copy;
}

static void place_read(struct description_reader *r, const struct rein_node *node, struct described_place *place)
{
    place->find = (enum described_find)rein_node_word(node, "find");
    place->at = text_copy(r, rein_node_text(node, "at"));
    place->end = text_copy(r, rein_node_text(node, "end"));
    bool is_json = r->description->route == JUDGE_JSON;
    if (place->find != FIND_FIRST_WORD && place->at == NULL)
        rein_problems_node(r->problems, node, "at", "is missing: it says where the value is");
    if ((place->find == FIND_BETWEEN) != (place->end != NULL))
        rein_problems_node(r->problems, node, "end",
                           place->end == NULL ? "is missing: `between` needs it" : "is only for `between`: remove it");
    if (place->find == FIND_JSON && place->at != NULL && place->at[0] != '/')
        rein_problems_node(r->problems, node, "at", "expects a JSON pointer such as /results/0/flagged");
    if (is_json && place->find != FIND_JSON)
        rein_problems_node(r->problems, node, "find", "must be `json`, because the route is `json`");
}

/* A JSON text in a document of YAML. NULL: there is none, or it was wrong. */
static json_t *json_read(struct description_reader *r, const struct rein_node *node, const char *key)
{
    json_error_t error;
    const char *text = rein_node_text(node, key);
    json_t *value = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (text != NULL && !json_is_object(value)) {
        rein_problems_node(r->problems, node, key, "expects a JSON object%s%s", value == NULL ? ": " : "",
                           value == NULL ? error.text : "");
        json_decref(value);
        value = NULL;
    }
    return value;
}

static void messages_read(struct description_reader *r, const struct rein_node *list)
{
    struct judge_description *d = r->description;
    for (const struct rein_node *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        if (d->messages_len == DESCRIBED_MESSAGES_MAX)
            return; /* the schema has said it */
        struct described_message *message = &d->messages[d->messages_len++];
        message->role = text_copy(r, rein_node_text(node, "role"));
        message->content = text_copy(r, rein_node_text(node, "content"));
        message->subjects = rein_node_words(node, "for");
    }
}

/* Each route has one key of its own. */
static void request_read(struct description_reader *r, const struct rein_node *node)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", NULL};
    static const char *const keys[] = {"messages", "prompt", "body"};
    struct judge_description *d = r->description;
    int route = rein_node_word(node, "route");
    d->route = route < 0 ? JUDGE_CHAT : (enum judge_route)route;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool has = rein_node_get(node, keys[i]) != NULL, wants = i == (size_t)d->route;
        if (has != wants)
            rein_problems_node(r->problems, node, has ? keys[i] : NULL,
                               has ? "is not for this route: remove it" : "needs the key `%s` for this route", keys[i]);
    }
    const char *path = rein_node_text(node, "path");
    path = path != NULL ? path : paths[d->route];
    if (path == NULL || path[0] != '/')
        rein_problems_node(r->problems, node, "path", "expects a path such as /v1/moderations");
    d->path = text_copy(r, path);
    d->prompt = text_copy(r, rein_node_text(node, "prompt"));
    messages_read(r, rein_node_get(node, "messages"));
    d->body = json_read(r, node, "body");
    d->extra = json_read(r, node, "extra");
    d->max_tokens = (int)rein_node_int(node, "max_tokens");
}

static void field_read(struct description_reader *r, const struct rein_node *node, struct described_field *field)
{
    const struct rein_node *values = rein_node_get(node, "values");
    place_read(r, node, &field->place);
    field->decides = rein_node_words(node, "decides");
    for (const struct rein_node *v = values != NULL ? values->first : NULL; v != NULL; v = v->next) {
        if (field->values_len == DESCRIBED_VALUES_MAX)
            return;
        struct described_value *value = &field->values[field->values_len++];
        value->word = text_copy(r, rein_node_text(v, "is"));
        value->risk = rein_node_number(v, "risk");
        for (size_t i = 0; i + 1 < field->values_len; i++)
            if (value->word != NULL && field->values[i].word != NULL && strcmp(field->values[i].word, value->word) == 0)
                rein_problems_node(r->problems, v, "is", "stands here twice");
    }
}

static void fields_read(struct description_reader *r, const struct rein_node *list)
{
    struct judge_description *d = r->description;
    unsigned decided = 0;
    for (const struct rein_node *node = list != NULL ? list->first : NULL; node != NULL; node = node->next) {
        if (d->fields_len == DESCRIBED_FIELDS_MAX)
            return;
        struct described_field *field = &d->fields[d->fields_len++];
        field_read(r, node, field);
        if ((decided & field->decides) != 0)
            rein_problems_node(r->problems, node, "decides", "names a subject that another field decides already");
        decided |= field->decides;
    }
}

static void categories_read(struct description_reader *r, const struct rein_node *node)
{
    struct judge_description *d = r->description;
    if (node == NULL)
        return;
    place_read(r, node, &d->categories.place);
    d->categories.none = text_copy(r, rein_node_text(node, "none"));
    const struct rein_node *names = rein_node_get(node, "names");
    size_t len = 0;
    for (const struct rein_node *name = names != NULL ? names->first : NULL; name != NULL && len < DESCRIBED_NAMES_MAX;
         name = name->next) {
        if (strchr(name->text, ',') != NULL)
            rein_problems_node(r->problems, name, NULL, "must not hold a comma, which separates names");
        d->categories.names[len++] = text_copy(r, name->text);
    }
}

int judge_description_load(struct judge_description **out, const struct rein_source *source,
                           struct rein_problems *problems)
{
    struct rein_doc *doc;
    struct description_reader r = {calloc(1, sizeof(struct judge_description)), problems, false};
    size_t before = rein_problems_said(problems);
    if (r.description == NULL)
        return REIN_ENOMEM;
    int rv = rein_doc_read(&doc, source, problems);
    if (rv == 0) {
        rv = rein_doc_check(doc, judge_description_schema(), problems);
        const struct rein_node *root = rein_doc_root(doc), *reply = rein_node_get(root, "reply");
        if (rv == 0) {
            r.description->name = text_copy(&r, rein_node_text(root, "name"));
            request_read(&r, rein_node_get(root, "request"));
            fields_read(&r, rein_node_get(reply, "fields"));
            categories_read(&r, rein_node_get(reply, "categories"));
        }
        rein_doc_free(doc);
    }
    if (rv == 0)
        rv = r.no_memory ? REIN_ENOMEM : rein_problems_said(problems) > before ? REIN_EPOLICY : 0;
    if (rv != 0) {
        judge_description_free(r.description);
        return rv;
    }
    *out = r.description;
    return 0;
}

static void place_fini(struct described_place *place)
{
    free(place->at);
    free(place->end);
}

void judge_description_free(struct judge_description *d)
{
    if (d == NULL)
        return;
    free(d->name);
    free(d->path);
    free(d->prompt);
    for (size_t i = 0; i < d->messages_len; i++) {
        free(d->messages[i].role);
        free(d->messages[i].content);
    }
    json_decref(d->body);
    json_decref(d->extra);
    for (size_t i = 0; i < d->fields_len; i++) {
        place_fini(&d->fields[i].place);
        for (size_t k = 0; k < d->fields[i].values_len; k++)
            free(d->fields[i].values[k].word);
    }
    place_fini(&d->categories.place);
    for (size_t i = 0; d->categories.names[i] != NULL; i++)
        free(d->categories.names[i]);
    free(d->categories.none);
    free(d);
}
