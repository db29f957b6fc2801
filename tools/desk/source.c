/* See desk.h: decisions from the admin API, or from a file with the same parameters and the same queries.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/admin_params.h"
#include "base/buffer.h"
#include "desk/desk.h"
#include "store/whole.h"

enum { BODY_MAX = 64 << 20, TIME_LIMIT_MS = 60000, LOOK_MS = 500, FOLLOW_ROWS = 500 };

struct desk_source {
    const char *url, *token;
    struct store_reader *reader; /* NULL: over HTTP */
};

int desk_source_open(struct desk_source **out, const struct desk_options *options)
{
    struct desk_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return CLI_FAILED;
    s->url = options->url;
    s->token = options->token;
    if (options->db != NULL && store_reader_open_file(&s->reader, options->db, TIME_LIMIT_MS) != 0) {
        fprintf(stderr, "rein: %s cannot be opened: --db expects the file of store.url\n", options->db);
        free(s);
        return CLI_FAILED;
    }
    *out = s;
    return CLI_OK;
}

void desk_source_close(struct desk_source *s)
{
    if (s == NULL)
        return;
    store_reader_close(s->reader);
    free(s);
}

/* ---- over HTTP ---- */

static void print_escaped(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                        (*text >= '0' && *text <= '9') || strchr("-._~", *text) != NULL;
        fprintf(f, is_plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

static char *make_path(const char *path, const char *id, const struct front_header *queries)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return NULL;
    fprintf(f, "/admin/v1/%s", path);
    if (id != NULL)
        print_escaped(f, id);
    for (const struct front_header *q = queries; q != NULL && q->name != NULL; q++) {
        fprintf(f, "%c%s=", q == queries ? '?' : '&', q->name);
        print_escaped(f, q->value);
    }
    return fclose(f) == 0 ? text : (free(text), NULL);
}

static bool add_bytes(void *ctx, const char *data, size_t len)
{
    return buffer_add(ctx, data, len, BODY_MAX) == 0;
}

/* What an error object says. */
static void say_error(unsigned status, const json_t *tree)
{
    const json_t *error = json_object_get(tree, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    fprintf(stderr, "rein: the admin API answers %u: %s\n", status, message != NULL ? message : "it is no admin API");
    if (status == 401)
        fprintf(stderr, "rein: set REIN_ADMIN_TOKEN to an admin token\n");
}

static int get_json(const struct desk_source *s, const char *path, const char *id, const struct front_header *queries,
                    json_t **out)
{
    struct buffer body = {0};
    unsigned status = 0;
    char *whole = make_path(path, id, queries);
    *out = NULL;
    int rv = whole != NULL ? desk_http_get(s->url, s->token, whole, add_bytes, &body, &status) : CLI_FAILED;
    free(whole);
    if (rv == CLI_OK) {
        json_t *tree = json_loadb(body.data != NULL ? body.data : "", body.len, JSON_REJECT_DUPLICATES, NULL);
        if (status == 200 && tree != NULL) {
            *out = json_incref(tree);
        } else if (status != 404 || id == NULL) {
            say_error(status, tree);
            rv = status == 400 ? CLI_USAGE : CLI_FAILED;
        }
        json_decref(tree);
    }
    buffer_clear(&body);
    return rv;
}

/* ---- from a file ---- */

static int64_t desk_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int say_problem(const struct param_problem *problem)
{
    fprintf(stderr, "rein: %s: %s\n", problem->param, problem->message);
    return CLI_USAGE;
}

static int say_failure(int rv)
{
    if (rv == REIN_ELIMIT)
        fprintf(stderr, "rein: the query took too long: give a shorter time range, or another filter\n");
    else if (rv != 0)
        fprintf(stderr,
                "rein: the database cannot be read: is it one of this version? A start of the server migrates it\n");
    return rv == 0 ? CLI_OK : CLI_FAILED;
}

static int read_page(struct desk_source *s, const struct front_header *queries, json_t **out)
{
    static struct list_params params; /* large */
    struct param_problem problem;
    struct store_cursor last = {0, 0};
    char next[STORE_CURSOR_LEN];
    bool has_more = false;
    json_t *rows = NULL;
    if (params_list(queries, PARAMS_PAGE, &params, &problem) != 0)
        return say_problem(&problem);
    int rv = store_read_decisions(s->reader, &params.filter, &rows, &has_more, &last);
    if (rv != 0)
        return say_failure(rv);
    store_format_cursor(&last, false, next);
    *out = json_pack("{sssoss?}", "object", "list", "data", rows, "next_cursor",
                     has_more && !params.filter.newer ? next : NULL);
    return *out != NULL ? CLI_OK : CLI_FAILED;
}

static int read_view(struct desk_source *s, const struct front_header *queries, bool is_overview, json_t **out)
{
    struct view_params params;
    struct param_problem problem;
    if (params_view(queries, is_overview, desk_now_us(), &params, &problem) != 0)
        return say_problem(&problem);
    return say_failure((is_overview ? store_read_overview : store_read_found)(s->reader, &params.view, out));
}

/* ---- both ---- */

int desk_page(struct desk_source *s, const struct front_header *queries, json_t **out)
{
    return s->reader != NULL ? read_page(s, queries, out) : get_json(s, "decisions", NULL, queries, out);
}

int desk_one(struct desk_source *s, const char *id, json_t **out)
{
    *out = NULL;
    return s->reader != NULL ? say_failure(store_read_whole(s->reader, id, true, out))
                             : get_json(s, "decisions/", id, NULL, out);
}

int desk_overview(struct desk_source *s, const struct front_header *queries, json_t **out)
{
    return s->reader != NULL ? read_view(s, queries, true, out) : get_json(s, "overview", NULL, queries, out);
}

int desk_found(struct desk_source *s, const struct front_header *queries, json_t **out)
{
    return s->reader != NULL ? read_view(s, queries, false, out) : get_json(s, "findings", NULL, queries, out);
}

/* ---- following ---- */

struct following {
    struct buffer line;
    desk_on_decision on_decision;
    void *ctx;
};

/* A line of the feed; only those with a decision count. */
static bool take_feed_line(struct following *f)
{
    static const char mark[] = "data: ";
    json_t *tree = f->line.len > strlen(mark) && strncmp(f->line.data, mark, strlen(mark)) == 0
                       ? json_loads(f->line.data + strlen(mark), 0, NULL)
                       : NULL;
    const json_t *missed = json_object_get(tree, "missed");
    bool goes_on = true;
    if (json_is_integer(missed))
        fprintf(stderr, "rein: %lld decisions were left out, because too many came at once\n",
                (long long)json_integer_value(missed));
    else if (json_object_get(tree, "id") != NULL)
        goes_on = f->on_decision(f->ctx, tree);
    json_decref(tree);
    return goes_on;
}

static bool take_feed(void *ctx, const char *data, size_t len)
{
    struct following *f = ctx;
    for (const char *end; len > 0;) {
        end = memchr(data, '\n', len);
        size_t part = end != NULL ? (size_t)(end - data) : len;
        if (buffer_add(&f->line, data, part, BODY_MAX) != 0)
            return false;
        data += part;
        len -= part;
        if (end == NULL)
            break;
        bool goes_on = take_feed_line(f);
        f->line.len = 0;
        if (!goes_on)
            return false;
        data++;
        len--;
    }
    return true;
}

static int follow_http(struct desk_source *s, const struct front_header *queries, desk_on_decision on_decision,
                       void *ctx)
{
    struct following f = {.on_decision = on_decision, .ctx = ctx};
    unsigned status = 0;
    char *path = make_path("live", NULL, queries);
    int rv = path != NULL ? desk_http_get(s->url, s->token, path, take_feed, &f, &status) : CLI_FAILED;
    if (rv == CLI_OK && status != 200) {
        f.line.len = f.line.data != NULL ? f.line.len : 0;
        json_t *tree = json_loadb(f.line.data != NULL ? f.line.data : "", f.line.len, 0, NULL);
        say_error(status, tree);
        json_decref(tree);
        rv = CLI_FAILED;
    }
    buffer_clear(&f.line);
    free(path);
    return rv;
}

/* What is newer than the place, oldest first. */
static int follow_step(struct desk_source *s, struct store_filter *filter, desk_on_decision on_decision, void *ctx,
                       bool *goes_on)
{
    struct store_cursor oldest;
    bool has_more = false, newer;
    json_t *rows = NULL;
    int rv = store_read_decisions(s->reader, filter, &rows, &has_more, &oldest);
    if (rv != 0)
        return say_failure(rv);
    for (size_t i = json_array_size(rows); i-- > 0 && *goes_on;) {
        const json_t *row = json_array_get(rows, i);
        if (!store_parse_cursor(desk_text(row, "cursor"), &filter->after, &newer))
            break;
        *goes_on = on_decision(ctx, row);
    }
    json_decref(rows);
    return CLI_OK;
}

static int follow_file(struct desk_source *s, const struct front_header *queries, desk_on_decision on_decision,
                       void *ctx)
{
    static struct list_params params;
    struct param_problem problem;
    const struct timespec pause = {0, LOOK_MS * 1000000};
    bool goes_on = true;
    int rv = CLI_OK;
    if (params_list(queries, PARAMS_LIVE, &params, &problem) != 0)
        return say_problem(&problem);
    params.filter.limit = FOLLOW_ROWS;
    params.filter.has_after = params.filter.newer = true;
    params.filter.after = (struct store_cursor){desk_now_us(), 0};
    while (rv == CLI_OK && goes_on) {
        rv = follow_step(s, &params.filter, on_decision, ctx, &goes_on);
        if (rv == CLI_OK && goes_on)
            nanosleep(&pause, NULL);
    }
    return rv;
}

int desk_follow(struct desk_source *s, const struct front_header *queries, desk_on_decision on_decision, void *ctx)
{
    return (s->reader != NULL ? follow_file : follow_http)(s, queries, on_decision, ctx);
}
