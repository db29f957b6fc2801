/* See overview.h: requests over time. found.c has the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/overview.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/spread.h"
#include "store/driver.h"

static const int64_t minute_us = INT64_C(60) * 1000000, day_us = INT64_C(86400) * 1000000;
enum { STEPS_WANTED = 240, MINUTES_MAX_DAYS = 7, HOURS_MAX_DAYS = 395 };

struct total {
    int64_t counts[STORE_SUM_COUNTS];
    struct spread spreads[STORE_SUM_SPREADS];
};

struct series {
    int64_t from_us, step_us, begin_us; /* begin: of the period before */
    size_t len;
    struct total *buckets, all, before;
};

static void total_add(struct total *t, const struct store_sum_row *row)
{
    for (int i = 0; i < STORE_SUM_COUNTS; i++)
        if (i != STORE_SUM_HELD_MAX)
            t->counts[i] += row->counts[i];
        else if (row->counts[i] > t->counts[i])
            t->counts[i] = row->counts[i];
    for (int i = 0; i < STORE_SUM_SPREADS; i++)
        spread_merge_stored(&t->spreads[i], row->spreads[i].bytes, row->spreads[i].len);
}

static int series_add(void *ctx, const struct store_sum_row *row)
{
    struct series *s = ctx;
    if (row->at_us < s->from_us) {
        if (row->at_us >= s->begin_us)
            total_add(&s->before, row);
        return 0;
    }
    size_t i = (size_t)((row->at_us - s->from_us) / s->step_us);
    if (i < s->len) {
        total_add(&s->buckets[i], row);
        total_add(&s->all, row);
    }
    return 0;
}

/* ---- steps ---- */

/* Steps that divide what is kept, and a day or are days. */
static const int64_t steps_minutes[] = {1, 5, 15, 30, 60, 120, 360, 1440, 10080, 43200};
enum { STEPS = sizeof steps_minutes / sizeof *steps_minutes };

/* The level of the sums that a step is made of. */
static unsigned step_level(int64_t step_us)
{
    return step_us % day_us == 0 ? 1440 : step_us % (60 * minute_us) == 0 ? 60 : 1;
}

static bool step_is_fit(const struct store_view *v, int64_t step_us)
{
    int64_t age_days = (v->now_us - v->from_us + v->to_us - v->from_us) / day_us; /* the period before it, too */
    unsigned level = step_level(step_us);
    bool is_kept = level == 1440 || age_days < (level == 60 ? HOURS_MAX_DAYS : MINUTES_MAX_DAYS);
    return step_us % minute_us == 0 && is_kept && (v->to_us - v->from_us) / step_us < OVERVIEW_BUCKETS_MAX - 1;
}

static int64_t choose_step(const struct store_view *v)
{
    int64_t wanted = v->step_us > 0 ? v->step_us : (v->to_us - v->from_us) / STEPS_WANTED;
    if (v->step_us > 0 && step_is_fit(v, v->step_us))
        return v->step_us;
    for (int i = 0; i < STEPS; i++)
        if (steps_minutes[i] * minute_us >= wanted && step_is_fit(v, steps_minutes[i] * minute_us))
            return steps_minutes[i] * minute_us;
    int64_t days = ((v->to_us - v->from_us) / OVERVIEW_BUCKETS_MAX) / day_us + 2;
    return days * day_us;
}

/* ---- as JSON ---- */

static const char *const verdict_names[] = {"allow", "redact", "steer", "refuse", "cut", "none"};
static const struct {
    const char *name;
    enum store_sum_count count;
} count_names[] = {{"shadowed", STORE_SUM_SHADOWED},       {"restarts", STORE_SUM_RESTARTS},
                   {"findings", STORE_SUM_FINDINGS},       {"failed", STORE_SUM_FAILED},
                   {"held_bytes_max", STORE_SUM_HELD_MAX}, {"unjudged_bytes", STORE_SUM_UNJUDGED}};
static const char *const spread_names[] = {"added_us", "first_byte_us", "duration_us"};
enum { COUNT_NAMES = sizeof count_names / sizeof *count_names };

static int64_t requests_of(const struct total *t)
{
    int64_t n = 0;
    for (int i = 0; i < STORE_SUM_VERDICTS; i++)
        n += t->counts[i];
    return n;
}

static json_t *quantile_json(const struct spread *s, double part)
{
    int64_t value = spread_at(s, part);
    return value >= 0 ? json_integer(value) : json_null();
}

static json_t *total_json(const struct total *t)
{
    json_t *verdicts = json_object(), *out = json_pack("{sI}", "requests", (json_int_t)requests_of(t));
    for (int i = 0; i < STORE_SUM_VERDICTS; i++)
        json_object_set_new(verdicts, verdict_names[i], json_integer(t->counts[i]));
    int rv = json_object_set_new(out, "verdicts", verdicts);
    for (int i = 0; i < COUNT_NAMES; i++)
        rv |= json_object_set_new(out, count_names[i].name, json_integer(t->counts[count_names[i].count]));
    for (int i = 0; i < STORE_SUM_SPREADS; i++)
        rv |= json_object_set_new(
            out, spread_names[i],
            json_pack("{soso}", "p50", quantile_json(&t->spreads[i], 0.5), "p99", quantile_json(&t->spreads[i], 0.99)));
    if (rv == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* A list with one number of each bucket. */
static json_t *column_json(const struct series *s, json_t *(*of)(const struct series *s, size_t i, int which),
                           int which)
{
    json_t *out = json_array();
    for (size_t i = 0; i < s->len; i++)
        json_array_append_new(out, of(s, i, which));
    return out;
}

static json_t *time_at(const struct series *s, size_t i, int which)
{
    (void)which;
    return json_integer((s->from_us + (int64_t)i * s->step_us) / 1000000);
}

static json_t *requests_at(const struct series *s, size_t i, int which)
{
    (void)which;
    return json_integer(requests_of(&s->buckets[i]));
}

static json_t *count_at(const struct series *s, size_t i, int which)
{
    return json_integer(s->buckets[i].counts[which]);
}

static json_t *median_at(const struct series *s, size_t i, int which)
{
    return quantile_json(&s->buckets[i].spreads[which], 0.5);
}

static json_t *p99_at(const struct series *s, size_t i, int which)
{
    return quantile_json(&s->buckets[i].spreads[which], 0.99);
}

static json_t *series_json(const struct series *s)
{
    json_t *out = json_object(), *verdicts = json_object();
    int rv = json_object_set_new(out, "time", column_json(s, time_at, 0));
    rv |= json_object_set_new(out, "requests", column_json(s, requests_at, 0));
    for (int i = 0; i < STORE_SUM_VERDICTS; i++)
        rv |= json_object_set_new(verdicts, verdict_names[i], column_json(s, count_at, i));
    rv |= json_object_set_new(out, "verdicts", verdicts);
    for (int i = 0; i < COUNT_NAMES; i++)
        rv |= json_object_set_new(out, count_names[i].name, column_json(s, count_at, (int)count_names[i].count));
    for (int i = 0; i < STORE_SUM_SPREADS; i++)
        rv |= json_object_set_new(
            out, spread_names[i],
            json_pack("{soso}", "p50", column_json(s, median_at, i), "p99", column_json(s, p99_at, i)));
    if (rv == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- the view ---- */

static int overview_read(struct store_reader *reader, const struct store_view *v, struct series *s, json_t **out)
{
    char from[STORE_TIME_LEN], to[STORE_TIME_LEN];
    const struct store_sums_filter filter = {.minutes = step_level(s->step_us),
                                             .from_us = s->begin_us,
                                             .to_us = v->to_us,
                                             .route = v->route,
                                             .model = v->model,
                                             .key = v->key,
                                             .policy_version = v->policy_version};
    int rv = reader->driver->sums(reader, &filter, series_add, s);
    if (rv != 0)
        return rv;
    store_format_time(s->from_us, from);
    store_format_time(v->to_us, to);
    *out = json_pack("{sssssssIsososo}", "object", "overview", "from", from, "to", to, "step_s",
                     (json_int_t)(s->step_us / 1000000), "series", series_json(s), "total", total_json(&s->all),
                     "before", total_json(&s->before));
    return *out != NULL ? 0 : REIN_ENOMEM;
}

int store_read_overview(struct store_reader *reader, const struct store_view *view, json_t **out)
{
    struct series *s = calloc(1, sizeof *s);
    if (s == NULL)
        return REIN_ENOMEM;
    assert(view->from_us < view->to_us);
    s->step_us = choose_step(view);
    s->from_us = view->from_us - view->from_us % s->step_us;
    s->len = (size_t)((view->to_us - s->from_us + s->step_us - 1) / s->step_us);
    s->begin_us = s->from_us - (view->to_us - s->from_us);
    s->buckets = calloc(s->len, sizeof *s->buckets);
    int rv = s->buckets != NULL ? overview_read(reader, view, s, out) : REIN_ENOMEM;
    free(s->buckets);
    free(s);
    return rv;
}

int store_read_summed(struct store_reader *reader, double *out)
{
    int64_t done = 0, all = 0;
    int rv = reader->driver->summed(reader, &done, &all);
    *out = all > 0 ? (double)done / (double)all : 1;
    return rv;
}
