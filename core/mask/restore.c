/* See restore.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mask/restore.h"

#include <assert.h>

void restore_init(struct restore *r, const struct mask_set *set)
{
    *r = (struct restore){.set = set, .open = UINT64_MAX};
}

void restore_begin(struct restore *r, bool is_off)
{
    r->is_off = is_off;
    r->open = UINT64_MAX;
    r->link = (struct link){.is_value = true};
}

/* A name begins with a bracket and has no other one inside, so a second one begins anew. */
static void open_name(struct restore *r)
{
    if (link_is_inside(&r->link))
        return;
    r->open = r->at;
    r->low = 0;
    r->high = r->set->len;
    r->before = r->link;
}

/* One byte. True: a placeholder ends with it. */
static bool read_byte(struct restore *r, char c)
{
    if (c == '[') {
        r->open = UINT64_MAX;
        open_name(r);
    }
    if (r->open != UINT64_MAX) {
        mask_set_narrow(r->set, (size_t)(r->at - r->open), c, &r->low, &r->high);
        r->open = r->low < r->high ? r->open : UINT64_MAX;
    }
    link_feed(&r->link, c);
    r->at++;
    return r->open != UINT64_MAX && c == ']';
}

size_t restore_feed(struct restore *r, struct span bytes, struct restored *found)
{
    assert(restore_is_sound(r));
    size_t i = 0;
    *found = (struct restored){0};
    if (r->is_off) {
        r->at += bytes.len;
        return bytes.len;
    }
    while (i < bytes.len && found->end == 0)
        if (read_byte(r, bytes.data[i++])) {
            *found = (struct restored){r->open, r->at, (uint32_t)r->low};
            r->open = UINT64_MAX;
            link_skip(&r->link, &r->before);
        }
    assert(restore_is_sound(r));
    return i;
}
