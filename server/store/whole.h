/* One decision with everything that belongs to it, as the admin API and `rein why` show it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results and thread are those of read.h. */
#ifndef SERVER_STORE_WHOLE_H
#define SERVER_STORE_WHOLE_H

#include "store/read.h"

/* As store_read_decision, with `texts`, `timeline`, `why` and `hidden`. Without `with_text` what was said is null:
 * texts, evidence, the upstream's error, notes. Returns owned; *out is NULL if there is none. */
int store_read_whole(struct store_reader *reader, const char *id, bool with_text, json_t **out) REIN_MUST_USE;

/* Of a decision with attempts and findings: one or two sentences that say what was decided and what led to it; what
 * happened when, as an array. Return owned, NULL when out of memory. */
json_t *store_why(const json_t *decision);
json_t *store_timeline(const json_t *decision);
/* Takes from a decision of a list, or from a whole one, what was said. */
int store_hide_text(json_t *decision) REIN_MUST_USE;

#endif
