/* See buffer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool buffer_is_sound(const struct buffer *b)
{
    return b->data != NULL ? b->len < b->cap : b->len == 0 && b->cap == 0;
}

int buffer_reserve(struct buffer *b, size_t room)
{
    assert(buffer_is_sound(b));
    if (b->data != NULL && room <= buffer_room(b))
        return 0;
    char *data = realloc(b->data, room + 1);
    if (data == NULL)
        return REIN_ENOMEM;
    data[b->len] = '\0';
    b->data = data;
    b->cap = room + 1;
    assert(buffer_is_sound(b));
    return 0;
}

int buffer_add(struct buffer *b, const char *data, size_t len, size_t limit)
{
    assert(buffer_is_sound(b));
    if (len > limit || b->len > limit - len)
        return REIN_ELIMIT;
    size_t need = b->len + len, twice = 2 * buffer_room(b);
    int rv = b->data != NULL && need <= buffer_room(b) ? 0 : buffer_reserve(b, need > twice ? need : twice);
    if (rv < 0)
        return rv;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len = need;
    b->data[b->len] = '\0';
    assert(buffer_is_sound(b));
    return 0;
}

void buffer_clear(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}
