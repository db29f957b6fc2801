/* Parameters of the admin API: parsed, checked, copied.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ADMIN_ADMIN_PARAMS_H
#define SERVER_ADMIN_ADMIN_PARAMS_H

#include "front/front.h"
#include "store/read.h"

enum { PARAM_TEXT_MAX = 256, PAGE_MAX = 500, PAGE_DEFAULT = 50, BUCKETS_MAX = 1000 };

struct list_params {
    struct store_filter filter; /* leads into texts */
    char texts[6][PARAM_TEXT_MAX + 1];
};

struct stats_params {
    int64_t from_us, to_us, bucket_us; /* from is a multiple of bucket */
};

/* What is wrong: `param` names it (good as long as the exchange). */
struct param_problem {
    const char *param, *message;
};

/* REIN_EINVAL fills `problem`. Unknown and repeated parameters are errors too: a filter with a typing error would show
 * everything. */
int params_list(const struct exchange *x, struct list_params *out, struct param_problem *problem) REIN_MUST_USE;
/* Without `from`, the day before `to`; without `to`, now; without `bucket`, an hour. */
int params_stats(const struct exchange *x, int64_t now_us, struct stats_params *out,
                 struct param_problem *problem) REIN_MUST_USE;
int params_none(const struct exchange *x, struct param_problem *problem) REIN_MUST_USE;

/* RFC 3339 ("2026-01-31T12:00:00Z", with an offset, with a fraction), a date (UTC), or Unix seconds. */
int params_time(const char *text, int64_t *out_us) REIN_MUST_USE;

enum { CURSOR_LEN = 40 };
void params_format_cursor(const struct store_cursor *cursor, char out[CURSOR_LEN]);

#endif
