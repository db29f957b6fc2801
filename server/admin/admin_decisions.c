/* The paths that read decisions: a page of them, one of them, and statistics of their rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "admin/admin_job.h"
#include "base/log.h"
#include "store/whole.h"

/* ---- a page ---- */

struct list_job {
    struct admin_job job; /* first */
    struct list_params params;
    bool may_read_text;
};

static json_t *unindexed_json(const struct list_params *params)
{
    json_t *out = json_array();
    for (const char *const *name = params->unindexed; *name != NULL; name++)
        json_array_append_new(out, json_string(*name));
    return out;
}

/* The cursor of a page's first or last row; NULL: there is no page in that direction. */
static const char *page_cursor(const json_t *page, bool newer, bool exists, char out[STORE_CURSOR_LEN])
{
    size_t len = json_array_size(page);
    const char *cursor =
        json_string_value(json_object_get(json_array_get(page, newer || len == 0 ? 0 : len - 1), "cursor"));
    if (cursor == NULL || !exists)
        return NULL;
    strcpy(out, newer ? "r" : "");
    return strncat(out, cursor, STORE_CURSOR_LEN - 2);
}

static int read_list(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    struct list_job *job = (struct list_job *)(void *)base;
    const struct store_filter *filter = &job->params.filter;
    struct store_cursor last = {0, 0};
    bool has_more = false;
    char next[STORE_CURSOR_LEN], prev[STORE_CURSOR_LEN];
    json_t *page = NULL, *row;
    size_t i;
    int rv = store_read_decisions(reader, filter, &page, &has_more, &last);
    if (rv != 0)
        return rv;
    json_array_foreach(page, i, row)
    {
        if (!job->may_read_text && (rv = store_hide_text(row)) != 0) {
            json_decref(page);
            return rv;
        }
    }
    const char *older = page_cursor(page, false, filter->newer || has_more, next),
               *newer = page_cursor(page, true, filter->newer ? has_more : filter->has_after, prev);
    *tree = json_pack("{sssOss?ss?so}", "object", "list", "data", page, "next_cursor", older, "prev_cursor", newer,
                      "unindexed", unindexed_json(&job->params));
    json_decref(page);
    return *tree != NULL ? 0 : REIN_ENOMEM;
}

static void serve_list(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    struct list_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    job->may_read_text = admin_may(x, ADMIN_TEXT);
    if (params_list(exchange_queries(x), PARAMS_PAGE, &job->params, &problem) != 0)
        admin_job_refuse(&job->job, &problem);
    else
        admin_job_start(&job->job, read_list);
}

/* ---- one ---- */

struct one_job {
    struct admin_job job; /* first */
    struct store_id id;
    bool may_read_text;
};

static int read_one(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    struct one_job *job = (struct one_job *)(void *)base;
    return store_read_whole(reader, job->id.text, job->may_read_text, tree);
}

static void serve_one(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    const char *id = admin_path_rest(path, x);
    struct one_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    job->may_read_text = admin_may(x, ADMIN_TEXT);
    if (!store_id_is_valid(id))
        problem = (struct param_problem){"id", "This is not the id of a decision."};
    else if (params_none(exchange_queries(x), &problem) == 0) {
        strcpy(job->id.text, id);
        if (job->may_read_text)
            log_info("admin", "the text of decision %s is read by %s", id, admin_caller_name(x));
        admin_job_start(&job->job, read_one);
        return;
    }
    admin_job_refuse(&job->job, &problem);
}

/* ---- statistics ---- */

struct stats_job {
    struct admin_job job; /* first */
    struct stats_params params;
};

static int read_stats(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    const struct stats_params *s = &((struct stats_job *)(void *)base)->params;
    return store_read_stats(reader, s->from_us, s->to_us, s->bucket_us, tree);
}

static void serve_stats(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    struct stats_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    if (params_stats(exchange_queries(x), admin_now_us(), &job->params, &problem) != 0)
        admin_job_refuse(&job->job, &problem);
    else
        admin_job_start(&job->job, read_stats);
}

/* ---- the paths ---- */

const struct admin_path admin_decision_paths[] = {
    {"GET", "/admin/v1/decisions", ADMIN_COUNTS, admin_json_headers, serve_list},
    {"GET", "/admin/v1/decisions/", ADMIN_COUNTS, admin_json_headers, serve_one},
    {"GET", "/admin/v1/stats", ADMIN_COUNTS, admin_json_headers, serve_stats},
    {.path = NULL},
};
