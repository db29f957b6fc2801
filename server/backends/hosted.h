/* The plan of hosted services that continue a turn but never show their prompt: recall is the only check.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BACKENDS_HOSTED_H
#define SERVER_BACKENDS_HOSTED_H

#include "backends/steps.h"

struct hosted {
    const char *path;                   /* as in plan_ask */
    json_t *(*turn)(const char *words); /* the assistant's turn; returned owned */
    json_t *(*more)(void);              /* fields that the body needs; returned owned */
};

int hosted_next(const struct hosted *hosted, struct prefix_plan *plan, const struct backend_reply *reply,
                enum backend_next *out);

#endif
