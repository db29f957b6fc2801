/* Files of results: going on, cut lines, and the same bytes after any interruption.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asking/results.h"
#include "base/files.h"

enum { KEYS = 12 };

static char path[] = "/tmp/rein-results-XXXXXX";
static char keys[KEYS][ASKING_KEY_SIZE];
static const char (*const order)[ASKING_KEY_SIZE] = (const char (*)[ASKING_KEY_SIZE])keys;

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < KEYS; i++) {
        char text[8];
        snprintf(text, sizeof text, "q%zu", i);
        asking_key(keys[i], asking_hash(ASKING_HASH_BEGIN, text));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static int count_result(void *ctx, const char *key, json_t *line)
{
    assert_string_equal(json_string_value(json_object_get(line, "key")), key);
    ++*(size_t *)ctx;
    return 0;
}

static struct asking_results *open_results(size_t wanted)
{
    struct asking_results *r = NULL;
    size_t had = 0;
    assert_int_equal(asking_results_open(&r, "test", path, count_result, &had), 0);
    assert_int_equal(had, wanted);
    return r;
}

static void add(struct asking_results *r, size_t i, int value)
{
    json_t *line = json_pack("{sssi}", "key", keys[i], "value", value);
    assert_int_equal(asking_results_add(r, line), 0);
    json_decref(line);
}

static char *text_of_file(size_t *len)
{
    char *text = NULL;
    assert_int_equal(files_read(&text, len, path, 1 << 20), 0);
    return text;
}

static void empty(void)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    size_t whole_len, len;
    struct asking_results *r = open_results(0);
    for (size_t i = 0; i < KEYS; i++)
        add(r, i, (int)i);
    assert_int_equal(asking_results_sort(r, order, KEYS), 0);
    assert_int_equal(asking_results_close(r), 0);
    char *whole = text_of_file(&whole_len);
    empty();
    /* In another order, in three runs, with a line that is replaced. */
    for (size_t run = 0; run < 3; run++) {
        r = open_results(run * 4);
        for (size_t i = 0; i < 4; i++)
            add(r, (run * 4 + i) * 5 % KEYS, (int)((run * 4 + i) * 5 % KEYS));
        assert_int_equal(asking_results_close(r), 0);
    }
    r = open_results(KEYS);
    add(r, 3, 77);
    add(r, 3, 3);
    assert_int_equal(asking_results_sort(r, order, KEYS), 0);
    assert_int_equal(asking_results_close(r), 0);
    char *again = text_of_file(&len);
    assert_int_equal(len, whole_len);
    assert_memory_equal(again, whole, len);
    free(whole);
    free(again);
    empty();
}

static void test_lines_of_other_runs_stay_behind(void **state)
{
    (void)state;
    size_t len;
    struct asking_results *r = open_results(0);
    for (size_t i = 0; i < 4; i++)
        add(r, i, (int)i);
    assert_int_equal(asking_results_sort(r, order + 2, 2), 0);
    add(r, 4, 4); /* the file goes on where it was sorted */
    assert_int_equal(asking_results_close(r), 0);
    char *text = text_of_file(&len), *at = text;
    static const size_t wanted[] = {2, 3, 0, 1, 4};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(strncmp(at + strlen("{\"key\":\""), keys[wanted[i]], ASKING_KEY_SIZE - 1), 0);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, 0);
    free(text);
    empty();
}

static void test_a_line_that_was_cut_is_dropped(void **state)
{
    (void)state;
    size_t len;
    struct asking_results *r = open_results(0);
    add(r, 0, 0);
    add(r, 1, 1);
    assert_int_equal(asking_results_close(r), 0);
    char *text = text_of_file(&len);
    assert_int_equal(truncate(path, (off_t)len - 5), 0);
    free(text);
    r = open_results(1);
    add(r, 1, 1);
    assert_int_equal(asking_results_close(r), 0);
    assert_int_equal(asking_results_close(open_results(2)), 0);
    empty();
}

static void test_two_runs_do_not_write_one_file(void **state)
{
    (void)state;
    size_t had = 0;
    struct asking_results *r = open_results(0), *second = NULL;
    assert_int_equal(asking_results_open(&second, "test", path, count_result, &had), REIN_EIO);
    add(r, 1, 1);
    add(r, 0, 0);
    assert_int_equal(asking_results_sort(r, order, 2), 0); /* another file now, as locked as the first */
    assert_int_equal(asking_results_open(&second, "test", path, count_result, &had), REIN_EIO);
    assert_int_equal(asking_results_close(r), 0);
    empty();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_lines_of_other_runs_stay_behind),
        cmocka_unit_test(test_a_line_that_was_cut_is_dropped),
        cmocka_unit_test(test_two_runs_do_not_write_one_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
