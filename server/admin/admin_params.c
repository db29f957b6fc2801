/* See admin_params.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_params.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second_us = 1000000, day_us = 86400 * INT64_C(1000000);

static int wrong(struct param_problem *problem, const char *param, const char *message)
{
    *problem = (struct param_problem){param, message};
    return REIN_EINVAL;
}

/* ---- values ---- */

static const char *skip_digits(const char *text, size_t n)
{
    for (; n > 0; n--, text++)
        if (!isdigit((unsigned char)*text))
            return NULL;
    return text;
}

/* "YYYY-MM-DD" at the front; returns what follows, NULL if it is no date. */
static const char *parse_date(const char *text, struct tm *tm)
{
    const char *at = skip_digits(text, 4);
    if (at == NULL || *at != '-' || (at = skip_digits(at + 1, 2)) == NULL || *at != '-' ||
        (at = skip_digits(at + 1, 2)) == NULL)
        return NULL;
    *tm = (struct tm){.tm_year = atoi(text) - 1900, .tm_mon = atoi(text + 5) - 1, .tm_mday = atoi(text + 8)};
    return at;
}

static const char *parse_clock(const char *text, struct tm *tm)
{
    const char *at = skip_digits(text, 2);
    if (at == NULL || *at != ':' || (at = skip_digits(at + 1, 2)) == NULL || *at != ':' ||
        (at = skip_digits(at + 1, 2)) == NULL)
        return NULL;
    tm->tm_hour = atoi(text);
    tm->tm_min = atoi(text + 3);
    tm->tm_sec = atoi(text + 6);
    return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59 ? NULL : at;
}

static const char *parse_fraction(const char *text, int64_t *us)
{
    int64_t unit = second_us;
    if (*text != '.')
        return text;
    if (!isdigit((unsigned char)*++text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        unit /= 10;
        *us += unit * (*text - '0');
    }
    return text;
}

/* "Z" or "+hh:mm" at the very end. */
static bool parse_offset(const char *text, int64_t *us)
{
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    int sign = *text == '-' ? 1 : *text == '+' || *text == ' ' ? -1 : 0; /* an unescaped '+' arrives as a space */
    const char *at = sign != 0 ? skip_digits(text + 1, 2) : NULL;
    if (at == NULL || *at != ':' || (at = skip_digits(at + 1, 2)) == NULL || *at != '\0')
        return false;
    int hours = atoi(text + 1), minutes = atoi(text + 4);
    *us += sign * (hours * 3600 + minutes * 60) * second_us;
    return hours < 24 && minutes < 60;
}

static bool date_exists(struct tm tm, time_t *out)
{
    struct tm back;
    int mday = tm.tm_mday, mon = tm.tm_mon;
    *out = timegm(&tm);
    return gmtime_r(out, &back) != NULL && back.tm_mday == mday && back.tm_mon == mon;
}

static bool parse_unix(const char *text, int64_t *out_us)
{
    size_t digits = strspn(text, "0123456789");
    int64_t us = 0;
    if (digits == 0 || digits > 11)
        return false;
    const char *rest = parse_fraction(text + digits, &us);
    *out_us = atoll(text) * second_us + us;
    return rest != NULL && *rest == '\0';
}

int params_time(const char *text, int64_t *out_us)
{
    struct tm tm;
    time_t s;
    int64_t us = 0;
    if (parse_unix(text, out_us))
        return 0;
    const char *at = parse_date(text, &tm);
    if (at != NULL && *at != '\0') {
        at = *at == 'T' || *at == 't' ? parse_clock(at + 1, &tm) : NULL;
        at = at != NULL ? parse_fraction(at, &us) : NULL;
        at = at != NULL && parse_offset(at, &us) ? "" : NULL;
    }
    if (at == NULL || !date_exists(tm, &s))
        return REIN_EINVAL;
    *out_us = (int64_t)s * second_us + us;
    return 0;
}

static bool parse_count(const char *text, unsigned max, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    *out = (unsigned)atoi(text);
    return digits > 0 && digits < 6 && text[digits] == '\0' && *out >= 1 && *out <= max;
}

/* "90s", "5m", "1h", "1d" or seconds. */
static bool parse_span(const char *text, int64_t *out_us)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (digits > 0 && digits < 8 && strcmp(text + digits, units[i].unit) == 0) {
            *out_us = atoll(text) * units[i].seconds * second_us;
            return *out_us > 0;
        }
    return false;
}

/* ---- parameters ---- */

static const char *query_value(const struct front_header *queries, const char *name)
{
    while (queries->name != NULL && strcmp(queries->name, name) != 0)
        queries++;
    return queries->name != NULL ? queries->value : NULL;
}

static bool is_listed(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static int check_names(const struct front_header *queries, const char *const *names, struct param_problem *problem)
{
    for (const struct front_header *q = queries; q->name != NULL; q++) {
        if (!is_listed(q->name, names))
            return wrong(problem, q->name, "This path does not have this parameter.");
        for (const struct front_header *other = q + 1; other->name != NULL; other++)
            if (strcmp(q->name, other->name) == 0)
                return wrong(problem, q->name, "The parameter appears more than once.");
    }
    return 0;
}

static int read_time(const struct front_header *queries, const char *name, int64_t *out, struct param_problem *problem)
{
    const char *text = query_value(queries, name);
    if (text != NULL && params_time(text, out) != 0)
        return wrong(problem, name, "Not a time: use RFC 3339, a date, or Unix seconds.");
    return 0;
}

static int read_range(const struct front_header *queries, int64_t *from, int64_t *to, struct param_problem *problem)
{
    int rv = read_time(queries, "from", from, problem);
    if (rv == 0)
        rv = read_time(queries, "to", to, problem);
    if (rv == 0 && *to != 0 && *from >= *to)
        return wrong(problem, "to", "The end must be after the beginning.");
    return rv;
}

struct text_param {
    const char *name, **value;
};

static int read_texts(const struct front_header *queries, const struct text_param *params, size_t len,
                      char (*texts)[PARAM_TEXT_MAX + 1], struct param_problem *problem)
{
    for (size_t i = 0; i < len; i++) {
        const char *value = query_value(queries, params[i].name);
        if (value == NULL)
            continue;
        if (*value == '\0' || strlen(value) > PARAM_TEXT_MAX)
            return wrong(problem, params[i].name, "The value must have 1 to 256 bytes.");
        *params[i].value = strcpy(texts[i], value);
    }
    return 0;
}

static bool is_pattern(const char *name)
{
    for (int i = 0; i < REIN_PATTERNS; i++)
        if (strcmp(rein_pattern_name((enum rein_pattern)i), name) == 0)
            return true;
    return false;
}

static int check_words(const struct store_filter *f, struct param_problem *problem)
{
    static const char *const verdicts[] = {"allow", "redact", "steer", "refuse", "cut", "none", NULL};
    static const char *const actions[] = {"any",   "record",       "redact", "cut_reasoning",
                                          "steer", "cut_response", "refuse", NULL};
    if (f->verdict != NULL && !is_listed(f->verdict, verdicts))
        return wrong(problem, "verdict", "Not a verdict: use allow, redact, steer, refuse, cut or none.");
    if (f->shadow != NULL && !is_listed(f->shadow, actions))
        return wrong(problem, "shadow",
                     "Not an action: use record, redact, cut_reasoning, steer, cut_response, refuse, or any.");
    return f->pattern == NULL || is_pattern(f->pattern) ? 0 : wrong(problem, "pattern", "This pattern does not exist.");
}

static int read_risk(const struct front_header *queries, const char *name, double *out, bool *is_set,
                     struct param_problem *problem)
{
    const char *text = query_value(queries, name);
    char *end;
    if (text == NULL)
        return 0;
    *out = strtod(text, &end);
    if (strspn(text, "0123456789.") != strlen(text) || *text == '\0' || *end != '\0' || *out > 1)
        return wrong(problem, name, "A risk is a number from 0 to 1.");
    *is_set = true;
    return 0;
}

static int read_risks(const struct front_header *queries, struct store_filter *f, struct param_problem *problem)
{
    static const char *const names[STORE_RISKS][2] = {{"prompt_risk_min", "prompt_risk_max"},
                                                      {"trace_risk_min", "trace_risk_max"}};
    int rv = 0;
    for (int i = 0; i < STORE_RISKS && rv == 0; i++) {
        f->risks[i].max = 1;
        rv = read_risk(queries, names[i][0], &f->risks[i].min, &f->risks[i].is_set, problem);
        if (rv == 0)
            rv = read_risk(queries, names[i][1], &f->risks[i].max, &f->risks[i].is_set, problem);
    }
    return rv;
}

/* A filter without an index reads all rows of its time range, so there has to be one. */
static int note_unindexed(struct list_params *out, enum params_of which, struct param_problem *problem)
{
    const struct store_filter *f = &out->filter;
    size_t len = 0;
    if (f->shadow != NULL)
        out->unindexed[len++] = "shadow";
    if (f->risks[0].is_set)
        out->unindexed[len++] = "prompt_risk";
    if (f->risks[1].is_set)
        out->unindexed[len++] = "trace_risk";
    if (f->ending != NULL && strcmp(f->ending, "failed") == 0)
        out->unindexed[len++] = "ending";
    if (len == 0 || f->from_us != 0 || which == PARAMS_LIVE)
        return 0;
    return wrong(
        problem, "from",
        "The filters shadow, prompt_risk and trace_risk, and the ending failed, have no index: add a time range.");
}

static int read_place(const struct front_header *queries, struct store_filter *f, struct param_problem *problem)
{
    const char *limit = query_value(queries, "limit"), *cursor = query_value(queries, "cursor");
    if (limit != NULL && !parse_count(limit, PAGE_MAX, &f->limit))
        return wrong(problem, "limit", "The limit must be from 1 to 500.");
    f->has_after = cursor != NULL;
    if (cursor != NULL && !store_parse_cursor(cursor, &f->after, &f->newer))
        return wrong(problem, "cursor",
                     "Not a cursor of this API: use next_cursor or prev_cursor of a page, or cursor of a decision.");
    return 0;
}

static int read_with_texts(const struct front_header *queries, bool *out, struct param_problem *problem)
{
    const char *text = query_value(queries, "texts");
    *out = text != NULL && strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0 ? 0 : wrong(problem, "texts", "Use true or false.");
}

#define FILTER_NAMES                                                                                                   \
    "route", "model", "key", "policy_version", "verdict", "ending", "request_id", "pattern", "rule", "judge",          \
        "shadow", "prompt_risk_min", "prompt_risk_max", "trace_risk_min", "trace_risk_max"

int params_list(const struct front_header *queries, enum params_of which, struct list_params *out,
                struct param_problem *problem)
{
    static const char *const page[] = {FILTER_NAMES, "from", "to", "limit", "cursor", NULL},
                             *const export[] = {FILTER_NAMES, "from", "to", "texts", NULL},
                             *const live[] = {FILTER_NAMES, NULL};
    const char *const *names = which == PARAMS_PAGE ? page : which == PARAMS_EXPORT ? export : live;
    *out = (struct list_params){.filter = {.limit = PAGE_DEFAULT}};
    struct store_filter *f = &out->filter;
    const struct text_param texts[FILTER_TEXTS] = {{"route", &f->route},
                                                   {"model", &f->model},
                                                   {"key", &f->key},
                                                   {"policy_version", &f->policy_version},
                                                   {"verdict", &f->verdict},
                                                   {"ending", &f->ending},
                                                   {"request_id", &f->request_id},
                                                   {"pattern", &f->pattern},
                                                   {"rule", &f->rule},
                                                   {"judge", &f->judge},
                                                   {"shadow", &f->shadow}};
    int rv = check_names(queries, names, problem);
    if (rv == 0)
        rv = read_range(queries, &f->from_us, &f->to_us, problem);
    if (rv == 0)
        rv = read_texts(queries, texts, FILTER_TEXTS, out->texts, problem);
    if (rv == 0)
        rv = check_words(f, problem);
    if (rv == 0)
        rv = read_risks(queries, f, problem);
    if (rv == 0)
        rv = read_place(queries, f, problem);
    if (rv == 0)
        rv = read_with_texts(queries, &out->with_texts, problem);
    return rv == 0 ? note_unindexed(out, which, problem) : rv;
}

int params_view(const struct front_header *queries, bool has_step, int64_t now_us, struct view_params *out,
                struct param_problem *problem)
{
    static const char *const with_step[] = {"from", "to", "route", "model", "key", "policy_version", "step", NULL},
                             *const without[] = {"from", "to", "route", "model", "key", "policy_version", NULL};
    *out = (struct view_params){.view = {.now_us = now_us}};
    struct store_view *v = &out->view;
    const struct text_param texts[] = {
        {"route", &v->route}, {"model", &v->model}, {"key", &v->key}, {"policy_version", &v->policy_version}};
    const char *step = query_value(queries, "step");
    int rv = check_names(queries, has_step ? with_step : without, problem);
    if (rv == 0)
        rv = read_range(queries, &v->from_us, &v->to_us, problem);
    if (rv == 0)
        rv = read_texts(queries, texts, sizeof texts / sizeof *texts, out->texts, problem);
    if (rv != 0)
        return rv;
    if (step != NULL && !parse_span(step, &v->step_us))
        return wrong(problem, "step", "Not a duration: use a value such as 30s, 5m, 1h or 1d, or seconds.");
    if (v->to_us == 0)
        v->to_us = now_us;
    if (v->from_us == 0)
        v->from_us = v->to_us - day_us;
    return v->from_us < v->to_us ? 0 : wrong(problem, "from", "The beginning must be before the end.");
}

int params_range(const struct front_header *queries, int64_t *from_us, int64_t *to_us, struct param_problem *problem)
{
    static const char *const names[] = {"from", "to", NULL};
    *from_us = *to_us = 0;
    int rv = check_names(queries, names, problem);
    return rv == 0 ? read_range(queries, from_us, to_us, problem) : rv;
}

int params_stats(const struct front_header *queries, int64_t now_us, struct stats_params *out,
                 struct param_problem *problem)
{
    static const char *const names[] = {"from", "to", "bucket", NULL};
    const char *bucket = query_value(queries, "bucket");
    *out = (struct stats_params){.bucket_us = 3600 * second_us};
    int rv = check_names(queries, names, problem);
    if (rv == 0)
        rv = read_range(queries, &out->from_us, &out->to_us, problem);
    if (rv != 0)
        return rv;
    if (bucket != NULL && !parse_span(bucket, &out->bucket_us))
        return wrong(problem, "bucket", "Not a duration: use a value such as 30s, 5m, 1h or 1d, or seconds.");
    if (out->to_us == 0)
        out->to_us = now_us;
    if (out->from_us == 0)
        out->from_us = out->to_us - day_us;
    if (out->from_us >= out->to_us)
        return wrong(problem, "from", "The beginning must be before the end.");
    out->from_us -= out->from_us % out->bucket_us;
    if ((out->to_us - out->from_us) / out->bucket_us >= BUCKETS_MAX)
        return wrong(problem, "bucket", "Too many buckets: at most 1000 fit between from and to. Use a larger bucket.");
    return 0;
}

int params_none(const struct front_header *queries, struct param_problem *problem)
{
    static const char *const names[] = {NULL};
    return check_names(queries, names, problem);
}
