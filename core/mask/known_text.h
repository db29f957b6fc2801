/* Known texts: what is known from elsewhere of texts in which something is masked (struct rein_known_text): the matches
 * in them, and what detectors read of their sentences. SPDX-License-Identifier: Apache-2.0
 *
 *      judged again:  Pay with **** **** now. | It is ** fine. |
 *      known:              [ card  ]           ^ reading       ^ reading     sentences end where they did, not where
 *                                                                            the masked text seems to
 *
 * Thread: the trace's. */
#ifndef CORE_MASK_KNOWN_TEXT_H
#define CORE_MASK_KNOWN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/reading.h"
#include "policy/policy.h"
#include "rein/rein.h"
#include "rules/matcher.h"

struct known_hit {
    struct match match;
    uint64_t at;         /* decided before this byte of the text; UINT64_MAX: at its end */
    uint64_t held;       /* until then rules hold the text from here; UINT64_MAX: they do not */
    uint64_t still_held; /* the same when it has just been decided: its own rule may hold no more then */
};

/* Readings of one text that are still to come. */
struct known_sentences {
    struct span rest;    /* behind `next`; borrowed */
    uint64_t at;         /* where the next sentence begins in the text */
    struct reading next; /* if `has_next` */
    bool has_next;
    bool is_short;     /* somebody reads sentences that nobody read */
    struct span lifts; /* readings in which the next lift is looked for; borrowed */
    uint64_t lifts_at; /* where these begin */
    uint64_t lift;     /* how far the text had come when it was next lifted; UINT64_MAX: never more */
};

/* The next sentence ends before *end, and that is known when the text has come up to *due. False: there is none. */
bool known_sentence_due(struct known_sentences *s, uint64_t *end, uint64_t *due);
/* Does the next sentence end here, because the text does, or another one goes on? */
bool known_sentence_pauses(struct known_sentences *s, uint64_t received);
/* Did the text, when it had come so far, have to wait for others so long that it was lifted? */
bool known_sentence_lifts(struct known_sentences *s, uint64_t received);
/* The reading of the sentence that has just ended. */
void known_sentence_take(struct known_sentences *s, struct reading *out);

/* What is known of one text; all of it borrowed from struct known. */
struct known_text {
    const struct known_hit *hits; /* in the order in which they are decided */
    size_t hits_len;
    const uint64_t *muted;             /* the set of rules that are not searched for; NULL: none */
    struct known_sentences *sentences; /* NULL: it is read */
    struct span risk;                  /* of the prompt: reading_read_risk; empty: it is read */
};

struct known; /* all that is known */

/* *out is NULL if nothing is known. Returns owned; borrows the policy and the texts, copies the matches. REIN_ENOMEM.
 */
int known_new(struct known **out, const struct rein_policy *policy,
              const struct rein_trace_options *options) REIN_MUST_USE;
void known_free(struct known *known); /* NULL is fine */

/* The text of the prompt that comes next; a text of the response that begins. `has_sentences`: they are read. `muted`:
 * rules that find nothing anyway, NULL: none. */
int known_prompt(struct known *known, struct known_text *out) REIN_MUST_USE;
int known_response(struct known *known, enum rein_channel channel, uint32_t attempt, uint32_t choice,
                   bool has_sentences, const uint64_t *muted, struct known_text *out) REIN_MUST_USE;

#endif
