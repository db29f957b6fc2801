/* Which policies are in use, for the store's record and for the answer to a reload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SERVICE_POLICY_RECORD_H
#define SERVER_SERVICE_POLICY_RECORD_H

#include <jansson.h>

#include "config/config.h"
#include "store/store.h"

/* Has the store note the config's policies, with their texts, as those in use. What fails is logged. Any thread. */
void policy_record_note(struct store *store, const struct config *config);

/* An array of {"name", "before", "after"}: each policy of either config, with its versions (null: it has none). Returns
 * owned; NULL when out of memory. */
json_t *policy_record_changes(const struct config *before, const struct config *after);

#endif
