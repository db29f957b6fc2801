/* The paths that are answered at once: metrics and health.
 * SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>

#include "admin/admin_internal.h"

static void serve_metrics(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    size_t len;
    char *text = metrics_text(admin->metrics, admin->store, &len);
    if (text == NULL || exchange_reply(x, 200, path->headers, text, len) != 0)
        exchange_abort(x);
    free(text);
}

static void serve_health(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    (void)admin;
    admin_reply(x, path, 200, json_pack("{ss}", "status", "ok"));
}

static void serve_ready(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    bool healthy = store_is_healthy(admin->store), draining = atomic_load(&admin->draining);
    bool ready = !draining && (healthy || admin->config->store.on_error == CONFIG_STORE_SERVE);
    admin_reply(x, path, ready ? 200 : 503,
                json_pack("{sssbsb}", "status", ready ? "ready" : "not_ready", "store", healthy, "draining", draining));
}

static const struct front_header metrics_headers[] = {
    {"content-type", metrics_content_type}, {"cache-control", "no-store"}, {NULL, NULL}};

const struct admin_path admin_state_paths[] = {
    {"GET", "/metrics", ADMIN_COUNTS, metrics_headers, serve_metrics},
    {"GET", "/healthz", ADMIN_ANYONE, admin_json_headers, serve_health},
    {"GET", "/readyz", ADMIN_ANYONE, admin_json_headers, serve_ready},
    {.path = NULL},
};
