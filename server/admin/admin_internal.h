/* What the files of the admin listener share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ADMIN_ADMIN_INTERNAL_H
#define SERVER_ADMIN_ADMIN_INTERNAL_H

#include <jansson.h>
#include <stdatomic.h>
#include <uv.h>

#include "admin/admin.h"
#include "admin/admin_live.h"
#include "admin/admin_paths.h"
#include "admin/admin_sessions.h"
#include "config/server_secret.h"
#include "front/front.h"
#include "store/erase/erase.h"
#include "store/query.h"

struct admin {
    struct loop *loop;
    struct front *front;
    struct query_pool *queries;
    struct admin_live *live;
    struct config *config; /* the loop's thread */
    struct admin_sessions sessions;
    struct store *store;
    struct metrics *metrics;
    atomic_bool draining;
    bool front_closed;
    uint16_t port;
    uv_thread_t thread;
    struct loop *owner;
    struct loop_order reloads, stops; /* for this loop */
    struct loop_order taken;          /* for the owner's */
    void (*on_reload_asked)(void *ctx, struct admin_reload_ask *ask);
    struct reload_job *reload_jobs; /* admin_policies.c: that wait for the owner */
    size_t reload_jobs_len;
    struct server_secret secret;   /* by which users are known */
    size_t erasing;                /* erasures that the store has */
    _Atomic(struct config *) next; /* for `reloads`; NULL: none */
};

/* What every answer of this API has. */
extern const struct front_header admin_json_headers[];
/* An answer with its path's headers; takes `tree`. */
void admin_reply(struct exchange *x, const struct admin_path *path, unsigned status, json_t *tree);
void admin_reply_error(struct exchange *x, unsigned status, const char *code, const char *param, const char *message);
/* Whether the caller of a request that was let in has a right. */
bool admin_may(const struct exchange *x, enum admin_caller right);
/* The name of its token, for the log. */
#define ADMIN_NO_TOKEN "(no token)"
const char *admin_caller_name(const struct exchange *x);
int64_t admin_now_us(void); /* Unix time */
/* Frees what still waits for a reload; both loops have ended. */
void admin_reload_free_jobs(struct admin *admin);
/* A query, or an erasure, has ended: stopping may have waited for it. */
void admin_query_done(struct admin *admin);

#endif
