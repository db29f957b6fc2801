/* GET /v1/models and /v1/models/{id}: what the routes' upstreams offer, as far as a route serves it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the worker's. */
#ifndef SERVER_SERVICE_MODELS_H
#define SERVER_SERVICE_MODELS_H

#include "front/front.h"
#include "service/worker.h"

#define MODEL_PATH "/v1/models/"

/* Takes over the exchange: asks each of the config's upstreams once, some at a time, within bounds, and answers. */
void models_start(struct worker *worker, struct exchange *x, struct config *config);

#endif
