/* Metrics: what workers count is summed, labels are bounded, and the text is valid exposition format.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"
#include "storekit.h"

static char *text_of(struct metrics *m, struct store *store)
{
    size_t len;
    char *text = metrics_text(m, store, &len);
    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    return text;
}

/* The value of the sample whose line begins with `series` and a space; fails if there is none. */
static double value(const char *text, const char *series)
{
    char line[256];
    snprintf(line, sizeof line, "\n%s ", series);
    const char *found = strstr(text, line);
    if (found == NULL)
        print_message("no %s in\n%s\n", series, text);
    assert_non_null(found);
    return atof(found + strlen(line));
}

static void sums_workers(void **state)
{
    struct metrics *m;
    (void)state;
    assert_int_equal(metrics_new(&m, 2), 0);
    struct metrics_worker *a = metrics_worker(m, 0), *b = metrics_worker(m, 1);
    struct rein_decision refused = {.verdict = REIN_REFUSE}, cut = {.verdict = REIN_CUT_REASONING};
    unsigned route = metrics_label(m, LABEL_ROUTE, "default"), model = metrics_label(m, LABEL_MODEL, "r1");
    unsigned ending = metrics_label(m, LABEL_ENDING, "refused"), up = metrics_label(m, LABEL_UPSTREAM, "local");
    metrics_add(a, METRIC_EVENTS, 3);
    metrics_add(b, METRIC_EVENTS, 4);
    metrics_add(a, METRIC_OPEN_STREAMS, 1); /* begun on one, ended on another: the sum counts */
    metrics_add(a, METRIC_OPEN_STREAMS, 1);
    metrics_sub(b, METRIC_OPEN_STREAMS, 1);
    metrics_request(a, route, model, ending, &refused);
    metrics_request(b, route, model, ending, &refused);
    metrics_request(b, route, model, ending, &cut);
    metrics_request(b, 0, 0, 0, NULL);
    metrics_upstream_error(b, up, UPSTREAM_ERROR_TIMEOUT);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_events_total") == 7);
    assert_true(value(text, "rein_bytes_released_unjudged_total") == 0);
    assert_true(value(text, "rein_open_streams") == 1);
    assert_true(value(text, "rein_requests_total{route=\"default\",verdict=\"refuse\",ending=\"refused\"}") == 2);
    assert_true(value(text, "rein_requests_total{route=\"default\",verdict=\"cut\",ending=\"refused\"}") == 1);
    assert_true(value(text, "rein_requests_total{route=\"other\",verdict=\"none\",ending=\"other\"}") == 1);
    assert_true(value(text, "rein_model_requests_total{model=\"r1\",verdict=\"refuse\"}") == 2);
    assert_true(value(text, "rein_upstream_errors_total{upstream=\"local\",kind=\"timeout\"}") == 1);
    free(text);
    metrics_free(m);
}

static void labels_are_bounded(void **state)
{
    struct metrics *m;
    char name[300];
    unsigned highest = 0;
    (void)state;
    assert_int_equal(metrics_new(&m, 1), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "model-%d", i);
        unsigned label = metrics_label(m, LABEL_MODEL, name);
        highest = label > highest ? label : highest;
        metrics_request(metrics_worker(m, 0), 0, label, 0, NULL);
    }
    assert_int_equal(highest, MODELS_MAX - 1);
    assert_int_equal(metrics_label(m, LABEL_MODEL, "model-0"), 1);
    assert_int_equal(metrics_label(m, LABEL_MODEL, "model-999"), 0);
    assert_int_equal(metrics_label(m, LABEL_MODEL, NULL), 0);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_model_requests_total{model=\"other\",verdict=\"none\"}") == 1000 - MODELS_MAX + 1);
    free(text);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(metrics_label(m, LABEL_ROUTE, name), metrics_label(m, LABEL_ROUTE, name));
    metrics_free(m);
}

/* A client's model name in letters of two to four bytes: what is scraped is UTF-8, and the label is found again. */
static void test_found_s4_a_label_is_not_cut_inside_a_character(void **state)
{
    static const char *const letters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    (void)state;
    for (size_t letter = 0; letter < 3; letter++)
        for (size_t shift = 0; shift < 4; shift++) {
            struct metrics *m;
            char name[600] = "";
            assert_int_equal(metrics_new(&m, 1), 0);
            memset(name, 'x', shift);
            for (size_t i = 0; i < 100; i++)
                strcat(name, letters[letter]);
            unsigned label = metrics_label(m, LABEL_MODEL, name);
            assert_int_equal(metrics_label(m, LABEL_MODEL, name), label);
            metrics_request(metrics_worker(m, 0), 0, label, 0, NULL);
            char *text = text_of(m, NULL);
            assert_non_null(strstr(text, letters[letter]));
            json_t *whole = json_string(text); /* NULL: no UTF-8 */
            assert_non_null(whole);
            json_decref(whole);
            free(text);
            metrics_free(m);
        }
}

static void histograms_add_up(void **state)
{
    struct metrics *m;
    (void)state;
    assert_int_equal(metrics_new(&m, 1), 0);
    struct metrics_worker *w = metrics_worker(m, 0);
    metrics_observe(w, HISTOGRAM_HELD_BYTES, 0);
    metrics_observe(w, HISTOGRAM_HELD_BYTES, 8);
    metrics_observe(w, HISTOGRAM_HELD_BYTES, 9);
    metrics_observe(w, HISTOGRAM_HELD_BYTES, 1 << 30);
    metrics_observe(w, HISTOGRAM_FIRST_BYTE, 1500);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_held_bytes_bucket{le=\"0\"}") == 1);
    assert_true(value(text, "rein_held_bytes_bucket{le=\"8\"}") == 2);
    assert_true(value(text, "rein_held_bytes_bucket{le=\"16\"}") == 3);
    assert_true(value(text, "rein_held_bytes_bucket{le=\"65536\"}") == 3);
    assert_true(value(text, "rein_held_bytes_bucket{le=\"+Inf\"}") == 4);
    assert_true(value(text, "rein_held_bytes_count") == 4);
    assert_true(value(text, "rein_held_bytes_sum") == 17 + (1 << 30));
    assert_true(value(text, "rein_first_byte_seconds_bucket{le=\"0.001\"}") == 0);
    assert_true(value(text, "rein_first_byte_seconds_bucket{le=\"0.0025\"}") == 1);
    free(text);
    metrics_free(m);
}

/* ---- the exposition format, by its grammar ---- */

static const char *skip_name(const char *at)
{
    assert_true(isalpha((unsigned char)*at) || *at == '_');
    while (isalnum((unsigned char)*at) || *at == '_' || *at == ':')
        at++;
    return at;
}

static const char *skip_labels(const char *at)
{
    for (at++; *at != '}'; at += *at == ',') {
        at = skip_name(at);
        assert_true(at[0] == '=' && at[1] == '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\0' && *at != '\n');
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
        }
        at++;
        assert_true(*at == ',' || *at == '}');
    }
    return at + 1;
}

/* A sample belongs to the family whose TYPE came last. */
static void check_sample(const char *line, const char *family)
{
    char *end;
    const char *at = skip_name(line);
    assert_true(strncmp(line, family, strlen(family)) == 0);
    size_t rest = (size_t)(at - line) - strlen(family);
    const char *suffix = line + strlen(family);
    assert_true(rest == 0 || strncmp(suffix, "_bucket", rest) == 0 || strncmp(suffix, "_sum", rest) == 0 ||
                strncmp(suffix, "_count", rest) == 0);
    if (*at == '{')
        at = skip_labels(at);
    assert_int_equal(*at, ' ');
    strtod(at + 1, &end);
    assert_true(end > at + 1 && *end == '\0');
}

static void text_is_valid(void **state)
{
    struct metrics *m;
    struct kit kit;
    struct kit_record r;
    char family[128] = "", seen[8192] = "\n";
    (void)state;
    kit_start(&kit);
    struct store *store = kit_open(&kit, 0);
    kit_record(&r);
    assert_int_equal(kit_put(&kit, store, &r.record), 0);
    assert_int_equal(metrics_new(&m, 2), 0);
    unsigned odd = metrics_label(m, LABEL_MODEL, "quote\" back\\slash\nline");
    metrics_request(metrics_worker(m, 0), 0, odd, 0, NULL);
    char *text = text_of(m, store), *rest = NULL;
    assert_true(value(text, "rein_store_written_total") == 1);
    assert_true(value(text, "rein_store_healthy") == 1);
    assert_true(value(text, "rein_store_commit_seconds_count") == 1);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0)
            continue;
        if (strncmp(line, "# TYPE ", 7) != 0) {
            check_sample(line, family);
            continue;
        }
        char type[16], once[140];
        assert_int_equal(sscanf(line, "# TYPE %127s %15s", family, type), 2);
        assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 || strcmp(type, "histogram") == 0);
        snprintf(once, sizeof once, "\n%s\n", family);
        assert_null(strstr(seen, once)); /* each family once */
        strcat(strcat(seen, family), "\n");
    }
    free(text);
    metrics_free(m);
    kit_stop_loop(&kit);
    store_close(store);
    kit_free(&kit);
}

/* ---- many threads ---- */

struct counting {
    struct metrics *metrics;
    unsigned worker;
};

static void *count(void *ctx)
{
    struct counting *c = ctx;
    struct metrics_worker *w = metrics_worker(c->metrics, c->worker);
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "m%d", i % 40);
        metrics_add(w, METRIC_EVENTS, 1);
        metrics_request(w, 0, metrics_label(c->metrics, LABEL_MODEL, name), 0, NULL);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    enum { THREADS = 3 };
    struct metrics *m;
    pthread_t threads[THREADS];
    struct counting counting[THREADS];
    (void)state;
    assert_int_equal(metrics_new(&m, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        counting[i] = (struct counting){m, i};
        assert_int_equal(pthread_create(&threads[i], NULL, count, &counting[i]), 0);
    }
    for (int i = 0; i < 20; i++)
        free(text_of(m, NULL)); /* scraped meanwhile */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_events_total") == THREADS * 20000);
    assert_true(value(text, "rein_model_requests_total{model=\"m7\",verdict=\"none\"}") == THREADS * 500);
    free(text);
    metrics_free(m);
}

/* However many names clients make up, those of the config have their own number, before and after a reload. */
static void test_found_u11_configured_models_are_never_other(void **state)
{
    struct metrics *m;
    char name[32];
    (void)state;
    assert_int_equal(metrics_new(&m, 1), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "named-%d", i);
        metrics_reserve(m, LABEL_MODEL, name);
        metrics_reserve(m, LABEL_MODEL, name); /* in two routes */
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "invented-%d", i);
        assert_true((metrics_label(m, LABEL_MODEL, name) != 0) == (i < MODELS_MAX - 1));
    }
    metrics_reserve(m, LABEL_MODEL, "later");
    assert_true(metrics_label(m, LABEL_MODEL, "later") != 0);
    assert_int_equal(metrics_label(m, LABEL_MODEL, "invented-2000"), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "named-%d", i);
        assert_true(metrics_label(m, LABEL_MODEL, name) != 0);
    }
    for (int i = 0; i < 3000; i++) { /* more than there is room for */
        snprintf(name, sizeof name, "more-%d", i);
        metrics_reserve(m, LABEL_MODEL, name);
    }
    metrics_request(metrics_worker(m, 0), 0, metrics_label(m, LABEL_MODEL, "named-99"), 0, NULL);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_model_requests_total{model=\"named-99\",verdict=\"none\"}") == 1);
    free(text);
    metrics_free(m);
}

static void findings_policies_and_reloads(void **state)
{
    struct metrics *m;
    struct rein_decision steered = {.verdict = REIN_STEER};
    (void)state;
    assert_int_equal(metrics_new(&m, 1), 0);
    struct metrics_worker *w = metrics_worker(m, 0);
    metrics_found(w, LABEL_RULE, metrics_label(m, LABEL_RULE, "card"), false);
    metrics_found(w, LABEL_RULE, metrics_label(m, LABEL_RULE, "card"), true);
    metrics_found(w, LABEL_PATTERN, metrics_label(m, LABEL_PATTERN, "strong_vacillation"), false);
    metrics_found(w, LABEL_PANEL, metrics_label(m, LABEL_PANEL, "card"), false);
    metrics_policy(w, metrics_label(m, LABEL_POLICY, "default@1f2e"), &steered);
    metrics_reloaded(m, true);
    metrics_reloaded(m, false);
    char *text = text_of(m, NULL);
    assert_true(value(text, "rein_findings_total{kind=\"rule\",name=\"card\",shadow=\"false\"}") == 1);
    assert_true(value(text, "rein_findings_total{kind=\"rule\",name=\"card\",shadow=\"true\"}") == 1);
    assert_true(value(text, "rein_findings_total{kind=\"pattern\",name=\"strong_vacillation\",shadow=\"false\"}") == 1);
    assert_true(value(text, "rein_findings_total{kind=\"judge\",name=\"card\",shadow=\"false\"}") == 1);
    assert_true(value(text, "rein_policy_requests_total{policy=\"default@1f2e\",verdict=\"steer\"}") == 1);
    assert_true(value(text, "rein_reloads_total{result=\"applied\"}") == 1);
    assert_true(value(text, "rein_reloads_total{result=\"refused\"}") == 1);
    assert_true(value(text, "rein_reload_last_ok") == 0);
    free(text);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_u11_configured_models_are_never_other),
        cmocka_unit_test(findings_policies_and_reloads),
        cmocka_unit_test(sums_workers),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(text_is_valid),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(test_found_s4_a_label_is_not_cut_inside_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
