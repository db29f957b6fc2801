/* See view_responses.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dialect/sse.h"
#include "view_responses.h"

static const char *word(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* ---- the joined texts -------------------------------------------------------------------------------------------- */

static void see_body(struct kit_seen *seen, const json_t *body)
{
    struct kit_choice *c = &seen->choices[0];
    json_t *item, *part;
    size_t i, k;
    json_array_foreach(json_object_get(body, "output"), i, item)
    {
        bool is_reasoning = strcmp(word(item, "type"), "reasoning") == 0;
        json_array_foreach(json_object_get(item, "summary"), k, part)
            kit_add_text(&c->reasoning, json_object_get(part, "text"));
        json_array_foreach(json_object_get(item, "content"), k, part)
        {
            kit_add_text(is_reasoning ? &c->reasoning : &c->content, json_object_get(part, "text"));
            kit_add_text(&c->content, json_object_get(part, "refusal"));
        }
        kit_add_text(&c->arguments, json_object_get(item, "arguments"));
        kit_add_text(&c->arguments, json_object_get(item, "input"));
    }
    snprintf(c->finish, sizeof c->finish, "%s", word(body, "status"));
}

static bool is_last_type(const char *type)
{
    return strcmp(type, "response.completed") == 0 || strcmp(type, "response.incomplete") == 0 ||
           strcmp(type, "response.failed") == 0 || strcmp(type, "error") == 0;
}

static bool is_last(struct span payload)
{
    json_t *event = json_loadb(payload.data, payload.len, JSON_REJECT_DUPLICATES, NULL);
    bool rv = is_last_type(word(event, "type"));
    json_decref(event);
    return rv;
}

static void see(struct kit_seen *seen, struct span payload, bool is_body)
{
    struct kit_choice *c = &seen->choices[0];
    json_t *event = json_loadb(payload.data, payload.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const char *type = word(event, "type");
    json_t *error = json_object_get(event, "error");
    seen->unreadable += event == NULL;
    if (strcmp(type, "error") == 0 || json_is_object(error)) {
        seen->errors++;
        snprintf(seen->error, sizeof seen->error, "%s", word(json_is_object(error) ? error : event, "message"));
    }
    if (is_body)
        see_body(seen, event);
    json_t *delta = json_object_get(event, "delta");
    if (ends_with(type, ".delta"))
        kit_add_text(strstr(type, "reasoning") != NULL ? &c->reasoning
                     : strstr(type, "_call") != NULL   ? &c->arguments
                                                       : &c->content,
                     delta);
    if (!is_body && is_last_type(type)) {
        c->finishes++;
        snprintf(c->finish, sizeof c->finish, "%s", type);
    }
    json_decref(event);
}

const struct kit_view kit_view_responses = {REIN_OPENAI_RESPONSES, is_last, see};

/* ---- the strict client ------------------------------------------------------------------------------------------- */

struct strict {
    json_t *items; /* each {"content": [...], "summary": [...], "arguments": ...} as built from the events */
    json_int_t number;
    unsigned begun, ended;
    char last[64];
};

#define FAIL(...)                                                                                                      \
    do {                                                                                                               \
        print_error(__VA_ARGS__);                                                                                      \
        fail();                                                                                                        \
    } while (0)

static json_t *item_of(struct strict *s, const json_t *event)
{
    json_t *index = json_object_get(event, "output_index");
    json_t *item = json_array_get(s->items, (size_t)json_integer_value(index));
    if (!json_is_integer(index) || item == NULL)
        FAIL("no such item: %s\n", json_dumps(event, 0));
    return item;
}

static const char *list_of(const char *type)
{
    return strstr(type, "summary") != NULL ? "summary" : "content";
}

static json_t *index_of(const json_t *event, const char *type)
{
    json_t *inner = json_object_get(event, strstr(type, "summary") != NULL ? "summary_index" : "content_index");
    if (!json_is_integer(inner))
        FAIL("no index: %s\n", json_dumps(event, 0));
    return inner;
}

/* The object and the name under which the event's text is joined. */
static json_t *text_of(struct strict *s, const json_t *event, const char *type, const char **name)
{
    json_t *item = item_of(s, event);
    if (strstr(type, "_call") != NULL) {
        *name = strstr(type, "arguments") != NULL ? "arguments" : strstr(type, "input") != NULL ? "input" : "code";
        return item;
    }
    json_t *parts = json_object_get(item, list_of(type));
    json_t *part = json_array_get(parts, (size_t)json_integer_value(index_of(event, type)));
    if (part == NULL)
        FAIL("no such part: %s\n", json_dumps(event, 0));
    *name = strstr(type, "refusal") != NULL ? "refusal" : "text";
    return part;
}

static void add_delta(struct strict *s, const json_t *event, const char *type)
{
    const char *name;
    json_t *into = text_of(s, event, type, &name);
    const char *before = word(into, name), *more = word(event, "delta");
    size_t len = strlen(before) + strlen(more) + 1;
    char *joined = malloc(len);
    snprintf(joined, len, "%s%s", before, more);
    json_object_set_new(into, name, json_string_nocheck(joined));
    free(joined);
}

static void same(const char *said, const char *shown, const json_t *event)
{
    if (strcmp(said, shown) != 0)
        FAIL("repeats \"%s\" of \"%s\": %s\n", said, shown, json_dumps(event, 0));
}

static void check_done(struct strict *s, const json_t *event, const char *type)
{
    static const char *const names[] = {"text", "refusal", "arguments", "input", "code"};
    const char *name;
    json_t *from = text_of(s, event, type, &name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(event, names[i]) != NULL)
            same(word(event, names[i]), word(from, name), event);
}

static void check_part(const json_t *said, const json_t *shown, const json_t *event)
{
    same(word(said, "text"), word(shown, "text"), event);
    same(word(said, "refusal"), word(shown, "refusal"), event);
}

static void check_item(const json_t *said, const json_t *shown, const json_t *event)
{
    static const char *const lists[] = {"summary", "content"}, *const names[] = {"arguments", "input", "code"};
    for (size_t k = 0; k < 2; k++) {
        json_t *parts = json_object_get(said, lists[k]), *part;
        size_t i;
        json_array_foreach(parts, i, part) check_part(part, json_array_get(json_object_get(shown, lists[k]), i), event);
    }
    for (size_t i = 0; i < 3; i++)
        if (json_object_get(said, names[i]) != NULL)
            same(word(said, names[i]), word(shown, names[i]), event);
}

static void add_item(struct strict *s, const json_t *event)
{
    json_t *index = json_object_get(event, "output_index");
    if (!json_is_integer(index) || json_integer_value(index) != (json_int_t)json_array_size(s->items))
        FAIL("item %zu is not next: %s\n", json_array_size(s->items), json_dumps(event, 0));
    json_array_append_new(s->items, json_pack("{s:[],s:[],s:s}", "content", "summary", "type",
                                              word(json_object_get(event, "item"), "type")));
}

static void add_part(struct strict *s, const json_t *event, const char *type)
{
    json_t *parts = json_object_get(item_of(s, event), list_of(type));
    if (json_integer_value(index_of(event, type)) != (json_int_t)json_array_size(parts))
        FAIL("part %zu is not next: %s\n", json_array_size(parts), json_dumps(event, 0));
    json_array_append_new(parts, json_object());
}

/* Items that were not done need not be in the last event's output. */
static void check_output(struct strict *s, const json_t *event)
{
    json_t *output = json_object_get(json_object_get(event, "response"), "output"), *item;
    size_t i, from = 0;
    if (!json_is_array(output))
        FAIL("no output: %s\n", json_dumps(event, 0));
    json_array_foreach(output, i, item)
    {
        while (from < json_array_size(s->items) &&
               strcmp(word(json_array_get(s->items, from), "type"), word(item, "type")) != 0)
            from++;
        if (from == json_array_size(s->items))
            FAIL("an item that was not announced: %s\n", json_dumps(event, 0));
        check_item(item, json_array_get(s->items, from++), event);
    }
}

static void take_event(struct strict *s, const json_t *event)
{
    const char *type = word(event, "type");
    json_t *number = json_object_get(event, "sequence_number");
    if (!json_is_integer(number) || (s->number >= 0 && json_integer_value(number) != s->number + 1))
        FAIL("not number %d: %s\n", (int)s->number + 1, json_dumps(event, 0));
    s->number = json_integer_value(number);
    if (s->ended > 0)
        FAIL("behind the last event: %s\n", json_dumps(event, 0));
    bool begins = strcmp(type, "response.created") == 0;
    if (begins != (s->begun == 0) && strcmp(type, "error") != 0)
        FAIL("it does not begin once: %s\n", json_dumps(event, 0));
    s->begun += begins;
    s->ended += is_last_type(type);
    if (is_last_type(type))
        snprintf(s->last, sizeof s->last, "%s", type);
    if (strcmp(type, "response.output_item.added") == 0)
        add_item(s, event);
    else if (strcmp(type, "response.output_item.done") == 0)
        check_item(json_object_get(event, "item"), item_of(s, event), event);
    else if (ends_with(type, "_part.added"))
        add_part(s, event, type);
    else if (ends_with(type, "_part.done"))
        check_part(json_object_get(event, "part"),
                   json_array_get(json_object_get(item_of(s, event), list_of(type)),
                                  (size_t)json_integer_value(index_of(event, type))),
                   event);
    else if (ends_with(type, ".delta"))
        add_delta(s, event, type);
    else if (ends_with(type, ".done"))
        check_done(s, event, type);
    else if (is_last_type(type) && strcmp(type, "error") != 0)
        check_output(s, event);
}

const char *strict_responses(struct span stream, bool is_open)
{
    static struct strict s;
    struct framer f;
    struct frame frame;
    s = (struct strict){.items = json_array(), .number = -1};
    framer_init(&f, &framing_sse, 1 << 24);
    while (framer_next(&f, stream, true, &frame) == 1) {
        json_t *event = json_loadb(frame.payload.data, frame.payload.len, JSON_REJECT_DUPLICATES, NULL);
        if (frame.kind != FRAME_COMMENT && event == NULL)
            FAIL("no JSON: %.*s\n", (int)frame.payload.len, frame.payload.data);
        if (frame.kind != FRAME_COMMENT)
            take_event(&s, event);
        json_decref(event);
        stream.data += frame.raw.len;
        stream.len -= frame.raw.len;
    }
    framer_fini(&f);
    json_decref(s.items);
    if (s.ended != 1 && !is_open)
        FAIL("%u last events\n", s.ended);
    return s.last;
}
