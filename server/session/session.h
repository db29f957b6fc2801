/* One request from its first byte to its row: the only part that knows both the client and the upstream.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     judging -> planning -> calling -> answering -> ending -> closed
 *
 * judging    the trace judges the prompt, and judges may be asked; a refusal is sent before any upstream is called
 * planning   decides how the prefix reaches the model; may ask the upstream to render first
 * calling    the upstream has the request; its head has not arrived yet
 * answering  the upstream's bytes go to the trace, and what the trace releases goes to the client
 * ending     the client's answer is complete or failed; what was written still goes out
 * closed     the exchange is gone; the session lives until the store has answered
 *
 * A steered response goes from answering back to planning. Each request has exactly one row, whatever happens.
 *
 * Thread: the loop's, all of it. A session frees itself. */
#ifndef SERVER_SESSION_SESSION_H
#define SERVER_SESSION_SESSION_H

#include "backends/prefix_cache.h"
#include "base/loop.h"
#include "config/config.h"
#include "front/front.h"
#include "metrics/metrics.h"
#include "store/store.h"
#include "upstream/upstream.h"

struct api;
struct judge_set;
struct server_secret;
struct telemetry;
struct key;
struct session;

/* What the sessions of one loop share; outlives them. */
struct session_env {
    struct loop *loop;
    struct upstream_pool *pool;
    struct store *store;
    const struct server_secret *secret;
    struct rein_engine *engine;
    struct telemetry *telemetry; /* NULL: off */
    struct metrics *metrics;
    struct metrics_worker *meter; /* this loop's */
    struct prefix_cache prefixes;
    const struct config *current; /* the config of new requests; only compared, because it may be freed */
    struct judge_set *judges;     /* of that config; NULL: they could not be made, and no question gets an opinion */
    struct session *first;        /* all sessions that are not freed yet */
    size_t count;
    size_t write_high; /* waiting bytes for a client at which its upstream is paused */
};

/* Takes over an exchange whose request is complete. `key` is the client's (the config's), NULL for none.
 * The session keeps its own reference to the config and answers even if it fails; it is the exchange's responder. */
void session_start(struct session_env *env, struct exchange *x, const struct api *api, struct config *config,
                   const struct key *key);

/* Comments on silent streams; to be called for all sessions a few times per keep_alive_ms. */
void session_tick_all(struct session_env *env);
/* The drain time is over: every session still running ends with an error event and its row. */
void session_cut_all(struct session_env *env);

#endif
