/* Fuzzes the parameters of the admin API: whatever a query has, it is refused with a sentence that names a parameter,
 * or what was read is in its bounds. SPDX-License-Identifier: Apache-2.0
 *
 * A line `name=value` is a parameter. A byte with its highest bit set stands for a name that exists, because names are
 * checked first. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUERIES = 24, INPUT_MAX = 4096 };

static const int64_t now_us = INT64_C(1790000000000000), second_us = 1000000;
/* No time that can be written is farther from 1970. */
static const int64_t time_max_us = INT64_C(300000000000) * 1000000;

static const char *const known[] = {
    "from",           "to",        "limit",  "cursor",  "texts",           "bucket",          "step",
    "verdict",        "ending",    "shadow", "pattern", "prompt_risk_min", "prompt_risk_max", "trace_risk_min",
    "trace_risk_max", "request_id"};

/* Cuts the text into lines, and each at its first "=". Returns their number. */
static size_t split(char *text, struct front_header queries[QUERIES + 1])
{
    size_t len = 0;
    for (char *line = strtok(text, "\n"); line != NULL && len < QUERIES; line = strtok(NULL, "\n")) {
        unsigned char first = (unsigned char)line[0];
        char *is = strchr(line, '=');
        if (is != NULL)
            *is = '\0';
        queries[len].name = first >= 0x80 ? known[first % (sizeof known / sizeof *known)] : line;
        queries[len++].value = is != NULL ? is + 1 : "";
    }
    queries[len] = (struct front_header){NULL, NULL};
    return len;
}

static bool is_time(int64_t us)
{
    return us > -time_max_us && us < time_max_us;
}

static void check_refusal(const struct front_header *queries, int rv, const struct param_problem *problem)
{
    bool is_there = false;
    if (rv == 0)
        return;
    if (rv != REIN_EINVAL || problem->param == NULL || problem->message == NULL)
        abort();
    for (const struct front_header *q = queries; q->name != NULL; q++)
        is_there |= strcmp(q->name, problem->param) == 0;
    if (!is_there && strcmp(problem->param, "from") != 0 && strcmp(problem->param, "bucket") != 0)
        abort(); /* these two may have to be added */
}

static void check_list(const struct front_header *queries, enum params_of which)
{
    struct list_params list;
    struct param_problem problem = {NULL, NULL};
    int rv = params_list(queries, which, &list, &problem);
    check_refusal(queries, rv, &problem);
    const struct store_filter *f = &list.filter;
    if (rv != 0)
        return;
    if (f->limit < 1 || f->limit > PAGE_MAX || !is_time(f->from_us) || !is_time(f->to_us))
        abort();
    for (int i = 0; i < STORE_RISKS; i++)
        if (!(f->risks[i].min >= 0 && f->risks[i].min <= 1 && f->risks[i].max >= 0 && f->risks[i].max <= 1))
            abort();
    if (list.unindexed[4] != NULL || (list.unindexed[0] != NULL && f->from_us == 0 && which != PARAMS_LIVE))
        abort();
}

static void check_views(const struct front_header *queries)
{
    struct view_params view;
    struct stats_params stats;
    struct param_problem problem = {NULL, NULL};
    for (int has_step = 0; has_step < 2; has_step++) {
        int rv = params_view(queries, has_step, now_us, &view, &problem);
        check_refusal(queries, rv, &problem);
        if (rv == 0 && (!is_time(view.view.from_us) || !is_time(view.view.to_us) ||
                        view.view.from_us >= view.view.to_us || view.view.step_us < 0))
            abort();
    }
    int rv = params_stats(queries, now_us, &stats, &problem);
    check_refusal(queries, rv, &problem);
    if (rv == 0 &&
        (stats.from_us >= stats.to_us || stats.bucket_us < second_us || stats.from_us % stats.bucket_us != 0 ||
         (stats.to_us - stats.from_us) / stats.bucket_us >= BUCKETS_MAX))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct front_header queries[QUERIES + 1];
    char *text = size <= INPUT_MAX ? malloc(size + 1) : NULL;
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    split(text, queries);
    check_list(queries, PARAMS_PAGE);
    check_list(queries, PARAMS_EXPORT);
    check_list(queries, PARAMS_LIVE);
    check_views(queries);
    free(text);
    return 0;
}
