/* See decision_lookup.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/decision_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "front/reply.h"
#include "service/worker.h"
#include "store/query.h"

struct lookup {
    struct query query; /* first */
    struct responder responder;
    struct exchange *x; /* NULL: the client has left */
    struct store_id id;
    char *key;
    json_t *tree;
};

static void lookup_refuse(struct exchange *x, unsigned status, const char *code, const char *message)
{
    struct reply_error error = {.status = status,
                                .fault = status < 500 ? REPLY_FAULT_CLIENT : REPLY_FAULT_SERVER,
                                .code = code,
                                .message = message};
    reply_error(x, &error, NULL);
}

static int lookup_run(struct query *query, struct store_reader *reader)
{
    struct lookup *l = (struct lookup *)(void *)query;
    return store_read_outcome(reader, l->id.text, l->key, &l->tree);
}

static void lookup_answer(struct lookup *l, int rv)
{
    static const struct front_header headers[] = {{"cache-control", "no-store"}, {NULL, NULL}};
    if (rv != 0) {
        lookup_refuse(l->x, 503, "store_unavailable", "Decisions cannot be read at the moment. Try again later.");
    } else if (l->tree == NULL) {
        lookup_refuse(l->x, 404, "not_found", "There is no such decision for this key.");
    } else {
        reply_json(l->x, 200, l->tree, headers);
        l->tree = NULL;
    }
}

static void lookup_free(struct lookup *l)
{
    json_decref(l->tree);
    free(l->key);
    free(l);
}

static void on_done(struct query *query, int rv)
{
    struct lookup *l = (struct lookup *)(void *)query;
    if (l->x != NULL) {
        exchange_set_user(l->x, NULL);
        lookup_answer(l, rv);
    }
    lookup_free(l);
}

static void on_lookup_closed(struct responder *responder, bool gone)
{
    struct lookup *l = (struct lookup *)(void *)((char *)responder - offsetof(struct lookup, responder));
    (void)gone;
    l->x = NULL;
}

void decision_lookup_start(struct worker *worker, struct exchange *x, const char *key)
{
    const char *id = exchange_path(x) + strlen(DECISION_LOOKUP_PATH);
    if (!store_id_is_valid(id)) {
        lookup_refuse(x, 404, "not_found", "There is no such decision for this key.");
        return;
    }
    struct lookup *l = calloc(1, sizeof *l);
    if (l == NULL || (l->key = strdup(key)) == NULL) {
        free(l);
        exchange_abort(x);
        return;
    }
    l->query = (struct query){.run = lookup_run, .done = on_done};
    l->responder.on_closed = on_lookup_closed;
    l->x = x;
    strcpy(l->id.text, id);
    exchange_set_user(x, &l->responder);
    if (query_start(worker->queries, &l->query) == 0)
        return;
    exchange_set_user(x, NULL);
    lookup_free(l);
    lookup_refuse(x, 503, "store_busy", "Too many decisions are requested at once. Try again later.");
}
