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

void params_format_cursor(const struct store_cursor *cursor, char out[CURSOR_LEN])
{
    snprintf(out, CURSOR_LEN, "%016llx%016llx", (unsigned long long)cursor->started_at_us,
             (unsigned long long)cursor->seq);
}

static bool parse_cursor(const char *text, struct store_cursor *out)
{
    char half[17] = "";
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    memcpy(half, text, 16);
    out->started_at_us = (int64_t)strtoull(half, NULL, 16);
    out->seq = (int64_t)strtoull(text + 16, NULL, 16);
    return true;
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

static bool is_listed(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static int check_names(const struct exchange *x, const char *const *names, struct param_problem *problem)
{
    for (const struct front_header *q = exchange_queries(x); q->name != NULL; q++) {
        if (!is_listed(q->name, names))
            return wrong(problem, q->name, "This path does not have this parameter.");
        for (const struct front_header *other = q + 1; other->name != NULL; other++)
            if (strcmp(q->name, other->name) == 0)
                return wrong(problem, q->name, "The parameter appears more than once.");
    }
    return 0;
}

static int read_time(const struct exchange *x, const char *name, int64_t *out, struct param_problem *problem)
{
    const char *text = exchange_query(x, name);
    if (text != NULL && params_time(text, out) != 0)
        return wrong(problem, name, "Not a time: use RFC 3339, a date, or Unix seconds.");
    return 0;
}

static int read_range(const struct exchange *x, int64_t *from, int64_t *to, struct param_problem *problem)
{
    int rv = read_time(x, "from", from, problem);
    if (rv == 0)
        rv = read_time(x, "to", to, problem);
    if (rv == 0 && *to != 0 && *from >= *to)
        return wrong(problem, "to", "The end must be after the beginning.");
    return rv;
}

static int read_texts(const struct exchange *x, struct list_params *out, struct param_problem *problem)
{
    const struct {
        const char *name, **value;
    } texts[] = {{"route", &out->filter.route},
                 {"model", &out->filter.model},
                 {"policy_version", &out->filter.policy_version},
                 {"verdict", &out->filter.verdict},
                 {"pattern", &out->filter.pattern},
                 {"rule", &out->filter.rule}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = exchange_query(x, texts[i].name);
        if (value == NULL)
            continue;
        if (*value == '\0' || strlen(value) > PARAM_TEXT_MAX)
            return wrong(problem, texts[i].name, "The value must have 1 to 256 bytes.");
        *texts[i].value = strcpy(out->texts[i], value);
    }
    return 0;
}

static int check_words(const struct store_filter *f, struct param_problem *problem)
{
    static const char *const verdicts[] = {"allow", "redact", "steer", "refuse", "cut", "none", NULL};
    if (f->verdict != NULL && !is_listed(f->verdict, verdicts))
        return wrong(problem, "verdict", "Not a verdict: use allow, redact, steer, refuse, cut or none.");
    for (int i = 0; f->pattern != NULL && i < REIN_PATTERNS; i++)
        if (strcmp(rein_pattern_name((enum rein_pattern)i), f->pattern) == 0)
            return 0;
    return f->pattern == NULL ? 0 : wrong(problem, "pattern", "This pattern does not exist.");
}

int params_list(const struct exchange *x, struct list_params *out, struct param_problem *problem)
{
    static const char *const names[] = {"from", "to",    "route",  "model", "policy_version", "verdict", "pattern",
                                        "rule", "limit", "cursor", NULL};
    *out = (struct list_params){.filter = {.limit = PAGE_DEFAULT}};
    struct store_filter *f = &out->filter;
    int rv = check_names(x, names, problem);
    if (rv == 0)
        rv = read_range(x, &f->from_us, &f->to_us, problem);
    if (rv == 0)
        rv = read_texts(x, out, problem);
    if (rv == 0)
        rv = check_words(f, problem);
    if (rv != 0)
        return rv;
    const char *limit = exchange_query(x, "limit"), *cursor = exchange_query(x, "cursor");
    if (limit != NULL && !parse_count(limit, PAGE_MAX, &f->limit))
        return wrong(problem, "limit", "The limit must be from 1 to 500.");
    f->has_after = cursor != NULL;
    if (cursor != NULL && !parse_cursor(cursor, &f->after))
        return wrong(problem, "cursor", "Not a cursor of this API: use next_cursor of the previous page, unchanged.");
    return 0;
}

int params_stats(const struct exchange *x, int64_t now_us, struct stats_params *out, struct param_problem *problem)
{
    static const char *const names[] = {"from", "to", "bucket", NULL};
    const char *bucket = exchange_query(x, "bucket");
    *out = (struct stats_params){.bucket_us = 3600 * second_us};
    int rv = check_names(x, names, problem);
    if (rv == 0)
        rv = read_range(x, &out->from_us, &out->to_us, problem);
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

int params_none(const struct exchange *x, struct param_problem *problem)
{
    static const char *const names[] = {NULL};
    return check_names(x, names, problem);
}
