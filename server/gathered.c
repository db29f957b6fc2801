/* See gathered.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gathered.h"

#include <stdlib.h>
#include <string.h>

int gathered_add(struct gathered *g, const char *data, size_t len, size_t limit)
{
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
    return 0;
}

void gathered_clear(struct gathered *g)
{
    free(g->data);
    *g = (struct gathered){0};
}
