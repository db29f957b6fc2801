/* The paths of views over time: overview, findings, and the values that filters can have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_job.h"
#include "store/overview.h"

struct view_job {
    struct admin_job job; /* first */
    struct view_params params;
};

/* ---- overview ---- */

static json_t *commit_p99(const struct store_stats *stats)
{
    static const int64_t bounds[STORE_LATENCY_BOUNDS] = STORE_LATENCY_BOUNDS_US;
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i <= STORE_LATENCY_BOUNDS; i++)
        all += stats->latency[i];
    for (size_t i = 0; i < STORE_LATENCY_BOUNDS && all > 0; i++)
        if ((seen += stats->latency[i]) * 100 >= all * 99)
            return json_integer(bounds[i]);
    return all > 0 ? json_integer(bounds[STORE_LATENCY_BOUNDS - 1]) : json_null();
}

static json_t *health_json(struct store *store, double summed)
{
    struct store_stats stats;
    store_stats(store, &stats);
    return json_pack("{sbsIsIsIsIsIsIsIsosf}", "healthy", store_is_healthy(store), "queued", (json_int_t)stats.queued,
                     "kept", (json_int_t)stats.kept, "written", (json_int_t)stats.written, "failed",
                     (json_int_t)stats.failed, "dropped", (json_int_t)stats.dropped, "purged", (json_int_t)stats.purged,
                     "gone", (json_int_t)stats.gone, "commit_us_p99", commit_p99(&stats), "summed", summed);
}

static int read_overview(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    struct view_job *job = (struct view_job *)(void *)base;
    double summed = 1;
    int rv = store_read_overview(reader, &job->params.view, tree);
    if (rv == 0)
        rv = store_read_summed(reader, &summed);
    if (rv == 0 && json_object_set_new(*tree, "store", health_json(base->admin->store, summed)) != 0)
        rv = REIN_ENOMEM;
    return rv;
}

static int read_found(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    return store_read_found(reader, &((struct view_job *)(void *)base)->params.view, tree);
}

static void serve_view(struct admin *admin, const struct admin_path *path, struct exchange *x, bool is_overview)
{
    struct param_problem problem;
    struct view_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    if (params_view(exchange_queries(x), is_overview, admin_now_us(), &job->params, &problem) != 0)
        admin_job_refuse(&job->job, &problem);
    else
        admin_job_start(&job->job, is_overview ? read_overview : read_found);
}

static void serve_overview(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_view(admin, path, x, true);
}

static void serve_found(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_view(admin, path, x, false);
}

/* ---- facets ---- */

static int read_facets(struct admin_job *job, struct store_reader *reader, json_t **tree)
{
    (void)job;
    return store_read_facets(reader, tree);
}

static void serve_facets(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    admin_job_plain(admin, path, x, read_facets);
}

const struct admin_path admin_view_paths[] = {
    {"GET", "/admin/v1/overview", ADMIN_COUNTS, admin_json_headers, serve_overview},
    {"GET", "/admin/v1/findings", ADMIN_COUNTS, admin_json_headers, serve_found},
    {"GET", "/admin/v1/facets", ADMIN_COUNTS, admin_json_headers, serve_facets},
    {.path = NULL},
};
