/* See buffer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Nothing and no room, or room for what there is and the NUL behind it. Owners may take from its end. */
static bool gathered_is_sound(const struct buffer *g)
{
    return g->data != NULL ? g->len < g->cap : g->len == 0 && g->cap == 0;
}

int buffer_add(struct buffer *g, const char *data, size_t len, size_t limit)
{
    assert(gathered_is_sound(g));
    if (len > limit || g->len > limit - len)
        return REIN_ELIMIT;
    if (g->len + len + 1 > g->cap) {
        size_t cap = g->cap * 2 > g->len + len + 1 ? g->cap * 2 : g->len + len + 1;
        char *data_new = realloc(g->data, cap);
        if (data_new == NULL)
            return REIN_ENOMEM;
        g->data = data_new;
        g->cap = cap;
    }
    memcpy(g->data + g->len, data, len);
    g->len += len;
    g->data[g->len] = '\0';
    assert(gathered_is_sound(g));
    return 0;
}

void buffer_clear(struct buffer *g)
{
    free(g->data);
    *g = (struct buffer){0};
}
