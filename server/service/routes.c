/* See routes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/routes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/media_type.h"
#include "config/keys.h"
#include "front/hosts.h"
#include "front/reply.h"
#include "service/cors.h"
#include "service/decision_lookup.h"
#include "service/key_limits.h"
#include "service/models.h"
#include "service/worker.h"
#include "session/session.h"

struct path {
    const char *path;
    const char *method;
    bool is_open; /* needs no key */
    void (*serve)(struct worker *worker, struct exchange *x);
};

/* ---- who the caller is ---- */

static bool routes_refuse(struct exchange *x, unsigned status, const char *code, const char *message,
                          const struct front_header *headers)
{
    reply_error(x, &(struct reply_error){.status = status, .code = code, .message = message}, headers);
    return false;
}

static void leave_limits(const struct front_grant *grant)
{
    if (grant->identity != NULL)
        key_limits_leave(grant->counted, grant->identity);
}

static void release_grant(const struct front_grant *grant)
{
    config_unref(grant->owner);
}

static bool refuse_too_many(struct exchange *x, enum key_admission admission, unsigned retry_s)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u", retry_s);
    struct front_header headers[] = {{"retry-after", seconds}, {NULL, NULL}};
    if (admission == KEY_TOO_MANY_REQUESTS)
        return routes_refuse(x, 429, "rate_limit_exceeded", "This key has used its requests of this minute.", headers);
    return routes_refuse(x, 429, "too_many_open_requests", "This key has as many open requests as it may have.",
                         headers);
}

/* Decides, at a request's head and for as long as it lasts, who its caller is and which config it is served with: keys
 * that are removed meanwhile, or a new config, apply to later requests. False: access is denied, and that was said. */
static bool grant_access(const struct worker *worker, struct exchange *x, const struct api *api, const char *bearer)
{
    struct config *config = worker->config;
    const struct key *key = config->keys != NULL && bearer != NULL ? keys_holder(config->keys, bearer) : NULL;
    unsigned retry_s;
    if (config->keys != NULL && key == NULL)
        return routes_refuse(x, 401, "invalid_api_key", api->key_missing, api->key_headers);
    if (key != NULL && key_is_expired(key, (int64_t)time(NULL)))
        return routes_refuse(x, 401, "expired_api_key", "This key has expired.", api->key_headers);
    enum key_admission admission =
        key != NULL ? key_limits_enter(worker->key_limits, key, loop_now_ms(worker->loop), &retry_s) : KEY_ADMITTED;
    if (admission != KEY_ADMITTED)
        return refuse_too_many(x, admission, retry_s);
    exchange_grant(x, &(struct front_grant){.caller = key != NULL ? key->name : "",
                                            .identity = key,
                                            .counted = worker->key_limits,
                                            .owner = config_ref(config),
                                            .answered = leave_limits,
                                            .release = release_grant});
    return true;
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

/* ---- the APIs, and what belongs to them ---- */

static void serve_models(struct worker *worker, struct exchange *x)
{
    models_start(worker, x, exchange_granted(x)->owner);
}

static void serve_api(struct worker *worker, struct exchange *x)
{
    const struct front_grant *grant = exchange_granted(x);
    session_start(&worker->sessions, x, api_find(exchange_path(x)), grant->owner, grant->identity);
}

static void serve_guard(struct worker *worker, struct exchange *x)
{
    decision_lookup_start(worker, x, exchange_granted(x)->caller);
}

static const struct path paths[] = {
    {"/v1/models", "GET", false, serve_models},
    {MODEL_PATH, "GET", false, serve_models},
    {DECISION_LOOKUP_PATH, "GET", false, serve_guard},
    {"/healthz", "GET", true, serve_health},
    {"/readyz", "GET", true, serve_ready},
};

/* A path that ends with a slash is a prefix of longer ones. */
static bool is_path(const char *ours, const char *path)
{
    size_t len = strlen(ours);
    return ours[len - 1] == '/' ? strncmp(ours, path, len) == 0 && path[len] != '\0' : strcmp(ours, path) == 0;
}

/* Where a path leads: to an API, to one of ours, or nowhere (`serve` is NULL). */
struct route {
    const char *method;
    const struct api *api; /* NULL: one of ours */
    bool is_open, has_body;
    void (*serve)(struct worker *worker, struct exchange *x);
};

static struct route routes_find(const char *path)
{
    const struct api *api = api_find(path);
    if (api != NULL)
        return (struct route){.method = api->method, .api = api, .has_body = true, .serve = serve_api};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (is_path(paths[i].path, path))
            return (struct route){.method = paths[i].method, .is_open = paths[i].is_open, .serve = paths[i].serve};
    return (struct route){0};
}

/* ---- the head of a request ---- */

/* What an API says of paths below its own; NULL: nothing. */
static const char *words_below(const char *path)
{
    const struct api *api = api_suggested(path);
    size_t len = strlen(api->path);
    bool is_below = strncmp(path, api->path, len) == 0 && path[len] == '/';
    return is_below ? api->paths_below : NULL;
}

/* A client whose base URL is wrong learns which paths it could have meant. */
static bool refuse_path(const struct config *config, struct exchange *x)
{
    const char *words = words_below(exchange_path(x));
    char message[768];
    size_t len =
        (size_t)snprintf(message, sizeof message, "This path does not exist.%s%s There are: ", words != NULL ? " " : "",
                         words != NULL ? words : "");
    api_list(config_apis_of(config, &(struct config_asked){0}), message + len, sizeof message - len);
    return routes_refuse(x, 404, "not_found", message, NULL);
}

/* Load balancers look at health without wanting to read about it. The HTTP library leaves out the body. */
static bool has_head(const struct route *route)
{
    return route->is_open && strcmp(route->method, "GET") == 0;
}

static bool is_method_of(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (has_head(route) && strcmp(method, "HEAD") == 0);
}

/* Sizes and encodings were checked by the front. */
static bool on_routes_head(void *ctx, struct exchange *x)
{
    struct worker *worker = ctx;
    const struct route route = routes_find(exchange_path(x));
    const char *host = exchange_header(x, "host");
    if (worker->config->keys == NULL && host != NULL &&
        !hosts_is_ours(worker->config->listen.host, worker->config->hosts, host))
        return routes_refuse(
            x, 403, "host_not_allowed",
            "The Host header does not name this listener. The operator can allow names in listen.hosts.", NULL);
    if (route.serve == NULL)
        return refuse_path(worker->config, x);
    if (cors_is_preflight(worker->config, x))
        return true;
    const struct api *api = route.api != NULL ? route.api : api_suggested(exchange_path(x));
    if (!route.is_open && !grant_access(worker, x, api, route.api != NULL ? api->key(x) : api_any_key(x)))
        return false;
    if (!is_method_of(&route, exchange_method(x))) {
        struct front_header allow[] = {{"allow", has_head(&route) ? "GET, HEAD" : route.method}, {NULL, NULL}};
        return routes_refuse(x, 405, "method_not_allowed", "This method is not allowed for this path.", allow);
    }
    if (route.has_body && !media_type_is(exchange_header(x, "content-type"), "application/json"))
        return routes_refuse(x, 415, "unsupported_media_type", "The content type must be application/json.", NULL);
    return true;
}

static void on_request(void *ctx, struct exchange *x)
{
    struct worker *worker = ctx;
    const struct route route = routes_find(exchange_path(x));
    if (strcmp(exchange_method(x), "OPTIONS") == 0) /* a preflight, or it would have been refused */
        cors_answer(x, route.method);
    else
        route.serve(worker, x);
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

/* What a request was granted with holds to its end. */
static void routes_headers(void *ctx, const struct exchange *x, struct front_header out[FRONT_HEADERS_MAX])
{
    const struct worker *worker = ctx;
    const struct config *granted = exchange_granted(x)->owner;
    cors_headers(granted != NULL ? granted : worker->config, x, out);
}

struct front_handler routes_handler(struct worker *worker)
{
    return (struct front_handler){.ctx = worker,
                                  .on_head = on_routes_head,
                                  .on_request = on_request,
                                  .on_closed = on_routes_closed,
                                  .on_drain = on_drain,
                                  .error_text = api_error_text,
                                  .headers = routes_headers};
}
