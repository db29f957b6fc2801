/* Sessions of browsers: opened, expired, closed, replaced; tries that fail.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000 };
static const unsigned char token[KEY_HASH_LEN] = "a token's hash";

static int begin(void **state)
{
    *state = calloc(1, sizeof(struct admin_sessions));
    return *state == NULL;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void found_until_it_expires(void **state)
{
    struct admin_sessions *sessions = *state;
    char text[KEYS_TEXT_MAX], other[KEYS_TEXT_MAX];
    assert_int_equal(sessions_open(sessions, token, NOW, text), 0);
    assert_int_equal(sessions_open(sessions, token, NOW, other), 0);
    assert_string_not_equal(text, other);
    const struct admin_session *session = sessions_find(sessions, text, NOW + SESSION_LIFE_S - 1);
    assert_non_null(session);
    assert_memory_equal(session->token, token, KEY_HASH_LEN);
    assert_null(sessions_find(sessions, text, NOW + SESSION_LIFE_S));
    assert_null(sessions_find(sessions, text, NOW - 1)); /* the clock was set back: nobody knows how old it is */
    assert_null(sessions_find(sessions, "", NOW));
    assert_null(sessions_find(sessions, "made up", NOW));
    sessions_close(sessions, text);
    assert_null(sessions_find(sessions, text, NOW));
    assert_non_null(sessions_find(sessions, other, NOW));
}

static void oldest_makes_room(void **state)
{
    struct admin_sessions *sessions = *state;
    char first[KEYS_TEXT_MAX], second[KEYS_TEXT_MAX], text[KEYS_TEXT_MAX];
    assert_int_equal(sessions_open(sessions, token, NOW, first), 0);
    assert_int_equal(sessions_open(sessions, token, NOW + 1, second), 0);
    for (int i = 2; i <= SESSIONS_MAX; i++)
        assert_int_equal(sessions_open(sessions, token, NOW + i, text), 0);
    assert_null(sessions_find(sessions, first, NOW + SESSIONS_MAX));
    assert_non_null(sessions_find(sessions, second, NOW + SESSIONS_MAX));
    assert_non_null(sessions_find(sessions, text, NOW + SESSIONS_MAX));
}

static void tries_of_one_address(void **state)
{
    struct admin_sessions *sessions = *state;
    for (int i = 0; i < LOGIN_TRIES_OF_ONE; i++) {
        assert_int_equal(sessions_wait_s(sessions, "192.0.2.1", NOW + i), 0);
        sessions_note_failure(sessions, "192.0.2.1", NOW + i);
    }
    assert_int_equal(sessions_wait_s(sessions, "192.0.2.1", NOW + 10), LOGIN_WINDOW_S - 10);
    assert_int_equal(sessions_wait_s(sessions, "192.0.2.2", NOW + 10), 0);
    assert_int_equal(sessions_wait_s(sessions, "192.0.2.1", NOW + LOGIN_WINDOW_S), 0);
}

/* From many addresses: the table stays as it is, and all wait. */
static void tries_of_all(void **state)
{
    struct admin_sessions *sessions = *state;
    char address[LOGIN_ADDRESS_MAX];
    for (int i = 0; i < LOGIN_TRIES_OF_ALL; i++) {
        snprintf(address, sizeof address, "2001:db8::%x", i);
        assert_int_equal(sessions_wait_s(sessions, address, NOW), 0);
        sessions_note_failure(sessions, address, NOW);
    }
    assert_int_equal(sessions_wait_s(sessions, "192.0.2.9", NOW), LOGIN_WINDOW_S);
    for (int i = 0; i < 3 * LOGIN_ADDRESSES_MAX; i++) {
        snprintf(address, sizeof address, "2001:db8:1::%x", i);
        sessions_note_failure(sessions, address, NOW + 1);
    }
    assert_int_equal(sessions_wait_s(sessions, "192.0.2.9", NOW + LOGIN_WINDOW_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(found_until_it_expires, begin, end),
        cmocka_unit_test_setup_teardown(oldest_makes_room, begin, end),
        cmocka_unit_test_setup_teardown(tries_of_one_address, begin, end),
        cmocka_unit_test_setup_teardown(tries_of_all, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
