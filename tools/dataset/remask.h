/* Masks texts again, with the rules of another policy: what its rules mark as secret or personal is replaced.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: one at a time. */
#ifndef TOOLS_DATASET_REMASK_H
#define TOOLS_DATASET_REMASK_H

#include "dataset/training_row.h"

struct remask; /* opaque */

/* Loads the policy of a file. `problems` says what is wrong with it (REIN_EPOLICY). */
int remask_new(struct remask **out, const char *policy, struct rein_problems *problems) REIN_MUST_USE;
void remask_free(struct remask *remask);                                         /* NULL is fine */
const struct rein_policy_settings *remask_settings(const struct remask *remask); /* of the policy */

/* Masks the texts of a row in place. *masks is the number of spans. */
int remask_row(struct remask *remask, struct training_row *row, size_t *masks) REIN_MUST_USE;

#endif
