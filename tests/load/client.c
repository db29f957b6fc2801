/* See client.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../bench/response.h"
#include "check.h"
#include "tally.h"

enum { READ_MAX = 65536, HEAD_KEPT = 2048 };

enum acting { RESTS, ASKS, READS };

struct client {
    struct net_end end;
    enum acting state;
    bool is_kept; /* the connection has served before */
    bool goes;    /* in order to stop: no scene after this one */
    bool was_cut, has_decision, is_half;
    bool to_admin; /* where the connection leads */
    struct scene scene;
    struct text ask, head, body;
    size_t sent, got, leave_at;
    bool leaves_asking; /* leave_at counts bytes of the request, not of the response */
    struct response response;
    uint64_t due_ms, moved_ms; /* 0: does not wait; the last progress */
};

static struct {
    struct clients_options options;
    struct client clients[CLIENTS_MAX];
    size_t count;
    uint64_t next;
    struct tally tally;
    bool ends;
} all;

static void client_act(struct client *c);

/* ---- the end of a scene ---- */

static void client_free(struct client *c, enum leave how)
{
    if (how != LEAVE_NOT)
        net_leave(&c->end, how);
    c->state = RESTS;
    c->due_ms = 0;
    c->is_kept = how == LEAVE_NOT;
    if (c->is_kept)
        net_watch(&c->end, EPOLLIN);
}

static void client_ends(struct client *c, bool is_whole, enum leave how)
{
    struct seen seen = {.scene = &c->scene,
                        .status = c->response.status,
                        .is_whole = is_whole,
                        .was_cut = c->was_cut,
                        .has_decision = c->has_decision,
                        .body = &c->body};
    struct checked checked;
    check_seen(&seen, all.options.expects_errors || all.ends, &checked);
    tally_scene(&all.tally, &c->scene, &checked, seen.status, &c->body);
    client_free(c, how);
}

static void client_leaves(struct client *c, enum leave how)
{
    c->was_cut = true;
    if (how != LEAVE_HALF) {
        client_ends(c, false, how);
        return;
    }
    net_leave(&c->end, how);
    c->is_half = true;
}

static void client_waits(struct client *c, unsigned ms)
{
    c->due_ms = net_now_ms() + ms + 1;
    net_watch(&c->end, 0);
}

/* True if it is done with, or waits before it goes on. */
static bool client_leaves_now(struct client *c)
{
    enum leave how = c->scene.client.leaves;
    if (how == LEAVE_NOT)
        return false;
    c->scene.client.leaves = LEAVE_NOT;
    if (how == LEAVE_STALL) {
        client_waits(c, c->scene.client.stall_ms);
        return true;
    }
    client_leaves(c, how);
    return c->state == RESTS;
}

/* ---- asking ---- */

/* Where in the request or the response it leaves: in a quarter of the cases before it has asked to the end. */
static void client_plan_leave(struct client *c)
{
    const struct manner *manner = &c->scene.client;
    c->leaves_asking = c->scene.number % 4 == 1;
    size_t all_bytes = c->leaves_asking ? c->ask.len : c->scene.events * c->scene.choices * EVENT_BYTES + 300;
    c->leave_at = c->leaves_asking && c->scene.number % 8 == 1 ? c->ask.len : all_bytes * manner->at / 1000;
}

static void client_on_part(void *ctx, const char *data, size_t len)
{
    struct client *c = ctx;
    text_add(&c->body, data, len);
}

static void client_reset(struct client *c)
{
    text_clear(&c->head);
    text_clear(&c->body);
    c->sent = c->got = 0;
    c->was_cut = c->has_decision = c->is_half = false;
    c->response.on_part = client_on_part;
    c->response.ctx = c;
    response_start(&c->response);
    c->moved_ms = net_now_ms();
    c->due_ms = 0;
}

static void client_begin(struct client *c)
{
    scene_draw(&c->scene, all.options.seed, all.next++);
    scene_ask(&c->scene, &c->ask);
    client_reset(c);
    client_plan_leave(c);
    bool to_admin = c->scene.kind == SCENE_ADMIN;
    if (c->end.fd >= 0 && (to_admin != c->to_admin || c->scene.client.buffer > 0)) {
        net_leave(&c->end, LEAVE_CLOSE);
        c->is_kept = false;
    }
    c->to_admin = to_admin;
    c->state = ASKS;
    if (c->end.fd < 0 &&
        !net_connect(&c->end, to_admin ? all.options.admin_port : all.options.port, c->scene.client.buffer)) {
        tally_fault(&all.tally, &c->scene, "no connection could be made", NULL);
        c->state = RESTS;
        return;
    }
    client_act(c);
}

/* A server may close a kept connection at any time: the request is sent once more, on a new one. */
static void client_begin_again(struct client *c)
{
    net_leave(&c->end, LEAVE_CLOSE);
    c->is_kept = false;
    client_reset(c);
    c->state = ASKS;
    if (net_connect(&c->end, c->to_admin ? all.options.admin_port : all.options.port, c->scene.client.buffer))
        client_act(c);
    else
        client_ends(c, false, LEAVE_CLOSE);
}

static void client_lost(struct client *c)
{
    if (c->is_kept && c->got == 0 && !c->was_cut)
        client_begin_again(c);
    else
        client_ends(c, false, LEAVE_CLOSE);
}

static void client_ask(struct client *c)
{
    while (c->sent < c->ask.len) {
        if (c->leaves_asking && c->sent >= c->leave_at && client_leaves_now(c))
            return;
        size_t to = c->ask.len;
        if (c->scene.client.piece > 0 && to - c->sent > c->scene.client.piece)
            to = c->sent + c->scene.client.piece;
        if (c->leaves_asking && c->scene.client.leaves != LEAVE_NOT && to > c->leave_at)
            to = c->leave_at;
        long n = c->is_half ? -2 : net_send(&c->end, c->ask.data + c->sent, to - c->sent);
        if (n == -2) { /* nothing more is taken: perhaps there is an answer all the same */
            c->sent = c->ask.len;
            break;
        }
        c->sent += n > 0 ? (size_t)n : 0;
        c->moved_ms = n > 0 ? net_now_ms() : c->moved_ms;
        if (n < 0) {
            net_watch(&c->end, EPOLLOUT);
            return;
        }
        if (c->sent < c->ask.len && c->scene.client.pause_ms > 0) {
            client_waits(c, c->scene.client.pause_ms);
            return;
        }
    }
    if (c->leaves_asking && client_leaves_now(c))
        return;
    c->state = READS;
    net_watch(&c->end, EPOLLIN);
}

/* ---- reading ---- */

static void client_keep_head(struct client *c, const char *data, size_t len)
{
    if (c->head.len >= HEAD_KEPT || c->has_decision)
        return;
    text_add(&c->head, data, len < HEAD_KEPT ? len : HEAD_KEPT);
    c->has_decision = strcasestr(c->head.data, "\r\nx-rein-decision:") != NULL;
}

static void client_is_through(struct client *c)
{
    bool is_kept =
        c->scene.client.after == LEAVE_NOT && c->scene.kind != SCENE_BAD && !c->was_cut && c->sent >= c->ask.len;
    client_ends(c, true,
                is_kept                              ? LEAVE_NOT
                : c->scene.client.after != LEAVE_NOT ? c->scene.client.after
                                                     : LEAVE_CLOSE);
}

static void client_read(struct client *c)
{
    static char data[READ_MAX];
    if (!c->leaves_asking && c->got >= c->leave_at && c->got > 0 && client_leaves_now(c))
        return;
    long n = net_receive(&c->end, data, c->scene.client.piece > 0 ? c->scene.client.piece : sizeof data);
    if (n == 0)
        client_lost(c);
    if (n <= 0)
        return;
    c->moved_ms = net_now_ms();
    c->got += (size_t)n;
    client_keep_head(c, data, (size_t)n);
    response_feed(&c->response, data, (size_t)n);
    if (c->response.phase == RESPONSE_BAD) {
        if (c->scene.kind != SCENE_BAD)
            tally_fault(&all.tally, &c->scene, "what came is no HTTP", &c->head);
        client_ends(c, false, LEAVE_CLOSE);
    } else if (c->response.phase == RESPONSE_DONE) {
        client_is_through(c);
    } else if (c->scene.client.pause_ms > 0) {
        client_waits(c, c->scene.client.pause_ms);
    }
}

static void client_rest(struct client *c)
{
    static char data[512];
    if (net_receive(&c->end, data, sizeof data) < 0)
        return;
    net_leave(&c->end, LEAVE_CLOSE); /* the server gave it up */
    c->is_kept = false;
}

static void client_act(struct client *c)
{
    if (c->due_ms >
        0) /* a peer that is gone makes its socket ready all the time; it is looked at when the time comes */
        return;
    if (c->state == ASKS)
        client_ask(c);
    else if (c->state == READS)
        client_read(c);
    else
        client_rest(c);
}

static void client_on_ready(struct net_end *end)
{
    client_act((struct client *)end);
}

/* ---- all of them ---- */

void clients_open(const struct clients_options *options)
{
    all.options = *options;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        all.clients[i].end = (struct net_end){.fd = -1, .on_ready = client_on_ready};
}

void clients_set(size_t count)
{
    all.count = count < CLIENTS_MAX ? count : CLIENTS_MAX;
}

void clients_tick(void)
{
    uint64_t now = net_now_ms();
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &all.clients[i];
        if (c->state == RESTS) {
            if (i < all.count)
                client_begin(c);
        } else if (c->due_ms > 0 && c->due_ms <= now) {
            c->due_ms = 0;
            c->moved_ms = now;
            net_watch(&c->end, c->state == READS ? EPOLLIN : EPOLLOUT);
            client_act(c);
        } else if (c->due_ms == 0 && now - c->moved_ms > all.options.stuck_ms) {
            tally_fault(&all.tally, &c->scene, "a request is stuck: neither end nor error came", &c->body);
            client_free(c, LEAVE_RESET);
        }
    }
}

void clients_storm(unsigned percent, bool resets)
{
    struct dice dice = dice_of(all.options.seed + all.next);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &all.clients[i];
        if (c->state == READS && dice_chance(&dice, percent))
            client_leaves(c, resets ? LEAVE_RESET : LEAVE_CLOSE);
    }
}

size_t clients_busy(void)
{
    size_t busy = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        busy += all.clients[i].state != RESTS;
    return busy;
}

void clients_drop_idle(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (all.clients[i].state == RESTS)
            client_free(&all.clients[i], LEAVE_CLOSE);
}

void clients_expect_end(void)
{
    all.ends = all.tally.is_over = true;
}

void clients_close(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &all.clients[i];
        net_leave(&c->end, LEAVE_CLOSE);
        text_free(&c->ask);
        text_free(&c->head);
        text_free(&c->body);
        response_fini(&c->response);
    }
    tally_free(&all.tally);
}

size_t clients_faults(void)
{
    return all.tally.faults;
}

size_t clients_scenes(void)
{
    return all.next;
}

size_t clients_whole(void)
{
    return tally_ended(&all.tally, ENDING_WHOLE) + tally_ended(&all.tally, ENDING_REFUSED);
}

const uint8_t *clients_rows(size_t *len)
{
    *len = all.tally.rows_len;
    return all.tally.rows;
}

void clients_print(FILE *to)
{
    tally_print(&all.tally, to);
}
