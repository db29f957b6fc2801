/* The paths of the client listener, and who may use them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Anything that is not listed in routes.c is a 404 with an OpenAI error object, never a pass-through.
 *
 * Thread: the worker's. */
#ifndef SERVER_SERVICE_ROUTES_H
#define SERVER_SERVICE_ROUTES_H

#include "front/front.h"

struct worker;

struct front_handler routes_handler(struct worker *worker);

#endif
