/* See read.h: decisions, listed and one by one. stats.c has the statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/read.h"

#include <assert.h>

#include "store/driver.h"

void store_reader_close(struct store_reader *reader)
{
    if (reader != NULL)
        reader->driver->close_reader(reader);
}

/* ---- pages ---- */

struct page {
    json_t *rows;
    unsigned limit;
    bool has_more;
    struct store_cursor last;
};

static int page_add(void *ctx, const struct store_decision_row *row)
{
    struct page *page = ctx;
    if (json_array_size(page->rows) == page->limit) {
        page->has_more = true;
        return 1;
    }
    page->last = (struct store_cursor){row->started_at_us, row->seq};
    return json_array_append_new(page->rows, store_row_json(store_decision_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_decisions(struct store_reader *reader, const struct store_filter *filter, json_t **out, bool *has_more,
                         struct store_cursor *next)
{
    struct page page = {.rows = json_array(), .limit = filter->limit};
    struct store_filter longer = *filter;
    assert(filter->limit > 0);
    longer.limit++; /* one more shows whether there is another page */
    int rv = page.rows != NULL ? reader->driver->list(reader, &longer, page_add, &page) : REIN_ENOMEM;
    if (rv != 0) {
        json_decref(page.rows);
        return rv;
    }
    *out = page.rows;
    *has_more = page.has_more;
    *next = page.last;
    return 0;
}

/* ---- one decision ---- */

/* NULL until there is a decision. */
struct one {
    json_t *decision, *attempts, *findings, *opinions;
};

/* The counts make room for the rows themselves. */
static int one_list(json_t *decision, const char *name, const char *count_name, json_t **list)
{
    *list = json_array();
    if (json_object_set(decision, count_name, json_object_get(decision, name)) != 0) {
        json_decref(*list);
        return REIN_ENOMEM;
    }
    return json_object_set_new(decision, name, *list) == 0 ? 0 : REIN_ENOMEM;
}

static int one_begin(void *ctx, const struct store_decision_row *row)
{
    struct one *one = ctx;
    one->decision = store_row_json(store_decision_fields, row);
    int rv =
        one->decision != NULL ? one_list(one->decision, "attempts", "attempts_count", &one->attempts) : REIN_ENOMEM;
    if (rv == 0)
        rv = one_list(one->decision, "findings", "findings_count", &one->findings);
    if (rv != 0)
        return rv;
    one->opinions = json_array();
    return json_object_set_new(one->decision, "opinions", one->opinions) == 0 ? 0 : REIN_ENOMEM;
}

static int one_add_attempt(void *ctx, const struct store_attempt_row *row)
{
    struct one *one = ctx;
    return json_array_append_new(one->attempts, store_row_json(store_attempt_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

static int one_add_finding(void *ctx, const struct store_finding_row *row)
{
    struct one *one = ctx;
    return json_array_append_new(one->findings, store_row_json(store_finding_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

static int one_add_opinion(void *ctx, const struct store_opinion_row *row)
{
    struct one *one = ctx;
    return json_array_append_new(one->opinions, store_row_json(store_opinion_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_decision(struct store_reader *reader, const char *id, json_t **out)
{
    static const struct store_one_handler handler = {one_begin, one_add_attempt, one_add_finding, one_add_opinion};
    struct one one = {.decision = NULL};
    int rv = reader->driver->one(reader, id, &handler, &one);
    if (rv == 0)
        *out = one.decision;
    else
        json_decref(one.decision);
    return rv;
}

static int outcome_take(void *ctx, const struct store_decision_row *row)
{
    json_t **outcome = ctx;
    *outcome = store_row_json(store_outcome_fields, row);
    return *outcome != NULL ? 0 : REIN_ENOMEM;
}

int store_read_outcome(struct store_reader *reader, const char *id, const char *key, json_t **out)
{
    json_t *outcome = NULL;
    int rv = reader->driver->outcome(reader, id, key, outcome_take, &outcome);
    if (rv == 0)
        *out = outcome;
    return rv;
}
