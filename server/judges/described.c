/* Asks and reads as a description says; see described.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/described.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judges/described_internal.h"
#include "judges/reply_text.h"

const char *judge_description_name(const struct judge_description *description)
{
    return description->name;
}

const char *judge_description_path(const struct judge_description *description)
{
    return description->path;
}

const struct judge_kind *judge_description_kind(const struct judge_description *description)
{
    static const struct judge_kind *const kinds[] = {[JUDGE_CHAT] = &judge_described,
                                                     [JUDGE_COMPLETION] = &judge_described_completion,
                                                     [JUDGE_JSON] = &judge_described_json};
    return kinds[description->route];
}

/* ---- asking ---- */

/* The texts that take the place of the marks in a description. */
struct mark_texts {
    const char *prompt, *text, *nonce;
};

static const char *mark_text(const struct mark_texts *texts, const char *at, size_t *len)
{
    const struct {
        const char *mark, *text;
    } marks[] = {{"{prompt}", texts->prompt}, {"{text}", texts->text}, {"{nonce}", texts->nonce}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(at, marks[i].mark, *len = strlen(marks[i].mark)) == 0)
            return marks[i].text;
    return NULL;
}

/* In one pass, so that a mark inside of an inserted text is text. Owned. */
static char *marks_fill(const char *template, const struct mark_texts *texts)
{
    char *out = NULL;
    size_t out_len = 0, len;
    FILE *to = open_memstream(&out, &out_len);
    if (to == NULL)
        return NULL;
    for (const char *at = template; *at != '\0';) {
        const char *text = *at == '{' ? mark_text(texts, at, &len) : NULL;
        if (text != NULL) {
            fputs(text, to);
            at += len;
        } else {
            fputc(*at++, to);
        }
    }
    if (fclose(to) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

static json_t *filled_string(const char *template, const struct mark_texts *texts)
{
    char *text = marks_fill(template, texts);
    json_t *string = text != NULL ? json_string(text) : NULL;
    free(text);
    return string;
}

/* A copy of a document with its strings filled. */
static json_t *filled_document(const json_t *document, const struct mark_texts *texts)
{
    const char *key;
    json_t *value, *out;
    size_t i;
    switch (json_typeof(document)) {
    case JSON_STRING:
        return filled_string(json_string_value(document), texts);
    case JSON_ARRAY:
        out = json_array();
        json_array_foreach(document, i, value) json_array_append_new(out, filled_document(value, texts));
        return out;
    case JSON_OBJECT:
        out = json_object();
        json_object_foreach((json_t *)document, key, value)
            json_object_set_new(out, key, filled_document(value, texts));
        return out;
    default:
        return json_deep_copy(document);
    }
}

static json_t *filled_messages(const struct judge_description *d, enum judge_subject subject,
                               const struct mark_texts *texts)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < d->messages_len; i++)
        if ((d->messages[i].subjects >> subject & 1) != 0)
            json_array_append_new(messages, json_pack("{ssso}", "role", d->messages[i].role, "content",
                                                      filled_string(d->messages[i].content, texts)));
    return messages;
}

static json_t *described_model_body(const struct judge_description *d, const struct judge_question *q)
{
    char *prompt = judge_quote(q->prompt), *text = judge_quote(q->text);
    struct mark_texts texts = {prompt, text, q->nonce};
    json_t *body = NULL;
    if (prompt != NULL && text != NULL) {
        body = json_pack("{sisi}", "temperature", 0, "max_tokens", d->max_tokens);
        if (d->route == JUDGE_COMPLETION)
            json_object_set_new(body, "prompt", filled_string(d->prompt, &texts));
        else
            json_object_set_new(body, "messages", filled_messages(d, q->subject, &texts));
        json_t *extra = d->extra != NULL ? json_deep_copy(d->extra) : NULL;
        if (extra != NULL)
            json_object_update(body, extra);
        json_decref(extra);
    }
    free(prompt);
    free(text);
    return body;
}

/* A service reads JSON, not templates: nothing has to be quoted. */
static json_t *described_json_body(const struct judge_description *d, const struct judge_question *q)
{
    struct mark_texts texts = {q->prompt, q->text, q->nonce};
    json_t *body = filled_document(d->body, &texts), *extra = d->extra != NULL ? json_deep_copy(d->extra) : NULL;
    if (body != NULL && extra != NULL)
        json_object_update(body, extra);
    json_decref(extra);
    return body;
}

/* ---- reading ---- */

static bool described_judges(const struct judge_description *d, enum judge_subject subject)
{
    for (size_t i = 0; i < d->fields_len; i++)
        if ((d->fields[i].decides >> subject & 1) != 0)
            return true;
    return false;
}

/* The value at a JSON pointer (RFC 6901); NULL: there is none. Borrowed. */
static json_t *json_at(json_t *value, const char *pointer)
{
    while (value != NULL && *pointer == '/') {
        char key[128];
        size_t len = 0;
        for (pointer++; *pointer != '\0' && *pointer != '/' && len + 1 < sizeof key; pointer++) {
            bool is_escape = *pointer == '~' && (pointer[1] == '0' || pointer[1] == '1');
            pointer += is_escape;
            key[len++] = !is_escape ? *pointer : *pointer == '0' ? '~' : '/';
        }
        key[len] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10)) : json_object_get(value, key);
    }
    return value;
}

static struct reply_span span_find(const struct described_place *place, struct reply_span body)
{
    switch (place->find) {
    case FIND_LINE:
        return reply_behind(body, place->at, NULL);
    case FIND_BETWEEN:
        return reply_between(body, place->at, place->end, NULL);
    default:
        return reply_first_word(body);
    }
}

/* The text of a JSON value that is one of a field's words. */
static struct reply_span json_span(const json_t *value)
{
    const char *text = json_is_true(value)     ? "true"
                       : json_is_false(value)  ? "false"
                       : json_is_string(value) ? json_string_value(value)
                                               : NULL;
    return (struct reply_span){text, text != NULL ? strlen(text) : 0};
}

static bool number_read(struct reply_span span, double *out)
{
    char text[32], *end;
    if (span.text == NULL || span.len == 0 || span.len >= sizeof text || strchr("0123456789", span.text[0]) == NULL)
        return false;
    memcpy(text, span.text, span.len);
    text[span.len] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && *out >= 0 && *out <= 1;
}

static bool field_risk(const struct described_field *field, struct reply_span body, json_t *document, double *risk)
{
    json_t *value = field->place.find == FIND_JSON ? json_at(document, field->place.at) : NULL;
    if (field->values_len == 0 && json_is_number(value)) {
        *risk = json_number_value(value);
        return *risk >= 0 && *risk <= 1;
    }
    struct reply_span span = field->place.find == FIND_JSON ? json_span(value) : span_find(&field->place, body);
    if (field->values_len == 0)
        return number_read(span, risk);
    for (size_t i = 0; i < field->values_len; i++)
        if (reply_is(span, field->values[i].word)) {
            *risk = field->values[i].risk;
            return true;
        }
    return false;
}

static bool categories_find(const struct judge_description *d, struct reply_span body, json_t *document,
                            struct judge_opinion *opinion)
{
    const char *const *names = (const char *const *)d->categories.names;
    json_t *value = d->categories.place.find == FIND_JSON ? json_at(document, d->categories.place.at) : NULL;
    if (names[0] == NULL)
        return true;
    if (!json_is_object(value))
        return reply_categories(d->categories.place.find == FIND_JSON ? json_span(value)
                                                                      : span_find(&d->categories.place, body),
                                names, d->categories.none, opinion);
    for (size_t i = 0; names[i] != NULL; i++)
        if (json_is_true(json_object_get(value, names[i])) &&
            !reply_categories((struct reply_span){names[i], strlen(names[i])}, names, NULL, opinion))
            return false;
    return true;
}

static bool wants_json(const struct judge_description *d)
{
    bool wants = d->categories.place.find == FIND_JSON && d->categories.names[0] != NULL;
    for (size_t i = 0; i < d->fields_len; i++)
        wants |= d->fields[i].place.find == FIND_JSON;
    return wants;
}

static int described_read(const struct judge_description *d, const struct judge_question *q, const char *reply,
                          struct judge_opinion *opinion)
{
    struct reply_span body = reply_body(reply);
    json_t *document = wants_json(d) ? json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int rv = REIN_EFORMAT;
    for (size_t i = 0; i < d->fields_len && rv != 0; i++)
        if ((d->fields[i].decides >> q->subject & 1) != 0 &&
            field_risk(&d->fields[i], body, document, &opinion->risk) && categories_find(d, body, document, opinion))
            rv = 0;
    json_decref(document);
    return rv;
}

const struct judge_kind judge_described = {"described", JUDGE_CHAT, described_judges, described_model_body,
                                           described_read};
const struct judge_kind judge_described_completion = {"described", JUDGE_COMPLETION, described_judges,
                                                      described_model_body, described_read};
const struct judge_kind judge_described_json = {"described", JUDGE_JSON, described_judges, described_json_body,
                                                described_read};
