/* See live.h. changes.c has the numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/live.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/driver.h"

enum { NAMES_SHOWN = 8 };

struct look {
    const struct store_filter *const *filters;
    size_t filters_len;
    unsigned taken[LIVE_FILTERS_MAX];
    struct live_batch *out;
    size_t cap;
};

/* ---- matching ---- */

static bool is_wanted(const char *wanted, const char *value)
{
    return wanted == NULL || (value != NULL && strcmp(wanted, value) == 0);
}

static bool has_name(const char *kind, const char *wanted, const struct store_live_name *names, size_t len)
{
    for (size_t i = 0; wanted != NULL && i < len; i++)
        if (strcmp(names[i].kind, kind) == 0 && strcmp(names[i].name, wanted) == 0)
            return true;
    return wanted == NULL;
}

static bool is_shadow_wanted(const char *wanted, const char *value)
{
    if (wanted != NULL && strcmp(wanted, "any") == 0)
        return value != NULL && strcmp(value, "allow") != 0 && strcmp(value, "none") != 0;
    return is_wanted(wanted, value);
}

static bool is_ending_wanted(const char *wanted, const char *value)
{
    static const char *const fine[] = {"complete", "refused", "cut", "client_left", "rejected", "open"};
    if (wanted == NULL || strcmp(wanted, "failed") != 0)
        return is_wanted(wanted, value);
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (value == NULL || strcmp(value, fine[i]) == 0)
            return false;
    return true;
}

static bool filter_matches(const struct store_filter *f, const struct store_decision_row *row,
                           const struct store_live_name *names, size_t len)
{
    const double risks[STORE_RISKS] = {row->prompt_risk, row->trace_risk};
    for (int i = 0; i < STORE_RISKS; i++)
        if (f->risks[i].is_set && !(risks[i] >= f->risks[i].min && risks[i] <= f->risks[i].max))
            return false;
    return is_wanted(f->route, row->route) && is_wanted(f->model, row->model) && is_wanted(f->key, row->key) &&
           is_wanted(f->policy_version, row->policy_version) && is_wanted(f->verdict, row->verdict) &&
           is_ending_wanted(f->ending, row->ending) && is_wanted(f->request_id, row->request_id) &&
           is_shadow_wanted(f->shadow, row->shadow) && has_name("pattern", f->pattern, names, len) &&
           has_name("rule", f->rule, names, len) && has_name("judge", f->judge, names, len);
}

/* ---- as JSON ---- */

static char *live_json(const struct store_decision_row *row, const struct store_live_name *names, size_t names_len)
{
    char cursor[STORE_CURSOR_LEN];
    json_t *out = store_row_json(store_live_fields, row), *list = json_array();
    store_format_cursor(&(struct store_cursor){row->started_at_us, row->seq}, false, cursor);
    for (size_t i = 0; i < names_len && i < NAMES_SHOWN; i++)
        json_array_append_new(
            list, json_pack("{sssssb}", "kind", names[i].kind, "id", names[i].name, "shadow", names[i].shadow));
    int rv = json_object_set_new(out, "cursor", json_string(cursor)) | json_object_set_new(out, "names", list);
    char *text = rv == 0 ? json_dumps(out, JSON_COMPACT) : NULL;
    json_decref(out);
    return text;
}

static struct live_decision *decision_room(struct look *look)
{
    struct live_batch *out = look->out;
    if (out->len == look->cap) {
        size_t cap = look->cap > 0 ? look->cap * 2 : 32;
        struct live_decision *more = realloc(out->decisions, cap * sizeof *more);
        if (more == NULL)
            return NULL;
        out->decisions = more;
        look->cap = cap;
    }
    memset(&out->decisions[out->len], 0, sizeof *out->decisions);
    return &out->decisions[out->len];
}

static int look_at(void *ctx, const struct store_decision_row *row, const struct store_live_name *names, size_t len)
{
    struct look *look = ctx;
    struct live_decision *decision = decision_room(look);
    bool is_seen = false;
    if (decision == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < look->filters_len; i++) {
        if (!filter_matches(look->filters[i], row, names, len))
            continue;
        if (look->taken[i] == LIVE_OF_ONE_MAX) {
            look->out->missed[i]++;
            continue;
        }
        look->taken[i]++;
        decision->matched[i / 64] |= UINT64_C(1) << i % 64;
        is_seen = true;
    }
    if (!is_seen)
        return 0;
    decision->json = live_json(row, names, len);
    if (decision->json == NULL)
        return REIN_ENOMEM;
    decision->len = strlen(decision->json);
    look->out->len++;
    return 0;
}

int store_read_live(struct store_reader *reader, const int64_t *numbers, size_t numbers_len,
                    const struct store_filter *const *filters, size_t filters_len, struct live_batch *out)
{
    struct look look = {.filters = filters, .filters_len = filters_len, .out = out};
    assert(filters_len <= LIVE_FILTERS_MAX);
    return reader->driver->numbered(reader, numbers, numbers_len, look_at, &look);
}

void live_batch_fini(struct live_batch *batch)
{
    for (size_t i = 0; i < batch->len; i++)
        free(batch->decisions[i].json);
    free(batch->decisions);
}
