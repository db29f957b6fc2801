/* Kept text: what a decision keeps of the texts of its prompt and response (the policy's log.text).
 * SPDX-License-Identifier: Apache-2.0
 *
 *      bytes of a text -> kept_hear -> up to the ceiling      at the end: kept_hand_over -> masked texts, in order
 *
 * Texts are kept as they came, and masked when they are handed over: then all of a text is there, so that a secret is
 * found as a whole however it came. There is none of this if the policy keeps no text. What detectors read is kept
 * beside it (reading.h), because nobody can read it in a masked text; it takes at most as much room as the text may.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_KEPT_KEPT_H
#define CORE_TRACE_KEPT_KEPT_H

#include "policy/policy.h"
#include "rein/rein.h"
#include "trace/text.h"

struct kept; /* what one trace keeps */

/* *out is NULL if the policy keeps no text. Returns owned. Borrows the policy. */
int kept_new(struct kept **out, const struct rein_policy *policy) REIN_MUST_USE;
void kept_free(struct kept *kept); /* NULL is fine */

/* A whole message of the prompt. What says who the user is ("user_id") is there only where a rule found something in
 * it, and all of it is masked then. The strings of fields that are no messages ("field") are many and short: they
 * become one text, a JSON array. */
int kept_prompt(struct kept *kept, const char *speaker, struct span text) REIN_MUST_USE;
/* What detectors have made of the prompt, up to the message that was kept last. */
int kept_risk(struct kept *kept, const struct prompt_risk *risk) REIN_MUST_USE;
/* The next bytes of a text of the response; the first ones begin it. */
struct kept_place {
    uint32_t attempt;
    uint64_t at; /* how far it had come (rein_trace_heard) */
};
int kept_hear(struct kept *kept, struct text *text, const struct kept_place *place, struct span bytes) REIN_MUST_USE;
/* Something of the response came in between that is no text of it, as a tool's name: it may end a text. */
int kept_interrupt(struct kept *kept, const struct kept_place *place) REIN_MUST_USE;
/* What they read of the text's next sentence, or that they read no more of it. */
int kept_reading(struct text *text, const struct reading *reading) REIN_MUST_USE;
/* It is lifted where it is now (text_lift). */
int kept_lift(struct text *text) REIN_MUST_USE;
/* The text goes away; what is kept of it stays. */
void kept_leave(struct text *text);
/* The response breaks off: the texts that have not ended by now were cut. */
void kept_break_off(struct kept *kept);
/* Masks what must not be seen, and sets the texts, in their order; good until the next call of any of these. */
int kept_hand_over(struct kept *kept, const struct rein_text **out, size_t *len) REIN_MUST_USE;

#endif
