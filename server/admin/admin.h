/* The admin listener: decisions, statistics and metrics for operators, and the few things that they may change.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A thread with a loop and a front of its own, so that nothing here slows a stream. docs/reference/admin-api.md is what
 * it answers. Reads of the store run in threads of libuv's (query.h): health and metrics never wait for them. */
#ifndef SERVER_ADMIN_ADMIN_H
#define SERVER_ADMIN_ADMIN_H

#include <jansson.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "config/server_secret.h"
#include "metrics/metrics.h"
#include "store/store.h"

struct admin;

/* An operator asks over HTTP for the config to be read again. The owner's from on_reload_asked until it gives it back.
 */
struct admin_reload_ask {
    struct admin_reload_ask *next; /* the owner's */
    unsigned status;               /* set by the owner: HTTP */
    json_t *answer;                /* likewise, for this ask alone; NULL: out of memory */
};

struct admin_options {
    struct config *config; /* admin takes its own reference: listener, tokens, the store's path and on_error */
    struct store *store;   /* these outlive it */
    struct metrics *metrics;
    const struct server_secret *secret; /* copied */
    struct loop *owner;                 /* where on_reloaded runs, once the config of the last admin_reload counts */
    loop_fn on_reloaded;                /* NULL: nobody waits for it */
    void (*on_reload_asked)(void *ctx, struct admin_reload_ask *ask); /* runs there, too */
    void *ctx;
};

/* Starts listening and the thread. Errors are logged. Main thread. Returns owned. */
int admin_start(struct admin **out, const struct admin_options *options) REIN_MUST_USE;
uint16_t admin_port(const struct admin *admin);
/* New tokens count from now on; takes a reference of its own. Cannot fail. Any thread. */
void admin_reload(struct admin *admin, struct config *config);
/* Gives an ask back, with its status and answer. Cannot fail. The owner's thread, before admin_stop. */
void admin_reload_answer(struct admin *admin, struct admin_reload_ask *ask);
/* /readyz says no from now on. Any thread. */
void admin_drain(struct admin *admin);
/* Closes the listener, waits for queries that run and for the thread, frees. Main thread; NULL is fine. */
void admin_stop(struct admin *admin);

#endif
