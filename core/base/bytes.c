/* See bytes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"

enum {
    FIRST_CAP = 64,
    SLACK = 4, /* a buffer of which the front is consumed has a quarter more room than its content */
};

void bytes_init(struct bytes *b, size_t limit)
{
    *b = (struct bytes){.limit = limit};
}

void bytes_init_in(struct bytes *b, void *room, size_t len, size_t limit)
{
    *b = (struct bytes){.data = room, .cap = len < limit ? len : limit, .limit = limit, .room = room};
}

void bytes_fini(struct bytes *b)
{
    heap_free_outgrown(b->data, b->room);
    *b = (struct bytes){0};
}

/* Moves the content to the front, so that the consumed part becomes room. */
static void compact(struct bytes *b)
{
    if (b->start > 0)
        memmove(b->data, b->data + b->start, bytes_len(b));
    b->end -= b->start;
    b->start = 0;
}

int bytes_reserve(struct bytes *b, size_t len)
{
    if (len <= b->cap - b->end)
        return 0;
    size_t have = bytes_len(b);
    if (len > b->limit || have > b->limit - len)
        return REIN_ELIMIT;
    /* The room gained pays for the move, so appending stays linear, also near the limit. */
    size_t wanted = have + len + (b->start > 0 ? have / SLACK : 0);
    if (b->cap >= wanted) {
        compact(b);
        return 0;
    }
    size_t most = b->limit + b->limit / SLACK, cap = b->cap > FIRST_CAP ? b->cap : FIRST_CAP;
    while (cap < wanted && cap < most)
        cap = cap > most / 2 ? most : cap * 2;
    char *data = heap_outgrow(b->data, b->room, b->end, cap);
    if (data == NULL)
        return REIN_ENOMEM;
    b->data = data;
    b->cap = cap;
    compact(b);
    return 0;
}

void bytes_swap(struct bytes *a, struct bytes *b)
{
    assert(a->room == NULL && b->room == NULL);
    struct bytes was = *a;
    *a = *b;
    a->limit = was.limit;
    was.limit = b->limit;
    *b = was;
}
