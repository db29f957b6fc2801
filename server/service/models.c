/* See models.h. An upstream that does not answer is left out; names that a route spells out are listed all the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/log.h"
#include "front/reply.h"

enum { LIST_BYTES_MAX = 1 << 20, OFFERED_MAX = 1000, ANSWER_MS = 5000, ASKED_AT_ONCE = 16 };

/* One upstream that is asked. */
struct models_ask {
    struct models *models;
    const struct config_upstream *upstream;
    struct upstream_call *call;
    unsigned status;
    struct buffer body;
};

struct models {
    struct responder responder; /* first: the exchange's user */
    struct worker *worker;
    struct exchange *x;
    struct config *config;
    const struct key *key; /* the config's; NULL: none */
    size_t next;           /* upstream to ask */
    size_t running;        /* calls that have not ended */
    bool is_answered;      /* or about to be: nothing more is asked */
    json_t *found;         /* name -> the model's object */
    size_t offered_max;    /* names that upstreams may add to; those of the config are all listed */
    struct models_ask asks[ASKED_AT_ONCE];
};

static void ask_more(struct models *m);

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
static void add_offered(struct models *m, const struct models_ask *ask)
{
    const struct config_upstream *upstream = ask->upstream;
    json_t *tree = ask->body.len > 0 ? json_loadb(ask->body.data, ask->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
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
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        buffer_clear(&m->asks[i].body);
    free(m);
}

static int by_model_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because it is up to the upstreams which of them answers first. Returns owned, NULL: no memory. */
static json_t *sorted_list(json_t *found)
{
    size_t len = json_object_size(found), n = 0;
    const char *name, **names = calloc(len + 1, sizeof *names);
    json_t *model, *list = names != NULL ? json_array() : NULL;
    if (list != NULL) {
        json_object_foreach(found, name, model) names[n++] = name;
        qsort(names, n, sizeof *names, by_model_name);
    }
    for (size_t i = 0; i < n; i++)
        json_array_append(list, json_object_get(found, names[i]));
    free(names);
    return list;
}

static void models_answer(struct models *m)
{
    static const size_t before = sizeof MODEL_PATH - 1;
    const char *path = exchange_path(m->x);
    m->is_answered = true;
    if (strncmp(path, MODEL_PATH, before) != 0) {
        json_t *list = sorted_list(m->found);
        reply_json(m->x, 200, list != NULL ? json_pack("{ssso}", "object", "list", "data", list) : NULL, NULL);
        return;
    }
    json_t *model = json_object_get(m->found, path + before);
    if (model != NULL)
        reply_json(m->x, 200, json_incref(model), NULL);
    else
        reply_error(m->x,
                    &(struct reply_error){.status = 404,
                                          .code = "model_not_found",
                                          .param = "model",
                                          .message = "There is no such model, or no route serves it. GET /v1/models "
                                                     "lists those that there are."},
                    NULL);
}

static void on_models_head(void *ctx, const struct upstream_response *response)
{
    ((struct models_ask *)ctx)->status = response->status;
}

static void on_models_data(void *ctx, const char *data, size_t len)
{
    struct models_ask *ask = ctx;
    if (buffer_add(&ask->body, data, len, LIST_BYTES_MAX) < 0)
        ask->status = 0; /* a list that is too large counts as no list */
}

static void on_models_end(void *ctx, enum upstream_end end, const char *message)
{
    static struct log_limit limit;
    struct models_ask *ask = ctx;
    struct models *m = ask->models;
    ask->call = NULL;
    m->running--;
    if (end == UPSTREAM_WHOLE && ask->status == 200)
        add_offered(m, ask);
    else
        log_limited(&limit, LOG_WARN, "models", "upstream %s sends no list of models: %s", ask->upstream->name,
                    message != NULL ? message : "");
    ask_more(m);
}

/* The config's timeouts apply here too, if they are shorter. */
static unsigned at_most(unsigned ms)
{
    return ms < ANSWER_MS ? ms : ANSWER_MS;
}

/* The list is asked for as one of the upstream's APIs is called. Where they differ in headers, the later one of the
 * table is right: chat is spoken beside a server's own API. NULL: it has none. */
static const struct api *models_api(const struct config_upstream *upstream)
{
    const struct api *found = NULL;
    for (size_t i = 0; i < api_count(); i++)
        if ((api_at(i)->serves & upstream->apis) != 0 && !api_at(i)->is_data)
            found = api_at(i);
    return found;
}

/* `headers` has room for API_HEADERS_MAX and three more. */
static void models_headers(const struct config_upstream *upstream, struct upstream_header *headers)
{
    const struct api *api = models_api(upstream);
    *headers++ = (struct upstream_header){"accept", "application/json"};
    if (upstream->authorization != NULL && api != NULL)
        *headers++ = api->upstream_key(upstream);
    for (const struct api_header *own = api != NULL ? api->passed_headers : NULL; own != NULL && own->name != NULL;
         own++)
        if (own->otherwise != NULL)
            *headers++ = (struct upstream_header){own->name, own->otherwise};
    *headers = (struct upstream_header){NULL, NULL};
}

static int ask_upstream(struct models *m, struct models_ask *ask)
{
    const struct config_upstream *upstream = ask->upstream;
    const struct config_timeouts *timeouts = &m->config->timeouts;
    static const struct upstream_handler handler = {on_models_head, on_models_data, on_models_end};
    char *path;
    if (asprintf(&path, "%s/models", upstream->path_prefix) < 0)
        return REIN_ENOMEM;
    struct upstream_header headers[3 + API_HEADERS_MAX];
    models_headers(upstream, headers);
    struct upstream_request request = {.method = "GET",
                                       .url = upstream->url,
                                       .path = path,
                                       .reach = &upstream->reach,
                                       .headers = headers,
                                       .connect_ms = at_most(timeouts->connect_ms),
                                       .first_byte_ms = at_most(timeouts->first_byte_ms),
                                       .idle_ms = at_most(timeouts->idle_ms),
                                       .body_max = LIST_BYTES_MAX};
    int rv = upstream_start(&ask->call, m->worker->pool, &request, &handler, ask);
    free(path);
    return rv;
}

static struct models_ask *free_ask(struct models *m)
{
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        if (m->asks[i].call == NULL)
            return &m->asks[i];
    return NULL;
}

/* Some at once, the others as these answer. */
static void ask_more(struct models *m)
{
    struct models_ask *ask;
    while (m->next < m->config->upstreams_len && (ask = free_ask(m)) != NULL) {
        buffer_clear(&ask->body);
        *ask = (struct models_ask){.models = m, .upstream = &m->config->upstreams[m->next++]};
        if (ask_upstream(m, ask) == 0)
            m->running++;
    }
    if (m->running == 0 && !m->is_answered)
        models_answer(m);
}

static void on_models_closed(struct responder *responder, bool gone)
{
    struct models *m = (struct models *)responder;
    (void)gone;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        if (m->asks[i].call != NULL)
            upstream_cancel(m->asks[i].call);
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
    ask_more(m);
}
