/* What is masked of one request: what stands for each value, and the values that come back.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      prompt   My card is 4111 1111 1111 1111.       the client's
 *      sent     My card is [card-number:K7QX2M9A].    the upstream's
 *      answer   [card-number:K7QX2M9A] expires.       the client gets the value here (restore.h)
 *
 * A placeholder is the rule's id and eight letters and digits: a keyed digest of rule and value. So the same value of
 * the same client has the same placeholder in every request, and nobody without the key can compute one. Two values of
 * a request never share one, and none is a text that a rule of the response would find, if that can be helped.
 *
 * Thread: the trace's. */
#ifndef CORE_MASK_MASK_SET_H
#define CORE_MASK_MASK_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "policy/policy.h"

enum {
    MASK_VALUES_MAX = 4096, /* further values of a request are masked for good */
    MASK_SPANS_MAX = 65536,
};

/* A placeholder and its value; all owned by the set. */
struct mask_value {
    struct span name;
    struct span text, json; /* the value, and as the inside of a JSON string */
    uint16_t rule;
};

struct mask_set {
    const struct rein_policy *policy; /* borrowed */
    unsigned char key[DIGEST_KEY];
    bool has_key; /* without one, nothing can be put back */
    struct arena arena;
    struct mask_value *values; /* sorted by name */
    size_t len, cap;
    struct rein_mask *masks; /* in the order in which they were found */
    size_t masks_len, masks_cap;
};

/* `key`: DIGEST_KEY bytes, copied; NULL: none. Returns owned. */
int mask_set_new(struct mask_set **out, const struct rein_policy *policy, const unsigned char *key) REIN_MUST_USE;
void mask_set_free(struct mask_set *set); /* NULL is fine */

/* Always true between two calls. */
static inline bool mask_set_is_sound(const struct mask_set *set)
{
    return set->len <= set->cap && set->len <= MASK_VALUES_MAX && set->masks_len <= set->masks_cap &&
           set->masks_len <= MASK_SPANS_MAX && (set->len == 0 || set->has_key);
}

/* The placeholder of a value (UTF-8) that the rule masks, good as long as the set. *name is empty if the value does not
 * come back: the rule does not restore, there is no key, or there are too many. REIN_ELIMIT, REIN_ENOMEM. */
int mask_set_name(struct mask_set *set, uint16_t rule, struct span value, struct span *name) REIN_MUST_USE;

/* Notes a mask; its text is copied. */
int mask_set_add(struct mask_set *set, const struct rein_mask *mask) REIN_MUST_USE;

/* The values [*low, *high) whose names begin with `len` bytes that are known and then `c`: narrows the range. */
void mask_set_narrow(const struct mask_set *set, size_t len, char c, size_t *low, size_t *high);

#endif
