/* See completions_to_chat.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/completions_to_chat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "rein/json.h"

enum { LINE_MAX_BYTES = 1 << 20, OUT_MAX = REIN_JSON_BYTES_MAX };

struct completions_to_chat {
    struct stream_filter base;
    struct completions_to_chat_options options;
    char *model, *id;
    struct buffer line; /* the line or the body so far */
    struct buffer tail; /* text that may be the beginning of the delimiter */
    struct buffer out;  /* what the latest piece became */
    bool is_answer;     /* the delimiter was seen */
    bool is_divided;    /* the backend separates reasoning itself */
    bool answered;      /* and text of the answer after it */
    bool begun, finished, done;
    json_t *usage; /* owned; sent after the last choice event */
};

/* Text of the answer comes after the delimiter, an end after the finish. */
static bool completions_to_chat_is_sound(const struct completions_to_chat *c)
{
    return (!c->answered || (c->is_answer && c->begun)) && (!c->done || c->finished);
}

/* ---- events ---- */

static int say(struct buffer *out, json_t *tree)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    int rv = text == NULL ? REIN_ENOMEM : buffer_add(out, "data: ", 6, OUT_MAX);
    if (rv == 0)
        rv = buffer_add(out, text, strlen(text), OUT_MAX);
    if (rv == 0)
        rv = buffer_add(out, "\n\n", 2, OUT_MAX);
    free(text);
    json_decref(tree);
    return rv;
}

/* Takes `choices`. */
static json_t *envelope(const struct completions_to_chat *c, const char *object, json_t *choices)
{
    return json_pack("{sssssIssso}", "id", c->id, "object", object, "created", (json_int_t)c->options.created_s,
                     "model", c->model, "choices", choices);
}

/* Takes `delta`. */
static int say_delta(struct completions_to_chat *c, json_t *delta, const char *finish, struct buffer *out)
{
    json_t *choice = json_pack("{sisoss?}", "index", 0, "delta", delta, "finish_reason", finish);
    return say(out, envelope(c, "chat.completion.chunk", json_pack("[o]", choice)));
}

static const char *reasoning_field(const struct completions_to_chat *c)
{
    const char *field = c->options.field;
    return field != NULL && *field != '\0' ? field : "reasoning_content";
}

static int say_text(struct completions_to_chat *c, const char *text, size_t len, struct buffer *out)
{
    /* The line ends between the delimiter and the answer belong to the template. */
    for (; c->is_answer && !c->answered && len > 0 && (*text == '\n' || *text == '\r'); len--)
        text++;
    if (len == 0)
        return 0;
    c->answered = c->is_answer;
    int rv = 0;
    if (!c->begun)
        rv = say_delta(c, json_pack("{ssss}", "role", "assistant", "content", ""), NULL, out);
    c->begun = true;
    const char *name = c->is_answer ? "content" : reasoning_field(c);
    return rv < 0 ? rv : say_delta(c, json_pack("{ss%}", name, text, len), NULL, out);
}

/* From here on it is the answer. A client that reads inline reasoning needs the delimiter. */
static int begin_answer(struct completions_to_chat *c, struct buffer *out)
{
    const char *close = c->options.close;
    int rv = strcmp(reasoning_field(c), "content") == 0 ? say_text(c, close, strlen(close), out) : 0;
    c->is_answer = true;
    return rv;
}

/* ---- the delimiter ---- */

/* How much of the text's end may be the delimiter's beginning. */
static size_t partial(const char *text, size_t len, const char *close)
{
    size_t most = strlen(close) - 1;
    for (size_t n = len < most ? len : most; n > 0; n--)
        if (memcmp(text + len - n, close, n) == 0)
            return n;
    return 0;
}

/* Splits what is in the tail; keeps there what is undecided, unless this was all. */
static int split(struct completions_to_chat *c, bool is_all, struct buffer *out)
{
    const char *text = c->tail.data, *close = c->options.close;
    size_t len = c->tail.len, kept = 0;
    int rv = 0;
    const char *at = c->is_answer ? NULL : memmem(text, len, close, strlen(close));
    if (at != NULL) {
        rv = say_text(c, text, (size_t)(at - text), out);
        if (rv == 0)
            rv = begin_answer(c, out);
        at += strlen(close);
        len -= (size_t)(at - text);
        text = at;
    } else if (!c->is_answer && !is_all) {
        kept = partial(text, len, close);
    }
    if (rv == 0)
        rv = say_text(c, text, len - kept, out);
    memmove(c->tail.data, text + len - kept, kept);
    c->tail.len = kept;
    c->tail.data[kept] = '\0';
    return rv;
}

static int take_text(struct completions_to_chat *c, const char *text, size_t len, struct buffer *out)
{
    if (c->is_answer)
        return say_text(c, text, len, out);
    int rv = buffer_add(&c->tail, text, len, OUT_MAX);
    return rv < 0 ? rv : split(c, false, out);
}

/* If the backend separates reasoning, its text is the answer. */
static int take_piece(struct completions_to_chat *c, const struct completion_piece *piece, struct buffer *out)
{
    int rv = 0;
    if (piece->reasoning_len > 0) {
        c->is_divided = true;
        rv = say_text(c, piece->reasoning, piece->reasoning_len, out);
    }
    if (rv == 0 && !c->is_answer && c->is_divided && piece->len > 0)
        rv = begin_answer(c, out);
    return rv == 0 && piece->len > 0 ? take_text(c, piece->text, piece->len, out) : rv;
}

/* Returns owned; NULL: no usage was sent. */
static json_t *usage_of(const struct completion_piece *piece)
{
    if (piece->usage != NULL)
        return json_incref(piece->usage);
    if (piece->prompt_tokens + piece->completion_tokens == 0)
        return NULL;
    return json_pack("{sIsIsI}", "prompt_tokens", piece->prompt_tokens, "completion_tokens", piece->completion_tokens,
                     "total_tokens", piece->prompt_tokens + piece->completion_tokens);
}

static void note_usage(struct completions_to_chat *c, const struct completion_piece *piece)
{
    json_t *usage = usage_of(piece);
    if (usage == NULL)
        return;
    json_decref(c->usage);
    c->usage = usage;
}

/* ---- reading ---- */

static int end_stream(struct completions_to_chat *c, struct buffer *out)
{
    int rv = 0;
    if (c->done || !c->finished)
        return 0; /* without a finish it broke off, and whoever judges the stream should see that */
    c->done = true;
    if (c->usage != NULL) {
        json_t *event = envelope(c, "chat.completion.chunk", json_array());
        json_object_set(event, "usage", c->usage);
        rv = say(out, event);
    }
    return rv < 0 ? rv : buffer_add(out, "data: [DONE]\n\n", 14, OUT_MAX);
}

static int take_event(struct completions_to_chat *c, const json_t *event, struct buffer *out)
{
    struct completion_piece piece = {0};
    if (json_object_get(event, "error") != NULL)
        return say(out, json_pack("{sO}", "error", json_object_get(event, "error")));
    if (!c->options.read(event, &piece))
        return 0;
    int rv = take_piece(c, &piece, out);
    note_usage(c, &piece);
    if (rv < 0 || piece.finish == NULL || c->finished)
        return rv;
    c->finished = true;
    if (c->tail.len > 0)
        rv = split(c, true, out);
    return rv < 0 ? rv : say_delta(c, json_object(), piece.finish, out);
}

static int take_line(struct completions_to_chat *c, struct buffer *out)
{
    const char *text = c->line.data;
    if (strncmp(text, "data:", 5) == 0)
        text += 5;
    text += strspn(text, " \t");
    if (strncmp(text, "[DONE]", 6) == 0)
        return end_stream(c, out);
    json_t *event = *text == '{' ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    int rv = event != NULL ? take_event(c, event, out) : 0;
    json_decref(event);
    return rv;
}

static int take_bytes(struct completions_to_chat *c, const char *data, size_t len, struct buffer *out)
{
    if (!c->options.streamed)
        return len > 0 ? buffer_add(&c->line, data, len, c->options.body_max) : 0;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        int rv = buffer_add(&c->line, data, n, LINE_MAX_BYTES);
        if (rv == 0 && end != NULL) {
            rv = take_line(c, out);
            c->line.len = 0;
        }
        if (rv < 0)
            return rv;
        data += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return 0;
}

static json_t *message_of(const struct completions_to_chat *c, const struct completion_piece *piece)
{
    const char *close = c->options.close, *answer = piece->text, *reasoning = piece->reasoning;
    size_t reasoning_len = piece->reasoning_len;
    if (reasoning_len == 0) {
        const char *at = memmem(piece->text, piece->len, close, strlen(close));
        reasoning = piece->text;
        reasoning_len = at != NULL ? (size_t)(at - piece->text) : piece->len;
        answer = at != NULL ? at + strlen(close) : piece->text + piece->len;
    }
    answer += strspn(answer, "\r\n");
    return json_pack("{ssssss%}", "role", "assistant", "content", answer, "reasoning_content", reasoning,
                     reasoning_len);
}

/* The body of an unstreamed answer: reasoning and answer in a message of their own. */
static int finish_body(struct completions_to_chat *c, struct buffer *out)
{
    struct completion_piece piece = {0};
    json_t *body = c->line.len > 0 ? json_loadb(c->line.data, c->line.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (body == NULL || !c->options.read(body, &piece) || piece.text == NULL) {
        json_decref(body);
        return REIN_EFORMAT;
    }
    json_t *message = message_of(c, &piece);
    json_t *choice = json_pack("{sisoss}", "index", 0, "message", message, "finish_reason",
                               piece.finish != NULL ? piece.finish : "stop");
    json_t *tree = envelope(c, "chat.completion", json_pack("[o]", choice));
    json_t *usage = usage_of(&piece);
    if (usage != NULL)
        json_object_set_new(tree, "usage", usage);
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    int rv = text != NULL ? buffer_add(out, text, strlen(text), OUT_MAX) : REIN_ENOMEM;
    free(text);
    json_decref(tree);
    json_decref(body);
    return rv;
}

static int finish_stream(struct completions_to_chat *c, struct buffer *out)
{
    int rv = c->line.len > 0 ? take_line(c, out) : 0;
    c->line.len = 0;
    return rv < 0 ? rv : end_stream(c, out);
}

/* ---- the filter ---- */

static int completions_to_chat_feed(struct stream_filter *filter, struct stream_piece *piece)
{
    struct completions_to_chat *c = (struct completions_to_chat *)filter;
    assert(completions_to_chat_is_sound(c));
    c->out.len = 0;
    int rv = take_bytes(c, piece->data, piece->len, &c->out);
    piece->data = c->out.data;
    piece->len = c->out.len;
    assert(rv < 0 || completions_to_chat_is_sound(c));
    return rv;
}

static int completions_to_chat_end(struct stream_filter *filter, bool is_whole, struct stream_piece *piece)
{
    struct completions_to_chat *c = (struct completions_to_chat *)filter;
    int rv = completions_to_chat_feed(filter, piece);
    if (rv == 0 && is_whole)
        rv = c->options.streamed ? finish_stream(c, &c->out) : finish_body(c, &c->out);
    piece->data = c->out.data;
    piece->len = c->out.len;
    return rv;
}

static void completions_to_chat_free(struct stream_filter *filter)
{
    struct completions_to_chat *c = (struct completions_to_chat *)filter;
    buffer_clear(&c->line);
    buffer_clear(&c->tail);
    buffer_clear(&c->out);
    json_decref(c->usage);
    free(c->model);
    free(c->id);
    free(c);
}

struct stream_filter *completions_to_chat_new(const struct completions_to_chat_options *options)
{
    static const struct stream_filter_kind kind = {
        .feed = completions_to_chat_feed, .end = completions_to_chat_end, .free = completions_to_chat_free};
    struct completions_to_chat *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->base.kind = &kind;
    c->options = *options;
    c->model = strdup(options->model);
    c->id = strdup(options->id);
    if (c->model == NULL || c->id == NULL) {
        completions_to_chat_free(&c->base);
        return NULL;
    }
    return &c->base;
}
