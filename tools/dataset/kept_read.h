/* A decision with its kept texts, as an object.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the reader's. */
#ifndef TOOLS_DATASET_KEPT_READ_H
#define TOOLS_DATASET_KEPT_READ_H

#include <jansson.h>

#include "store/read.h"

/* The object of store_read_decision, with `texts` as an array. *out is NULL if there is no such decision. Returns
 * owned.
 */
int kept_read(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;
/* The same, and texts have `readings` (store_read_readings) where they are kept: for judging it again, not for what is
 * handed on. */
int kept_read_with_readings(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;

#endif
