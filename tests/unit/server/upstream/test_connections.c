/* How many connections there may be: both limits at both ends of their ranges, and changed while connections are there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "front/client_limits.h"

static struct client_key key_of(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    return client_key_of((const struct sockaddr *)(const void *)&in);
}

static size_t range_end(const char *key, int is_highest)
{
    const struct config_setting *setting = config_settings();
    while (strcmp(setting->key, key) != 0)
        setting++;
    return (size_t)(is_highest ? setting->highest : setting->lowest);
}

static void check_all(size_t all)
{
    struct client_limits *clients;
    struct client_key key = key_of(1), other = key_of(2);
    assert_int_equal(client_limits_new(&clients, &(struct client_limits_options){.all = all}), 0);
    for (size_t i = 0; i < all; i++)
        assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_LIMIT_REACHED);
    assert_int_equal(client_limits_add(clients, &other, CLIENT_CONNECTION), CLIENT_LIMIT_REACHED);
    client_limits_free(clients);
}

static void test_found_s3_as_many_connections_as_the_range_allows(void **state)
{
    (void)state;
    check_all(range_end("limits.connections", 0));
    check_all(range_end("limits.connections", 1));
}

static void check_of_one(size_t of_one)
{
    struct client_limits *clients;
    struct client_key key = key_of(1), other = key_of(2);
    assert_int_equal(
        client_limits_new(&clients,
                          &(struct client_limits_options){.all = range_end("limits.connections", 1), .of_one = of_one}),
        0);
    for (size_t i = 0; i + 1 < of_one; i++)
        assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    int full = of_one == range_end("limits.connections", 1) ? CLIENT_LIMIT_REACHED : CLIENT_LIMIT_OF_ONE_REACHED;
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), full);
    client_limits_remove(clients, &key, CLIENT_CONNECTION);
    assert_int_equal(client_limits_add(clients, &other, CLIENT_CONNECTION), CLIENT_ADMITTED);
    client_limits_free(clients);
}

static void test_found_s3_as_many_of_one_address_as_the_range_allows(void **state)
{
    (void)state;
    check_of_one(range_end("limits.connections_per_address", 0));
    check_of_one(range_end("limits.connections_per_address", 1));
}

/* Who is there stays; who comes is judged by the limit of that moment. */
static void test_found_s3_the_limit_of_one_address_changes(void **state)
{
    (void)state;
    struct client_limits *clients;
    struct client_key key = key_of(1);
    assert_int_equal(client_limits_new(&clients, &(struct client_limits_options){.all = 100, .of_one = 2}), 0);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_LIMIT_OF_ONE_REACHED);
    client_limits_change(clients, &(struct client_limits_options){.of_one = 3});
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    client_limits_change(clients, &(struct client_limits_options){.of_one = 1});
    for (int i = 0; i < 2; i++) {
        client_limits_remove(clients, &key, CLIENT_CONNECTION);
        assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_LIMIT_OF_ONE_REACHED);
    }
    client_limits_remove(clients, &key, CLIENT_CONNECTION);
    assert_int_equal(client_limits_add(clients, &key, CLIENT_CONNECTION), CLIENT_ADMITTED);
    client_limits_remove(clients, &key, CLIENT_CONNECTION);
    client_limits_free(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_s3_as_many_connections_as_the_range_allows),
        cmocka_unit_test(test_found_s3_as_many_of_one_address_as_the_range_allows),
        cmocka_unit_test(test_found_s3_the_limit_of_one_address_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
