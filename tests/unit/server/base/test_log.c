/* The log: messages that traffic can repeat without a bound are counted, not written.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char text[1 << 16];

/* What `messages` writes to the log. */
static const char *capture(void (*messages)(void))
{
    char path[] = "/tmp/rein-log-XXXXXX";
    int file = mkstemp(path), kept = dup(STDERR_FILENO);
    assert_true(file >= 0 && kept >= 0);
    unlink(path);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    messages();
    log_flush(LOG_FLUSH_ALL);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    close(file);
    return text;
}

static int lines(const char *from)
{
    int n = 0;
    for (; (from = strchr(from, '\n')) != NULL; from++)
        n++;
    return n;
}

static int occurrences(const char *in, const char *what)
{
    int n = 0;
    for (; (in = strstr(in, what)) != NULL; in++)
        n++;
    return n;
}

static void flood(void)
{
    static struct log_limit limit;
    for (int i = 0; i < 43000; i++) /* in 30 s */
        log_limited_at(&limit, 50000 + (uint64_t)i * 30000 / 43000, LOG_ERROR, "test", "message %d", i);
}

static void test_found_m9_a_flood_is_a_few_lines(void **state)
{
    (void)state;
    const char *log = capture(flood);
    assert_int_equal(lines(log), LOG_FIRST + 3); /* and one for each period */
    for (int i = 0; i < LOG_FIRST; i++) {
        char message[32];
        snprintf(message, sizeof message, "message %d\n", i);
        assert_int_equal(occurrences(log, message), 1);
    }
    assert_int_equal(occurrences(log, "like it; the others are left out"), 3);
    assert_int_equal(occurrences(log, "message 42999 (the latest of"), 1);
}

static void pauses(void)
{
    static struct log_limit limit;
    for (int i = 0; i < 20; i++) /* more than a period between any two */
        log_limited_at(&limit, 1 + (uint64_t)i * (LOG_PERIOD_MS + 1), LOG_ERROR, "test", "message %d", i);
}

static void test_found_m9_rare_messages_are_all_written(void **state)
{
    (void)state;
    const char *log = capture(pauses);
    assert_int_equal(lines(log), 20);
    assert_null(strstr(log, "left out"));
}

static void two_floods(void)
{
    static struct log_limit limit;
    for (int i = 0; i < 8; i++)
        log_limited_at(&limit, 1000, LOG_ERROR, "test", "early");
    log_flush(1000 + LOG_PERIOD_MS); /* nothing more came */
    for (int i = 0; i < 8; i++)
        log_limited_at(&limit, 3000 + 2 * LOG_PERIOD_MS, LOG_ERROR, "test", "late");
}

static void test_found_m9_a_quiet_period_begins_anew(void **state)
{
    (void)state;
    const char *log = capture(two_floods);
    assert_int_equal(lines(log), 2 * (LOG_FIRST + 1));
    assert_int_equal(occurrences(log, "early (the latest of 3 like it"), 1);
    assert_int_equal(occurrences(log, "late (the latest of 3 like it"), 1);
}

static void levels(void)
{
    static struct log_limit limit;
    for (int i = 0; i < 100; i++)
        log_limited_at(&limit, 1000, LOG_DEBUG, "test", "never");
}

static void quiet_levels_write_nothing(void **state)
{
    (void)state;
    assert_string_equal(capture(levels), "");
}

enum { THREADS = 4, EACH = 5000 };
static struct log_limit shared;

static void *log_much(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < EACH; i++)
        log_limited_at(&shared, 1000, LOG_WARN, "test", "much");
    return NULL;
}

static void from_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_share_a_limit(void **state)
{
    char end[64];
    (void)state;
    const char *log = capture(from_threads);
    snprintf(end, sizeof end, "much (the latest of %d like it", THREADS * EACH - LOG_FIRST);
    assert_int_equal(lines(log), LOG_FIRST + 1);
    assert_non_null(strstr(log, end));
}

static void of_all_kinds(void)
{
    const struct log_field fields[] = {
        {"plain", "a", 0}, {"spaced", "a b\"\n", 0}, {"none", "", 0}, {"number", NULL, -7}};
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        log_set_format((enum log_format)format);
        log_write_fields(LOG_WARN, "test", "said \"so\"\n", fields, 4);
        log_info("test", "%s", "a\tb");
        log_set_level(LOG_WARN);
        log_info("test", "not written");
        log_write_fields(LOG_INFO, "test", "nor this", fields, 4);
        log_set_level(LOG_INFO);
    }
    log_set_format(LOG_TEXT);
}

/* A line of text is one line; a line of JSON is an object with the same members, whatever the values are. */
static void formats_and_levels(void **state)
{
    (void)state;
    char *said = strdup(capture(of_all_kinds)), *at = said;
    assert_int_equal(lines(said), 4);
    assert_non_null(strstr(said, "Z warn test: said \"so\"  plain=a spaced=\"a b\\\"\\u000a\" none=\"\" number=-7\n"));
    assert_non_null(strstr(said, "Z info test: a b\n"));
    for (int i = 0; i < 2; i++)
        at = strchr(at, '\n') + 1;
    json_t *first = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(first);
    assert_string_equal(json_string_value(json_object_get(first, "message")), "said \"so\"\n");
    assert_string_equal(json_string_value(json_object_get(first, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(first, "area")), "test");
    assert_string_equal(json_string_value(json_object_get(first, "spaced")), "a b\"\n");
    assert_int_equal(json_integer_value(json_object_get(first, "number")), -7);
    assert_int_equal(json_object_size(first), 8);
    json_decref(first);
    free(said);
}

static char all_quotes[1001], all_breaks[1001], all_umlauts[1002];

static void too_long(void)
{
    const struct log_field fields[] = {{"quotes", all_quotes, 0}, {"short", "a", 0}, {"breaks", all_breaks, 0}};
    static struct log_limit limit;
    memset(all_quotes, '"', 1000);
    memset(all_breaks, '\n', 1000);
    for (int i = 0; i < 1000; i += 2)
        memcpy(all_umlauts + i + 1, "\xC3\xA4", 2);
    all_umlauts[0] = 'a';
    log_set_format(LOG_JSON);
    log_write_fields(LOG_INFO, "test", all_quotes, fields, 3);
    log_write_fields(LOG_INFO, "test", all_breaks, fields, 3);
    log_write_fields(LOG_INFO, "test", "m", fields, 3);
    log_write_fields(LOG_INFO, "test", "no text \xFF\xC3", fields, 0);
    for (int i = 0; i <= LOG_FIRST; i++)
        log_limited_at(&limit, 1, LOG_INFO, "test", "%s%s", all_umlauts, all_umlauts);
}

/* A line of JSON is an object also where values are longer than a line, or no text. */
static void long_values_do_not_break_lines(void **state)
{
    (void)state;
    char *said = strdup(capture(too_long));
    log_set_format(LOG_TEXT);
    int objects = 0;
    for (char *line = strtok(said, "\n"); line != NULL; line = strtok(NULL, "\n"), objects++) {
        json_t *tree = json_loads(line, 0, NULL);
        assert_non_null(tree);
        assert_non_null(json_object_get(tree, "message"));
        if (objects == 2) { /* after a short message there is room for fields that fit */
            assert_string_equal(json_string_value(json_object_get(tree, "short")), "a");
            assert_null(json_object_get(tree, "breaks"));
        }
        json_decref(tree);
    }
    assert_int_equal(objects, 4 + LOG_FIRST + 1);
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_levels),
        cmocka_unit_test(long_values_do_not_break_lines),
        cmocka_unit_test(test_found_m9_a_flood_is_a_few_lines),
        cmocka_unit_test(test_found_m9_rare_messages_are_all_written),
        cmocka_unit_test(test_found_m9_a_quiet_period_begins_anew),
        cmocka_unit_test(quiet_levels_write_nothing),
        cmocka_unit_test(threads_share_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
