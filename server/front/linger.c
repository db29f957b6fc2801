/* See linger.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/linger.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_READ = 16 * 1024, LINGER_READS = 16 }; /* bytes per read, reads per turn: others are served in between */

struct lingering {
    uv_poll_t poll;
    struct lingers *owner; /* NULL: closed, only libuv still has it */
    int fd;
    size_t bytes;               /* read and dropped */
    uint64_t began_ms, last_ms; /* last: when something arrived */
    TAILQ_ENTRY(lingering) all;
};

struct lingers {
    struct loop *loop;
    TAILQ_HEAD(, lingering) all; /* oldest first */
    size_t len;
};

static bool linger_is_sound(const struct lingering *l)
{
    return l->owner && l->fd >= 0 && l->bytes <= LINGER_BYTES && l->began_ms <= l->last_ms;
}

static bool lingers_are_sound(const struct lingers *lingers)
{
    return lingers->len <= LINGER_MAX && (lingers->len == 0) == (TAILQ_EMPTY(&lingers->all));
}

int lingers_new(struct lingers **out, struct loop *loop)
{
    struct lingers *lingers = calloc(1, sizeof *lingers);
    if (!lingers)
        return REIN_ENOMEM;
    lingers->loop = loop;
    TAILQ_INIT(&lingers->all);
    *out = lingers;
    return 0;
}

static void on_linger_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void linger_close(struct lingering *l)
{
    assert(linger_is_sound(l) && lingers_are_sound(l->owner));
    TAILQ_REMOVE(&l->owner->all, l, all);
    l->owner->len--;
    assert(lingers_are_sound(l->owner));
    l->owner = NULL;
    uv_close((uv_handle_t *)&l->poll, on_linger_closed); /* before the descriptor is closed */
    close(l->fd);
    l->fd = -1;
}

/* Reads and drops; false: it has ended. */
static bool linger_read(struct lingering *l)
{
    char dropped[LINGER_READ];
    for (int i = 0; i < LINGER_READS; i++) {
        size_t room = LINGER_BYTES - l->bytes;
        ssize_t got = recv(l->fd, dropped, room < sizeof dropped ? room : sizeof dropped, MSG_DONTWAIT);
        if (got <= 0)
            return room > 0 && got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        l->bytes += (size_t)got;
        l->last_ms = loop_now_ms(l->owner->loop);
    }
    return true;
}

static void on_linger_readable(uv_poll_t *poll, int status, int events)
{
    struct lingering *l = poll->data;
    (void)events;
    assert(linger_is_sound(l));
    if (status < 0 || !linger_read(l))
        linger_close(l);
}

void lingers_take(struct lingers *lingers, int fd)
{
    struct lingering *l = calloc(1, sizeof *l);
    assert(lingers_are_sound(lingers));
    if (!l || shutdown(fd, SHUT_WR) < 0 || uv_poll_init(loop_uv(lingers->loop), &l->poll, fd) < 0) {
        free(l);
        close(fd);
        return;
    }
    if (lingers->len == LINGER_MAX)
        linger_close(TAILQ_FIRST(&lingers->all));
    l->poll.data = l;
    l->owner = lingers;
    l->fd = fd;
    l->began_ms = l->last_ms = loop_now_ms(lingers->loop);
    TAILQ_INSERT_TAIL(&lingers->all, l, all);
    lingers->len++;
    if (uv_poll_start(&l->poll, UV_READABLE, on_linger_readable) < 0)
        linger_close(l);
    assert(lingers_are_sound(lingers));
}

void lingers_tick(struct lingers *lingers)
{
    uint64_t now = loop_now_ms(lingers->loop);
    for (struct lingering *l = TAILQ_FIRST(&lingers->all), *next; l; l = next) {
        next = TAILQ_NEXT(l, all);
        if (now - l->began_ms >= LINGER_MS || now - l->last_ms >= LINGER_IDLE_MS)
            linger_close(l);
    }
}

size_t lingers_count(const struct lingers *lingers)
{
    return lingers->len;
}

void lingers_free(struct lingers *lingers)
{
    struct lingering *l;
    if (!lingers)
        return;
    while ((l = TAILQ_FIRST(&lingers->all)))
        linger_close(l);
    free(lingers);
}
