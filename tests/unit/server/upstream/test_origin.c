/* Origins: what the config takes for an upstream's root and what a call can go to are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/origin.h"
#include "upstream/upstream_internal.h"

static void check(const char *text, const char *host, const char *why)
{
    struct origin origin = {.len = 0};
    const char *said = origin_read(&origin, text);
    if ((said == NULL) != (why == NULL) || (said != NULL && strstr(said, why) == NULL))
        fail_msg("%s: `%s`, not `%s`", text, said != NULL ? said : "fine", why != NULL ? why : "fine");
    if (why == NULL && (origin.host_len != strlen(host) || strncmp(origin.host, host, origin.host_len) != 0))
        fail_msg("%s: host `%.*s`, not `%s`", text, (int)origin.host_len, origin.host, host);
    struct upstream_url url;
    struct upstream_request request = {.method = "GET", .url = text};
    assert_int_equal(url_parse(&url, &request) == 0, why == NULL);
}

static void test_what_is_one(void **state)
{
    (void)state;
    check("http://127.0.0.1:9000", "127.0.0.1:9000", NULL);
    check("https://api.example.com", "api.example.com", NULL);
    check("https://api.example.com./v1", "api.example.com.", NULL);
    check("http://[::1]:65535", "[::1]:65535", NULL);
    check("http://[fe80::1]/", "[fe80::1]", NULL);
    check("http://my_service-2:1", "my_service-2:1", NULL);
}

static void test_found_s3_what_cannot_be_called_is_no_origin(void **state)
{
    (void)state;
    check("ftp://h", NULL, "must begin with");
    check("http://", NULL, "has no host name");
    check("http://:80", NULL, "has no host name");
    check("http:///v1", NULL, "has no host name");
    check("http://$HOST:80", NULL, "not allowed in a URL");
    check("http://a b", NULL, "not allowed in a URL");
    check("http://b\xc3\xbc"
          "cher.example",
          NULL, "not allowed in a URL");
    check("http://h%41", NULL, "not allowed in a URL");
    check("http://h?q", NULL, "not allowed in a URL");
    check("http://a..b", NULL, "between two dots");
    check("http://.a", NULL, "not allowed in a URL");
    check("http://h:", NULL, "1 to 65535");
    check("http://h:0", NULL, "1 to 65535");
    check("http://h:65536", NULL, "1 to 65535");
    check("http://h:123456", NULL, "1 to 65535");
    check("http://h:80:80", NULL, "not allowed in a URL");
    check("http://[::1", NULL, "IPv6");
    check("http://[1.2.3.4]", NULL, "IPv6");
    check("http://[fe80::1%eth0]", NULL, "IPv6");
    check("http://[]", NULL, "IPv6");
}

/* The longest host that there is goes all the way; one byte more goes nowhere. */
static void test_found_s3_a_host_is_as_long_as_a_name_can_be(void **state)
{
    (void)state;
    char label[64], text[600], host[300];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(host, sizeof host, "%s.%s.%s.%.61s:65535", label, label, label, label);
    assert_int_equal(strlen(host), ORIGIN_HOST_MAX + 6);
    snprintf(text, sizeof text, "https://%s", host);
    assert_int_equal(strlen(text), ORIGIN_LEN_MAX);
    check(text, host, NULL);
    snprintf(text, sizeof text, "https://%s.%s.%s.%.62s", label, label, label, label);
    check(text, NULL, "more than 253");
    snprintf(text, sizeof text, "https://a%s.example", label);
    check(text, NULL, "more than 63");
    memset(text, 'a', 400);
    memcpy(text, "http://", 7);
    text[400] = '\0';
    check(text, NULL, "more than 63");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_one),
        cmocka_unit_test(test_found_s3_what_cannot_be_called_is_no_origin),
        cmocka_unit_test(test_found_s3_a_host_is_as_long_as_a_name_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
