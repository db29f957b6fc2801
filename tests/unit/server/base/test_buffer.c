/* The growing buffer: its ceiling, its exact room, and that a refusal changes nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static void it_grows_to_its_ceiling(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (size_t len = 0; len < 1000; len++) {
        assert_int_equal(buffer_add(&b, len % 2 ? "b" : "a", 1, 1000), 0);
        assert_int_equal(b.len, len + 1);
        assert_int_equal(strlen(b.data), b.len);
    }
    assert_int_equal(buffer_add(&b, "c", 1, 1000), REIN_ELIMIT);
    assert_int_equal(buffer_add(&b, "", SIZE_MAX, 1000), REIN_ELIMIT);
    assert_int_equal(b.len, 1000);
    assert_int_equal(b.data[999], 'b');
    assert_int_equal(buffer_add(&b, "", 0, 1000), 0);
    buffer_clear(&b);
    assert_null(b.data);
    assert_true(buffer_is_sound(&b));
}

static void nothing_added_is_an_empty_text(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_int_equal(buffer_room(&b), 0);
    assert_int_equal(buffer_add(&b, NULL, 0, 0), 0);
    assert_string_equal(b.data, "");
    buffer_clear(&b);
}

static void reserved_room_is_exact(void **state)
{
    (void)state;
    for (size_t room = 0; room < 100; room++) {
        struct buffer b = {0};
        assert_int_equal(buffer_reserve(&b, room), 0);
        assert_int_equal(buffer_room(&b), room);
        const char *at = b.data;
        for (size_t i = 0; i < room; i++)
            assert_int_equal(buffer_add(&b, "x", 1, room), 0);
        assert_ptr_equal(b.data, at);
        assert_int_equal(buffer_room(&b), room);
        assert_int_equal(buffer_reserve(&b, room / 2), 0); /* never less */
        assert_int_equal(buffer_room(&b), room);
        assert_int_equal(buffer_reserve(&b, 2 * room), 0);
        assert_int_equal(buffer_room(&b), 2 * room);
        assert_int_equal(strlen(b.data), room);
        buffer_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_to_its_ceiling),
        cmocka_unit_test(nothing_added_is_an_empty_text),
        cmocka_unit_test(reserved_room_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
