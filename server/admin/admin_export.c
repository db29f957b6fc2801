/* The paths that send many rows: decisions as CSV or JSON lines, and feedback.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      read a chunk of rows in another thread -> write it -> the client has taken most of it -> the next chunk
 *
 * so memory does not grow with the rows, and a slow client holds no connection of the database. Rows that come while an
 * export runs are newer than its beginning and not part of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_job.h"
#include "base/log.h"
#include "store/feedback.h"
#include "store/row.h"
#include "store/whole.h"

enum { CHUNK_ROWS = 200, CHUNK_ROWS_WITH_TEXTS = 20, PENDING_LOW = 64 * 1024 };
enum export_form { EXPORT_CSV, EXPORT_JSONL, EXPORT_FEEDBACK };

struct export
{
    struct query query; /* first */
    struct responder responder;
    struct admin *admin;
    const struct admin_path *path;
    struct exchange *x; /* NULL: the client has left */
    enum export_form form;
    bool may_read_text, is_begun, is_reading, has_more;
    struct list_params params;
    struct store_feedback_cursor after; /* of feedback */
    char *chunk;
    size_t chunk_len;
};

/* ---- rows as text ---- */

/* A cell that a spreadsheet would take for a formula gets an apostrophe. */
static void print_cell(FILE *f, const char *text)
{
    bool is_formula = *text != '\0' && strchr("=+-@\t\r\n", *text) != NULL;
    bool is_plain = !is_formula && strpbrk(text, ",\"\r\n") == NULL;
    if (is_plain) {
        fputs(text, f);
        return;
    }
    fputs(is_formula ? "\"'" : "\"", f);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void print_value(FILE *f, const json_t *value)
{
    if (json_is_string(value)) {
        print_cell(f, json_string_value(value));
    } else if (value != NULL && !json_is_null(value)) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (json_is_object(value) || json_is_array(value))
            print_cell(f, text != NULL ? text : "");
        else
            fputs(text != NULL ? text : "", f);
        free(text);
    }
}

static void print_csv(FILE *f, const json_t *row, bool with_texts)
{
    const char *between = "";
    for (const struct store_field *field = store_decision_fields; field->name != NULL; field++) {
        if (field->type == STORE_ORDER)
            continue;
        fputs(between, f);
        if (row == NULL)
            fputs(field->name, f);
        else
            print_value(f, json_object_get(row, field->name));
        between = ",";
    }
    if (with_texts)
        fputc(',', f);
    if (with_texts && row == NULL)
        fputs("texts", f);
    else if (with_texts)
        print_value(f, json_object_get(row, "texts"));
    fputs("\r\n", f);
}

/* ---- a chunk, in another thread ---- */

static int complete_row(struct export *e, struct store_reader *reader, json_t *row)
{
    json_t *texts = NULL;
    int rv = e->may_read_text ? 0 : store_hide_text(row);
    if (rv != 0 || !e->params.with_texts)
        return rv;
    rv = store_read_texts(reader, json_string_value(json_object_get(row, "id")), &texts);
    return rv != 0 ? rv : json_object_set_new(row, "texts", texts) == 0 ? 0 : REIN_ENOMEM;
}

static int print_rows(struct export *e, struct store_reader *reader, json_t *rows)
{
    size_t i;
    json_t *row;
    int rv = 0;
    free(e->chunk); /* of a first run */
    e->chunk = NULL;
    FILE *f = open_memstream(&e->chunk, &e->chunk_len);
    if (f == NULL)
        return REIN_ENOMEM;
    if (e->form == EXPORT_CSV && !e->is_begun)
        print_csv(f, NULL, e->params.with_texts);
    json_array_foreach(rows, i, row)
    {
        if (rv != 0 || (e->form != EXPORT_FEEDBACK && (rv = complete_row(e, reader, row)) != 0))
            continue;
        if (e->form == EXPORT_CSV) {
            print_csv(f, row, e->params.with_texts);
        } else {
            rv = json_dumpf(row, f, JSON_COMPACT) == 0 ? 0 : REIN_ENOMEM;
            fputc('\n', f);
        }
    }
    return fclose(f) == 0 ? rv : REIN_ENOMEM;
}

static int export_run(struct query *query, struct store_reader *reader)
{
    struct export *e = (struct export *)(void *)query;
    struct store_filter *filter = &e->params.filter;
    struct store_cursor last = {0, 0};
    struct store_feedback_cursor after = e->after;
    json_t *rows = NULL;
    filter->limit = e->params.with_texts || e->form == EXPORT_FEEDBACK ? CHUNK_ROWS_WITH_TEXTS : CHUNK_ROWS;
    int rv = e->form == EXPORT_FEEDBACK
                 ? store_read_feedback(reader, filter->from_us, filter->to_us, filter->limit, &after, &rows)
                 : store_read_decisions(reader, filter, &rows, &e->has_more, &last);
    if (rv == 0)
        rv = print_rows(e, reader, rows);
    if (rv == 0 && e->form == EXPORT_FEEDBACK) {
        e->has_more = json_array_size(rows) == filter->limit;
        e->after = after;
    } else if (rv == 0) {
        filter->has_after = true;
        filter->after = last;
    }
    json_decref(rows);
    return rv;
}

/* ---- on the loop ---- */

static void export_free(struct export *e)
{
    free(e->chunk);
    free(e);
}

/* Ends the exchange, with which the export is over. */
static void export_fail(struct export *e, int rv)
{
    struct exchange *x = e->x;
    exchange_set_user(x, NULL);
    if (e->is_begun)
        exchange_abort(x);
    else
        admin_reply_failure(x, rv);
    export_free(e);
}

static void export_next(struct export *e)
{
    e->is_reading = query_start(e->admin->queries, &e->query) == 0;
    if (!e->is_reading)
        export_fail(e, REIN_ELIMIT);
}

static void export_write(struct export *e)
{
    if (!e->is_begun && exchange_begin(e->x, 200, e->path->headers) != 0) {
        export_fail(e, REIN_ENOMEM);
        return;
    }
    e->is_begun = true;
    int rv = e->chunk_len > 0 ? exchange_write(e->x, e->chunk, e->chunk_len) : 0;
    free(e->chunk);
    e->chunk = NULL;
    if (rv != 0) {
        export_fail(e, rv);
    } else if (!e->has_more) {
        exchange_set_user(e->x, NULL);
        exchange_end(e->x);
        export_free(e);
    } else if (exchange_pending(e->x) < PENDING_LOW) {
        export_next(e);
    }
}

static void on_export_done(struct query *query, int rv)
{
    struct export *e = (struct export *)(void *)query;
    struct admin *admin = e->admin;
    e->is_reading = false;
    if (e->x == NULL)
        export_free(e);
    else if (rv != 0)
        export_fail(e, rv);
    else
        export_write(e);
    admin_query_done(admin);
}

static struct export *export_of(struct responder *responder)
{
    return (struct export *)(void *)((char *)responder - offsetof(struct export, responder));
}

static void on_export_drain(struct responder *responder)
{
    struct export *e = export_of(responder);
    if (!e->is_reading && e->x != NULL)
        export_next(e);
}

static void on_export_closed(struct responder *responder, bool gone)
{
    struct export *e = export_of(responder);
    (void)gone;
    e->x = NULL;
    if (!e->is_reading)
        export_free(e);
}

static void serve_export(struct admin *admin, const struct admin_path *path, struct exchange *x, enum export_form form)
{
    struct param_problem problem;
    struct export *e = calloc(1, sizeof *e);
    if (e == NULL) {
        exchange_abort(x);
        return;
    }
    *e = (struct export){.admin = admin, .path = path, .x = x, .form = form};
    e->query.run = export_run;
    e->query.done = on_export_done;
    e->responder.on_drain = on_export_drain;
    e->responder.on_closed = on_export_closed;
    e->may_read_text = admin_may(x, ADMIN_TEXT);
    int rv = form == EXPORT_FEEDBACK
                 ? params_range(exchange_queries(x), &e->params.filter.from_us, &e->params.filter.to_us, &problem)
                 : params_list(exchange_queries(x), PARAMS_EXPORT, &e->params, &problem);
    if (rv != 0 || (e->params.with_texts && !e->may_read_text)) {
        if (rv != 0)
            admin_reply_error(x, 400, "invalid_parameter", problem.param, problem.message);
        else
            admin_reply_error(x, 403, "not_allowed", NULL, "This token may not read text: it takes the right `text`.");
        export_free(e);
        return;
    }
    if (e->params.with_texts || form == EXPORT_FEEDBACK)
        log_info("admin", "kept texts are exported by %s", admin_caller_name(x));
    exchange_set_user(x, &e->responder);
    export_next(e);
}

static void serve_csv(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_export(admin, path, x, EXPORT_CSV);
}

static void serve_jsonl(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_export(admin, path, x, EXPORT_JSONL);
}

static void serve_feedback_rows(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_export(admin, path, x, EXPORT_FEEDBACK);
}

#define EXPORT_HEADERS(type, file)                                                                                     \
    {                                                                                                                  \
        {"content-type", type}, {"content-disposition", "attachment; filename=\"" file "\""},                          \
            {"cache-control", "no-store"}, {"x-content-type-options", "nosniff"},                                      \
            {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"}, {NULL, NULL},                   \
    }
static const struct front_header csv_headers[] = EXPORT_HEADERS("text/csv; charset=utf-8", "decisions.csv"),
                                 jsonl_headers[] = EXPORT_HEADERS("application/jsonl", "decisions.jsonl"),
                                 feedback_headers[] = EXPORT_HEADERS("application/jsonl", "feedback.jsonl");

const struct admin_path admin_export_paths[] = {
    {"GET", "/admin/v1/export.csv", ADMIN_COUNTS, csv_headers, serve_csv},
    {"GET", "/admin/v1/export.jsonl", ADMIN_COUNTS, jsonl_headers, serve_jsonl},
    {"GET", "/admin/v1/feedback.jsonl", ADMIN_TEXT, feedback_headers, serve_feedback_rows},
    {.path = NULL},
};
