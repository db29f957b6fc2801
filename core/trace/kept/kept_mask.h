/* Masking kept text: what of one kept text must not be seen, once all of it is there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A text is judged again, as a whole, on its own channel and on those of all rules that mask; where it was lifted, as
 * far as it had come. The strings of fields are judged one by one, as they were.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_KEPT_KEPT_MASK_H
#define CORE_TRACE_KEPT_KEPT_MASK_H

#include "policy/policy.h"
#include "rein/rein.h"
#include "trace/text.h"

enum {
    KEPT_SPEAKER_MAX = 31,  /* bytes of a speaker's name */
    KEPT_MASKS_MAX = 65536, /* matches in one text that are masked one by one; with more, all of it is masked */
};

struct kept_text {
    struct kept_text *next;
    const struct text *text; /* NULL: a prompt's, or it has gone */
    bool is_over;            /* it ended by itself */
    bool is_cut;             /* at the ceiling */
    bool is_hidden;          /* it says who the user is: only that a rule found something in it is kept */
    bool broke_off;          /* with the response */
    char speaker[KEPT_SPEAKER_MAX + 1];
    uint64_t len; /* bytes received */
    struct rein_text said;
    struct bytes bytes;
    struct bytes masked;   /* a copy of them, when it was handed over */
    struct bytes masks;    /* struct rein_span */
    struct bytes found;    /* the same, in the order in which they were decided */
    struct bytes readings; /* reading.h */
    bool readings_lost;    /* there was no room for one */
    struct bytes turns;    /* struct rein_turn */
    bool turns_lost;
    struct bytes lifts;         /* uint64_t: how far it had come when it was lifted */
    struct bytes strings, ends; /* of fields, as they came, one behind the other; uint64_t: where each ends */
};

/* Good until the list changes; NULL: it is empty. */
static inline struct rein_span *kept_spans(const struct bytes *bytes, size_t *len)
{
    *len = bytes_len(bytes) / sizeof(struct rein_span);
    return *len > 0 ? (struct rein_span *)(void *)bytes_at(bytes, 0) : NULL;
}

/* Sets what is masked, what was found and the masked copy. `scratch` is empty, before and after. REIN_ENOMEM. */
int kept_mask(const struct rein_policy *policy, struct match_list *scratch, struct kept_text *item) REIN_MUST_USE;

#endif
