/* Tests of keys: made, found, listed, revoked, and a file that is never half written.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "config/keys.h"

struct fixture {
    char folder[64], path[128];
    struct rein_problems *problems;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/rein-keys-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/keys.yaml", f->folder);
    assert_int_equal(rein_problems_new(&f->problems), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rein_problems_free(f->problems);
    unlink(f->path);
    int rv = rmdir(f->folder); /* nothing else may be left in it */
    free(f);
    return rv;
}

static void write_file(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* What `rein key` writes it can read again, up to the last key that there is room for. */
static void test_found_s3_a_full_keys_file_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    char text[KEYS_TEXT_MAX], name[65];
    struct keys *keys;
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs("version: 1\nkeys:\n", file);
    for (int i = 0; i < KEYS_MAX; i++)
        fprintf(file, "- {name: k%d,hash: %064d}\n", i, i);
    fclose(file);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(keys_count(keys), KEYS_MAX);
    keys_free(keys);
    assert_int_equal(keys_add(f->path, "more", "rein-", text, f->problems), REIN_EINVAL);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    keys_free(keys);
    /* Names as long as they may be fill the file before the count is reached. */
    memset(name, 'n', sizeof name);
    name[64] = '\0';
    file = fopen(f->path, "w");
    assert_non_null(file);
    fputs("version: 1\nkeys:\n", file);
    for (int i = 0; i < 6900; i++)
        fprintf(file, "- {name: %.58s%06d,hash: %064d}\n", name, i, i);
    fclose(file);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    keys_free(keys);
    assert_int_equal(keys_add(f->path, "more", "rein-", text, f->problems), REIN_EINVAL);
    assert_int_equal(errno, EFBIG);
}

static void test_life_of_a_key(void **state)
{
    struct fixture *f = *state;
    char alice[KEYS_TEXT_MAX], bob[KEYS_TEXT_MAX], almost[KEYS_TEXT_MAX], other[KEYS_TEXT_MAX];
    struct keys *keys;
    struct stat st;
    assert_int_equal(keys_add(f->path, "alice", "rein-", alice, f->problems), 0);
    assert_int_equal(keys_add(f->path, "bob", "rein-", bob, f->problems), 0);
    assert_int_equal(keys_add(f->path, "bob", "rein-", other, f->problems), REIN_ESTATE);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(strlen(alice), strlen("rein-") + 43); /* 256 bits in base64 */
    assert_string_not_equal(alice, bob);

    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(keys_count(keys), 2);
    assert_string_equal(keys_name(keys, 1), "bob");
    assert_string_equal(keys_find(keys, alice), "alice");
    assert_string_equal(keys_find(keys, bob), "bob");
    snprintf(almost, sizeof(almost), "%s", alice);
    almost[20] ^= 1;
    assert_null(keys_find(keys, almost));
    assert_null(keys_find(keys, ""));
    keys_free(keys);

    assert_int_equal(keys_revoke(f->path, "alice", f->problems), 0);
    assert_int_equal(keys_revoke(f->path, "alice", f->problems), REIN_ESTATE);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_null(keys_find(keys, alice));
    assert_string_equal(keys_find(keys, bob), "bob");
    keys_free(keys);
    assert_int_equal(rein_problems_count(f->problems), 0);
}

/* What `rein key` writes is read again, and stays when another key changes. */
static void test_terms_of_a_key(void **state)
{
    struct fixture *f = *state;
    const struct key_terms terms = {"support", "bank", "2031-02-03", 60, 4}, bad = {.expires = "soon"};
    char text[KEYS_TEXT_MAX], other[KEYS_TEXT_MAX];
    struct keys *keys;
    assert_int_equal(keys_add_with(f->path, "bot", "rein-", &terms, text, f->problems), 0);
    assert_int_equal(keys_add(f->path, "plain", "rein-", other, f->problems), 0);
    assert_int_equal(keys_add_with(f->path, "late", "rein-", &bad, other, f->problems), REIN_EINVAL);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(keys_count(keys), 2);
    const struct key *key = keys_holder(keys, text);
    assert_ptr_equal(key, keys_named(keys, "bot"));
    assert_string_equal(key->group, "support");
    assert_string_equal(key->tenant, "bank");
    assert_int_equal(key->expires_s, 1927843200);
    assert_true(key_is_expired(key, 1927843200));
    assert_false(key_is_expired(key, 1927843199));
    assert_int_equal(key->requests_per_minute, 60);
    assert_int_equal(key->open_streams, 4);
    key = keys_named(keys, "plain");
    assert_string_equal(key->group, "");
    assert_int_equal(key->expires_s, KEY_NEVER);
    assert_null(keys_named(keys, "none"));
    keys_free(keys);
}

static void test_an_expired_key_is_not_found(void **state)
{
    struct fixture *f = *state;
    const struct key_terms terms = {.expires = "2020-01-01T00:00:00Z"};
    char text[KEYS_TEXT_MAX];
    struct keys *keys;
    assert_int_equal(keys_add_with(f->path, "old", "rein-", &terms, text, f->problems), 0);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_null(keys_find(keys, text));
    assert_non_null(keys_holder(keys, text));
    keys_free(keys);
}

static void test_a_name_outlives_its_secrets(void **state)
{
    struct fixture *f = *state;
    char first[KEYS_TEXT_MAX], second[KEYS_TEXT_MAX], third[KEYS_TEXT_MAX];
    struct keys *keys;
    assert_int_equal(keys_add(f->path, "bot", "rein-", first, f->problems), 0);
    assert_int_equal(keys_retire(f->path, "bot", f->problems), REIN_ESTATE);
    assert_int_equal(keys_rotate(f->path, "nobody", "rein-", second, f->problems), REIN_ESTATE);
    assert_int_equal(keys_rotate(f->path, "bot", "rein-", second, f->problems), 0);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_string_equal(keys_find(keys, first), "bot");
    assert_string_equal(keys_find(keys, second), "bot");
    keys_free(keys);
    assert_int_equal(keys_rotate(f->path, "bot", "rein-", third, f->problems), 0); /* two at once, not three */
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_null(keys_find(keys, first));
    assert_string_equal(keys_find(keys, second), "bot");
    keys_free(keys);
    assert_int_equal(keys_retire(f->path, "bot", f->problems), 0);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_null(keys_find(keys, second));
    assert_string_equal(keys_find(keys, third), "bot");
    keys_free(keys);
}

/* If any part fails there is no keys file: the next start tries again, and nobody is locked out. */
static void test_found_u7_a_first_key_is_whole_or_not_there(void **state)
{
    struct fixture *f = *state;
    char secret[160], nowhere[160], *text;
    bool made;
    size_t len;
    struct keys *keys;
    snprintf(secret, sizeof(secret), "%s/secret", f->folder);
    snprintf(nowhere, sizeof(nowhere), "%s/none/secret", f->folder);
    assert_int_equal(keys_make_first(f->path, "first", "rein-", nowhere, &made), REIN_EINVAL);
    assert_int_equal(errno, ENOENT);
    assert_int_not_equal(access(f->path, F_OK), 0);

    assert_int_equal(keys_make_first(f->path, "first", "rein-", secret, &made), 0);
    assert_true(made);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(files_read(&text, &len, secret, 200), 0);
    assert_int_equal(text[len - 1], '\n');
    text[len - 1] = '\0';
    assert_string_equal(keys_find(keys, text), "first");
    keys_free(keys);
    free(text);

    assert_int_equal(unlink(secret), 0);
    assert_int_equal(keys_make_first(f->path, "first", "rein-", secret, &made), 0);
    assert_false(made);
    assert_int_not_equal(access(secret, F_OK), 0);
}

static void test_the_file_holds_no_key(void **state)
{
    struct fixture *f = *state;
    char key[KEYS_TEXT_MAX], *text;
    size_t len;
    assert_int_equal(keys_add(f->path, "alice", "rein-", key, f->problems), 0);
    assert_int_equal(files_read(&text, &len, f->path, 10000), 0);
    assert_null(strstr(text, key));
    assert_null(strstr(text, key + strlen("rein-")));
    assert_non_null(strstr(text, "alice"));
    free(text);
}

static void test_a_new_token_voids_the_old(void **state)
{
    struct fixture *f = *state;
    char first[KEYS_TEXT_MAX], second[KEYS_TEXT_MAX];
    struct keys *keys;
    assert_int_equal(keys_reset(f->path, "admin", "rein-admin-", first), 0);
    assert_int_equal(keys_reset(f->path, "admin", "rein-admin-", second), 0);
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(keys_count(keys), 1);
    assert_null(keys_find(keys, first));
    assert_string_equal(keys_find(keys, second), "admin");
    keys_free(keys);
}

static void test_a_broken_file_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    char key[KEYS_TEXT_MAX], *text;
    size_t len;
    static const char broken[] = "version: 1\nkeys: [{ name: a, hash: abc }, { name: a b }]\n";
    write_file(f, broken);
    assert_int_equal(keys_add(f->path, "alice", "rein-", key, f->problems), REIN_EPOLICY);
    assert_int_equal(rein_problems_count(f->problems), 3);
    assert_int_equal(files_read(&text, &len, f->path, 10000), 0);
    assert_string_equal(text, broken);
    free(text);
}

static void test_a_folder_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    char key[KEYS_TEXT_MAX], path[200];
    snprintf(path, sizeof(path), "%s/none/keys.yaml", f->folder);
    errno = 0;
    assert_int_equal(keys_add(path, "alice", "rein-", key, f->problems), REIN_EINVAL);
    assert_int_equal(errno, ENOENT);
}

/* Several at once: none loses another's key. */
static void test_processes_take_turns(void **state)
{
    struct fixture *f = *state;
    enum { PROCESSES = 6, EACH = 5 };
    char key[KEYS_TEXT_MAX];
    struct keys *keys;
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            int failed = 0;
            for (int i = 0; i < EACH; i++) {
                char name[32];
                snprintf(name, sizeof(name), "key-%d-%d", p, i);
                failed += keys_add(f->path, name, "rein-", key, f->problems) != 0;
            }
            _exit(failed);
        }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(keys_load(&keys, f->path, f->problems), 0);
    assert_int_equal(keys_count(keys), PROCESSES * EACH);
    keys_free(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life_of_a_key),
        TEST(test_terms_of_a_key),
        TEST(test_an_expired_key_is_not_found),
        TEST(test_a_name_outlives_its_secrets),
        TEST(test_found_s3_a_full_keys_file_is_left_as_it_is),
        TEST(test_found_u7_a_first_key_is_whole_or_not_there),
        TEST(test_the_file_holds_no_key),
        TEST(test_a_new_token_voids_the_old),
        TEST(test_a_broken_file_stays_as_it_is),
        TEST(test_a_folder_that_is_not_there),
        TEST(test_processes_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
