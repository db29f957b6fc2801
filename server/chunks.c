/* See chunks.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEADROOM = 18, TAIL = 2 }; /* 16 hexadecimal digits and CRLF; CRLF */

void chunk_store_fini(struct chunk_store *store)
{
    while (store->len > 0)
        free(store->blocks[--store->len]);
}

static char *borrow(struct chunk_store *store)
{
    return store->len > 0 ? store->blocks[--store->len] : malloc(CHUNK_BLOCK);
}

void chunk_drop(struct chunk_writer *w, struct chunk_store *store)
{
    if (w->cap == CHUNK_BLOCK && store->len < CHUNK_BLOCKS_KEPT)
        store->blocks[store->len++] = w->data;
    else
        free(w->data);
    *w = (struct chunk_writer){0};
}

/* Room for `len` more bytes and a tail. */
static int reserve(struct chunk_writer *w, struct chunk_store *store, size_t len)
{
    size_t need = w->end + len + TAIL;
    if (w->data && need <= w->cap)
        return 0;
    if (!w->data && HEADROOM + len + TAIL <= CHUNK_BLOCK) {
        w->data = borrow(store);
        w->cap = w->data ? CHUNK_BLOCK : 0;
        w->body = w->end = HEADROOM;
        return w->data ? 0 : REIN_ENOMEM;
    }
    if (!w->data)
        need += HEADROOM;
    size_t cap = w->cap ? w->cap : CHUNK_BLOCK;
    while (cap < need)
        cap *= 2;
    char *data = realloc(w->data, cap);
    if (!data)
        return REIN_ENOMEM;
    if (!w->data)
        w->body = w->end = HEADROOM;
    w->data = data;
    w->cap = cap;
    return 0;
}

int chunk_add(struct chunk_writer *w, struct chunk_store *store, const char *data, size_t len, size_t max)
{
    if (len == 0)
        return 0; /* an empty chunk would end the body */
    size_t waiting = chunk_pending(w);
    if (len > max || waiting > max - len)
        return REIN_ELIMIT;
    int rv = reserve(w, store, len);
    if (rv < 0)
        return rv;
    memcpy(w->data + w->end, data, len);
    w->end += len;
    return 0;
}

size_t chunk_pending(const struct chunk_writer *w)
{
    return (w->framed - w->start) + (w->end - w->body);
}

/* Makes one chunk of what is not framed yet; its size line is written right before it. */
static void frame(struct chunk_writer *w)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = w->end - w->body;
    char *p = w->data + w->body;
    *--p = '\n';
    *--p = '\r';
    for (size_t rest = len; rest > 0; rest >>= 4)
        *--p = digits[rest & 15];
    w->data[w->end++] = '\r';
    w->data[w->end++] = '\n';
    size_t at = (size_t)(p - w->data);
    if (w->framed == w->start) {
        w->start = at;
    } else { /* an earlier chunk still waits: close up to it */
        memmove(w->data + w->framed, p, w->end - at);
        w->end -= at - w->framed;
    }
    w->framed = w->end;
}

/* Leaves headroom for the next chunk behind a framed rest. */
static int settle(struct chunk_writer *w)
{
    memmove(w->data, w->data + w->start, w->framed - w->start);
    w->framed -= w->start;
    w->start = 0;
    if (w->framed + HEADROOM + TAIL > w->cap) {
        char *data = realloc(w->data, w->cap * 2);
        if (!data)
            return REIN_ENOMEM;
        w->data = data;
        w->cap *= 2;
    }
    w->body = w->end = w->framed + HEADROOM;
    return 0;
}

enum chunk_sent chunk_flush(struct chunk_writer *w, struct chunk_store *store, int fd, bool more_follows)
{
    if (w->end > w->body)
        frame(w);
    size_t len = w->framed - w->start;
    if (len == 0)
        return CHUNK_ALL;
    ssize_t sent = send(fd, w->data + w->start, len, MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0));
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return CHUNK_GONE;
    if (sent == (ssize_t)len) {
        chunk_drop(w, store);
        return CHUNK_ALL;
    }
    w->start += sent > 0 ? (size_t)sent : 0;
    if (settle(w) < 0)
        return CHUNK_GONE;
    return sent > 0 ? CHUNK_SOME : CHUNK_NONE;
}
