/* One request of the demo's past: the scripted model's answer goes through the engine, as a server would feed it, and
 * the decision into the store. Only its times are made up. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: that of the engine. */
#ifndef TOOLS_DEMO_DEMO_REQUEST_H
#define TOOLS_DEMO_DEMO_REQUEST_H

#include "config/config.h"
#include "demo/demo_asks.h"
#include "demo/demo_script.h"
#include "store/store.h"

struct demo_request {
    const struct config_route *route; /* its policy asks no judges */
    const struct demo_script *script;
    struct rein_engine *engine;
    struct store *store;
    const char *user; /* what is asked */
    const struct demo_client *client;
    int64_t started_at_us; /* Unix time */
    uint32_t dice;         /* how fast the model is */
};

int demo_request_play(const struct demo_request *request) REIN_MUST_USE;

#endif
