/* Trusted proxies: networks, chains read from their end, and whatever clients may write into them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "front/proxies.h"

static struct proxies *trust(const char *const *texts, size_t len)
{
    struct proxies_network networks[16];
    struct proxies *proxies = NULL;
    for (size_t i = 0; i < len; i++)
        assert_true(proxies_read_network(texts[i], &networks[i]));
    assert_int_equal(proxies_new(&proxies, networks, len), 0);
    return proxies;
}

static const char *const inside[] = {"10.0.0.0/8", "192.168.7.9", "fd00::/8", "2001:db8:1:2::/64", "172.16.0.0/12"};

static struct proxies_address address_of(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return proxies_address_of((const struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return proxies_address_of((const struct sockaddr *)&six);
}

static const char *text_of(const struct proxies_address *address)
{
    static char text[INET6_ADDRSTRLEN];
    struct sockaddr_storage s;
    proxies_to_sockaddr(address, &s);
    if (s.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&s)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&s)->sin6_addr, text, sizeof text);
    return text;
}

static void test_found_u15_networks(void **state)
{
    (void)state;
    static const char *const fine[] = {"0.0.0.0/0", "::/0",     "10.1.2.3",    "10.1.2.3/32",
                                       "::1",       "fd00::/8", "128.0.0.0/1", "10.0.0.0/08"};
    static const char *const wrong[] = {"",
                                        "/",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/8x",
                                        "10.0.0.1/8",
                                        "fd00::1/8",
                                        "fd00::/129",
                                        "10.0.0/8",
                                        "localhost",
                                        "[::1]/128",
                                        "10.0.0.0/8/8",
                                        "fe80::1%lo",
                                        " 10.0.0.0/8",
                                        "10.0.0.0/0x8",
                                        "1.2.3.4:80",
                                        "::/999999999999999999999"};
    struct proxies_network network;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (!proxies_read_network(fine[i], &network))
            fail_msg("`%s` is a network", fine[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (proxies_read_network(wrong[i], &network))
            fail_msg("`%s` is none", wrong[i]);
}

static void test_found_u15_who_is_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_trusted;
    } cases[] = {
        {"10.0.0.1", true},         {"10.255.255.255", true},
        {"11.0.0.0", false},        {"9.255.255.255", false},
        {"192.168.7.9", true},      {"192.168.7.8", false},
        {"fd12::1", true},          {"fc00::1", false},
        {"fe00::1", false},         {"2001:db8:1:2:ffff::1", true},
        {"2001:db8:1:3::1", false}, {"172.15.255.255", false},
        {"172.16.0.0", true},       {"172.31.255.255", true},
        {"172.32.0.0", false},      {"::ffff:10.0.0.1", true},
        {"::ffff:11.0.0.1", false}, {"::10.0.0.1", false},
    };
    struct proxies *proxies = trust(inside, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct proxies_address a = address_of(cases[i].address);
        if (proxies_trust(proxies, &a) != cases[i].is_trusted)
            fail_msg("%s: trusted is not %d", cases[i].address, cases[i].is_trusted);
        assert_false(proxies_trust(NULL, &a));
    }
    free(proxies);
    /* all of one family is not all of the other */
    struct proxies_address four = address_of("1.2.3.4"), six = address_of("2001::1");
    proxies = trust((const char *const[]){"::/0"}, 1);
    assert_false(proxies_trust(proxies, &four));
    assert_true(proxies_trust(proxies, &six));
    free(proxies);
    proxies = trust((const char *const[]){"0.0.0.0/0"}, 1);
    assert_true(proxies_trust(proxies, &four));
    assert_false(proxies_trust(proxies, &six));
    free(proxies);
}

#define P "10.9.9.9" /* who connects */

static void test_found_u15_chains(void **state)
{
    (void)state;
    static const struct {
        const char *list, *forwarded, *client;
    } cases[] = {
        {NULL, NULL, P},
        {"1.2.3.4", NULL, "1.2.3.4"},
        {"1.2.3.4:5678", NULL, "1.2.3.4"},
        {"  1.2.3.4\t", NULL, "1.2.3.4"},
        {"6.6.6.6, 1.2.3.4", NULL, "1.2.3.4"},
        {"6.6.6.6,1.2.3.4 , 10.0.0.1,192.168.7.9", NULL, "1.2.3.4"},
        {"garbage, 1.2.3.4, 10.0.0.1", NULL, "1.2.3.4"}, /* what the client wrote itself is not looked at */
        {"1.2.3.4, garbage, 10.0.0.1", NULL, P},
        {"1.2.3.4, , 10.0.0.1", NULL, P},
        {"1.2.3.4,", NULL, P},
        {"", NULL, P},
        {"unknown", NULL, P},
        {"10.0.0.2, 10.0.0.1", NULL, "10.0.0.2"}, /* all trusted: the farthest */
        {"2001:db8::1", NULL, "2001:db8::1"},
        {"[2001:db8::1]", NULL, "2001:db8::1"},
        {"[2001:db8::1]:443", NULL, "2001:db8::1"},
        {"::ffff:1.2.3.4", NULL, "1.2.3.4"},
        {"::ffff:10.0.0.1", NULL, "10.0.0.1"},
        {"[1.2.3.4]", NULL, P},
        {"1.2.3.4:99999", NULL, P},
        {"1.2.3.4:", NULL, P},
        {"1.2.3.4:-1", NULL, P},
        {"1.2.3", NULL, P},
        {"01.2.3.4", NULL, P},
        {"1.2.3.4/8", NULL, P},
        {"fe80::1%eth0", NULL, P},
        {"[::1", NULL, P},
        {"[::1]x", NULL, P},
        {"[::1]:", NULL, P},
        {"\"1.2.3.4\"", NULL, P},
        {"1.2.3.4 5.6.7.8", NULL, P},
        {NULL, "for=1.2.3.4", "1.2.3.4"},
        {NULL, "FOR=1.2.3.4;proto=http", "1.2.3.4"},
        {NULL, "by=10.0.0.1;for=1.2.3.4;host=\"a,b;for=6.6.6.6\"", "1.2.3.4"},
        {NULL, "for=\"[2001:db8::1]:4711\"", "2001:db8::1"},
        {NULL, "for=\"1.2.3.4:80\"", "1.2.3.4"},
        {NULL, "for=\"1.2.3.4:_x\"", "1.2.3.4"},
        {NULL, "for=6.6.6.6, for=1.2.3.4 , for=10.0.0.1", "1.2.3.4"},
        {NULL, "for=6.6.6.6,for=1.2.3.4;by=10.0.0.1", "1.2.3.4"},
        {NULL, "for=unknown", P},
        {NULL, "for=_hidden, for=10.0.0.1", P},
        {NULL, "by=1.2.3.4", P},
        {NULL, "for=1.2.3.4;for=5.6.7.8", P},
        {NULL, "for=\"1.2.3.4", P},
        {NULL, "x=\"y, for=1.2.3.4", P},
        {NULL, "for=\"1.2.3.\\4\"", P},
        {NULL, "for=1.2.3.4;", P},
        {NULL, "for=1.2.3.4,", P},
        {NULL, ";for=1.2.3.4", P},
        {NULL, "for", P},
        {NULL, "for =1.2.3.4", P},
        {NULL, "for=1.2.3.4\"", P},
        {NULL, "", P},
        {"1.2.3.4", "for=1.2.3.4", "1.2.3.4"},
        {"1.2.3.4", "for=5.6.7.8", P}, /* one of them may be the client's own word */
        {"1.2.3.4", "for=unknown", P},
    };
    struct proxies *proxies = trust(inside, 5);
    struct proxies_address peer = address_of(P), outside = address_of("7.7.7.7");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct proxies_header headers[3] = {{NULL, false}};
        size_t len = 0;
        if (cases[i].list)
            headers[len++] = (struct proxies_header){cases[i].list, false};
        if (cases[i].forwarded)
            headers[len++] = (struct proxies_header){cases[i].forwarded, true};
        struct proxies_address client = proxies_client(proxies, &peer, headers);
        if (strcmp(text_of(&client), cases[i].client) != 0)
            fail_msg("case %zu: %s, not %s", i, text_of(&client), cases[i].client);
        client = proxies_client(proxies, &outside, headers); /* whose word counts for nothing */
        assert_string_equal(text_of(&client), "7.7.7.7");
        client = proxies_client(NULL, &peer, headers);
        assert_string_equal(text_of(&client), P);
    }
    /* several headers are one list */
    const struct proxies_header lines[] = {
        {"6.6.6.6", false}, {"1.2.3.4", false}, {"10.0.0.1, 10.0.0.2", false}, {NULL, false}};
    struct proxies_address client = proxies_client(proxies, &peer, lines);
    assert_string_equal(text_of(&client), "1.2.3.4");
    free(proxies);
}

/* ---- whatever is sent ---------------------------------------------------------------------------------------------
 */

static uint32_t dice = 1;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525 + 1013904223;
    return (dice >> 8) % sides;
}

static void random_address(char *text, bool is_inside)
{
    if (roll(3) == 0)
        sprintf(text, is_inside ? "fd%02x::%x" : "2a00:%x::%x", roll(256), roll(65535) + 1);
    else
        sprintf(text, is_inside ? "10.%u.%u.1" : "50.%u.%u.1", roll(256), roll(256));
}

/* An address as a proxy may write it. */
static void written(char *out, const char *address, bool is_forwarded)
{
    bool is_six = strchr(address, ':') != NULL, has_port = roll(2);
    char node[80];
    sprintf(node, is_six && (is_forwarded || has_port || roll(2)) ? "[%s]" : "%s", address);
    if (has_port)
        sprintf(node + strlen(node), ":%u", roll(65536));
    if (is_forwarded)
        sprintf(out, strchr(node, ':') || roll(2) ? "%sfor=\"%s\"%s" : "%sfor=%s%s", roll(2) ? "proto=https; " : "",
                node, roll(2) ? ";by=_x" : "");
    else
        strcpy(out, node);
}

/* Whatever stands before it, in proper form, the client is the first address from the end that is not trusted. */
static void test_found_u15_what_a_client_writes_changes_nothing(void **state)
{
    (void)state;
    static const char *const before[] = {"",    "10.0.0.1, ", "1.1.1.1, 10.0.0.1, ", "unknown, ",
                                         "x, ", ",,, ",       "127.0.0.1,"};
    static const char *const before_forwarded[] = {"", "for=10.0.0.1, ", "for=1.1.1.1;host=\"a,b\", for=10.0.0.1, ",
                                                   "for=unknown, ", "for=_x,"};
    struct proxies *proxies = trust(inside, 5);
    struct proxies_address peer = address_of(P);
    for (int round = 0; round < 50000; round++) {
        bool is_forwarded = roll(2);
        char value[2048], client[64], proxy[64], node[160];
        strcpy(value, is_forwarded ? before_forwarded[roll(5)] : before[roll(7)]);
        random_address(client, false);
        written(node, client, is_forwarded);
        strcat(value, node);
        for (uint32_t i = roll(6); i > 0; i--) {
            random_address(proxy, true);
            written(node, proxy, is_forwarded);
            sprintf(value + strlen(value), "%s,%s%s", roll(2) ? " " : "", roll(2) ? " " : "", node);
        }
        const struct proxies_header headers[] = {{value, is_forwarded}, {NULL, false}};
        struct proxies_address found = proxies_client(proxies, &peer, headers), wanted = address_of(client);
        if (memcmp(&found, &wanted, sizeof found) != 0)
            fail_msg("%s: %s, not %s", value, text_of(&found), client);
    }
    free(proxies);
}

/* Any bytes: no crash, and the result is either the connection's own address or one that stands there. An address that
 * does not stand in the value would be trust out of nothing. */
static void test_found_u15_any_bytes(void **state)
{
    (void)state;
    static const char letters[] = "0123456789abcdefABCDEF.:,;=\"[]\\/ \tforbyunknown_-%x\x80\xff\x01";
    static const char *const parts[] = {"for=", "10.0.0.1", "50.1.2.3", "[fd00::1]", "\"",      ",",
                                        ";",    "2a00::1",  "unknown",  ":80",       "::ffff:", " "};
    struct proxies *proxies = trust(inside, 5);
    struct proxies_address peer = address_of(P);
    for (int round = 0; round < 200000; round++) {
        char values[3][512] = {""};
        struct proxies_header headers[4] = {{NULL, false}};
        uint32_t count = 1 + roll(3);
        for (uint32_t h = 0; h < count; h++) {
            for (uint32_t i = roll(24); i > 0; i--) {
                size_t len = strlen(values[h]);
                if (roll(2))
                    strcpy(values[h] + len, parts[roll(sizeof parts / sizeof parts[0])]);
                else {
                    values[h][len] = letters[roll(sizeof letters - 1)];
                    values[h][len + 1] = '\0';
                }
            }
            /* on a heap block of its own, so that a sanitizer sees a read behind it */
            headers[h] = (struct proxies_header){strdup(values[h]), roll(2)};
        }
        struct proxies_address found = proxies_client(proxies, &peer, headers);
        char text[64];
        strcpy(text, text_of(&found));
        if (strcmp(text, P) != 0) {
            bool stands = false;
            for (uint32_t h = 0; h < count && !stands; h++)
                stands = strstr(values[h], text) != NULL || strstr(values[h], "::") != NULL;
            if (!stands)
                fail_msg("%s out of: %s | %s | %s", text, values[0], values[1], values[2]);
        }
        for (uint32_t h = 0; h < count; h++)
            free((void *)(uintptr_t)headers[h].value);
    }
    free(proxies);
}

/* A chain longer than any real one is no chain. */
static void test_found_u15_long_chains(void **state)
{
    (void)state;
    static char value[65536];
    struct proxies *proxies = trust(inside, 5);
    struct proxies_address peer = address_of(P);
    const struct proxies_header headers[] = {{value, false}, {NULL, false}};
    strcpy(value, "1.2.3.4");
    for (int i = 0; i < 63; i++)
        strcat(value, ",10.0.0.1");
    struct proxies_address found = proxies_client(proxies, &peer, headers);
    assert_string_equal(text_of(&found), "1.2.3.4");
    for (int i = 0; i < 1000; i++) {
        strcat(value, ",10.0.0.1");
        found = proxies_client(proxies, &peer, headers);
        assert_string_equal(text_of(&found), P);
    }
    free(proxies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_u15_networks),
        cmocka_unit_test(test_found_u15_who_is_trusted),
        cmocka_unit_test(test_found_u15_chains),
        cmocka_unit_test(test_found_u15_what_a_client_writes_changes_nothing),
        cmocka_unit_test(test_found_u15_any_bytes),
        cmocka_unit_test(test_found_u15_long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
