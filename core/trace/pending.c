/* See pending.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/pending.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"

int pending_add(struct pending_list *list, enum pending_kind kind, uint64_t event, struct span bytes,
                struct pending **out)
{
    assert(pending_is_sound(list));
    if (list->len == PENDING_MAX)
        return REIN_ELIMIT;
    struct pending *item = heap_resize(NULL, sizeof *item + bytes.len);
    if (item == NULL)
        return REIN_ENOMEM;
    memset(item, 0, sizeof *item);
    item->kind = kind;
    item->event = event;
    item->bytes_len = bytes.len;
    if (bytes.len > 0)
        memcpy(item->bytes, bytes.data, bytes.len);
    *(list->last != NULL ? &list->last->next : &list->first) = item;
    list->last = item;
    list->len++;
    *out = item;
    assert(pending_is_sound(list));
    return 0;
}

struct pending *pending_take_first(struct pending_list *list)
{
    struct pending *item = list->first;
    assert(item != NULL);
    list->first = item->next;
    list->last = list->first != NULL ? list->last : NULL;
    list->len--;
    assert(pending_is_sound(list));
    return item;
}

void pending_free(struct pending *item)
{
    heap_free(item->known);
    heap_free(item);
}

void pending_clear(struct pending_list *list)
{
    while (list->first != NULL)
        pending_free(pending_take_first(list));
}

struct pending *pending_find(const struct pending_list *list, uint32_t id)
{
    for (struct pending *item = list->first; item != NULL; item = item->next)
        if (item->kind == PENDING_QUESTION && id - item->question.first_id < item->question.panel->judges_len)
            return item;
    return NULL;
}
