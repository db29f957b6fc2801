/* GET /v1/guard/decisions/{id}: the outcome of a client's own request: verdict and counts, no evidence.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the worker's. */
#ifndef SERVER_SERVICE_DECISION_LOOKUP_H
#define SERVER_SERVICE_DECISION_LOOKUP_H

#include "front/front.h"

struct worker;

#define DECISION_LOOKUP_PATH "/v1/guard/decisions/"

/* Answers later: 404 unless the decision exists and was made with the key of that name. */
void decision_lookup_start(struct worker *worker, struct exchange *x, const char *key);

#endif
