/* The config's routes: which request goes where, under which policy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_read.h"
#include "config/keys.h"

enum { NEAR_MAX = 64 };

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
        const char *other = r->config->policies[i].name;
        if (strcmp(other, name) == 0)
            route->policy = &r->config->policies[i];
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

/* ---- who asks ---- */

enum who { WHO_KEY, WHO_GROUP, WHO_TENANT };

static const char *key_part(const struct key *key, enum who who)
{
    return who == WHO_KEY ? key->name : who == WHO_GROUP ? key->group : key->tenant;
}

/* A name that no key has matches nothing, which is a mistake. Without a keys file nothing is known of them. */
static void check_name(struct config_reader *r, const struct rein_node *node, enum who who)
{
    static const char *const words[] = {"key", "key with the group", "key with the tenant"};
    const struct keys *keys = r->config->keys;
    const char *names[NEAR_MAX + 1] = {NULL};
    size_t len = 0;
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys_count(keys); i++) {
        const char *name = key_part(keys_at(keys, i), who);
        if (strcmp(name, node->text) == 0)
            return;
        if (len < NEAR_MAX && name[0] != '\0')
            names[len++] = name;
    }
    const char *nearest = rein_nearest(node->text, names);
    rein_problems_warn(r->problems, node, NULL, "there is no %s `%.64s` in the keys file%s%s%s", words[who], node->text,
                       nearest != NULL ? "; did you mean `" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "`?" : "");
}

static int read_names(struct config_reader *r, const struct rein_node *node, const char *key, enum who who,
                      struct config_names *out)
{
    const struct rein_node *list = rein_node_get(node, key);
    if (list == NULL || list->kind != REIN_NODE_LIST)
        return 0;
    out->names = calloc(list->count + 1, sizeof *out->names);
    size_t len = 0;
    for (const struct rein_node *at = list->first; at != NULL && out->names != NULL; at = at->next) {
        check_name(r, at, who);
        if ((out->names[len++] = strdup(at->text)) == NULL)
            return REIN_ENOMEM;
    }
    if (r->config->keys_file == NULL)
        rein_problems_node(r->problems, node, key, "matches nobody, because there are no keys: set listen.keys_file");
    return out->names != NULL ? 0 : REIN_ENOMEM;
}

static int read_who(struct config_reader *r, const struct rein_node *node, struct config_route *route)
{
    int rv = read_names(r, node, "match.keys", WHO_KEY, &route->keys);
    if (rv == 0)
        rv = read_names(r, node, "match.groups", WHO_GROUP, &route->groups);
    return rv == 0 ? read_names(r, node, "match.tenants", WHO_TENANT, &route->tenants) : rv;
}

static void read_route_apis(struct config_reader *r, const struct rein_node *node, struct config_route *route)
{
    unsigned served = route->upstream != NULL ? route->upstream->apis : ~0u;
    bool is_said = rein_node_get(node, "match.apis") != NULL;
    route->apis = is_said ? rein_node_words(node, "match.apis") & served : served;
    if (is_said && route->apis == 0)
        rein_problems_node(r->problems, node, "match.apis", "names no API that the upstream serves");
}

/* Is everything that the later route matches taken by the earlier one? */
static bool is_in_names(const struct config_names *names, const char *name)
{
    for (char **at = names->names; *at != NULL; at++)
        if (strcmp(*at, name) == 0)
            return true;
    return false;
}

static bool covers_names(const struct config_names *earlier, const struct config_names *later)
{
    if (earlier->names == NULL || later->names == NULL)
        return earlier->names == NULL;
    for (char **at = later->names; *at != NULL; at++)
        if (!is_in_names(earlier, *at))
            return false;
    return true;
}

static bool covers_models(const struct config_route *earlier, const struct config_route *later)
{
    for (size_t i = 0; i < later->models_len; i++) {
        bool is_covered = false;
        for (size_t k = 0; k < earlier->models_len && !is_covered; k++)
            is_covered = strcmp(earlier->models[k], "*") == 0 || strcmp(earlier->models[k], later->models[i]) == 0;
        if (!is_covered)
            return false;
    }
    return true;
}

static void check_reachable(struct config_reader *r, const struct rein_node *node, const struct config_route *route)
{
    for (const struct config_route *at = r->config->routes; at != route; at++)
        if ((route->apis & ~at->apis) == 0 && covers_models(at, route) && covers_names(&at->keys, &route->keys) &&
            covers_names(&at->groups, &route->groups) && covers_names(&at->tenants, &route->tenants)) {
            rein_problems_warn(r->problems, node, "name",
                               "is never used: the earlier route `%.64s` takes all that it matches", at->name);
            return;
        }
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
    read_route_apis(r, node, route);
    int rv = read_models(node, route);
    if (rv == 0)
        rv = read_who(r, node, route);
    if (rv == 0)
        check_reachable(r, node, route);
    return rv;
}

static void say_granted(struct config_reader *r, const struct key *key, const char *name)
{
    enum { NEAR = 64 };
    const char *names[NEAR + 1] = {NULL};
    for (size_t i = 0; i < r->config->policies_len && i < NEAR; i++)
        names[i] = r->config->policies[i].name;
    const char *nearest = rein_nearest(name, names);
    rein_problems_add(r->problems, r->config->keys_file, key->policies_line, key->policies_column, "keys[].policies",
                      "the key `%.64s` may choose the policy `%.64s`, but there is none of that name%s%s%s", key->name,
                      name, nearest != NULL ? "; did you mean `" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "`?" : "");
}

/* The policies that keys were granted have to be there. */
static void check_granted(struct config_reader *r)
{
    const struct keys *keys = r->config->keys;
    for (size_t i = 0; keys != NULL && !r->policies_failed && i < keys_count(keys); i++) {
        const struct key *key = keys_at(keys, i);
        for (char *const *name = key->policies; *name != NULL; name++)
            if (config_policy_granted(r->config, key, *name) == NULL)
                say_granted(r, key, *name);
    }
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
    check_granted(r);
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

static bool names_take(const struct config_names *names, const struct key *key, enum who who)
{
    return names->names == NULL || (key != NULL && is_in_names(names, key_part(key, who)));
}

const char *config_route_misses(const struct config_route *route, const struct config_asked *asked)
{
    if ((route->apis & asked->apis) == 0)
        return "it does not take this API";
    if (!route_takes(route, asked->model))
        return "its models do not match";
    if (!names_take(&route->keys, asked->key, WHO_KEY))
        return "it is for other keys";
    if (!names_take(&route->groups, asked->key, WHO_GROUP))
        return "it is for other groups";
    return names_take(&route->tenants, asked->key, WHO_TENANT) ? NULL : "it is for other tenants";
}

const struct config_route *config_route_for(const struct config *config, const struct config_asked *asked)
{
    for (size_t i = 0; i < config->routes_len; i++)
        if (config_route_misses(&config->routes[i], asked) == NULL)
            return &config->routes[i];
    return NULL;
}

unsigned config_apis_of(const struct config *config, const struct config_asked *asked)
{
    unsigned apis = 0;
    for (size_t i = 0; i < config->routes_len; i++)
        if (config_route_misses(&config->routes[i], &(struct config_asked){asked->key, asked->model, ~0u}) == NULL)
            apis |= config->routes[i].apis;
    return apis;
}

const struct config_policy *config_policy_granted(const struct config *config, const struct key *key, const char *name)
{
    bool is_granted = false;
    for (char *const *at = key != NULL ? key->policies : NULL; at != NULL && *at != NULL; at++)
        is_granted |= strcmp(*at, name) == 0;
    for (size_t i = 0; i < config->policies_len && is_granted; i++)
        if (strcmp(config->policies[i].name, name) == 0)
            return &config->policies[i];
    return NULL;
}
