/* What the upstream of a scene sends, byte for byte, and what its client must receive.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "../bench/text.h"
#include "scene.h"

enum { BURST_MAX = 16, PIECE_MOST = 24 };

void script_clear(struct script *script)
{
    text_clear(&script->wire);
    text_clear(&script->body);
    text_clear(&script->reasoning);
    text_clear(&script->answer);
    script->bursts_len = script->head_len = script->ending = 0;
}

void script_free(struct script *script)
{
    text_free(&script->wire);
    text_free(&script->body);
    text_free(&script->reasoning);
    text_free(&script->answer);
    free(script->bursts);
    *script = (struct script){0};
}

bool scene_leaves_early(const struct scene *scene)
{
    enum leave how = scene->upstream.leaves;
    return scene->number % 16 == 5 && how != LEAVE_NOT && how != LEAVE_STALL;
}

size_t script_leave_at(const struct script *script, const struct scene *scene)
{
    const struct manner *manner = &scene->upstream;
    if (manner->leaves == LEAVE_NOT)
        return script->wire.len;
    if (manner->at < 20) /* nothing, or a part of the head */
        return script->head_len * manner->at / 20;
    size_t at = script->head_len + (script->wire.len - script->head_len) * manner->at / 1000;
    for (size_t i = 0; scene->number % 2 && i < script->bursts_len; i++) /* between two bursts */
        if (script->bursts[i] >= at)
            return script->bursts[i];
    return at;
}

bool script_is_complete(const struct script *script, const struct scene *scene)
{
    return scene->upstream.leaves == LEAVE_NOT || scene->upstream.leaves == LEAVE_STALL ||
           script_leave_at(script, scene) >= script->wire.len;
}

bool script_is_whole(const struct script *script, const struct scene *scene)
{
    if (scene->upstream.leaves == LEAVE_NOT || scene->upstream.leaves == LEAVE_STALL)
        return true;
    return !scene_leaves_early(scene) && script_leave_at(script, scene) >= script->ending;
}

static void script_end_burst(struct script *script)
{
    if (script->bursts_len == script->bursts_cap) {
        script->bursts_cap = script->bursts_cap ? script->bursts_cap * 2 : 64;
        script->bursts = realloc(script->bursts, script->bursts_cap * sizeof *script->bursts);
        if (script->bursts == NULL)
            abort();
    }
    script->bursts[script->bursts_len++] = (uint32_t)script->wire.len;
}

/* ---- the two texts ---- */

/* About `bytes` of words, with `marks` matches of a rule in them; `shown` is what a redaction leaves. */
static void script_words(struct dice *dice, size_t bytes, const char *mark, unsigned marks, struct text *said,
                         struct text *shown)
{
    size_t step = bytes / (marks + 1) + 1, next = step;
    for (size_t i = dice_next(dice) % 4096; said->len < bytes || marks > 0; i++) {
        size_t len;
        const char *word = word_at(i, &len);
        text_add(said, word, len);
        text_add(shown, word, len);
        const char *gap = dice_chance(dice, 4) ? " \xc3\xb6\xe2\x82\xac " : dice_chance(dice, 2) ? ".\\n" : " ";
        if (marks > 0 && said->len >= next) {
            text_format(said, " %s-%06u-END ", mark, (unsigned)dice_below(dice, 1000000));
            text_put(shown, " " REPLACEMENT " ");
            next += step;
            marks--;
        }
        text_put(said, gap);
        text_put(shown, gap);
    }
}

struct texts {
    struct text reasoning, answer; /* as said */
};

static void script_texts(const struct scene *scene, unsigned attempt, struct dice *dice, struct texts *texts,
                         struct script *out)
{
    size_t bytes = scene->events * 8;
    size_t first = bytes * (20 + dice_below(dice, 60)) / 100;
    const char *mark = scene->kind == SCENE_REDACT   ? WORD_REDACT
                       : scene->kind == SCENE_REFUSE ? WORD_REFUSE
                       : scene->kind == SCENE_STRICT ? WORD_JUDGE
                                                     : WORD_STEER;
    unsigned in_reasoning = 0, in_answer = 0;
    if (scene->kind == SCENE_REDACT) {
        in_reasoning = (unsigned)dice_below(dice, 4);
        in_answer = 1 + (unsigned)dice_below(dice, scene->events > 400 ? 60 : 4);
    } else if (scene->kind == SCENE_REFUSE || scene->kind == SCENE_STRICT) {
        in_answer = 1;
        in_reasoning = dice_chance(dice, 40) ? 1 : 0;
    } else if (scene->kind == SCENE_STEER || scene->kind == SCENE_WORDS) {
        in_reasoning = attempt == 0 || scene->relapses ? 1 : 0;
    }
    script_words(dice, first, mark, in_reasoning, &texts->reasoning, &out->reasoning);
    text_put(&texts->reasoning, ".");
    text_put(&out->reasoning, ".");
    script_words(dice, bytes - first, mark, in_answer, &texts->answer, &out->answer);
}

/* ---- streams ---- */

struct stream {
    const struct scene *scene;
    struct script *out;
    struct dice *dice;
    struct text burst, event;
    unsigned in_burst, burst_len;
};

static void stream_frame(struct stream *s, const char *data, size_t len)
{
    if (s->scene->ends_by_close) {
        text_add(&s->out->wire, data, len);
        return;
    }
    text_format(&s->out->wire, "%zx\r\n", len);
    text_add(&s->out->wire, data, len);
    text_put(&s->out->wire, "\r\n");
}

static void stream_flush(struct stream *s)
{
    if (s->burst.len > 0)
        stream_frame(s, s->burst.data, s->burst.len);
    text_clear(&s->burst);
    if (s->in_burst > 0)
        script_end_burst(s->out);
    s->in_burst = 0;
    s->burst_len = 1 + (unsigned)dice_below(s->dice, BURST_MAX);
}

/* The event is whole: into a chunk of its own, or into one for the whole burst. */
static void stream_event(struct stream *s, bool is_shown)
{
    if (is_shown)
        text_add(&s->out->body, s->event.data, s->event.len);
    if (s->scene->is_joined)
        text_add(&s->burst, s->event.data, s->event.len);
    else
        stream_frame(s, s->event.data, s->event.len);
    text_clear(&s->event);
    if (++s->in_burst >= s->burst_len)
        stream_flush(s);
}

static void stream_begin_event(struct stream *s)
{
    text_format(&s->event,
                "data: {\"id\":\"up-%llu\",\"object\":\"chat.completion.chunk\",\"created\":1735689600,\"choices\":[",
                (unsigned long long)s->scene->number);
}

static void stream_delta(struct stream *s, unsigned choice, const char *field, const char *text, size_t len)
{
    stream_begin_event(s);
    text_format(&s->event, "{\"index\":%u,\"delta\":{\"%s\":\"", choice, field);
    text_add(&s->event, text, len);
    text_put(&s->event, "\"},\"finish_reason\":null}]}\n\n");
    stream_event(s, true);
}

/* A length that parts neither a character nor an escape. */
static size_t stream_piece(const char *text, size_t len, struct dice *dice)
{
    size_t n = 1 + dice_below(dice, PIECE_MOST);
    if (n >= len)
        return len;
    while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    if (text[n - 1] == '\\' && n < len)
        n++;
    return n;
}

static void stream_text(struct stream *s, unsigned choices, const char *field, const struct text *text)
{
    for (size_t at = 0; at < text->len;) {
        size_t n = stream_piece(text->data + at, text->len - at, s->dice);
        for (unsigned choice = 0; choice < choices; choice++)
            stream_delta(s, choice, field, text->data + at, n);
        at += n;
    }
}

static void stream_say(struct stream *s, const struct texts *texts)
{
    unsigned choices = s->scene->choices;
    s->burst_len = 1 + (unsigned)dice_below(s->dice, BURST_MAX);
    stream_begin_event(s);
    text_put(&s->event,
             "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
    stream_event(s, true);
    stream_text(s, choices, "reasoning_content", &texts->reasoning);
    stream_text(s, choices, "content", &texts->answer);
    s->out->ending = s->out->wire.len; /* from here on an end may look clean, for all was said */
    for (unsigned choice = 0; choice < choices; choice++) {
        stream_begin_event(s);
        text_format(&s->event, "{\"index\":%u,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", choice);
        stream_event(s, true);
    }
    stream_begin_event(s);
    text_put(&s->event, "],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":7,\"total_tokens\":11}}\n\n");
    stream_event(s, s->scene->asks_usage);
    text_put(&s->event, "data: [DONE]\n\n");
    stream_event(s, true);
    stream_flush(s);
    if (!s->scene->ends_by_close)
        text_put(&s->out->wire, "0\r\n\r\n");
    script_end_burst(s->out);
}

static void script_stream(const struct scene *scene, struct dice *dice, const struct texts *texts, struct script *out)
{
    text_format(&out->wire, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s%s\r\n",
                scene->says_close ? "Connection: close\r\n" : "",
                scene->ends_by_close ? "" : "Transfer-Encoding: chunked\r\n");
    out->head_len = out->wire.len;
    if (dice_chance(dice, 50))
        script_end_burst(out);
    struct stream stream = {.scene = scene, .out = out, .dice = dice};
    text_clear(&stream.burst);
    text_clear(&stream.event);
    stream_say(&stream, texts);
    text_free(&stream.burst);
    text_free(&stream.event);
}

/* ---- whole bodies ---- */

static void script_whole(const struct scene *scene, struct dice *dice, const struct texts *texts, struct script *out)
{
    if (scene->status != 200) {
        text_put(&out->body, "{\"error\":{\"message\":\"no\",\"type\":\"some_error\",\"code\":\"some_code\"}}");
    } else {
        text_format(&out->body,
                    "{\"id\":\"up-%llu\",\"object\":\"chat.completion\",\"created\":1735689600,\"choices\":[",
                    (unsigned long long)scene->number);
        for (unsigned choice = 0; choice < scene->choices; choice++) {
            text_format(&out->body, "%s{\"index\":%u,\"message\":{\"role\":\"assistant\",\"reasoning_content\":\"",
                        choice > 0 ? "," : "", choice);
            text_add(&out->body, texts->reasoning.data, texts->reasoning.len);
            text_put(&out->body, "\",\"content\":\"");
            text_add(&out->body, texts->answer.data, texts->answer.len);
            text_put(&out->body, "\"},\"finish_reason\":\"stop\"}");
        }
        text_put(&out->body, "],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":7,\"total_tokens\":11}}");
    }
    text_format(&out->wire, "HTTP/1.1 %u Status\r\nContent-Type: application/json\r\n%s", scene->status,
                scene->says_close ? "Connection: close\r\n" : "");
    if (!scene->is_chunked)
        text_format(&out->wire, "Content-Length: %zu\r\n", out->body.len);
    else
        text_put(&out->wire, "Transfer-Encoding: chunked\r\n");
    text_put(&out->wire, "\r\n");
    out->head_len = out->wire.len;
    for (size_t at = 0, n; scene->is_chunked && at < out->body.len; at += n) {
        n = 1 + dice_below(dice, 2000);
        n = n < out->body.len - at ? n : out->body.len - at;
        text_format(&out->wire, "%zx\r\n", n);
        text_add(&out->wire, out->body.data + at, n);
        text_put(&out->wire, "\r\n");
        if (dice_chance(dice, 50))
            script_end_burst(out);
    }
    out->ending = out->wire.len;
    if (scene->is_chunked)
        text_put(&out->wire, "0\r\n\r\n");
    else
        text_add(&out->wire, out->body.data, out->body.len), out->ending = out->wire.len;
    script_end_burst(out);
}

void scene_say(const struct scene *scene, unsigned attempt, struct script *out)
{
    struct dice dice = scene->dice;
    dice.state += 77 + attempt;
    struct texts texts = {0};
    script_clear(out);
    script_texts(scene, attempt, &dice, &texts, out);
    if (scene->is_streamed && scene->status == 200)
        script_stream(scene, &dice, &texts, out);
    else
        script_whole(scene, &dice, &texts, out);
    text_free(&texts.reasoning);
    text_free(&texts.answer);
}
