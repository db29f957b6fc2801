/* The config's routes: which request goes where, under which policy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_read.h"

enum {
    NEAR_MAX = 64,
    VERSION_SHOWN = 12, /* how much of a policy's version is enough for a header; the decision has all of it */
};

/* ---- references ---- */

static void say_missing(struct config_reader *r, const struct rein_node *node, const char *key, const char *name,
                        const char *const *names)
{
    const char *nearest = rein_nearest(name, names);
    if (nearest != NULL)
        rein_problems_node(r->problems, node, key, "there is no %s `%.64s`; did you mean `%s`?", key, name, nearest);
    else
        rein_problems_node(r->problems, node, key, "there is no %s `%.64s`", key, name);
}

static void find_upstream(struct config_reader *r, const struct rein_node *node, struct config_route *route)
{
    const char *name = rein_node_text(node, "upstream"), *names[NEAR_MAX + 1] = {NULL};
    for (size_t i = 0; name != NULL && i < r->config->upstreams_len; i++) {
        const struct config_upstream *u = &r->config->upstreams[i];
        if (u->name != NULL && strcmp(u->name, name) == 0)
            route->upstream = u;
        if (i < NEAR_MAX)
            names[i] = u->name != NULL ? u->name : "";
    }
    if (name != NULL && route->upstream == NULL)
        say_missing(r, node, "upstream", name, names);
}

static void find_policy(struct config_reader *r, const struct rein_node *node, struct config_route *route)
{
    const char *name = rein_node_text(node, "policy"), *names[NEAR_MAX + 1] = {NULL};
    for (size_t i = 0; i < r->config->policies_len; i++) {
        const char *other = rein_policy_settings(r->config->policies[i])->name;
        if (strcmp(other, name) == 0)
            route->policy = r->config->policies[i];
        if (i < NEAR_MAX)
            names[i] = other;
    }
    if (route->policy == NULL && !r->policies_failed)
        say_missing(r, node, "policy", name, names);
}

/* ---- routes ---- */

static int read_models(const struct rein_node *node, struct config_route *route)
{
    const struct rein_node *list = rein_node_get(node, "match.models");
    size_t count = list != NULL && list->kind == REIN_NODE_LIST ? list->count : 0;
    route->models = calloc(count > 0 ? count : 1, sizeof(*route->models));
    if (route->models == NULL)
        return REIN_ENOMEM;
    const struct rein_node *at = count > 0 ? list->first : NULL;
    do {
        char *model = strdup(at != NULL ? at->text : "*");
        if (model == NULL)
            return REIN_ENOMEM;
        route->models[route->models_len++] = model;
        at = at != NULL ? at->next : NULL;
    } while (at != NULL);
    return 0;
}

static int tag_policy(struct config_route *route)
{
    const struct rein_policy_settings *policy = rein_policy_settings(route->policy);
    int len = asprintf(&route->policy_tag, "%s@%.*s", policy->name, VERSION_SHOWN, policy->version);
    if (len < 0)
        route->policy_tag = NULL;
    return len < 0 ? REIN_ENOMEM : 0;
}

static int read_route(struct config_reader *r, const struct rein_node *node, struct config_route *route)
{
    const char *name = rein_node_text(node, "name");
    for (const struct config_route *at = r->config->routes; at != route; at++)
        if (name != NULL && at->name != NULL && strcmp(at->name, name) == 0)
            rein_problems_node(r->problems, node, "name", "another route has the name `%.64s` too: rename one of them",
                               name);
    route->name = strdup(name != NULL ? name : "");
    if (route->name == NULL)
        return REIN_ENOMEM;
    find_upstream(r, node, route);
    find_policy(r, node, route);
    int rv = route->policy != NULL ? tag_policy(route) : 0;
    return rv == 0 ? read_models(node, route) : rv;
}

int config_read_routes(struct config_reader *r)
{
    const struct rein_node *list = rein_node_get(r->root, "routes");
    if (list == NULL || list->kind != REIN_NODE_LIST || list->count == 0)
        return 0;
    r->config->routes = calloc(list->count, sizeof(*r->config->routes));
    if (r->config->routes == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = list->first; at != NULL; at = at->next) {
        if (at->kind != REIN_NODE_MAP)
            continue;
        int rv = read_route(r, at, &r->config->routes[r->config->routes_len++]);
        if (rv != 0)
            return rv;
    }
    return 0;
}

/* ---- matching ---- */

/* Does the text match a pattern in which '*' stands for any text? The last star takes what is left, so there is no
 * backtracking beyond it. */
static bool is_match(const char *pattern, const char *text)
{
    const char *star = NULL, *tried = text;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            tried = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++tried;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool route_takes(const struct config_route *route, const char *model)
{
    bool takes = model == NULL;
    for (size_t k = 0; k < route->models_len && !takes; k++)
        takes = is_match(route->models[k], model);
    return takes;
}

const struct config_route *config_route_for(const struct config *config, const char *model, unsigned apis)
{
    for (size_t i = 0; i < config->routes_len; i++)
        if ((config->routes[i].upstream->apis & apis) != 0 && route_takes(&config->routes[i], model))
            return &config->routes[i];
    return NULL;
}

unsigned config_apis_of(const struct config *config, const char *model)
{
    unsigned apis = 0;
    for (size_t i = 0; i < config->routes_len; i++)
        if (route_takes(&config->routes[i], model))
            apis |= config->routes[i].upstream->apis;
    return apis;
}
