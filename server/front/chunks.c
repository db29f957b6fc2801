/* See chunks.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/chunks.h"

#include <assert.h>
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

static char *chunk_block_borrow(struct chunk_store *store)
{
    return store->len > 0 ? store->blocks[--store->len] : malloc(CHUNK_BLOCK);
}

/* What holds between any two calls. A writer without memory has all its positions at 0; one with memory has room for a
 * size line before the body and for a chunk's end behind it, so framing can't fail. */
bool chunk_is_sound(const struct chunk_writer *w)
{
    if (!w->data)
        return w->start == 0 && w->framed == 0 && w->body == 0 && w->end == 0 && w->cap == 0;
    return !w->is_gone && w->start <= w->framed && w->framed + HEADROOM <= w->body && w->body <= w->end &&
           w->end + TAIL <= w->cap;
}

/* Returns the memory. Still knows whether the client is gone. */
static void chunk_release(struct chunk_writer *w, struct chunk_store *store)
{
    if (w->cap == CHUNK_BLOCK && store->len < CHUNK_BLOCKS_KEPT)
        store->blocks[store->len++] = w->data;
    else
        free(w->data);
    *w = (struct chunk_writer){.is_gone = w->is_gone, .is_plain = w->is_plain};
}

void chunk_drop(struct chunk_writer *w, struct chunk_store *store)
{
    assert(chunk_is_sound(w));
    chunk_release(w, store);
}

/* Waiting bytes cannot be sent any more, so nothing is kept, and no later call frames anything. */
static enum chunk_sent chunk_gone(struct chunk_writer *w, struct chunk_store *store)
{
    w->is_gone = true;
    chunk_release(w, store);
    return CHUNK_GONE;
}

/* Room for `len` more bytes and a tail. */
static int chunk_reserve(struct chunk_writer *w, struct chunk_store *store, size_t len)
{
    size_t need = w->end + len + TAIL;
    if (w->data && need <= w->cap)
        return 0;
    if (!w->data && HEADROOM + len + TAIL <= CHUNK_BLOCK) {
        w->data = chunk_block_borrow(store);
        w->cap = w->data ? CHUNK_BLOCK : 0;
        w->body = w->end = w->data ? HEADROOM : 0;
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
    assert(chunk_is_sound(w));
    if (len == 0 || w->is_gone)
        return 0; /* an empty chunk would end the body */
    size_t waiting = chunk_pending(w);
    if (len > max || waiting > max - len)
        return REIN_ELIMIT;
    int rv = chunk_reserve(w, store, len);
    if (rv < 0)
        return rv;
    memcpy(w->data + w->end, data, len);
    w->end += len;
    assert(chunk_is_sound(w));
    return 0;
}

size_t chunk_pending(const struct chunk_writer *w)
{
    return (w->framed - w->start) + (w->end - w->body);
}

/* Makes one chunk of what is not framed yet; its size line is written right before it (a plain
 * writer has none). Leaves no headroom: the chunk is
 * sent, or chunk_settle makes new headroom, before anything else is done with the writer. */
static void chunk_frame(struct chunk_writer *w)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = w->end - w->body;
    char *p = w->data + w->body;
    if (!w->is_plain) {
        *--p = '\n';
        *--p = '\r';
        for (size_t rest = len; rest > 0; rest >>= 4)
            *--p = digits[rest & 15];
        w->data[w->end++] = '\r';
        w->data[w->end++] = '\n';
    }
    size_t at = (size_t)(p - w->data);
    if (w->framed == w->start) {
        w->start = at;
    } else { /* an earlier chunk still waits: close up to it */
        memmove(w->data + w->framed, p, w->end - at);
        w->end -= at - w->framed;
    }
    w->framed = w->end;
}

/* Leaves headroom for the next chunk after a framed rest. Negative, and nothing changed, if memory ran out. */
static int chunk_settle(struct chunk_writer *w)
{
    size_t rest = w->framed - w->start;
    if (rest + HEADROOM + TAIL > w->cap) {
        char *data = realloc(w->data, w->cap * 2);
        if (!data)
            return REIN_ENOMEM;
        w->data = data;
        w->cap *= 2;
    }
    memmove(w->data, w->data + w->start, rest);
    w->start = 0;
    w->framed = rest;
    w->body = w->end = rest + HEADROOM;
    return 0;
}

enum chunk_sent chunk_flush(struct chunk_writer *w, struct chunk_store *store, int fd, bool more_follows)
{
    assert(chunk_is_sound(w));
    if (w->is_gone)
        return CHUNK_GONE;
    if (w->end > w->body)
        chunk_frame(w);
    size_t len = w->framed - w->start;
    if (len == 0)
        return CHUNK_ALL;
    ssize_t sent = send(fd, w->data + w->start, len, MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0));
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return chunk_gone(w, store);
    if (sent == (ssize_t)len) {
        chunk_release(w, store);
        return CHUNK_ALL;
    }
    w->start += sent > 0 ? (size_t)sent : 0;
    if (chunk_settle(w) < 0)
        return chunk_gone(w, store);
    assert(chunk_is_sound(w));
    return sent > 0 ? CHUNK_SOME : CHUNK_NONE;
}
