/* See completions_to_chat.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/completions_to_chat.h"

#include <stdlib.h>
#include <string.h>

#include "rein/json.h"

enum { LINE_MAX_BYTES = 1 << 20, OUT_MAX = REIN_JSON_BYTES_MAX };

struct raw {
    struct raw_options options;
    char *model, *id;
    struct buffer line; /* the line or the body so far */
    struct buffer tail; /* text that may be the beginning of the delimiter */
    bool is_answer;     /* the delimiter was seen */
    bool is_divided;    /* the backend separates reasoning itself */
    bool answered;      /* and text of the answer after it */
    bool begun, finished, done;
    json_t *usage; /* owned; sent after the last choice event */
};

int raw_new(struct raw **out, const struct raw_options *options)
{
    struct raw *raw = calloc(1, sizeof *raw);
    if (raw == NULL)
        return REIN_ENOMEM;
    raw->options = *options;
    raw->model = strdup(options->model);
    raw->id = strdup(options->id);
    if (raw->model == NULL || raw->id == NULL) {
        raw_free(raw);
        return REIN_ENOMEM;
    }
    *out = raw;
    return 0;
}

void raw_free(struct raw *raw)
{
    if (raw == NULL)
        return;
    buffer_clear(&raw->line);
    buffer_clear(&raw->tail);
    json_decref(raw->usage);
    free(raw->model);
    free(raw->id);
    free(raw);
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
static json_t *envelope(const struct raw *raw, const char *object, json_t *choices)
{
    return json_pack("{sssssIssso}", "id", raw->id, "object", object, "created", (json_int_t)raw->options.created_s,
                     "model", raw->model, "choices", choices);
}

/* Takes `delta`. */
static int say_delta(struct raw *raw, json_t *delta, const char *finish, struct buffer *out)
{
    json_t *choice = json_pack("{sisoss?}", "index", 0, "delta", delta, "finish_reason", finish);
    return say(out, envelope(raw, "chat.completion.chunk", json_pack("[o]", choice)));
}

static const char *reasoning_field(const struct raw *raw)
{
    const char *field = raw->options.field;
    return field != NULL && *field != '\0' ? field : "reasoning_content";
}

static int say_text(struct raw *raw, const char *text, size_t len, struct buffer *out)
{
    /* The line ends between the delimiter and the answer belong to the template. */
    for (; raw->is_answer && !raw->answered && len > 0 && (*text == '\n' || *text == '\r'); len--)
        text++;
    if (len == 0)
        return 0;
    raw->answered = raw->is_answer;
    int rv = 0;
    if (!raw->begun)
        rv = say_delta(raw, json_pack("{ssss}", "role", "assistant", "content", ""), NULL, out);
    raw->begun = true;
    const char *name = raw->is_answer ? "content" : reasoning_field(raw);
    return rv < 0 ? rv : say_delta(raw, json_pack("{ss%}", name, text, len), NULL, out);
}

/* From here on it is the answer. A client that reads inline reasoning needs the delimiter. */
static int begin_answer(struct raw *raw, struct buffer *out)
{
    const char *close = raw->options.close;
    int rv = strcmp(reasoning_field(raw), "content") == 0 ? say_text(raw, close, strlen(close), out) : 0;
    raw->is_answer = true;
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
static int split(struct raw *raw, bool is_all, struct buffer *out)
{
    const char *text = raw->tail.data, *close = raw->options.close;
    size_t len = raw->tail.len, kept = 0;
    int rv = 0;
    const char *at = raw->is_answer ? NULL : memmem(text, len, close, strlen(close));
    if (at != NULL) {
        rv = say_text(raw, text, (size_t)(at - text), out);
        if (rv == 0)
            rv = begin_answer(raw, out);
        at += strlen(close);
        len -= (size_t)(at - text);
        text = at;
    } else if (!raw->is_answer && !is_all) {
        kept = partial(text, len, close);
    }
    if (rv == 0)
        rv = say_text(raw, text, len - kept, out);
    memmove(raw->tail.data, text + len - kept, kept);
    raw->tail.len = kept;
    raw->tail.data[kept] = '\0';
    return rv;
}

static int take_text(struct raw *raw, const char *text, size_t len, struct buffer *out)
{
    if (raw->is_answer)
        return say_text(raw, text, len, out);
    int rv = buffer_add(&raw->tail, text, len, OUT_MAX);
    return rv < 0 ? rv : split(raw, false, out);
}

/* If the backend separates reasoning, its text is the answer. */
static int take_piece(struct raw *raw, const struct raw_piece *piece, struct buffer *out)
{
    int rv = 0;
    if (piece->reasoning_len > 0) {
        raw->is_divided = true;
        rv = say_text(raw, piece->reasoning, piece->reasoning_len, out);
    }
    if (rv == 0 && !raw->is_answer && raw->is_divided && piece->len > 0)
        rv = begin_answer(raw, out);
    return rv == 0 && piece->len > 0 ? take_text(raw, piece->text, piece->len, out) : rv;
}

/* Returns owned; NULL: no usage was sent. */
static json_t *usage_of(const struct raw_piece *piece)
{
    if (piece->usage != NULL)
        return json_incref(piece->usage);
    if (piece->prompt_tokens + piece->completion_tokens == 0)
        return NULL;
    return json_pack("{sIsIsI}", "prompt_tokens", piece->prompt_tokens, "completion_tokens", piece->completion_tokens,
                     "total_tokens", piece->prompt_tokens + piece->completion_tokens);
}

static void note_usage(struct raw *raw, const struct raw_piece *piece)
{
    json_t *usage = usage_of(piece);
    if (usage == NULL)
        return;
    json_decref(raw->usage);
    raw->usage = usage;
}

/* ---- reading ---- */

static int end_stream(struct raw *raw, struct buffer *out)
{
    int rv = 0;
    if (raw->done || !raw->finished)
        return 0; /* without a finish it broke off, and whoever judges the stream should see that */
    raw->done = true;
    if (raw->usage != NULL) {
        json_t *event = envelope(raw, "chat.completion.chunk", json_array());
        json_object_set(event, "usage", raw->usage);
        rv = say(out, event);
    }
    return rv < 0 ? rv : buffer_add(out, "data: [DONE]\n\n", 14, OUT_MAX);
}

static int take_event(struct raw *raw, const json_t *event, struct buffer *out)
{
    struct raw_piece piece = {0};
    if (json_object_get(event, "error") != NULL)
        return say(out, json_pack("{sO}", "error", json_object_get(event, "error")));
    if (!raw->options.read(event, &piece))
        return 0;
    int rv = take_piece(raw, &piece, out);
    note_usage(raw, &piece);
    if (rv < 0 || piece.finish == NULL || raw->finished)
        return rv;
    raw->finished = true;
    if (raw->tail.len > 0)
        rv = split(raw, true, out);
    return rv < 0 ? rv : say_delta(raw, json_object(), piece.finish, out);
}

static int take_line(struct raw *raw, struct buffer *out)
{
    const char *text = raw->line.data;
    if (strncmp(text, "data:", 5) == 0)
        text += 5;
    text += strspn(text, " \t");
    if (strncmp(text, "[DONE]", 6) == 0)
        return end_stream(raw, out);
    json_t *event = *text == '{' ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    int rv = event != NULL ? take_event(raw, event, out) : 0;
    json_decref(event);
    return rv;
}

int raw_feed(struct raw *raw, const char *data, size_t len, struct buffer *out)
{
    if (!raw->options.streamed)
        return buffer_add(&raw->line, data, len, raw->options.body_max);
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        int rv = buffer_add(&raw->line, data, n, LINE_MAX_BYTES);
        if (rv == 0 && end != NULL) {
            rv = take_line(raw, out);
            raw->line.len = 0;
        }
        if (rv < 0)
            return rv;
        data += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return 0;
}

static json_t *message_of(const struct raw *raw, const struct raw_piece *piece)
{
    const char *close = raw->options.close, *answer = piece->text, *reasoning = piece->reasoning;
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
static int finish_body(struct raw *raw, struct buffer *out)
{
    struct raw_piece piece = {0};
    json_t *body = raw->line.len > 0 ? json_loadb(raw->line.data, raw->line.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (body == NULL || !raw->options.read(body, &piece) || piece.text == NULL) {
        json_decref(body);
        return REIN_EFORMAT;
    }
    json_t *message = message_of(raw, &piece);
    json_t *choice = json_pack("{sisoss}", "index", 0, "message", message, "finish_reason",
                               piece.finish != NULL ? piece.finish : "stop");
    json_t *tree = envelope(raw, "chat.completion", json_pack("[o]", choice));
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

int raw_finish(struct raw *raw, struct buffer *out)
{
    if (!raw->options.streamed)
        return finish_body(raw, out);
    int rv = raw->line.len > 0 ? take_line(raw, out) : 0;
    raw->line.len = 0;
    return rv < 0 ? rv : end_stream(raw, out);
}
