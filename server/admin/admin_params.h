/* Parameters of the admin API, and filters of the command line: parsed, checked, copied.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ADMIN_ADMIN_PARAMS_H
#define SERVER_ADMIN_ADMIN_PARAMS_H

#include "front/front.h"
#include "store/overview.h"

enum { PARAM_TEXT_MAX = 256, PAGE_MAX = 500, PAGE_DEFAULT = 50, BUCKETS_MAX = 1000, FILTER_TEXTS = 11 };

struct list_params {
    struct store_filter filter; /* leads into texts */
    char texts[FILTER_TEXTS][PARAM_TEXT_MAX + 1];
    bool with_texts;
    const char *unindexed[5]; /* filters that have no index, NULL at the end */
};

struct view_params {
    struct store_view view; /* likewise */
    char texts[4][PARAM_TEXT_MAX + 1];
};

struct stats_params {
    int64_t from_us, to_us, bucket_us; /* from is a multiple of bucket */
};

/* Which parameters besides the filters a path has. */
enum params_of { PARAMS_PAGE, PARAMS_EXPORT, PARAMS_LIVE };

/* What is wrong: `param` names it (good as long as the queries). */
struct param_problem {
    const char *param, *message;
};

/* REIN_EINVAL fills `problem`. Unknown and repeated parameters are errors too: a filter with a typing error would show
 * everything. */
int params_list(const struct front_header *queries, enum params_of which, struct list_params *out,
                struct param_problem *problem) REIN_MUST_USE;
/* Without `from`, the day before `to`; without `to`, now. `step` as `bucket` below, if the path has it. */
int params_view(const struct front_header *queries, bool has_step, int64_t now_us, struct view_params *out,
                struct param_problem *problem) REIN_MUST_USE;
/* `from` and `to`, 0 if absent. */
int params_range(const struct front_header *queries, int64_t *from_us, int64_t *to_us,
                 struct param_problem *problem) REIN_MUST_USE;
/* Without `from`, the day before `to`; without `to`, now; without `bucket`, an hour. */
int params_stats(const struct front_header *queries, int64_t now_us, struct stats_params *out,
                 struct param_problem *problem) REIN_MUST_USE;
int params_none(const struct front_header *queries, struct param_problem *problem) REIN_MUST_USE;

/* RFC 3339 ("2026-01-31T12:00:00Z", with an offset, with a fraction), a date (UTC), or Unix seconds. */
int params_time(const char *text, int64_t *out_us) REIN_MUST_USE;

#endif
