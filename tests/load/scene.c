/* See scene.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/text.h"

enum { WEATHER = 2048 /* scenes in a row that share a mood */ };

/* ---- texts ---- */

static void text_reserve(struct text *text, size_t more)
{
    if (text->len + more + 1 <= text->cap)
        return;
    size_t cap = text->cap ? text->cap : 1024;
    while (cap < text->len + more + 1)
        cap *= 2;
    text->data = realloc(text->data, cap);
    if (text->data == NULL)
        abort();
    text->cap = cap;
}

void text_add(struct text *text, const char *data, size_t len)
{
    text_reserve(text, len);
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_put(struct text *text, const char *words)
{
    text_add(text, words, strlen(words));
}

void text_format(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_reserve(text, 1024);
    int n = vsnprintf(text->data + text->len, 1024, format, list);
    va_end(list);
    if (n < 0 || n >= 1024)
        abort();
    text->len += (size_t)n;
}

void text_clear(struct text *text)
{
    text->len = 0;
    text_add(text, "", 0);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

/* ---- drawing ---- */

static const char *const kind_names[SCENE_KINDS] = {
    "clean", "redact", "refuse", "steer", "words", "hide", "prompt", "judged", "strict", "fail", "bad", "look", "admin",
};

const char *scene_name(enum scene_kind kind)
{
    return kind_names[kind];
}

static enum scene_kind scene_draw_kind(struct dice *dice)
{
    static const unsigned char shares[SCENE_KINDS] = {32, 14, 9, 9, 4, 4, 3, 5, 3, 3, 6, 5, 3};
    size_t at = dice_below(dice, 100);
    enum scene_kind kind = SCENE_CLEAN;
    while (at >= shares[kind])
        at -= shares[kind++];
    return kind;
}

/* Mostly short; one in ten outlasts the server's patience. */
static unsigned scene_draw_stall(struct dice *dice)
{
    return dice_chance(dice, 90) ? 10 + (unsigned)dice_below(dice, 300) : 1500 + (unsigned)dice_below(dice, 3000);
}

static void scene_draw_leave(struct manner *manner, struct dice *dice, unsigned percent)
{
    static const enum leave ways[] = {LEAVE_CLOSE, LEAVE_RESET, LEAVE_RESET, LEAVE_HALF, LEAVE_STALL};
    if (dice_chance(dice, percent))
        manner->leaves = ways[dice_below(dice, sizeof ways / sizeof *ways)];
    manner->at = (unsigned)dice_below(dice, 1001);
    if (dice_chance(dice, 15))
        manner->at = (unsigned)dice_below(dice, 20);
    manner->stall_ms = scene_draw_stall(dice);
    if (dice_chance(dice, 25))
        manner->after = dice_chance(dice, 70) ? LEAVE_CLOSE : LEAVE_RESET;
}

/* Some two hundred pieces at most, so that a slow one takes seconds, not minutes. */
static void scene_draw_pace(struct manner *manner, struct dice *dice, unsigned percent, size_t bytes)
{
    if (!dice_chance(dice, percent))
        return;
    manner->piece = (1u << (6 + dice_below(dice, 8))) + (unsigned)(bytes / 200);
    manner->pause_ms = (unsigned)dice_below(dice, 8);
    manner->buffer = 2048 << dice_below(dice, 5);
}

static unsigned scene_draw_events(struct dice *dice)
{
    if (dice_below(dice, 400) == 0)
        return 8000 + (unsigned)dice_below(dice, 8000);
    if (dice_chance(dice, 3))
        return 400 + (unsigned)dice_below(dice, 2600);
    return dice_chance(dice, 30) ? 100 + (unsigned)dice_below(dice, 200) : 2 + (unsigned)dice_below(dice, 60);
}

void scene_draw(struct scene *scene, uint64_t seed, uint64_t number)
{
    struct dice weather = dice_of(seed * 31 + number / WEATHER);
    unsigned wild = 5 + (unsigned)dice_below(&weather, 60), slow = 3 + (unsigned)dice_below(&weather, 30);
    struct dice dice = dice_of(seed * 1000003 + number);
    *scene = (struct scene){.number = number, .kind = scene_draw_kind(&dice)};
    scene->is_streamed = dice_chance(&dice, 80);
    if (scene->kind == SCENE_STEER || scene->kind == SCENE_WORDS)
        scene->is_streamed = dice_chance(&dice, 90);
    scene->asks_usage = dice_chance(&dice, 40);
    scene->relapses = dice_chance(&dice, 25);
    scene->is_chunked = scene->is_streamed || dice_chance(&dice, 30);
    scene->ends_by_close = scene->is_streamed && dice_chance(&dice, 5);
    scene->is_joined = dice_chance(&dice, 50);
    scene->says_close = scene->ends_by_close || dice_chance(&dice, 10);
    scene->choices = scene->kind == SCENE_CLEAN && dice_chance(&dice, 10) ? 2 + (unsigned)dice_below(&dice, 3) : 1;
    scene->events = scene_draw_events(&dice);
    if (scene->kind == SCENE_JUDGED || scene->kind == SCENE_STRICT)
        scene->events = 2 + scene->events % 200; /* each question takes its time */
    scene->prompt_bytes = dice_chance(&dice, 3) ? 1000u << dice_below(&dice, 9) : 20 + (unsigned)dice_below(&dice, 500);
    scene->status = 200;
    if (scene->kind == SCENE_FAIL) {
        static const unsigned statuses[] = {400, 404, 429, 500, 503};
        scene->status = statuses[dice_below(&dice, 5)];
    }
    scene_draw_leave(&scene->client, &dice, wild);
    scene_draw_leave(&scene->upstream, &dice, wild / 2);
    size_t bytes = scene->events * scene->choices * EVENT_BYTES + scene->prompt_bytes;
    scene_draw_pace(&scene->client, &dice, slow, bytes);
    scene_draw_pace(&scene->upstream, &dice, slow / 3, bytes);
    if (scene->says_close && scene->upstream.after == LEAVE_NOT)
        scene->upstream.after = LEAVE_CLOSE;
    if (scene->upstream.after == LEAVE_RESET && scene->ends_by_close)
        scene->upstream.after = LEAVE_CLOSE; /* a reset would take the end along */
    scene->dice = dice;
}

bool scene_is_calm(const struct scene *scene)
{
    return scene->client.leaves == LEAVE_NOT && scene->upstream.leaves == LEAVE_NOT &&
           scene->upstream.after != LEAVE_RESET;
}

bool scene_may_join(const struct scene *scene)
{
    return scene->number % 3 == 2 && scene->events * scene->choices > 2000; /* the model `end` holds all of it */
}

/* ---- requests ---- */

static const char *scene_model(const struct scene *scene)
{
    static const char *const models[] = {"plain", "rules", "end", "steer-1", "steer-2", "steer-3", "words", "hide"};
    switch (scene->kind) {
    case SCENE_STEER:
        return models[3 + scene->number % 3];
    case SCENE_WORDS:
        return models[6];
    case SCENE_HIDE:
        return models[7];
    case SCENE_JUDGED:
        return "judged";
    case SCENE_STRICT:
        return "strict";
    case SCENE_CLEAN:
    case SCENE_FAIL:
        return models[scene->number % 3];
    default:
        return models[1 + scene->number % 2];
    }
}

static void scene_ask_chat(const struct scene *scene, struct text *out)
{
    struct dice dice = scene->dice;
    struct text body = {0};
    text_format(&body, "{\"model\":\"%s\",\"stream\":%s,", scene_model(scene), scene->is_streamed ? "true" : "false");
    if (scene->choices > 1)
        text_format(&body, "\"n\":%u,", scene->choices);
    if (scene->is_streamed && scene->asks_usage)
        text_put(&body, "\"stream_options\":{\"include_usage\":true},");
    text_put(&body, "\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (size_t start = body.len, i = dice_next(&dice) % 4096; body.len - start < scene->prompt_bytes; i++) {
        size_t len;
        const char *word = word_at(i, &len);
        text_add(&body, word, len);
        text_put(&body, " ");
    }
    if (scene->kind == SCENE_PROMPT)
        text_put(&body, WORD_PROMPT "-123456-END");
    text_put(&body, "\"}]}");
    text_format(out,
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "X-Request-Id: " REQUEST_ID "%llu\r\n",
                (unsigned long long)scene->number);
    if (dice_chance(&dice, 10)) {
        text_format(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body.len);
        text_add(out, body.data, body.len);
        text_put(out, "\r\n0\r\n\r\n");
    } else {
        text_format(out, "Content-Length: %zu\r\n\r\n", body.len);
        text_add(out, body.data, body.len);
    }
    text_free(&body);
}

/* Each has one thing wrong with it; none may be answered with 200. */
static void scene_ask_badly(const struct scene *scene, struct text *out)
{
#define CHAT_HEAD "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
#define CHAT(more, body) CHAT_HEAD more "\r\n" body
    static const char *const requests[] = {
        "GET\r\n\r\n",
        "\r\n\r\n\x16\x03\x01\x02\x01\x01\x01\r\n\r\n",
        "POST /v1/chat/completions HTTP/9.9\r\nHost: x\r\n\r\n",
        "POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n",
        CHAT("Content-Length: 2\r\nContent-Length: 3\r\n", "{}x"),
        CHAT("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
        CHAT("Transfer-Encoding: gzip\r\n", "{}"),
        CHAT("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
        CHAT("Content-Length: -1\r\n", "{}"),
        CHAT("Content-Length: 99999999999\r\n", "{}"),
        CHAT("Content-Length: 1\r\n", "{"),
        CHAT("Content-Length: 2\r\n", "{}"),
        CHAT("Content-Length: 14\r\n", "{\"model\":\"\xff\"} "),
        CHAT("Content-Length: 32\r\n", "{\"model\":\"plain\",\"messages\":null}"),
        CHAT("Content-Length: 46\r\n", "{\"model\":\"plain\",\"messages\":[],\"messages\":[\"a\"]}"),
        CHAT("Content-Length: 72\r\n",
             "{\"model\":\"plain\",\"echo\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}  "),
        CHAT("Expect: nothing\r\nContent-Length: 2\r\n", "{}"),
        CHAT("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"),
    };
    text_put(out, requests[scene->number % (sizeof requests / sizeof *requests)]);
}

static void scene_ask_elsewhere(const struct scene *scene, struct text *out)
{
    static const char *const looks[] = {"/v1/models", "/healthz", "/readyz", "/v1/guard/decisions/%s"};
    static const char *const admin[] = {"/metrics",
                                        "/admin/v1/decisions?limit=100",
                                        "/admin/v1/stats?bucket=5m",
                                        "/metrics",
                                        "/admin/v1/decisions?verdict=redact&limit=20",
                                        "/admin/v1/decisions/%s"};
    struct dice dice = scene->dice;
    const char *path = scene->kind == SCENE_LOOK ? looks[dice_below(&dice, 4)] : admin[dice_below(&dice, 6)];
    size_t len = strcspn(path, "%");
    text_format(out, "GET %.*s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", (int)len, path,
                path[len] != '\0' ? "01a1fc00-75bb-7a73-9731-4ef649bf0ae0" : "");
}

void scene_ask(const struct scene *scene, struct text *out)
{
    text_clear(out);
    if (scene->kind == SCENE_BAD)
        scene_ask_badly(scene, out);
    else if (scene->kind == SCENE_LOOK || scene->kind == SCENE_ADMIN)
        scene_ask_elsewhere(scene, out);
    else
        scene_ask_chat(scene, out);
}
