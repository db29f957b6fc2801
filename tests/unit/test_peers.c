/* Connections per client address: counting, limits, a full table, removal in every order.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "peers.h"

static struct peer_key key_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return peer_key_of((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return peer_key_of((struct sockaddr *)&v6);
}

static void same_client(const char *a, const char *b, bool expected)
{
    struct peer_key first = key_of(a), second = key_of(b);
    if ((memcmp(&first, &second, sizeof first) == 0) != expected)
        fail_msg("%s and %s count as one: %d, expected %d", a, b, !expected, expected);
}

static void test_what_counts_as_one_client(void **state)
{
    (void)state;
    same_client("10.0.0.1", "10.0.0.1", true);
    same_client("10.0.0.1", "10.0.0.2", false);
    same_client("2001:db8::1", "2001:db8::2", true); /* one /64 */
    same_client("2001:db8::1", "2001:db8:0:1::1", false);
    same_client("10.0.0.1", "::ffff:10.0.0.1", true);
    same_client("::ffff:10.0.0.1", "::ffff:10.0.0.2", false);
    same_client("10.0.0.1", "a00:1::", false);
}

static void test_limits(void **state)
{
    (void)state;
    struct peers *peers;
    struct peer_key a = key_of("10.0.0.1"), b = key_of("10.0.0.2"), c = key_of("10.0.0.3");
    assert_int_equal(peers_new(&peers, 2), 0);
    assert_int_equal(peers_add(peers, &a, 2), 0);
    assert_int_equal(peers_add(peers, &a, 2), 0);
    assert_int_equal(peers_add(peers, &a, 2), REIN_ELIMIT);
    assert_int_equal(peers_add(peers, &b, 0), 0);
    assert_int_equal(peers_add(peers, &b, 0), 0); /* 0: no limit */
    assert_int_equal(peers_add(peers, &c, 0), REIN_ELIMIT);
    peers_remove(peers, &a);
    assert_int_equal(peers_count(peers, &a), 1);
    peers_remove(peers, &a);
    assert_int_equal(peers_count(peers, &a), 0);
    assert_int_equal(peers_add(peers, &c, 0), 0);
    peers_free(peers);
}

enum { CLIENTS = 500, STEPS = 200000 };

/* Random coming and going against plain counters. */
static void test_against_counters(void **state)
{
    (void)state;
    struct peers *peers;
    struct peer_key keys[CLIENTS];
    size_t counts[CLIENTS] = {0};
    uint32_t random = 12345;
    assert_int_equal(peers_new(&peers, CLIENTS), 0);
    for (int i = 0; i < CLIENTS; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.1.%d.%d", i / 250, i % 250);
        keys[i] = key_of(text);
    }
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        size_t i = (random >> 8) % CLIENTS;
        if (random >> 31 && counts[i] > 0) {
            peers_remove(peers, &keys[i]);
            counts[i]--;
        } else if (peers_add(peers, &keys[i], 3) == 0) {
            counts[i]++;
        }
        assert_int_equal(peers_count(peers, &keys[i]), counts[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(peers_count(peers, &keys[i]), counts[i]);
    peers_free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts_as_one_client),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_against_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
