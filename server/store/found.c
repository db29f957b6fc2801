/* See overview.h: findings over time, compared with the period and the policy version before; values of filters.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/spread.h"
#include "store/driver.h"
#include "store/overview.h"

static const int64_t hour_us = INT64_C(3600) * 1000000, day_us = INT64_C(86400) * 1000000;

enum { SPARK_MAX = 24, POLICY_DAYS = 30, FOUND_MAX = 4096 };

/* One pattern, rule or panel. */
struct found {
    char *kind, *name;
    int64_t enforced, shadow, before, current, previous, last_seen_us, right, wrong;
    int64_t spark[SPARK_MAX];
    struct spread position;
};

struct policy {
    char *version, *name;
    int64_t requests; /* ever */
    bool is_in_view;  /* it was in use during the view */
};

struct findings {
    int64_t begin_us, from_us, to_us;
    unsigned minutes, spark_len;
    int64_t requests, before; /* in the view, in the period before it */
    struct found *found;
    size_t len, cap;
    struct policy *policies; /* in the order in which they were seen first */
    size_t policies_len, policies_cap;
    const struct policy *current, *previous; /* NULL: there is none */
    int64_t current_requests, previous_requests;
};

static void findings_free(struct findings *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->found[i].kind);
        free(f->found[i].name);
    }
    for (size_t i = 0; i < f->policies_len; i++) {
        free(f->policies[i].version);
        free(f->policies[i].name);
    }
    free(f->found);
    free(f->policies);
    free(f);
}

/* NULL when out of memory, or if there are too many. */
static struct found *found_of(struct findings *f, const char *kind, const char *name)
{
    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->found[i].name, name) == 0 && strcmp(f->found[i].kind, kind) == 0)
            return &f->found[i];
    if (f->len == f->cap) {
        size_t cap = f->cap > 0 ? f->cap * 2 : 16;
        struct found *more = cap <= FOUND_MAX ? realloc(f->found, cap * sizeof *more) : NULL;
        if (more == NULL)
            return NULL;
        f->found = more;
        f->cap = cap;
    }
    struct found *found = &f->found[f->len];
    memset(found, 0, sizeof *found);
    found->kind = strdup(kind);
    found->name = strdup(name);
    f->len++;
    return found->kind != NULL && found->name != NULL ? found : NULL;
}

/* ---- the policies ---- */

static int policy_add(void *ctx, const struct store_facet_row *row)
{
    struct findings *f = ctx;
    if (strcmp(row->kind, "policy") != 0)
        return 0;
    if (f->policies_len == f->policies_cap) {
        size_t cap = f->policies_cap > 0 ? f->policies_cap * 2 : 16;
        struct policy *more = realloc(f->policies, cap * sizeof *more);
        if (more == NULL)
            return REIN_ENOMEM;
        f->policies = more;
        f->policies_cap = cap;
    }
    struct policy *policy = &f->policies[f->policies_len++];
    *policy = (struct policy){.version = strdup(row->value),
                              .name = strdup(row->policy != NULL ? row->policy : ""),
                              .requests = row->requests,
                              .is_in_view = row->last_seen_us >= f->from_us && row->first_seen_us < f->to_us};
    return policy->version != NULL && policy->name != NULL ? 0 : REIN_ENOMEM;
}

static struct policy *policy_of(struct findings *f, const char *version)
{
    for (size_t i = 0; version != NULL && i < f->policies_len; i++)
        if (strcmp(f->policies[i].version, version) == 0)
            return &f->policies[i];
    return NULL;
}

/* Of the policy with the most requests the newest version in the view, or the version that is asked for; and the
 * version before it. */
static void choose_policies(struct findings *f, const char *asked)
{
    const struct policy *most = policy_of(f, asked);
    for (size_t i = 0; asked == NULL && i < f->policies_len; i++)
        if (f->policies[i].is_in_view && (most == NULL || f->policies[i].requests > most->requests))
            most = &f->policies[i];
    if (most == NULL)
        return;
    f->current = most;
    for (size_t i = 0; asked == NULL && i < f->policies_len; i++)
        if (f->policies[i].is_in_view && strcmp(f->policies[i].name, most->name) == 0)
            f->current = &f->policies[i];
    for (const struct policy *p = f->policies; p < f->current; p++)
        if (strcmp(p->name, f->current->name) == 0)
            f->previous = p;
}

/* ---- sums ---- */

static int64_t requests_of_row(const struct store_sum_row *row)
{
    int64_t n = 0;
    for (int i = 0; i < STORE_SUM_VERDICTS; i++)
        n += row->counts[i];
    return n;
}

static int requests_add(void *ctx, const struct store_sum_row *row)
{
    struct findings *f = ctx;
    *(row->at_us < f->from_us ? &f->before : &f->requests) += requests_of_row(row);
    return 0;
}

static int found_add(void *ctx, const struct store_finding_sum_row *row)
{
    struct findings *f = ctx;
    struct found *found = found_of(f, row->kind, row->name);
    int64_t n = row->enforced + row->shadow;
    if (found == NULL)
        return REIN_ENOMEM;
    if (row->at_us < f->from_us) {
        found->before += n;
        return 0;
    }
    int64_t spark = (row->at_us - f->from_us) * f->spark_len / (f->to_us - f->from_us);
    found->enforced += row->enforced;
    found->shadow += row->shadow;
    found->spark[spark < SPARK_MAX ? spark : SPARK_MAX - 1] += n;
    if (row->last_seen_us > found->last_seen_us)
        found->last_seen_us = row->last_seen_us;
    spread_merge_stored(&found->position, row->position.bytes, row->position.len);
    return 0;
}

static bool is_version(const struct policy *policy, const char *version)
{
    return policy != NULL && version != NULL && strcmp(policy->version, version) == 0;
}

static int policy_requests_add(void *ctx, const struct store_sum_row *row)
{
    struct findings *f = ctx;
    if (is_version(f->current, row->policy_version))
        f->current_requests += requests_of_row(row);
    else if (is_version(f->previous, row->policy_version))
        f->previous_requests += requests_of_row(row);
    return 0;
}

static int policy_found_add(void *ctx, const struct store_finding_sum_row *row)
{
    struct findings *f = ctx;
    struct found *found = found_of(f, row->kind, row->name);
    if (found == NULL)
        return REIN_ENOMEM;
    if (is_version(f->current, row->policy_version))
        found->current += row->enforced + row->shadow;
    else if (is_version(f->previous, row->policy_version))
        found->previous += row->enforced + row->shadow;
    return 0;
}

/* Over whole days, so that both versions have a fair share whenever the newer one came. */
static int read_policies(struct store_reader *reader, const struct store_view *v, struct findings *f)
{
    if (f->current == NULL)
        return 0;
    const struct store_sums_filter filter = {.minutes = 1440,
                                             .from_us = v->to_us - POLICY_DAYS * day_us,
                                             .to_us = v->to_us,
                                             .route = v->route,
                                             .model = v->model,
                                             .key = v->key,
                                             .policy_version = f->current->version,
                                             .or_policy_version = f->previous != NULL ? f->previous->version : NULL,
                                             .by_policy = true};
    int rv = reader->driver->sums(reader, &filter, policy_requests_add, f);
    return rv == 0 ? reader->driver->finding_sums(reader, &filter, policy_found_add, f) : rv;
}

static int count_feedback(void *ctx, const char *kind, const char *name, int64_t right, int64_t wrong)
{
    struct found *found = found_of(ctx, kind, name);
    if (found == NULL)
        return REIN_ENOMEM;
    found->right = right;
    found->wrong = wrong;
    return 0;
}

static int read_all(struct store_reader *reader, const struct store_view *v, struct findings *f)
{
    struct store_sums_filter filter = {.minutes = f->minutes,
                                       .from_us = f->begin_us,
                                       .to_us = v->to_us,
                                       .route = v->route,
                                       .model = v->model,
                                       .key = v->key,
                                       .policy_version = v->policy_version};
    int rv = reader->driver->facets(reader, policy_add, f);
    if (rv == 0)
        rv = reader->driver->sums(reader, &filter, requests_add, f);
    if (rv == 0)
        rv = reader->driver->finding_sums(reader, &filter, found_add, f);
    choose_policies(f, v->policy_version);
    if (rv == 0)
        rv = read_policies(reader, v, f);
    filter.from_us = f->from_us;
    return rv == 0 ? reader->driver->feedback_counts(reader, &filter, count_feedback, f) : rv;
}

/* ---- as JSON ---- */

static json_t *share_json(int64_t part, int64_t all)
{
    return all > 0 ? json_real((double)part / (double)all) : json_null();
}

static json_t *policy_json(const struct policy *policy, int64_t requests)
{
    if (policy == NULL)
        return json_null();
    return json_pack("{sssssI}", "policy", policy->name, "policy_version", policy->version, "requests",
                     (json_int_t)requests);
}

static json_t *found_json(const struct findings *f, const struct found *row)
{
    char at[STORE_TIME_LEN];
    json_t *spark = json_array();
    int64_t n = row->enforced + row->shadow, median = spread_at(&row->position, 0.5);
    store_format_time(row->last_seen_us, at);
    for (unsigned i = 0; i < f->spark_len; i++)
        json_array_append_new(spark, json_integer(row->spark[i]));
    json_t *out =
        json_pack("{sssssIsosIsIsIsosososos{sIsI}so}", "kind", row->kind, "id", row->name, "requests", (json_int_t)n,
                  "share", share_json(n, f->requests), "enforced", (json_int_t)row->enforced, "shadow",
                  (json_int_t)row->shadow, "requests_before", (json_int_t)row->before, "share_before",
                  share_json(row->before, f->before), "share_current", share_json(row->current, f->current_requests),
                  "share_previous", share_json(row->previous, f->previous_requests), "position_p50",
                  median >= 0 ? json_integer(median) : json_null(), "feedback", "right", (json_int_t)row->right,
                  "wrong", (json_int_t)row->wrong, "spark", spark);
    if (out != NULL &&
        json_object_set_new(out, "last_seen", row->last_seen_us > 0 ? json_string(at) : json_null()) != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int64_t n = x->enforced + x->shadow, m = y->enforced + y->shadow;
    return n != m ? (n < m) - (n > m) : strcmp(x->name, y->name);
}

static json_t *findings_json(struct findings *f)
{
    char from[STORE_TIME_LEN], to[STORE_TIME_LEN];
    json_t *rows = json_array();
    store_format_time(f->from_us, from);
    store_format_time(f->to_us, to);
    if (f->len > 0)
        qsort(f->found, f->len, sizeof *f->found, compare_found);
    for (size_t i = 0; i < f->len; i++)
        if (json_array_append_new(rows, found_json(f, &f->found[i])) != 0) {
            json_decref(rows);
            return NULL;
        }
    return json_pack("{sssssssIsIsososo}", "object", "findings", "from", from, "to", to, "requests",
                     (json_int_t)f->requests, "requests_before", (json_int_t)f->before, "current",
                     policy_json(f->current, f->current_requests), "previous",
                     policy_json(f->previous, f->previous_requests), "data", rows);
}

/* Short ranges are read by minutes, long ones by days: at most some hundred buckets. */
static void set_range(struct findings *f, const struct store_view *v)
{
    int64_t range_us = v->to_us - v->from_us, age_us = v->now_us - v->from_us + range_us;
    f->minutes = range_us <= 3 * hour_us && age_us < 7 * day_us    ? 1
                 : range_us <= 4 * day_us && age_us < 390 * day_us ? 60
                                                                   : 1440;
    int64_t bucket_us = f->minutes * (hour_us / 60);
    f->from_us = v->from_us - v->from_us % bucket_us;
    f->to_us = v->to_us;
    f->begin_us = f->from_us - (f->to_us - f->from_us);
    f->begin_us += (bucket_us - f->begin_us % bucket_us) % bucket_us;
    int64_t buckets = (f->to_us - f->from_us + bucket_us - 1) / bucket_us;
    f->spark_len = buckets < SPARK_MAX ? (unsigned)buckets : SPARK_MAX;
}

int store_read_found(struct store_reader *reader, const struct store_view *view, json_t **out)
{
    struct findings *f = calloc(1, sizeof *f);
    if (f == NULL)
        return REIN_ENOMEM;
    assert(view->from_us < view->to_us);
    set_range(f, view);
    int rv = read_all(reader, view, f);
    json_t *tree = rv == 0 ? findings_json(f) : NULL;
    findings_free(f);
    if (rv == 0 && tree == NULL)
        return REIN_ENOMEM;
    if (rv == 0)
        *out = tree;
    return rv;
}

/* ---- facets ---- */

enum { FACETS_MAX = 1000 };

static int facet_add(void *ctx, const struct store_facet_row *row)
{
    static const struct {
        const char *kind, *list;
    } lists[] = {{"route", "routes"},     {"model", "models"},     {"key", "keys"},
                 {"policy", "policies"},  {"verdict", "verdicts"}, {"ending", "endings"},
                 {"pattern", "findings"}, {"rule", "findings"},    {"judge", "findings"}};
    char first[STORE_TIME_LEN], last[STORE_TIME_LEN];
    json_t *value, *list = NULL;
    store_format_time(row->first_seen_us, first);
    store_format_time(row->last_seen_us, last);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(lists[i].kind, row->kind) == 0)
            list = json_object_get(ctx, lists[i].list);
    if (list == NULL)
        return 0;
    if (list == json_object_get(ctx, "policies"))
        value = json_pack("{ssss?sIssss}", "policy_version", row->value, "policy", row->policy, "requests",
                          (json_int_t)row->requests, "first_seen", first, "last_seen", last);
    else if (list == json_object_get(ctx, "findings"))
        value = json_pack("{sssssIss}", "kind", row->kind, "id", row->value, "requests", (json_int_t)row->requests,
                          "last_seen", last);
    else
        value = json_pack("{sssIss}", "value", row->value, "requests", (json_int_t)row->requests, "last_seen", last);
    if (json_array_size(list) + 1 >= FACETS_MAX)
        json_object_set_new(ctx, "truncated", json_true());
    return json_array_append_new(list, value) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_facets(struct store_reader *reader, json_t **out)
{
    json_t *tree = json_pack("{sss[]s[]s[]s[]s[]s[]s[]sb}", "object", "facets", "routes", "models", "keys", "policies",
                             "verdicts", "endings", "findings", "truncated", 0);
    int rv = tree != NULL ? reader->driver->facets(reader, facet_add, tree) : REIN_ENOMEM;
    if (rv == 0)
        *out = tree;
    else
        json_decref(tree);
    return rv;
}
