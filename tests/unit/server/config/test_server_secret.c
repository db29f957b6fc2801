/* The server's secret: made once, readable for its owner alone, the same at every start; keys of different purposes and
 * names differ. SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "config/server_secret.h"
#include "configkit.h"

static void path_in(const struct fixture *f, const char *name, char out[600])
{
    snprintf(out, 600, "%s/%s", f->folder, name);
}

static void is_made_once_and_stays(void **state)
{
    struct fixture *f = *state;
    struct server_secret first, again;
    struct stat st;
    char store[600], path[600];
    path_in(f, "data/rein.db", store);
    path_in(f, "data/rein.secret", path);
    assert_int_equal(server_secret_load(&first, store), 0);
    assert_int_equal(server_secret_load(&again, store), 0);
    assert_memory_equal(first.bytes, again.bytes, SERVER_SECRET_LEN);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(server_secret_load(&again, store), 0);
    assert_memory_not_equal(first.bytes, again.bytes, SERVER_SECRET_LEN);
}

static void is_refused_if_others_may_read_it_or_it_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct server_secret secret;
    char store[600], path[600];
    path_in(f, "rein.db", store);
    path_in(f, "rein.secret", path);
    assert_int_equal(server_secret_load(&secret, store), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(server_secret_load(&secret, store), REIN_EINVAL);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(server_secret_load(&secret, store), 0);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(server_secret_load(&secret, store), REIN_EINVAL);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(server_secret_load(&secret, store), REIN_EINVAL);
}

static void keys_differ_by_secret_purpose_and_name(void **state)
{
    (void)state;
    static const char *const of[][2] = {{"mask", ""}, {"mask", "a"}, {"mask", "b"}, {"maska", ""}, {"user", "a"}};
    enum { KEYS = sizeof of / sizeof *of };
    unsigned char keys[2 * KEYS][SERVER_SECRET_LEN];
    struct server_secret secrets[2] = {{{1}}, {{2}}};
    for (size_t i = 0; i < 2 * KEYS; i++)
        server_secret_derive(&secrets[i / KEYS], of[i % KEYS][0], of[i % KEYS][1], keys[i]);
    for (size_t i = 0; i < 2 * KEYS; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(keys[i], keys[k], SERVER_SECRET_LEN);
    unsigned char again[SERVER_SECRET_LEN];
    server_secret_derive(&secrets[0], "mask", "a", again);
    assert_memory_equal(again, keys[1], SERVER_SECRET_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_made_once_and_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_refused_if_others_may_read_it_or_it_is_damaged, set_up, tear_down),
        cmocka_unit_test(keys_differ_by_secret_purpose_and_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
