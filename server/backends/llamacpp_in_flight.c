/* See llamacpp_in_flight.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/llamacpp_in_flight.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "base/buffer.h"

enum { HEAD_MAX = 4096, LINE_MAX_BYTES = 1 << 20, DROPPED_MAX = 1 << 18, ID_MAX = 128 };

enum in_flight_state {
    IN_FLIGHT_WATCHES, /* everything goes on; the response's id is looked for */
    IN_FLIGHT_DROPS,   /* the response was steered: nothing goes on */
    IN_FLIGHT_OVER,    /* corrected or lost: everything goes on */
};

struct llamacpp_in_flight {
    struct stream_filter base;
    enum in_flight_state state;
    char *words, *path;
    char id[ID_MAX];    /* the response's, "": not known */
    struct buffer line; /* of the head, then of what is dropped, then what goes on with it */
    struct buffer tail; /* the end of the reasoning that is dropped, as long as the words at least */
    size_t dropped;
};

/* Only a response whose id is known can be corrected, and only what is dropped is remembered. */
static bool llamacpp_in_flight_is_sound(const struct llamacpp_in_flight *f)
{
    return f->state <= IN_FLIGHT_OVER && (f->state == IN_FLIGHT_WATCHES || *f->id != '\0') &&
           (f->state == IN_FLIGHT_DROPS || f->tail.len == 0);
}

static void in_flight_free(struct stream_filter *filter)
{
    struct llamacpp_in_flight *f = (struct llamacpp_in_flight *)filter;
    buffer_clear(&f->line);
    buffer_clear(&f->tail);
    free(f->words);
    free(f->path);
    free(f);
}

/* The event of a line; NULL: it has none, or only a part of one. */
static json_t *event_of(const char *line, size_t len)
{
    static const char data[] = "data:";
    size_t skip = sizeof data - 1;
    return len > skip && memcmp(line, data, skip) == 0 ? json_loadb(line + skip, len - skip, 0, NULL) : NULL;
}

/* ---- the id ---- */

/* The id is in the first event. */
static void in_flight_note_id(struct llamacpp_in_flight *f, const char *data, size_t len)
{
    const char *end;
    if (*f->id != '\0' || buffer_add(&f->line, data, len, HEAD_MAX) < 0)
        return;
    for (const char *at = f->line.data; (end = strchr(at, '\n')) != NULL && *f->id == '\0'; at = end + 1) {
        json_t *event = event_of(at, (size_t)(end - at));
        const json_t *id = json_object_get(event, "id");
        if (json_string_length(id) > 0 && json_string_length(id) < ID_MAX)
            memcpy(f->id, json_string_value(id), json_string_length(id) + 1);
        json_decref(event);
    }
    if (*f->id != '\0')
        buffer_clear(&f->line);
}

/* ---- what is dropped ---- */

static size_t without_blanks(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    return len;
}

static bool ends_with_words(const struct llamacpp_in_flight *f)
{
    size_t len = without_blanks(f->tail.data != NULL ? f->tail.data : "", f->tail.len);
    size_t n = without_blanks(f->words, strlen(f->words));
    return n > 0 && n <= len && memcmp(f->tail.data + len - n, f->words, n) == 0;
}

/* Keeps the end of the reasoning, as much as the text and some blanks need. */
static int in_flight_remember(struct llamacpp_in_flight *f, const json_t *text)
{
    size_t len = json_string_length(text), keep = strlen(f->words) + 64;
    f->dropped += len;
    if (f->dropped > DROPPED_MAX)
        return REIN_ELIMIT;
    int rv = len > 0 ? buffer_add(&f->tail, json_string_value(text), len, BUFFER_NO_LIMIT) : 0;
    if (rv == 0 && f->tail.len > 2 * keep) {
        memmove(f->tail.data, f->tail.data + f->tail.len - keep, keep + 1);
        f->tail.len = keep;
    }
    return rv;
}

static bool says(const json_t *delta, const char *name)
{
    const json_t *value = json_object_get(delta, name);
    return json_string_length(value) > 0 || json_array_size(value) > 0;
}

/* Is this the first event after the reasoning? */
static int in_flight_judge(struct llamacpp_in_flight *f, const json_t *event, bool *is_behind)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *delta = json_object_get(choice, "delta"), *reasoning = json_object_get(delta, "reasoning_content");
    const json_t *finish = json_object_get(choice, "finish_reason");
    *is_behind = says(delta, "content") || says(delta, "tool_calls") || json_is_string(finish) ||
                 json_object_get(event, "error") != NULL;
    return in_flight_remember(f, reasoning);
}

/* What is dropped has ended: the last line, if the words stand before it, goes on with what follows. */
static int in_flight_settle(struct llamacpp_in_flight *f, const char *rest, size_t len, struct stream_piece *piece)
{
    bool is_corrected = ends_with_words(f);
    int rv = len > 0 ? buffer_add(&f->line, rest, len, BUFFER_NO_LIMIT) : 0;
    if (rv < 0)
        return rv;
    f->state = IN_FLIGHT_OVER;
    buffer_clear(&f->tail);
    *piece = is_corrected ? (struct stream_piece){.data = f->line.data, .len = f->line.len, .turn = STREAM_CORRECTED}
                          : (struct stream_piece){.turn = STREAM_LOST, .why = "too late"};
    return 0;
}

static int in_flight_drop(struct llamacpp_in_flight *f, struct stream_piece *piece)
{
    const char *data = piece->data;
    size_t len = piece->len;
    *piece = (struct stream_piece){0};
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) + 1 : len;
        int rv = buffer_add(&f->line, data, n, LINE_MAX_BYTES);
        data += n;
        len -= n;
        if (rv < 0 || end == NULL)
            return rv;
        bool is_behind = false;
        json_t *event = event_of(f->line.data, f->line.len);
        rv = event != NULL ? in_flight_judge(f, event, &is_behind) : 0;
        json_decref(event);
        if (rv == 0 && is_behind)
            return in_flight_settle(f, data, len, piece);
        buffer_clear(&f->line);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static int in_flight_feed(struct stream_filter *filter, struct stream_piece *piece)
{
    struct llamacpp_in_flight *f = (struct llamacpp_in_flight *)filter;
    int rv = 0;
    assert(llamacpp_in_flight_is_sound(f));
    if (f->state == IN_FLIGHT_WATCHES)
        in_flight_note_id(f, piece->data, piece->len);
    else if (f->state == IN_FLIGHT_DROPS)
        rv = in_flight_drop(f, piece);
    else
        buffer_clear(&f->line);
    if (rv == REIN_ELIMIT) {
        *piece = (struct stream_piece){.turn = STREAM_LOST, .why = "no end"};
        rv = 0;
    }
    assert(llamacpp_in_flight_is_sound(f));
    return rv;
}

static int in_flight_end(struct stream_filter *filter, bool is_whole, struct stream_piece *piece)
{
    (void)is_whole;
    struct llamacpp_in_flight *f = (struct llamacpp_in_flight *)filter;
    int rv = piece->len > 0 ? in_flight_feed(filter, piece) : 0;
    if (rv == 0 && f->state == IN_FLIGHT_DROPS && piece->turn == STREAM_GOES_ON)
        *piece = (struct stream_piece){.turn = STREAM_LOST, .why = "ended"};
    return rv;
}

/* ---- the request for it ---- */

static bool in_flight_correct(struct stream_filter *filter, struct backend_call *call)
{
    struct llamacpp_in_flight *f = (struct llamacpp_in_flight *)filter;
    assert(llamacpp_in_flight_is_sound(f));
    if (f->state != IN_FLIGHT_WATCHES || *f->id == '\0')
        return false;
    json_t *body = json_pack("{ssss}", "id", f->id, "action", "reasoning_end");
    if (body == NULL)
        return false;
    *call = (struct backend_call){.method = "POST", .body = body};
    snprintf(call->path, sizeof call->path, "%s", f->path);
    f->state = IN_FLIGHT_DROPS;
    assert(llamacpp_in_flight_is_sound(f));
    return true;
}

static bool in_flight_is_promised(const struct stream_filter *filter, const json_t *reply)
{
    (void)filter;
    return json_is_true(json_object_get(reply, "success"));
}

struct stream_filter *llamacpp_in_flight_new(const char *words, const char *path)
{
    static const struct stream_filter_kind kind = {.feed = in_flight_feed,
                                                   .end = in_flight_end,
                                                   .free = in_flight_free,
                                                   .correct = in_flight_correct,
                                                   .is_promised = in_flight_is_promised};
    struct llamacpp_in_flight *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->base.kind = &kind;
    f->words = strdup(words);
    f->path = strdup(path);
    if (f->words == NULL || f->path == NULL) {
        in_flight_free(&f->base);
        return NULL;
    }
    return &f->base;
}
