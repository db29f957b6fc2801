/* See llamacpp_in_flight.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/llamacpp_in_flight.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 4096, LINE_MAX_BYTES = 1 << 20, DROPPED_MAX = 1 << 18, ID_MAX = 128 };

struct control {
    char *words;
    char id[ID_MAX];
    struct buffer line; /* of the head, then of what is dropped */
    struct buffer tail; /* the end of the reasoning that is dropped, as long as the words at least */
    size_t dropped;
    bool waits;
};

struct control *control_new(const char *words)
{
    struct control *control = calloc(1, sizeof *control);
    if (control != NULL)
        control->words = strdup(words);
    if (control == NULL || control->words == NULL) {
        free(control);
        return NULL;
    }
    return control;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    buffer_clear(&control->line);
    buffer_clear(&control->tail);
    free(control->words);
    free(control);
}

/* The event of a line; NULL: it has none, or only a part of one. */
static json_t *event_of(const char *line, size_t len)
{
    static const char data[] = "data:";
    size_t skip = sizeof data - 1;
    return len > skip && memcmp(line, data, skip) == 0 ? json_loadb(line + skip, len - skip, 0, NULL) : NULL;
}

/* ---- the id ---- */

void control_note(struct control *control, const char *data, size_t len)
{
    const char *end;
    if (*control->id != '\0' || buffer_add(&control->line, data, len, HEAD_MAX) < 0)
        return;
    for (const char *at = control->line.data; (end = strchr(at, '\n')) != NULL && *control->id == '\0'; at = end + 1) {
        json_t *event = event_of(at, (size_t)(end - at));
        const json_t *id = json_object_get(event, "id");
        if (json_string_length(id) > 0 && json_string_length(id) < ID_MAX)
            memcpy(control->id, json_string_value(id), json_string_length(id) + 1);
        json_decref(event);
    }
    if (*control->id != '\0')
        buffer_clear(&control->line);
}

const char *control_id(const struct control *control)
{
    return *control->id != '\0' ? control->id : NULL;
}

/* ---- what is dropped ---- */

static size_t without_blanks(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    return len;
}

static bool ends_with_words(const struct control *control)
{
    size_t len = without_blanks(control->tail.data != NULL ? control->tail.data : "", control->tail.len);
    size_t n = without_blanks(control->words, strlen(control->words));
    return n > 0 && n <= len && memcmp(control->tail.data + len - n, control->words, n) == 0;
}

/* Keeps the end of the reasoning, as much as the text and some blanks need. */
static int remember(struct control *control, const json_t *text)
{
    size_t len = json_string_length(text), keep = strlen(control->words) + 64;
    control->dropped += len;
    if (control->dropped > DROPPED_MAX)
        return REIN_ELIMIT;
    int rv = len > 0 ? buffer_add(&control->tail, json_string_value(text), len, SIZE_MAX / 4) : 0;
    if (rv == 0 && control->tail.len > 2 * keep) {
        memmove(control->tail.data, control->tail.data + control->tail.len - keep, keep + 1);
        control->tail.len = keep;
    }
    return rv;
}

static bool says(const json_t *delta, const char *name)
{
    const json_t *value = json_object_get(delta, name);
    return json_string_length(value) > 0 || json_array_size(value) > 0;
}

/* Is this the first event after the reasoning? */
static int judge(struct control *control, const json_t *event, bool *is_behind)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *delta = json_object_get(choice, "delta"), *reasoning = json_object_get(delta, "reasoning_content");
    const json_t *finish = json_object_get(choice, "finish_reason");
    *is_behind = says(delta, "content") || says(delta, "tool_calls") || json_is_string(finish) ||
                 json_object_get(event, "error") != NULL;
    return remember(control, reasoning);
}

int control_feed(struct control *control, const char *data, size_t len, struct buffer *out, enum control_state *state)
{
    *state = CONTROL_WAITS;
    if (!control->waits)
        buffer_clear(&control->line);
    control->waits = true;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) + 1 : len;
        int rv = buffer_add(&control->line, data, n, LINE_MAX_BYTES);
        data += n;
        len -= n;
        if (rv < 0 || end == NULL)
            return rv;
        bool is_behind = false;
        json_t *event = event_of(control->line.data, control->line.len);
        rv = event != NULL ? judge(control, event, &is_behind) : 0;
        json_decref(event);
        if (rv == 0 && is_behind) {
            *state = ends_with_words(control) ? CONTROL_TAKEN : CONTROL_LOST;
            rv = buffer_add(out, control->line.data, control->line.len, SIZE_MAX / 4);
            return rv < 0 || len == 0 ? rv : buffer_add(out, data, len, SIZE_MAX / 4);
        }
        buffer_clear(&control->line);
        if (rv < 0)
            return rv;
    }
    return 0;
}
