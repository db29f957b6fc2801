/* The paths of the client listener, and who may use them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A path is one of an API's (api/api.h) or one listed in routes.c. Anything else is a 404 that names the APIs, never a
 * pass-through. Errors come in the form of the API that the path suggests.
 *
 * Thread: the worker's. */
#ifndef SERVER_SERVICE_ROUTES_H
#define SERVER_SERVICE_ROUTES_H

#include "front/front.h"

struct worker;

struct front_handler routes_handler(struct worker *worker);

#endif
