/* The admin listener over HTTP: who may come in, what is answered, what is wrong with a parameter.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/admin_params.h"
#include "admin/admin_paths.h"
#include "config/keys.h"
#include "storekit.h"
#include "wirekit.h"

struct fixture {
    struct kit kit;
    struct store *store;
    struct metrics *metrics;
    struct admin *admin;
    struct config config;
    char id[37], token[KEYS_TEXT_MAX];
    char tokens_path[128];
};

static const struct server_secret secret = {{1}};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct kit_record r;
    kit_start(&f->kit);
    f->store = kit_open(&f->kit, 0);
    for (int i = 0; i < 5; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
    strcpy(f->id, r.record.id.text);
    assert_int_equal(metrics_new(&f->metrics, 1), 0);
    f->config = (struct config){.refs = 1000, /* ours: never freed */
                                .listen = {.host = (char *)"127.0.0.1", .loopback = true},
                                .admin = {.host = (char *)"127.0.0.1", .loopback = true},
                                .store = {.path = f->kit.path}};
    assert_int_equal(
        admin_start(
            &f->admin,
            &(struct admin_options){.config = &f->config, .store = f->store, .metrics = f->metrics, .secret = &secret}),
        0);
    snprintf(f->tokens_path, sizeof f->tokens_path, "%s/token.yaml", f->kit.dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    admin_stop(f->admin);
    kit_stop_loop(&f->kit);
    store_close(f->store);
    metrics_free(f->metrics);
    keys_free(f->config.tokens);
    unlink(f->tokens_path);
    kit_free(&f->kit);
    free(f);
    return 0;
}

/* The whole answer to a request of one line and headers of the test's choice. Good until the next call. */
static const char *ask(struct fixture *f, const char *line, const char *headers)
{
    static char answer[256 * 1024];
    char request[2048];
    int fd = wire_connect(admin_port(f->admin));
    snprintf(request, sizeof request, "%s HTTP/1.1\r\n%sConnection: close\r\n\r\n", line, headers);
    assert_true(wire_say(fd, request));
    assert_true(wire_read_all(fd, answer, sizeof answer) > 0);
    close(fd);
    return answer;
}

static const char local[] = "Host: localhost\r\n";

static int status_of(const char *answer)
{
    return atoi(answer + strlen("HTTP/1.1 "));
}

static json_t *json_of(const char *answer)
{
    json_error_t error;
    json_t *tree = json_loads(strstr(answer, "\r\n\r\n") + 4, 0, &error);
    if (tree == NULL)
        print_message("%s in %s\n", error.text, answer);
    assert_non_null(tree);
    return tree;
}

static json_t *get(struct fixture *f, const char *path, int status)
{
    char line[512];
    snprintf(line, sizeof line, "GET %s", path);
    const char *answer = ask(f, line, local);
    if (status_of(answer) != status)
        print_message("%s: %s\n", path, answer);
    assert_int_equal(status_of(answer), status);
    return json_of(answer);
}

static void lists_and_pages(void **state)
{
    struct fixture *f = *state;
    char path[256];
    json_t *page = get(f, "/admin/v1/decisions?limit=3&pattern=strong_vacillation&route=r&verdict=steer", 200);
    assert_int_equal(json_array_size(json_object_get(page, "data")), 3);
    json_t *newest = json_array_get(json_object_get(page, "data"), 0);
    assert_string_equal(json_string_value(json_object_get(newest, "id")), f->id);
    snprintf(path, sizeof path, "/admin/v1/decisions?limit=3&cursor=%s",
             json_string_value(json_object_get(page, "next_cursor")));
    json_decref(page);
    page = get(f, path, 200);
    assert_int_equal(json_array_size(json_object_get(page, "data")), 2);
    assert_true(json_is_null(json_object_get(page, "next_cursor")));
    json_decref(page);
}

static void shows_one(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "/admin/v1/decisions/%s", f->id);
    json_t *one = get(f, path, 200);
    assert_int_equal(json_array_size(json_object_get(one, "attempts")), 2);
    assert_int_equal(json_array_size(json_object_get(one, "findings")), 2);
    json_decref(one);
    json_decref(get(f, "/admin/v1/decisions/01900000-0000-7000-8000-000000000000", 404));
}

static void counts(void **state)
{
    struct fixture *f = *state;
    json_t *tree = get(f, "/admin/v1/stats?bucket=1d", 200);
    json_t *total = json_object_get(tree, "total");
    assert_int_equal(json_integer_value(json_object_get(total, "requests")), 5);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(total, "verdicts"), "steer")), 5);
    json_decref(tree);
}

static void health_and_metrics(void **state)
{
    struct fixture *f = *state;
    json_decref(get(f, "/healthz", 200));
    json_decref(get(f, "/readyz", 200));
    const char *answer = ask(f, "GET /metrics", local);
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "rein_store_written_total 5\n"));
    admin_drain(f->admin);
    json_decref(get(f, "/readyz", 503));
    json_decref(get(f, "/healthz", 200));
}

static void bad_parameters_are_named(void **state)
{
    static const struct {
        const char *path, *param;
    } cases[] = {
        {"/admin/v1/decisions?limit=0", "limit"},
        {"/admin/v1/decisions?limit=501", "limit"},
        {"/admin/v1/decisions?limit=ten", "limit"},
        {"/admin/v1/decisions?cursor=abc", "cursor"},
        {"/admin/v1/decisions?from=yesterday", "from"},
        {"/admin/v1/decisions?to=2026-02-30", "to"},
        {"/admin/v1/decisions?from=2026-01-02&to=2026-01-01", "to"},
        {"/admin/v1/decisions?verdict=denied", "verdict"},
        {"/admin/v1/decisions?pattern=odd", "pattern"},
        {"/admin/v1/decisions?route=", "route"},
        {"/admin/v1/decisions?rout=default", "rout"},
        {"/admin/v1/decisions?route=a&route=b", "route"},
        {"/admin/v1/stats?bucket=0", "bucket"},
        {"/admin/v1/stats?bucket=1w", "bucket"},
        {"/admin/v1/stats?from=2026-01-01&to=2026-12-31&bucket=1m", "bucket"},
        {"/admin/v1/stats?route=a", "route"},
        {"/admin/v1/decisions/17", "id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *tree = get(*state, cases[i].path, 400), *error = json_object_get(tree, "error");
        assert_string_equal(json_string_value(json_object_get(error, "param")), cases[i].param);
        assert_string_equal(json_string_value(json_object_get(error, "code")), "invalid_parameter");
        json_decref(tree);
    }
}

static void only_its_own_hosts(void **state)
{
    static const struct {
        const char *header;
        int status;
    } cases[] = {
        {"Host: localhost\r\n", 200},
        {"Host: LOCALHOST:8081\r\n", 200},
        {"Host: 127.0.0.1:80\r\n", 200},
        {"Host: 127.1.2.3\r\n", 200},
        {"Host: [::1]:8081\r\n", 200},
        {"Host: example.org\r\n", 403},
        {"Host: localhost.example.org\r\n", 403},
        {"Host: 127.0.0.1.example.org\r\n", 403},
        {"Host: 10.0.0.1\r\n", 403},
        {"Host: localhost:8081:x\r\n", 403},
        {"Host: [::1\r\n", 403},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = ask(*state, "GET /healthz", cases[i].header);
        if (status_of(answer) != cases[i].status)
            print_message("%s", cases[i].header);
        assert_int_equal(status_of(answer), cases[i].status);
    }
}

static void read_only_and_nothing_else(void **state)
{
    static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    static const char *const paths[] = {"/admin", "/admin/v1/decisions/", "/admin/v1/stats/", "/v1/models"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s /admin/v1/decisions", others[i]);
        const char *answer = ask(*state, line, local);
        assert_int_equal(status_of(answer), 405);
        assert_non_null(strcasestr(answer, "allow: GET\r\n"));
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        json_decref(get(*state, paths[i], 404));
    const char *answer = ask(*state, "GET /admin/v1/decisions", local);
    assert_non_null(strcasestr(answer, "x-content-type-options: nosniff"));
    assert_non_null(strcasestr(answer, "cache-control: no-store"));
    assert_null(strcasestr(answer, "access-control-allow"));
}

static void token_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems;
    char headers[256];
    struct config with_token = f->config;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(keys_reset(f->tokens_path, "admin", "rein-admin-", f->token), 0);
    assert_int_equal(keys_load(&f->config.tokens, f->tokens_path, problems), 0);
    with_token.tokens = f->config.tokens;
    admin_reload(f->admin, &with_token);
    snprintf(headers, sizeof headers, "%sAuthorization: Bearer %s\r\n", local, f->token);
    assert_int_equal(status_of(ask(f, "GET /metrics", headers)), 200);
    assert_int_equal(status_of(ask(f, "GET /metrics", local)), 401);
    assert_int_equal(status_of(ask(f, "GET /admin/v1/decisions", local)), 401);
    assert_int_equal(status_of(ask(f, "GET /nothing", local)), 401);
    headers[strlen(headers) - 3] ^= 1;
    assert_int_equal(status_of(ask(f, "GET /metrics", headers)), 401);
    assert_int_equal(status_of(ask(f, "GET /healthz", local)), 200);
    rein_problems_free(problems);
    admin_stop(f->admin); /* before with_token goes */
    f->admin = NULL;
}

/* Host, method and token are asked for by every path that is registered, and only health needs no token. */
/* Health, the page without any data, and what a browser needs to log in. */
static bool is_open_to_all(const char *path)
{
    static const char *const open[] = {"/healthz",  "/readyz",   "/",      "/decisions",       "/decisions/",
                                       "/findings", "/policies", "/page/", "/admin/v1/session"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (strcmp(path, open[i]) == 0)
            return true;
    return false;
}

static void each_path_is_guarded(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems;
    const struct admin_path *path;
    struct config with_token = f->config;
    size_t open = 0, len = 0;
    assert_true(admin_paths_are_sound());
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(keys_reset(f->tokens_path, "admin", "rein-admin-", f->token), 0);
    assert_int_equal(keys_load(&f->config.tokens, f->tokens_path, problems), 0);
    with_token.tokens = f->config.tokens;
    admin_reload(f->admin, &with_token);
    for (; (path = admin_path_at(len)) != NULL; len++) {
        char line[128];
        size_t path_len = strlen(path->path);
        const char *more = path_len > 1 && path->path[path_len - 1] == '/' ? f->id : "";
        bool is_open = is_open_to_all(path->path);
        snprintf(line, sizeof line, "%s %s%s", path->method, path->path, more);
        assert_int_equal(status_of(ask(f, line, "Host: example.org\r\n")), 403);
        if (!is_open || strcmp(path->method, "POST") == 0)
            assert_int_equal(status_of(ask(f, line, local)), 401);
        else
            assert_int_not_equal(status_of(ask(f, line, local)), 401);
        snprintf(line, sizeof line, "TRACE %s%s", path->path, more);
        const char *answer = ask(f, line, local), *allow = strcasestr(answer, "\nallow: ");
        assert_int_equal(status_of(answer), 405);
        assert_non_null(allow);
        assert_true(strstr(allow, path->method) < strchr(allow + 1, '\n'));
        assert_int_equal(path->caller == ADMIN_ANYONE, is_open);
        open += path->caller == ADMIN_ANYONE;
    }
    assert_int_equal(open, 11);
    assert_true(len >= 6);
    rein_problems_free(problems);
    admin_stop(f->admin); /* before with_token goes */
    f->admin = NULL;
}

/* Does a path of the document, with braces, stand for the same requests as a row? */
static bool is_described_by(const struct admin_path *path, const char *described)
{
    const char *at = path->path;
    for (; *at != '\0' && *described != '\0'; at++)
        if (*at == '*') {
            if (*described != '{')
                return false;
            described = strchr(described, '}') + 1;
        } else if (*described++ != *at) {
            return false;
        }
    return *at == '\0' && (*described == '\0' || (at[-1] == '/' && at - path->path > 1 && *described == '{' &&
                                                  strchr(described, '}')[1] == '\0'));
}

static const json_t *described(const json_t *doc, const struct admin_path *path)
{
    const char *template, *method;
    json_t *methods, *operation;
    json_object_foreach(json_object_get(doc, "paths"), template, methods)
    {
        if (!is_described_by(path, template))
            continue;
        json_object_foreach(methods, method, operation)
        {
            bool is_clients = json_object_get(operation, "x-rein-listener") != NULL;
            if (!is_clients && strcasecmp(method, path->method) == 0)
                return operation;
        }
    }
    return NULL;
}

/* No path of the API is missing in the document, with the right that it needs; the page's own files are no API. */
static void each_path_is_described(void **state)
{
    static const char *const rights[] = {"none", "counts", "text", "operate"};
    extern const char admin_openapi[];
    const struct admin_path *path;
    size_t found = 0, listed = 0;
    const char *template, *method;
    json_t *methods, *operation, *doc = json_loads(admin_openapi, JSON_REJECT_DUPLICATES, NULL);
    (void)state;
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "openapi")), "3.1.0");
    for (size_t i = 0; (path = admin_path_at(i)) != NULL; i++) {
        bool is_api = strncmp(path->path, "/admin/", 7) == 0 || strcmp(path->path, "/metrics") == 0 ||
                      strcmp(path->path, "/healthz") == 0 || strcmp(path->path, "/readyz") == 0;
        if (!is_api)
            continue;
        const json_t *row = described(doc, path);
        if (row == NULL)
            fail_msg("openapi.json does not describe %s %s", path->method, path->path);
        assert_string_equal(json_string_value(json_object_get(row, "x-rein-right")), rights[path->caller]);
        found++;
    }
    json_object_foreach(json_object_get(doc, "paths"), template, methods)
    {
        json_object_foreach(methods, method, operation) listed += json_object_get(operation, "x-rein-listener") == NULL;
    }
    assert_int_equal(found, listed);
    json_decref(doc);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"0", 0},
        {"1767225600", INT64_C(1767225600000000)},
        {"1767225600.25", INT64_C(1767225600250000)},
        {"2026-01-01", INT64_C(1767225600000000)},
        {"2026-01-01T00:00:00Z", INT64_C(1767225600000000)},
        {"2026-01-01T01:30:00.5+01:30", INT64_C(1767225600500000)},
        {"2025-12-31T23:00:00-01:00", INT64_C(1767225600000000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
    };
    static const char *const bad[] = {"",
                                      "now",
                                      "20 26",
                                      "2026-1-1",
                                      "2026-13-01",
                                      "2025-02-29",
                                      "2026-01-01T",
                                      "12345678901234",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:00:00.Z",
                                      "1.x",
                                      "-5"};
    int64_t us;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        us = -1;
        assert_int_equal(params_time(good[i].text, &us), 0);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(params_time(bad[i], &us), REIN_EINVAL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_is_described),
        TEST(lists_and_pages),
        TEST(shows_one),
        TEST(counts),
        TEST(health_and_metrics),
        TEST(bad_parameters_are_named),
        TEST(only_its_own_hosts),
        TEST(read_only_and_nothing_else),
        TEST(token_is_asked_for),
        TEST(each_path_is_guarded),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
