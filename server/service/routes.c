/* See routes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/routes.h"

#include <string.h>

#include "base/media_type.h"
#include "config/keys.h"
#include "front/hosts.h"
#include "front/reply.h"
#include "service/decision_lookup.h"
#include "service/models.h"
#include "service/worker.h"
#include "session/session.h"

struct path {
    const char *path;
    const char *method;
    bool is_open; /* needs no key */
    bool has_body;
    void (*serve)(struct worker *worker, struct exchange *x);
};

/* ---- who the caller is ---- */

static void release_config(void *owner)
{
    config_unref(owner);
}

/* Decides, at a request's head and for as long as it lasts, who its caller is and which config it is served with: keys
 * that are removed meanwhile, or a new config, apply to later requests. False: access is denied. */
static bool grant_access(const struct worker *worker, struct exchange *x)
{
    struct config *config = worker->config;
    const char *caller = "", *bearer = exchange_bearer(x);
    if (config->keys != NULL)
        caller = bearer != NULL ? keys_find(config->keys, bearer) : NULL;
    if (caller != NULL)
        exchange_grant(x, &(struct front_grant){caller, config_ref(config), release_config});
    return caller != NULL;
}

/* ---- health ---- */

static void serve_health(struct worker *worker, struct exchange *x)
{
    (void)worker;
    reply_json(x, 200, json_pack("{ss}", "status", "ok"), NULL);
}

/* Ready means that a request would be accepted now. */
static void serve_ready(struct worker *worker, struct exchange *x)
{
    bool healthy = store_is_healthy(worker->sessions.store);
    bool store_ok = healthy || worker->config->store.on_error == CONFIG_STORE_SERVE;
    bool ready = store_ok && !worker->draining && worker->config->policies_len > 0;
    reply_json(x, ready ? 200 : 503,
               json_pack("{sssbsbsI}", "status", ready ? "ready" : "not_ready", "store", healthy, "draining",
                         worker->draining, "policies", (json_int_t)worker->config->policies_len),
               NULL);
}

/* ---- the API ---- */

static void serve_models(struct worker *worker, struct exchange *x)
{
    models_start(worker, x, exchange_granted(x)->owner);
}

static void serve_chat(struct worker *worker, struct exchange *x)
{
    const struct front_grant *grant = exchange_granted(x);
    session_start(&worker->sessions, x, grant->owner, grant->caller);
}

static void serve_guard(struct worker *worker, struct exchange *x)
{
    decision_lookup_start(worker, x, exchange_granted(x)->caller);
}

static const struct path paths[] = {
    {"/v1/chat/completions", "POST", false, true, serve_chat},
    {"/v1/models", "GET", false, false, serve_models},
    {DECISION_LOOKUP_PATH, "GET", false, false, serve_guard},
    {"/healthz", "GET", true, false, serve_health},
    {"/readyz", "GET", true, false, serve_ready},
};

/* A path that ends with a slash is a prefix of longer ones. */
static bool is_path(const char *ours, const char *path)
{
    size_t len = strlen(ours);
    return ours[len - 1] == '/' ? strncmp(ours, path, len) == 0 && path[len] != '\0' : strcmp(ours, path) == 0;
}

static const struct path *routes_find(const char *path)
{
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (is_path(paths[i].path, path))
            return &paths[i];
    return NULL;
}

/* ---- the head of a request ---- */

static bool routes_refuse(struct exchange *x, unsigned status, const char *code, const char *message,
                          const struct front_header *headers)
{
    struct reply_error error = {.status = status, .type = "invalid_request_error", .code = code, .message = message};
    reply_error(x, &error, headers);
    return false;
}

/* Sizes and encodings were checked by the front. */
static bool on_routes_head(void *ctx, struct exchange *x)
{
    struct worker *worker = ctx;
    const struct path *path = routes_find(exchange_path(x));
    const char *host = exchange_header(x, "host");
    if (worker->config->keys == NULL && host != NULL &&
        !hosts_is_ours(worker->config->listen.host, worker->config->hosts, host))
        return routes_refuse(
            x, 403, "host_not_allowed",
            "The Host header does not name this listener. The operator can allow names in listen.hosts.", NULL);
    if (path == NULL)
        return routes_refuse(x, 404, "not_found", "This path does not exist.", NULL);
    if (!path->is_open && !grant_access(worker, x)) {
        struct front_header challenge[] = {{"www-authenticate", "Bearer"}, {NULL, NULL}};
        return routes_refuse(x, 401, "invalid_api_key",
                             "A valid key is required: send it as 'Authorization: Bearer KEY'.", challenge);
    }
    if (strcmp(path->method, exchange_method(x)) != 0) {
        struct front_header allow[] = {{"allow", path->method}, {NULL, NULL}};
        return routes_refuse(x, 405, "method_not_allowed", "This method is not allowed for this path.", allow);
    }
    if (path->has_body && !media_type_is(exchange_header(x, "content-type"), "application/json"))
        return routes_refuse(x, 415, "unsupported_media_type", "The content type must be application/json.", NULL);
    return true;
}

static void on_request(void *ctx, struct exchange *x)
{
    struct worker *worker = ctx;
    routes_find(exchange_path(x))->serve(worker, x);
}

static void on_routes_closed(void *ctx, struct exchange *x, bool gone)
{
    (void)ctx;
    struct responder *responder = exchange_user(x);
    if (responder != NULL)
        responder->on_closed(responder, gone);
}

static void on_drain(void *ctx, struct exchange *x)
{
    (void)ctx;
    struct responder *responder = exchange_user(x);
    if (responder != NULL && responder->on_drain != NULL)
        responder->on_drain(responder);
}

struct front_handler routes_handler(struct worker *worker)
{
    return (struct front_handler){worker, on_routes_head, on_request, on_routes_closed, on_drain};
}
