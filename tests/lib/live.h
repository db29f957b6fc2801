/* A random response through the engine, as a session lives it: cut anywhere, with judges that answer and commits that
 * are made at any time, and restarts. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIVE_H
#define TESTS_LIVE_H

#include <jansson.h>

#include "drawn.h"
#include "rein/rein.h"

struct live_options {
    struct rein_policy *policy;
    struct rein_engine *engine;
    uint64_t rules; /* of the policy (drawn_policy.h) */
    uint64_t seed;
    const bool *left_out; /* parts of the texts */
    bool prints;          /* what happens, to stderr */
};

/* Returns the record of what was decided, owned. *parts: how many were drawn. */
json_t *live_run(const struct live_options *options, size_t *parts);

#endif
