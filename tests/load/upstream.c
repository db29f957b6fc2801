/* See upstream.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "scene.h"

enum { ENDS_MAX = 8192, TURN_BYTES = 16384 };

enum speaking { HEARS, SPEAKS, IGNORES };

struct speaker {
    struct net_end end;
    enum speaking state;
    struct text in;
    struct scene scene;
    struct script script;
    size_t sent, leave_at; /* of the script's wire */
    size_t burst;
    uint64_t due_ms; /* 0: does not wait for a time */
};

static struct {
    uint64_t seed;
    struct dice judge; /* what the judge does next */
    struct net_end listener;
    struct speaker *speakers[ENDS_MAX];
    size_t len, open, requests;
} up;

/* A socket that is closed may still be told of in this turn, so a speaker that is free is only marked so. */
static struct speaker *speaker_new(void)
{
    for (size_t i = 0; i < up.len; i++)
        if (up.speakers[i]->end.fd < 0)
            return up.speakers[i];
    if (up.len == ENDS_MAX)
        return NULL;
    struct speaker *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    return up.speakers[up.len++] = s;
}

static void speaker_leave(struct speaker *s, enum leave how)
{
    net_leave(&s->end, how);
    s->due_ms = 0;
    if (how == LEAVE_HALF) {
        s->state = IGNORES;
        net_watch(&s->end, EPOLLIN);
        return;
    }
    up.open--;
}

/* ---- saying ---- */

static void speaker_is_through(struct speaker *s)
{
    if (s->scene.upstream.after != LEAVE_NOT) {
        speaker_leave(s, s->scene.upstream.after);
        return;
    }
    s->state = HEARS;
    net_watch(&s->end, EPOLLIN);
}

/* The end of the next burst, or of what comes before leaving; not more than a piece. */
static size_t speaker_next(struct speaker *s)
{
    while (s->burst < s->script.bursts_len && s->script.bursts[s->burst] <= s->sent)
        s->burst++;
    size_t to = s->burst < s->script.bursts_len ? s->script.bursts[s->burst] : s->script.wire.len;
    if (s->scene.upstream.piece > 0 && to - s->sent > s->scene.upstream.piece)
        to = s->sent + s->scene.upstream.piece;
    return to > s->leave_at && s->sent < s->leave_at ? s->leave_at : to;
}

static void speaker_wait(struct speaker *s, unsigned ms)
{
    s->due_ms = net_now_ms() + ms + 1;
    net_watch(&s->end, 0);
}

/* True if it leaves, or waits before it goes on. */
static bool speaker_acts(struct speaker *s)
{
    enum leave how = s->scene.upstream.leaves;
    if (how == LEAVE_NOT || s->sent != s->leave_at)
        return false;
    s->scene.upstream.leaves = LEAVE_NOT;
    s->leave_at = s->script.wire.len;
    if (how == LEAVE_STALL)
        speaker_wait(s, s->scene.upstream.stall_ms);
    else
        speaker_leave(s, how);
    return true;
}

static void speaker_speak(struct speaker *s)
{
    size_t began = s->sent;
    while (s->sent < s->script.wire.len) {
        if (speaker_acts(s))
            return;
        size_t to = speaker_next(s);
        long n = net_send(&s->end, s->script.wire.data + s->sent, to - s->sent);
        if (n == -2) {
            speaker_leave(s, LEAVE_CLOSE);
            return;
        }
        s->sent += n > 0 ? (size_t)n : 0;
        if (n < 0 || s->sent - began >= TURN_BYTES) { /* others want their turn too */
            net_watch(&s->end, EPOLLOUT);
            return;
        }
        if (s->scene.upstream.pause_ms > 0) {
            speaker_wait(s, s->scene.upstream.pause_ms);
            return;
        }
    }
    if (!speaker_acts(s))
        speaker_is_through(s);
}

/* ---- hearing ---- */

static void speaker_say(struct speaker *s, unsigned status, const char *body)
{
    script_clear(&s->script);
    s->scene = (struct scene){.status = status};
    text_format(&s->script.wire,
                "HTTP/1.1 %u Status\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
                strlen(body), body);
    s->leave_at = s->script.wire.len;
}

/* The judge: mostly quick and right, but it also waits, fails, leaves and babbles. */
static void speaker_judge(struct speaker *s, const char *body)
{
    static const struct judging {
        unsigned share;
        const char *content; /* NULL: its opinion */
        unsigned status;
        enum leave leaves;
        unsigned at; /* in thousandths of the reply */
        unsigned stall_ms;
    } ways[] = {
        {60, NULL, 200, LEAVE_NOT, 0, 0},  {14, NULL, 200, LEAVE_STALL, 0, 60}, {4, NULL, 200, LEAVE_STALL, 700, 900},
        {4, "no", 500, LEAVE_NOT, 0, 0},   {4, "later", 429, LEAVE_NOT, 0, 0},  {4, "perhaps", 200, LEAVE_NOT, 0, 0},
        {4, NULL, 200, LEAVE_CLOSE, 0, 0}, {3, NULL, 200, LEAVE_RESET, 600, 0}, {3, NULL, 200, LEAVE_CLOSE, 900, 0},
    };
    size_t at = dice_below(&up.judge, 100), way = 0;
    while (at >= ways[way].share)
        at -= ways[way++].share;
    const char *content = ways[way].content;
    if (content == NULL)
        content = strstr(body, WORD_JUDGE) != NULL ? "unsafe\\nS1" : "safe";
    char reply[256];
    snprintf(reply, sizeof reply,
             "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
             "\"finish_reason\":\"stop\"}]}",
             content);
    speaker_say(s, ways[way].status, reply);
    s->scene.upstream = (struct manner){.leaves = ways[way].leaves, .stall_ms = ways[way].stall_ms};
    s->leave_at = s->script.wire.len * ways[way].at / 1000;
    if (ways[way].leaves == LEAVE_NOT)
        s->leave_at = s->script.wire.len;
}

static void speaker_answer(struct speaker *s, const char *head, const char *body)
{
    const char *id = strcasestr(head, "\r\nx-request-id: " REQUEST_ID);
    up.requests++;
    if (strncmp(head, "GET ", 4) == 0) {
        speaker_say(s, 200, "{\"object\":\"list\",\"data\":[{\"id\":\"plain\",\"object\":\"model\"}]}");
    } else if (strstr(body, "\"" JUDGE_MODEL "\"") != NULL) {
        speaker_judge(s, body);
    } else if (strstr(body, "Which code stands in your notes?") != NULL) {
        speaker_say(s, 200,
                    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\","
                    "\"reasoning_content\":\" QUARTZ-5271\"},\"finish_reason\":\"stop\"}]}");
    } else if (id == NULL) {
        speaker_say(s, 200, "{}");
    } else {
        scene_draw(&s->scene, up.seed, strtoull(id + strlen("\r\nx-request-id: " REQUEST_ID), NULL, 10));
        scene_say(&s->scene, strstr(body, CORRECTION) != NULL ? 1 : 0, &s->script);
        s->leave_at = script_leave_at(&s->script, &s->scene);
    }
    s->state = SPEAKS;
    s->sent = s->burst = 0;
    speaker_speak(s);
}

static bool speaker_leaves_early(struct speaker *s, const char *head)
{
    const char *id = strcasestr(head, "\r\nx-request-id: " REQUEST_ID);
    if (id == NULL)
        return false;
    scene_draw(&s->scene, up.seed, strtoull(id + strlen("\r\nx-request-id: " REQUEST_ID), NULL, 10));
    if (!scene_leaves_early(&s->scene))
        return false;
    speaker_leave(s, s->scene.upstream.leaves);
    return true;
}

static void speaker_hear(struct speaker *s)
{
    char *end = s->in.len > 0 ? strstr(s->in.data, "\r\n\r\n") : NULL;
    if (end == NULL)
        return;
    const char *length = strcasestr(s->in.data, "\r\ncontent-length:");
    size_t body_len = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t head_len = (size_t)(end - s->in.data) + 4;
    if (speaker_leaves_early(s, s->in.data) || s->in.len < head_len + body_len)
        return;
    speaker_answer(s, s->in.data, s->in.data + head_len);
    text_clear(&s->in);
}

static void speaker_on_ready(struct net_end *end)
{
    struct speaker *s = (struct speaker *)end;
    static char data[65536];
    if (s->state == SPEAKS) {
        if (s->due_ms == 0)
            speaker_speak(s);
        else if (net_receive(end, data, sizeof data) == 0) /* gone while it waits */
            speaker_leave(s, LEAVE_CLOSE);
        return;
    }
    long n = net_receive(end, data, sizeof data);
    if (n == 0)
        speaker_leave(s, LEAVE_CLOSE);
    if (n <= 0 || s->state == IGNORES)
        return;
    text_add(&s->in, data, (size_t)n);
    speaker_hear(s);
}

static void upstream_on_accept(struct net_end *listener)
{
    int fd;
    while ((fd = net_accept(listener)) >= 0) {
        struct speaker *s = speaker_new();
        struct net_end lost = {.fd = fd};
        if (s == NULL) {
            net_leave(&lost, LEAVE_CLOSE);
            continue;
        }
        s->end.on_ready = speaker_on_ready;
        s->state = HEARS;
        s->due_ms = 0;
        text_clear(&s->in);
        net_adopt(&s->end, fd);
        net_watch(&s->end, EPOLLIN);
        up.open++;
    }
}

uint16_t upstream_open(uint64_t seed)
{
    up.seed = seed;
    up.judge = dice_of(seed * 17 + 3);
    up.listener = (struct net_end){.fd = -1, .on_ready = upstream_on_accept};
    return net_listen(&up.listener);
}

void upstream_tick(void)
{
    for (size_t i = 0; i < up.len; i++) {
        struct speaker *s = up.speakers[i];
        if (s->end.fd < 0 || s->due_ms == 0 || s->due_ms > net_now_ms())
            continue;
        s->due_ms = 0;
        speaker_speak(s);
    }
}

void upstream_drop_all(void)
{
    for (size_t i = 0; i < up.len; i++)
        if (up.speakers[i]->end.fd >= 0)
            speaker_leave(up.speakers[i], LEAVE_CLOSE);
}

void upstream_close(void)
{
    upstream_drop_all();
    net_leave(&up.listener, LEAVE_CLOSE);
    for (size_t i = 0; i < up.len; i++) {
        text_free(&up.speakers[i]->in);
        script_free(&up.speakers[i]->script);
        free(up.speakers[i]);
    }
    up.len = 0;
}

size_t upstream_open_connections(void)
{
    return up.open;
}

size_t upstream_requests(void)
{
    return up.requests;
}
