/* The path by which operators erase kept text, and what was derived from it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The store's writer erases; the job comes back by an order, which cannot fail. A client that leaves changes nothing:
 * what was asked for is erased. Thread: the admin loop's. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_internal.h"
#include "admin/admin_params.h"
#include "base/log.h"
#include "config/server_secret.h"
#include "front/reply.h"

struct erase_job {
    struct store_erasure erasure; /* the store's between store_erase and its order */
    struct responder responder;
    struct admin *admin;
    const struct admin_path *path;
    struct exchange *x; /* NULL: the client has left */
    json_t *body;       /* owned: the filter's texts */
    char user[USER_HASH_LEN + 1];
};

static void on_erase_closed(struct responder *responder, bool gone)
{
    (void)gone;
    ((struct erase_job *)(void *)((char *)responder - offsetof(struct erase_job, responder)))->x = NULL;
}

static void erase_job_free(struct erase_job *job)
{
    json_decref(job->body);
    free(job);
}

/* ---- what is asked ---- */

/* *to is NULL if it is not there. False: it is no text, or an empty one. */
static bool take_selector(const json_t *body, const char *key, const char **to)
{
    const json_t *value = json_object_get(body, key);
    *to = json_string_value(value);
    return value == NULL || (json_string_length(value) > 0 && strlen(*to) == json_string_length(value));
}

static const char *unknown_selector(json_t *body)
{
    static const char *const known[] = {"key", "user", "request", "before"};
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            return name;
    }
    return NULL;
}

/* The body: {"key", "user", "request", "before"}, all of which must hold; *user is the user as requests name it. */
static bool read_selectors(struct erase_job *job, const char **user, struct param_problem *problem)
{
    struct store_erase_filter *f = &job->erasure.filter;
    const char *before = NULL, *wrong = NULL;
    const struct {
        const char *key, **to;
    } texts[] = {{"key", &f->key}, {"user", user}, {"request", &f->request}, {"before", &before}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts && wrong == NULL; i++)
        if (!take_selector(job->body, texts[i].key, texts[i].to))
            wrong = texts[i].key;
    if (!json_is_object(job->body))
        *problem = (struct param_problem){"body", "The body must be a JSON object."};
    else if (wrong != NULL)
        *problem = (struct param_problem){wrong, "This must be a text that is not empty."};
    else if (unknown_selector(job->body) != NULL)
        *problem = (struct param_problem){unknown_selector(job->body),
                                          "There is no such selector: use key, user, request and before."};
    else if (before != NULL && !store_erase_before(&f->before_us, before))
        *problem = (struct param_problem){
            "before", "Use a time such as 2026-11-30 or 2026-11-30T14:05:00Z, or an age such as 90d."};
    else if (f->key == NULL && *user == NULL && f->request == NULL && before == NULL)
        *problem = (struct param_problem){"body", "Say what to erase: key, user, request or before."};
    return problem->message == NULL;
}

/* ---- answers ---- */

static void answer_erased(struct erase_job *job)
{
    const struct store_erased *e = &job->erasure.erased;
    if (job->erasure.rv == REIN_ESTATE)
        admin_reply_error(job->x, 503, "draining", NULL, "The server stops: not all of it is erased.");
    else if (job->erasure.rv != 0)
        admin_reply_error(job->x, 503, "store_unavailable", NULL,
                          "The store cannot be written at the moment: not all of it is erased. Try again later.");
    else
        admin_reply(job->x, job->path, 200,
                    json_pack("{sssIsIsIsIsb}", "object", "erased", "decisions", (json_int_t)e->decisions, "texts",
                              (json_int_t)e->texts, "evidence", (json_int_t)e->evidence, "notes", (json_int_t)e->notes,
                              "log_left", (int)e->is_log_left));
}

static void on_erased(void *ctx)
{
    struct erase_job *job = ctx;
    struct admin *admin = job->admin;
    const struct store_erased *e = &job->erasure.erased;
    log_info("admin", "erased %llu texts, %llu pieces of evidence and %llu notes of %llu decisions%s",
             (unsigned long long)e->texts, (unsigned long long)e->evidence, (unsigned long long)e->notes,
             (unsigned long long)e->decisions, job->erasure.rv != 0 ? "; that is not all" : "");
    if (job->x != NULL) {
        exchange_set_user(job->x, NULL);
        answer_erased(job);
    }
    erase_job_free(job);
    admin->erasing--;
    admin_query_done(admin);
}

static void begin_erase(struct erase_job *job)
{
    const struct store_erase_filter *f = &job->erasure.filter;
    struct admin *admin = job->admin;
    exchange_set_user(job->x, &job->responder);
    admin->erasing++;
    log_info("admin", "erasing by%s%s%s%s was asked for by %s", f->key != NULL ? " key" : "",
             f->user != NULL ? " user" : "", f->request != NULL ? " request" : "", f->before_us != 0 ? " time" : "",
             admin_caller_name(job->x));
    int rv = store_erase(admin->store, &job->erasure);
    if (rv == 0)
        return;
    admin->erasing--;
    exchange_set_user(job->x, NULL);
    if (rv == REIN_ELIMIT)
        admin_reply_error(job->x, 503, "too_many_erasures", NULL, "Too many erasures are waiting. Try again later.");
    else
        admin_reply_error(job->x, 503, "draining", NULL, "The server stops: nothing is erased.");
    erase_job_free(job);
}

static void serve_erase(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct rein_source body = exchange_body(x);
    struct param_problem problem = {NULL, NULL};
    const char *user = NULL;
    struct erase_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        exchange_abort(x);
        return;
    }
    *job = (struct erase_job){.responder.on_closed = on_erase_closed,
                              .admin = admin,
                              .path = path,
                              .x = x,
                              .body = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL),
                              .erasure = {.loop = admin->loop, .done = {.fn = on_erased, .ctx = job}}};
    if (params_none(exchange_queries(x), &problem) != 0 || !read_selectors(job, &user, &problem)) {
        admin_reply_error(x, 400, "invalid_parameter", problem.param, problem.message);
        erase_job_free(job);
        return;
    }
    if (user != NULL && server_secret_user(&admin->secret, user, strlen(user), job->user) != 0) {
        exchange_abort(x);
        erase_job_free(job);
        return;
    }
    job->erasure.filter.user = user != NULL ? job->user : NULL;
    begin_erase(job);
}

const struct admin_path admin_erase_paths[] = {
    {"POST", "/admin/v1/erase", ADMIN_OPERATE, admin_json_headers, serve_erase},
    {.path = NULL},
};
