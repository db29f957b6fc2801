/* See read.h: decisions, listed and one by one. stats.c has the statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/read.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/driver.h"

int store_reader_open_file(struct store_reader **out, const char *path, unsigned time_limit_ms)
{
    return store_driver_find(NULL)->open_reader(out, path, time_limit_ms);
}

void store_reader_limit(struct store_reader *reader, unsigned ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    reader->until_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + (int64_t)ms * 1000;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader != NULL)
        reader->driver->close_reader(reader);
}

/* ---- pages ---- */

void store_format_cursor(const struct store_cursor *cursor, bool newer, char out[STORE_CURSOR_LEN])
{
    snprintf(out, STORE_CURSOR_LEN, "%s%016llx%016llx", newer ? "r" : "", (unsigned long long)cursor->started_at_us,
             (unsigned long long)cursor->seq);
}

bool store_parse_cursor(const char *text, struct store_cursor *out, bool *newer)
{
    char half[17] = "";
    *newer = *text == 'r';
    text += *newer;
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    memcpy(half, text, 16);
    out->started_at_us = (int64_t)strtoull(half, NULL, 16);
    out->seq = (int64_t)strtoull(text + 16, NULL, 16);
    return true;
}

/* A decision's fields and its place in the list. */
static json_t *decision_json(const struct store_decision_row *row)
{
    char cursor[STORE_CURSOR_LEN];
    json_t *out = store_row_json(store_decision_fields, row);
    store_format_cursor(&(struct store_cursor){row->started_at_us, row->seq}, false, cursor);
    if (out != NULL && json_object_set_new(out, "cursor", json_string(cursor)) != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

struct page {
    json_t *rows;
    struct store_cursor last;
};

static int page_add(void *ctx, const struct store_decision_row *row)
{
    struct page *page = ctx;
    page->last = (struct store_cursor){row->started_at_us, row->seq};
    return json_array_append_new(page->rows, decision_json(row)) == 0 ? 0 : REIN_ENOMEM;
}

/* The row that only shows that there are more is the last one on the way. */
static struct store_cursor page_cut(json_t *rows, const struct store_filter *filter, struct store_cursor last)
{
    struct store_cursor at;
    bool newer;
    if (json_array_size(rows) > filter->limit)
        json_array_remove(rows, filter->newer ? 0 : json_array_size(rows) - 1);
    const json_t *end = json_array_get(rows, json_array_size(rows) - 1);
    const char *text = json_string_value(json_object_get(end, "cursor"));
    return text != NULL && store_parse_cursor(text, &at, &newer) ? at : last;
}

int store_read_decisions(struct store_reader *reader, const struct store_filter *filter, json_t **out, bool *has_more,
                         struct store_cursor *next)
{
    struct page page = {.rows = json_array()};
    struct store_filter longer = *filter;
    assert(filter->limit > 0);
    longer.limit++; /* one more shows whether there is another page */
    int rv = page.rows != NULL ? reader->driver->list(reader, &longer, page_add, &page) : REIN_ENOMEM;
    if (rv != 0) {
        json_decref(page.rows);
        return rv;
    }
    *has_more = json_array_size(page.rows) > filter->limit;
    *next = page_cut(page.rows, filter, page.last);
    *out = page.rows;
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
    one->decision = decision_json(row);
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
    json_t *finding = store_row_json(store_finding_fields, row);
    if (finding != NULL && json_object_set_new(finding, "feedback", json_null()) != 0) {
        json_decref(finding);
        finding = NULL;
    }
    return json_array_append_new(one->findings, finding) == 0 ? 0 : REIN_ENOMEM;
}

static int one_add_opinion(void *ctx, const struct store_opinion_row *row)
{
    struct one *one = ctx;
    return json_array_append_new(one->opinions, store_row_json(store_opinion_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

/* Findings have theirs or null. */
static int one_add_feedback(void *ctx, const struct store_feedback_row *row)
{
    struct one *one = ctx;
    char at[STORE_TIME_LEN];
    json_t *finding;
    size_t i;
    store_format_time(row->at_us, at);
    json_array_foreach(one->findings, i, finding)
    {
        if (json_integer_value(json_object_get(finding, "n")) != row->n)
            continue;
        json_t *feedback =
            json_pack("{ssssss?ss}", "verdict", row->verdict, "note", row->note, "by", row->by, "at", at);
        return json_object_set_new(finding, "feedback", feedback) == 0 ? 0 : REIN_ENOMEM;
    }
    return 0;
}

int store_read_decision(struct store_reader *reader, const char *id, json_t **out)
{
    static const struct store_one_handler handler = {one_begin, one_add_attempt, one_add_finding, one_add_opinion,
                                                     one_add_feedback};
    struct one one = {.decision = NULL};
    int rv = reader->driver->one(reader, id, &handler, &one);
    if (rv == 0)
        *out = one.decision;
    else
        json_decref(one.decision);
    return rv;
}

static int texts_add(void *ctx, const struct store_text_row *row)
{
    return json_array_append_new(ctx, store_row_json(store_text_fields, row)) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_texts(struct store_reader *reader, const char *id, json_t **out)
{
    json_t *texts = json_array();
    int rv = texts != NULL ? reader->driver->texts(reader, id, texts_add, texts) : REIN_ENOMEM;
    if (rv == 0)
        *out = texts;
    else
        json_decref(texts);
    return rv;
}

/* Returns owned, NULL when out of memory. */
static json_t *hex_json(const struct store_bytes *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes->len + 1);
    for (size_t i = 0; i < bytes->len && text != NULL; i++) {
        text[2 * i] = digits[bytes->bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes->bytes[i] & 15];
    }
    json_t *out = text != NULL ? json_stringn_nocheck(text, 2 * bytes->len) : NULL;
    free(text);
    return out;
}

static int readings_add(void *ctx, int64_t n, const struct store_bytes *readings)
{
    json_t *row = json_pack("{sIso}", "n", (json_int_t)n, "readings", hex_json(readings));
    return json_array_append_new(ctx, row) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_readings(struct store_reader *reader, const char *id, json_t **out)
{
    json_t *list = json_array();
    int rv = list != NULL ? reader->driver->readings(reader, id, readings_add, list) : REIN_ENOMEM;
    if (rv == 0)
        *out = list;
    else
        json_decref(list);
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
