/* Buffers: they grow beyond their first room, never beyond their limit, and can be swapped.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "rein/rein.h"

static unsigned blocks;
static bool is_full;

static void *counting_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    blocks += block == NULL && !is_full;
    return is_full ? NULL : realloc(block, size);
}

static void counting_free(void *ctx, void *block)
{
    (void)ctx;
    blocks--;
    free(block);
}

static const struct rein_heap counting = {NULL, counting_realloc, counting_free};

static int set_up(void **state)
{
    (void)state;
    blocks = 0;
    is_full = false;
    rein_heap_set(&counting);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rein_heap_set(NULL);
    return 0;
}

static void check_content(const struct bytes *b, const char *expected)
{
    struct span have = bytes_span(b);
    assert_int_equal(have.len, strlen(expected));
    assert_memory_equal(have.data, expected, have.len);
}

static void grows_out_of_its_room(void **state)
{
    (void)state;
    char room[8];
    struct bytes b;
    bytes_init_in(&b, room, sizeof room, 1000);
    assert_int_equal(bytes_append_span(&b, SPAN("12345678")), 0);
    assert_ptr_equal(b.data, room);
    assert_int_equal(blocks, 0);
    bytes_consume(&b, 2);
    assert_int_equal(bytes_append_span(&b, SPAN("9abcdef")), 0);
    assert_ptr_not_equal(b.data, room);
    check_content(&b, "3456789abcdef");
    assert_int_equal(blocks, 1);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(bytes_append_span(&b, SPAN("x")), 0);
    assert_int_equal(bytes_len(&b), 113);
    assert_int_equal(blocks, 1);
    bytes_fini(&b);
    assert_int_equal(blocks, 0);
}

static void uses_its_room_again(void **state)
{
    (void)state;
    char room[8];
    struct bytes b;
    bytes_init_in(&b, room, sizeof room, 1000);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(bytes_append_span(&b, SPAN("12345")), 0);
        check_content(&b, "12345");
        bytes_consume(&b, 5);
    }
    assert_ptr_equal(b.data, room);
    bytes_fini(&b);
    assert_int_equal(blocks, 0);
}

static void out_of_memory_it_stays_in_its_room(void **state)
{
    (void)state;
    char room[8];
    struct bytes b;
    bytes_init_in(&b, room, sizeof room, 1000);
    assert_int_equal(bytes_append_span(&b, SPAN("12345678")), 0);
    is_full = true;
    assert_int_equal(bytes_append_span(&b, SPAN("9")), REIN_ENOMEM);
    check_content(&b, "12345678");
    is_full = false;
    assert_int_equal(bytes_append_span(&b, SPAN("9")), 0);
    check_content(&b, "123456789");
    bytes_fini(&b);
    assert_int_equal(blocks, 0);
}

static void its_limit_holds_in_a_larger_room(void **state)
{
    (void)state;
    char room[8];
    struct bytes b;
    bytes_init_in(&b, room, sizeof room, 4);
    assert_int_equal(bytes_append_span(&b, SPAN("12345")), REIN_ELIMIT);
    assert_int_equal(bytes_append_span(&b, SPAN("1234")), 0);
    assert_int_equal(bytes_append_span(&b, SPAN("5")), REIN_ELIMIT);
    check_content(&b, "1234");
    bytes_fini(&b);
}

static void contents_change_hands_and_limits_stay(void **state)
{
    (void)state;
    struct bytes a, b;
    bytes_init(&a, 100);
    bytes_init(&b, 5);
    assert_int_equal(bytes_append_span(&a, SPAN("123456789")), 0);
    const char *data = a.data;
    bytes_swap(&a, &b);
    check_content(&a, "");
    check_content(&b, "123456789");
    assert_ptr_equal(b.data, data);
    assert_int_equal(a.limit, 100);
    assert_int_equal(b.limit, 5);
    assert_int_equal(bytes_append_span(&a, SPAN("abc")), 0);
    check_content(&a, "abc");
    bytes_fini(&a);
    bytes_fini(&b);
    assert_int_equal(blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(grows_out_of_its_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(uses_its_room_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_it_stays_in_its_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_limit_holds_in_a_larger_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contents_change_hands_and_limits_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
