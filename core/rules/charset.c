/* See charset.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/charset.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/unicode.h"

enum { SURROGATE_FIRST = 0xD800, SURROGATE_LAST = 0xDFFF };

void charset_fini(struct charset *set)
{
    heap_free(set->ranges);
    *set = (struct charset){0};
}

static int charset_append(struct charset *set, uint32_t lo, uint32_t hi)
{
    if (set->len > 0 && set->ranges[set->len - 1].hi + 1 == lo) {
        set->ranges[set->len - 1].hi = hi;
        return 0;
    }
    if (set->len == CHARSET_RANGES_MAX)
        return REIN_ELIMIT;
    struct char_range *ranges = heap_one_more(set->ranges, set->len, &set->cap, 8, sizeof(*ranges));
    if (ranges == NULL)
        return REIN_ENOMEM;
    set->ranges = ranges;
    set->ranges[set->len++] = (struct char_range){lo, hi};
    return 0;
}

int charset_add(struct charset *set, uint32_t lo, uint32_t hi)
{
    if (lo < SURROGATE_FIRST && hi >= SURROGATE_FIRST) {
        int rv = charset_append(set, lo, SURROGATE_FIRST - 1);
        if (rv != 0)
            return rv;
    }
    if (lo >= SURROGATE_FIRST && lo <= SURROGATE_LAST)
        lo = SURROGATE_LAST + 1;
    else if (lo < SURROGATE_FIRST && hi > SURROGATE_LAST)
        lo = SURROGATE_LAST + 1;
    else if (lo < SURROGATE_FIRST && hi >= SURROGATE_FIRST)
        return 0;
    return lo <= hi ? charset_append(set, lo, hi) : 0;
}

int charset_add_set(struct charset *set, const struct charset *other)
{
    for (size_t i = 0; i < other->len; i++) {
        int rv = charset_append(set, other->ranges[i].lo, other->ranges[i].hi);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int by_low(const void *a, const void *b)
{
    const struct char_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void charset_tidy(struct charset *set)
{
    if (set->len == 0)
        return;
    qsort(set->ranges, set->len, sizeof(*set->ranges), by_low);
    size_t kept = 0;
    for (size_t i = 1; i < set->len; i++) {
        struct char_range *last = &set->ranges[kept], *next = &set->ranges[i];
        if (next->lo > last->hi + 1)
            set->ranges[++kept] = *next;
        else if (next->hi > last->hi)
            last->hi = next->hi;
    }
    set->len = kept + 1;
}

int charset_negate(struct charset *set)
{
    charset_tidy(set);
    struct charset out = {0};
    uint32_t next = 0;
    int rv = 0;
    for (size_t i = 0; i < set->len && rv == 0; i++) {
        if (set->ranges[i].lo > next)
            rv = charset_add(&out, next, set->ranges[i].lo - 1);
        next = set->ranges[i].hi + 1;
    }
    if (rv == 0 && next <= CODEPOINT_MAX)
        rv = charset_add(&out, next, CODEPOINT_MAX);
    if (rv != 0) {
        charset_fini(&out);
        return rv;
    }
    charset_fini(set);
    *set = out;
    return 0;
}

int charset_add_cases(struct charset *set)
{
    charset_tidy(set);
    size_t len = set->len;
    int rv = 0;
    for (size_t i = 0; i < len; i++)
        for (uint32_t c = set->ranges[i].lo, hi = set->ranges[i].hi; c <= hi && rv == 0; c++) {
            uint32_t upper = codepoint_upper(c), lower = codepoint_lower(c);
            if (upper != c)
                rv = charset_append(set, upper, upper);
            if (rv == 0 && lower != c)
                rv = charset_append(set, lower, lower);
        }
    charset_tidy(set);
    return rv;
}

/* The one code point that c folds to; false if there is none or are several. */
static bool fold_one(uint32_t c, uint32_t *folded)
{
    char bytes[FOLD_MAX];
    size_t len = fold_codepoint(c, bytes);
    return len > 0 && utf8_next((struct span){bytes, len}, folded) == (int)len;
}

int charset_fold(struct charset *set)
{
    charset_tidy(set);
    struct charset out = {0};
    int rv = 0;
    for (size_t i = 0; i < set->len; i++)
        for (uint32_t c = set->ranges[i].lo, folded; c <= set->ranges[i].hi && rv == 0; c++) {
            if (out.len == CHARSET_RANGES_MAX)
                charset_tidy(&out);
            if (fold_one(c, &folded))
                rv = charset_append(&out, folded, folded);
        }
    if (rv != 0) {
        charset_fini(&out);
        return rv;
    }
    charset_tidy(&out);
    charset_fini(set);
    *set = out;
    return 0;
}

/* The last code point whose encoding has the length of c's. */
static uint32_t length_last(uint32_t c)
{
    return c < 0x80 ? 0x7F : c < 0x800 ? 0x7FF : c < 0x10000 ? 0xFFFF : CODEPOINT_MAX;
}

bool utf8_range_next(struct char_range *range, struct utf8_range *out)
{
    if (range->lo > range->hi)
        return false;
    uint32_t lo = range->lo, hi = range->hi;
    if (hi > length_last(lo))
        hi = length_last(lo);
    /* The bytes vary independently only if, from the first byte that differs on, all that follow run through their
     * whole range: shorten until that holds. */
    for (unsigned bits = 6; bits <= 18; bits += 6) {
        uint32_t low = (UINT32_C(1) << bits) - 1;
        if ((lo & ~low) == (hi & ~low))
            break;
        if ((lo & low) != 0) {
            hi = lo | low;
            break;
        }
        if ((hi & low) != low)
            hi = (hi & ~low) - 1;
    }
    char first[4], last[4];
    out->len = (unsigned)utf8_encode(lo, first);
    utf8_encode(hi, last);
    for (unsigned i = 0; i < out->len; i++) {
        out->lo[i] = (uint8_t)first[i];
        out->hi[i] = (uint8_t)last[i];
    }
    range->lo = hi + 1;
    return true;
}
