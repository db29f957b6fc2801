/* A config's life, and the reading of its plain parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "config/config_read.h"
#include "config/config_schema.h"
#include "config/keys.h"

/* ---- life ---- */

static void free_upstream(struct config_upstream *u)
{
    free(u->name);
    free(u->kind);
    free(u->url);
    free(u->path_prefix);
    free(u->open);
    free(u->close);
    free(u->template.begin);
    free(u->template.system);
    free(u->template.user);
    free(u->template.assistant);
    free(u->template.generate);
    if (u->authorization != NULL)
        explicit_bzero(u->authorization, strlen(u->authorization));
    free(u->authorization);
    reach_fini(&u->reach);
}

static void free_names(struct config_names *names)
{
    for (char **name = names->names; name != NULL && *name != NULL; name++)
        free(*name);
    free(names->names);
}

static void free_route(struct config_route *route)
{
    for (size_t i = 0; i < route->models_len; i++)
        free(route->models[i]);
    free(route->models);
    free_names(&route->keys);
    free_names(&route->groups);
    free_names(&route->tenants);
    free(route->name);
}

static void free_config(struct config *config)
{
    for (size_t i = 0; i < config->upstreams_len; i++)
        free_upstream(&config->upstreams[i]);
    for (size_t i = 0; i < config->routes_len; i++)
        free_route(&config->routes[i]);
    for (size_t i = 0; i < config->policies_len; i++) {
        rein_policy_unref(config->policies[i].policy);
        free(config->policies[i].tag);
    }
    config_judges_fini(config);
    free(config->upstreams);
    free(config->routes);
    free(config->policies);
    for (char **origin = config->cors; origin != NULL && *origin != NULL; origin++)
        free(*origin);
    free(config->cors);
    for (char **host = config->hosts; host != NULL && *host != NULL; host++)
        free(*host);
    free(config->hosts);
    free(config->proxies);
    free(config->listen.host);
    free(config->admin.host);
    free(config->keys_file);
    free(config->token_file);
    keys_free(config->keys);
    keys_free(config->tokens);
    free(config->store.path);
    free(config->telemetry.endpoint);
    if (config->telemetry.token != NULL)
        explicit_bzero(config->telemetry.token, strlen(config->telemetry.token));
    free(config->telemetry.token);
    for (char **value = config->fixed; value != NULL && *value != NULL; value++)
        free(*value);
    free(config->fixed);
    free(config->store.wanted);
    free(config);
}

bool config_is_sound(const struct config *config)
{
    return atomic_load_explicit(&config->refs, memory_order_relaxed) > 0 &&
           (config->listen.loopback || config->keys != NULL) && (config->admin.loopback || config->tokens != NULL) &&
           config->upstreams_len <= CONFIG_UPSTREAMS_MAX && config->routes_len <= CONFIG_ROUTES_MAX;
}

struct config *config_ref(struct config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void config_unref(struct config *config)
{
    if (config != NULL && atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) == 1)
        free_config(config);
}

/* ---- plain parts ---- */

int config_read_path(struct config_reader *r, const struct rein_node *node, const char *key, char **out)
{
    const char *path = rein_node_text(node, key);
    if (path == NULL)
        return 0;
    *out = files_beside(r->path, path);
    return *out != NULL ? 0 : REIN_ENOMEM;
}

static void read_workers(struct config_reader *r)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = (unsigned)rein_node_int(r->root, "workers");
    r->config->workers = workers > 0 ? workers : cores > 0 ? (unsigned)cores : 1;
}

/* ---- loading ---- */

static int read_telemetry(struct config_reader *r)
{
    const char *endpoint = rein_node_text(r->root, "telemetry.endpoint");
    const struct rein_node *node = rein_node_get(r->root, "telemetry");
    if (endpoint == NULL)
        return 0;
    bool is_new = r->previous == NULL || r->previous->telemetry.endpoint == NULL; /* else a change takes a restart */
    if (is_new && strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
        rein_problems_node(r->problems, r->root, "telemetry.endpoint",
                           "expects a URL such as http://127.0.0.1:4318, not `%.60s`", endpoint);
    r->config->telemetry.traces = rein_node_bool(r->root, "telemetry.traces");
    r->config->telemetry.logs = rein_node_bool(r->root, "telemetry.logs");
    r->config->telemetry.endpoint = strdup(endpoint);
    if (r->config->telemetry.endpoint == NULL)
        return REIN_ENOMEM;
    return config_read_secret(r, node, "token_env", "token_file", &r->config->telemetry.token);
}

static int read_parts(struct config_reader *r)
{
    if (r->is_for_judges)
        return config_read_judges(r);
    read_workers(r);
    config_read_settings(r);
    r->config->log.level = (enum log_level)rein_node_word(r->root, "log.level");
    r->config->log.format = (enum log_format)rein_node_word(r->root, "log.format");
    r->config->log.requests = rein_node_bool(r->root, "log.requests");
    int rv = config_read_store(r);
    if (rv == 0)
        rv = read_telemetry(r);
    if (rv == 0)
        rv = config_read_listeners(r);
    if (rv == 0)
        rv = config_read_upstreams(r);
    if (rv == 0)
        rv = config_read_judges(r);
    if (rv == 0)
        rv = config_read_policies(r);
    if (rv == 0)
        rv = config_read_routes(r);
    return rv == 0 ? config_read_fixed(r) : rv;
}

static int read_text(struct config_reader *r, const char *text, size_t len)
{
    struct rein_source source = {r->path, text, len};
    struct rein_doc *doc = NULL;
    size_t before = rein_problems_said(r->problems);
    int rv = rein_doc_read(&doc, &source, r->problems);
    if (rv != 0)
        return rv;
    rv = rein_doc_check(doc, config_schema(), r->problems);
    r->root = rein_doc_root(doc);
    if (rv == 0 || rv == REIN_EPOLICY)
        rv = read_parts(r);
    rein_doc_free(doc);
    if (rv == 0 && rein_problems_result(r->problems) == REIN_ENOMEM)
        return REIN_ENOMEM;
    return rv == 0 && rein_problems_said(r->problems) != before ? REIN_EPOLICY : rv;
}

/* `given` says what to read with; the rest of it is filled here. */
static int load(struct config **out, struct config_reader given)
{
    const char *path = given.path;
    struct rein_problems *problems = given.problems;
    char *text;
    size_t len;
    int rv = files_read(&text, &len, path, REIN_DOC_BYTES_MAX);
    if (rv != 0) {
        rein_problems_add(problems, path, 0, 0, "", "cannot be read: %s", strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EPOLICY;
    }
    struct config_reader r = given;
    r.config = calloc(1, sizeof(*r.config));
    if (r.config != NULL)
        atomic_init(&r.config->refs, 1);
    rv = r.config != NULL ? read_text(&r, text, len) : REIN_ENOMEM;
    free(text);
    if (rv == 0)
        *out = r.config;
    else
        config_unref(r.config);
    return rv;
}

int config_load(struct config **out, const char *path, struct rein_problems *problems)
{
    return config_reload(out, path, NULL, problems);
}

int config_reload(struct config **out, const char *path, const struct config *previous, struct rein_problems *problems)
{
    return load(out,
                (struct config_reader){
                    .path = path, .problems = problems, .absent = problems, .previous = previous, .is_to_serve = true});
}

int config_load_with_first_keys(struct config **out, const char *path, struct rein_problems *problems)
{
    return load(
        out, (struct config_reader){
                 .path = path, .problems = problems, .absent = problems, .is_to_serve = true, .with_first_keys = true});
}

int config_check(struct config **out, const char *path, struct rein_problems *problems, struct rein_problems *absent)
{
    return load(out, (struct config_reader){.path = path, .problems = problems, .absent = absent});
}

int config_check_judges(struct config **out, const char *path, struct rein_problems *problems,
                        struct rein_problems *absent)
{
    return load(out,
                (struct config_reader){.path = path, .problems = problems, .absent = absent, .is_for_judges = true});
}
