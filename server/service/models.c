/* See models.h. An upstream that does not answer is left out; names that a route spells out are listed all the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "front/reply.h"

enum { LIST_BYTES_MAX = 1 << 20, OFFERED_MAX = 1000, ANSWER_MS = 5000 };

struct models {
    struct responder responder; /* first: the exchange's user */
    struct worker *worker;
    struct exchange *x;
    struct config *config;
    const struct key *key; /* the config's; NULL: none */
    size_t next;           /* upstream to ask */
    struct upstream_call *call;
    unsigned status;
    struct buffer body;
    json_t *found;      /* name -> the model's object */
    size_t offered_max; /* names that upstreams may add to; those of the config are all listed */
};

static void ask_next(struct models *m);

static void models_add(struct models *m, const char *name, const char *owner)
{
    if (json_object_get(m->found, name) == NULL)
        json_object_set_new(m->found, name,
                            json_pack("{sssssiss}", "id", name, "object", "model", "created", 0, "owned_by", owner));
}

static void add_spelled_out(struct models *m)
{
    for (size_t i = 0; i < m->config->routes_len; i++) {
        const struct config_route *route = &m->config->routes[i];
        if (config_route_misses(route, &(struct config_asked){m->key, NULL, ~0u}) != NULL)
            continue; /* it is for others */
        for (size_t k = 0; k < route->models_len; k++)
            if (strchr(route->models[k], '*') == NULL)
                models_add(m, route->models[k], route->upstream->name);
    }
}

/* A model counts only if a request for it would go to this upstream. */
static void add_offered(struct models *m, const struct config_upstream *upstream)
{
    json_t *tree = m->body.len > 0 ? json_loadb(m->body.data, m->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(tree, "data"), i, model)
    {
        const char *name = json_string_value(json_object_get(model, "id"));
        const struct config_route *route =
            name != NULL ? config_route_for(m->config, &(struct config_asked){m->key, name, ~0u}) : NULL;
        if (route != NULL && route->upstream == upstream && json_object_size(m->found) < m->offered_max)
            models_add(m, name, upstream->name);
    }
    json_decref(tree);
}

static void models_free(struct models *m)
{
    json_decref(m->found);
    config_unref(m->config);
    buffer_clear(&m->body);
    free(m);
}

static void models_answer(struct models *m)
{
    const char *name;
    json_t *model, *list = json_array();
    json_object_foreach(m->found, name, model) json_array_append(list, model);
    reply_json(m->x, 200, json_pack("{ssso}", "object", "list", "data", list), NULL);
}

static void on_models_head(void *ctx, const struct upstream_response *response)
{
    ((struct models *)ctx)->status = response->status;
}

static void on_models_data(void *ctx, const char *data, size_t len)
{
    struct models *m = ctx;
    if (buffer_add(&m->body, data, len, LIST_BYTES_MAX) < 0)
        m->status = 0; /* a list that is too large counts as no list */
}

static void on_models_end(void *ctx, enum upstream_end end, const char *message)
{
    static struct log_limit limit;
    struct models *m = ctx;
    const struct config_upstream *upstream = &m->config->upstreams[m->next - 1];
    m->call = NULL;
    if (end == UPSTREAM_WHOLE && m->status == 200)
        add_offered(m, upstream);
    else
        log_limited(&limit, LOG_WARN, "models", "upstream %s sends no list of models: %s", upstream->name,
                    message != NULL ? message : "");
    ask_next(m);
}

/* The config's timeouts apply here too, if they are shorter. */
static unsigned at_most(unsigned ms)
{
    return ms < ANSWER_MS ? ms : ANSWER_MS;
}

static int ask(struct models *m, const struct config_upstream *upstream)
{
    const struct config_timeouts *timeouts = &m->config->timeouts;
    static const struct upstream_handler handler = {on_models_head, on_models_data, on_models_end};
    char *path;
    if (asprintf(&path, "%s/models", upstream->path_prefix) < 0)
        return REIN_ENOMEM;
    struct upstream_header headers[] = {
        {"accept", "application/json"},
        {upstream->authorization != NULL ? "authorization" : NULL, upstream->authorization},
        {NULL, NULL}};
    struct upstream_request request = {.method = "GET",
                                       .url = upstream->url,
                                       .path = path,
                                       .reach = &upstream->reach,
                                       .headers = headers,
                                       .connect_ms = at_most(timeouts->connect_ms),
                                       .first_byte_ms = at_most(timeouts->first_byte_ms),
                                       .idle_ms = at_most(timeouts->idle_ms),
                                       .body_max = LIST_BYTES_MAX};
    int rv = upstream_start(&m->call, m->worker->pool, &request, &handler, m);
    free(path);
    return rv;
}

static void ask_next(struct models *m)
{
    while (m->next < m->config->upstreams_len) {
        buffer_clear(&m->body);
        m->status = 0;
        if (ask(m, &m->config->upstreams[m->next++]) == 0)
            return;
    }
    models_answer(m);
}

static void on_models_closed(struct responder *responder, bool gone)
{
    struct models *m = (struct models *)responder;
    (void)gone;
    if (m->call != NULL)
        upstream_cancel(m->call);
    models_free(m);
}

void models_start(struct worker *worker, struct exchange *x, struct config *config)
{
    struct models *m = calloc(1, sizeof *m);
    json_t *found = json_object();
    if (m == NULL || found == NULL) {
        json_decref(found);
        free(m);
        exchange_abort(x);
        return;
    }
    *m = (struct models){
        .responder = {NULL, on_models_closed}, .worker = worker, .x = x, .config = config_ref(config), .found = found};
    m->key = exchange_granted(x)->identity;
    exchange_set_user(x, &m->responder);
    add_spelled_out(m);
    m->offered_max = json_object_size(m->found) + OFFERED_MAX;
    ask_next(m);
}
