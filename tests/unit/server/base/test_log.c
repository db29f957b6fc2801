/* The log: messages that traffic can repeat without a bound are counted, not written.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_m9_a_flood_is_a_few_lines),
        cmocka_unit_test(test_found_m9_rare_messages_are_all_written),
        cmocka_unit_test(test_found_m9_a_quiet_period_begins_anew),
        cmocka_unit_test(quiet_levels_write_nothing),
        cmocka_unit_test(threads_share_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
