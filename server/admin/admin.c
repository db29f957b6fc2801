/* See admin.h: the thread, answers, and the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_internal.h"

#include <assert.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/log.h"
#include "base/thread.h"
#include "front/reply.h"

enum {
    BODY_MAX = 16 * 1024, /* a note of feedback, a token */
    CONNECTIONS_MAX = 256,
    CLIENT_IDLE_MS = 30000,
    QUERY_MS = 5000,
    READERS = 2,
    WAITING_MAX = 32,
};

/* ---- answers ---- */

const struct front_header admin_json_headers[] = {
    {"cache-control", "no-store"},
    {"x-content-type-options", "nosniff"},
    {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
    {"cross-origin-resource-policy", "same-origin"},
    {"referrer-policy", "no-referrer"},
    {NULL, NULL},
};

int64_t admin_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void admin_reply(struct exchange *x, const struct admin_path *path, unsigned status, json_t *tree)
{
    reply_json(x, status, tree, path->headers);
}

/* A name from outside is quoted only if it is plain. */
static bool is_admin_plain(const char *text)
{
    return strlen(text) <= 64 &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")] == 0;
}

void admin_reply_error(struct exchange *x, unsigned status, const char *code, const char *param, const char *message)
{
    const struct reply_error error = {
        .status = status,
        .fault = status < 500 ? REPLY_FAULT_CLIENT : REPLY_FAULT_SERVER,
        .code = code,
        .param = param != NULL && is_admin_plain(param) ? param : NULL,
        .message = message,
    };
    reply_error(x, &error, admin_json_headers);
}

static void on_admin_drain(void *ctx, struct exchange *x)
{
    (void)ctx;
    struct responder *responder = exchange_user(x);
    if (responder != NULL && responder->on_drain != NULL)
        responder->on_drain(responder);
}

static void on_admin_closed(void *ctx, struct exchange *x, bool gone)
{
    (void)ctx;
    struct responder *responder = exchange_user(x);
    if (responder != NULL)
        responder->on_closed(responder, gone);
}

/* ---- the end ---- */

static void stop_if_done(struct admin *admin)
{
    if (admin->front_closed && query_pool_busy(admin->queries) == 0 && admin->erasing == 0)
        loop_stop(admin->loop);
}

void admin_query_done(struct admin *admin)
{
    stop_if_done(admin);
}

static void on_front_closed(void *ctx)
{
    struct admin *admin = ctx;
    admin->front_closed = true;
    stop_if_done(admin);
}

static void admin_own_stop(void *ctx)
{
    struct admin *admin = ctx;
    admin_live_stop(admin->live);
    front_close(admin->front, on_front_closed, admin);
}

static void free_all(struct admin *admin)
{
    query_pool_free(admin->queries);
    if (admin->live != NULL)
        admin_live_stop(admin->live);
    if (admin->loop != NULL)
        loop_free(admin->loop);
    admin_live_free(admin->live);
    config_unref(admin->config);
    config_unref(atomic_load(&admin->next));
    admin_reload_free_jobs(admin);
    explicit_bzero(&admin->secret, sizeof admin->secret);
    free(admin);
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    loop_give(admin->loop, &admin->stops);
    uv_thread_join(&admin->thread);
    free_all(admin);
}

/* ---- the beginning ---- */

static void admin_run(void *ctx)
{
    struct admin *admin = ctx;
    thread_stand_behind("rein-admin"); /* no stream waits for a view */
    loop_run(admin->loop);
}

static void take_config(void *ctx)
{
    struct admin *admin = ctx;
    struct config *next = atomic_exchange(&admin->next, NULL);
    if (next == NULL)
        return;
    assert(config_is_sound(next));
    config_unref(admin->config);
    admin->config = next;
    if (admin->taken.fn != NULL)
        loop_give(admin->owner, &admin->taken);
}

static int start_front(struct admin *admin)
{
    const struct front_options options = {
        .host = admin->config->admin.host,
        .port = admin->config->admin.port,
        .body_max = BODY_MAX,
        .connections_max = CONNECTIONS_MAX,
        .connections_per_address_max = CONNECTIONS_MAX,
        .client_idle_ms = CLIENT_IDLE_MS,
    };
    const struct front_handler handler = {.ctx = admin,
                                          .on_head = admin_path_check,
                                          .on_request = admin_path_serve,
                                          .on_closed = on_admin_closed,
                                          .on_drain = on_admin_drain,
                                          .error_text = api_error_text};
    return front_start(&admin->front, admin->loop, &options, &handler);
}

static int start_thread(struct admin *admin)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = uv_thread_create(&admin->thread, admin_run, admin);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return 0;
    log_error("admin", "cannot start the thread: %s", uv_strerror(rc));
    return REIN_EIO;
}

int admin_start(struct admin **out, const struct admin_options *options)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return REIN_ENOMEM;
    assert(admin_paths_are_sound());
    admin->config = config_ref(options->config);
    admin->reloads = (struct loop_order){.fn = take_config, .ctx = admin};
    admin->taken = (struct loop_order){.fn = options->on_reloaded, .ctx = options->ctx};
    admin->owner = options->owner;
    admin->on_reload_asked = options->on_reload_asked;
    admin->stops = (struct loop_order){.fn = admin_own_stop, .ctx = admin};
    admin->store = options->store;
    admin->metrics = options->metrics;
    admin->secret = *options->secret;
    const struct query_options queries = {admin->store, QUERY_MS, READERS, WAITING_MAX};
    int rv = loop_new(&admin->loop);
    if (rv == 0)
        rv = query_pool_new(&admin->queries, admin->loop, &queries);
    if (rv == 0)
        rv = admin_live_new(&admin->live, admin);
    if (rv == 0)
        rv = start_front(admin);
    if (rv != 0) {
        free_all(admin);
        return rv;
    }
    admin->port = front_port(admin->front);
    rv = start_thread(admin);
    if (rv == 0)
        *out = admin;
    return rv;
}

uint16_t admin_port(const struct admin *admin)
{
    return admin->port;
}

void admin_drain(struct admin *admin)
{
    atomic_store(&admin->draining, true);
}

void admin_reload(struct admin *admin, struct config *config)
{
    config_unref(
        atomic_exchange(&admin->next, config_ref(config))); /* one that was not taken yet will never be taken */
    loop_give(admin->loop, &admin->reloads);
}
