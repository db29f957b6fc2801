/* Policies that are in use: noted by the writer in order, with their texts, once each; also in a database that takes
 * the place of another; and read back. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/policies.h"
#include "store/read.h"
#include "storekit.h"

static struct store_policy policy(const char *version, const char *source)
{
    return (struct store_policy){.version = version,
                                 .name = "p",
                                 .source = source,
                                 .resolved = "{\"name\": \"p\"}",
                                 .documents = "[{\"kind\": \"template\"}]"};
}

static void use(struct store *store, const struct store_policy *policies, size_t len)
{
    assert_int_equal(store_use_policies(store, policies, len), 0);
}

/* The writer has done what it was told: a record that is put later is written later. */
static void settle(struct kit_fixture *f)
{
    struct kit_record record;
    kit_plain(&record, kit_now_us());
    record.record.policy_version = "a";
    assert_int_equal(kit_put(&f->kit, f->store, &record.record), 0);
    kit_plain(&record, kit_now_us());
    assert_int_equal(kit_put(&f->kit, f->store, &record.record), 0);
}

static void test_versions_in_use_are_noted(void **state)
{
    struct kit_fixture *f = *state;
    const struct store_policy first[] = {policy("a", "one"), policy("b", "two")};
    const struct store_policy second[] = {policy("a", "one # again")};
    use(f->store, first, 2);
    settle(f);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM v_policies WHERE in_use"), 2);
    assert_string_equal(kit_text(&f->kit, "SELECT source FROM v_policies WHERE version = 'b'"), "two");
    assert_string_equal(kit_text(&f->kit, "SELECT last_active_at_us FROM v_policies WHERE version = 'b'"), "NULL");
    use(f->store, second, 1);
    settle(f);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM policy_texts"), 2);
    assert_string_equal(kit_text(&f->kit, "SELECT source FROM v_policies WHERE in_use"), "one # again");
    assert_int_equal(
        kit_number(&f->kit, "SELECT first_active_at_us <= last_active_at_us FROM v_policies WHERE version = 'b'"), 1);
    /* Back again: the first time stays. */
    int64_t began = kit_number(&f->kit, "SELECT first_active_at_us FROM v_policies WHERE version = 'b'");
    use(f->store, first, 2);
    settle(f);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM v_policies WHERE in_use AND source <> ''"), 2);
    assert_int_equal(kit_number(&f->kit, "SELECT first_active_at_us FROM v_policies WHERE version = 'b'"), began);
    /* A decision finds its policy's text. */
    assert_string_equal(kit_text(&f->kit, "SELECT p.source FROM v_decisions AS d JOIN v_policies AS p"
                                          " ON p.version = d.policy_version WHERE d.policy_version = 'a' LIMIT 1"),
                        "one");
    use(f->store, NULL, 0);
    settle(f);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM v_policies WHERE in_use"), 0);
}

static void test_versions_are_read(void **state)
{
    struct kit_fixture *f = *state;
    struct store_reader *reader;
    json_t *list, *one;
    const struct store_policy first[] = {policy("a", "one")}, second[] = {policy("b", "two \"\xC3\xA9\"\n")};
    use(f->store, first, 1);
    use(f->store, second, 1);
    settle(f);
    assert_int_equal(store_reader_open(&reader, f->store, 5000), 0);
    assert_int_equal(store_read_policies(reader, &list), 0);
    assert_true(json_array_size(list) >= 2);
    const json_t *newest = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(newest, "version")), "b");
    assert_true(json_is_true(json_object_get(newest, "in_use")) &&
                json_is_null(json_object_get(newest, "last_active_at")));
    assert_null(json_object_get(newest, "source"));
    assert_int_equal(store_read_policy(reader, "b", &one), 0);
    assert_string_equal(json_string_value(json_object_get(one, "source")), "two \"\xC3\xA9\"\n");
    assert_string_equal(json_string_value(json_object_get(json_object_get(one, "resolved"), "name")), "p");
    assert_int_equal(json_array_size(json_object_get(one, "documents")), 1);
    json_decref(one);
    assert_int_equal(store_read_policy(reader, "none", &one), 0);
    assert_null(one);
    json_decref(list);
    store_reader_close(reader);
}

/* A thousand texts stay, and those of versions that decisions have. */
static void test_old_texts_go(void **state)
{
    enum { SETS = 60, EACH = 20 };
    struct kit_fixture *f = *state;
    char versions[EACH][16];
    struct store_policy set[EACH];
    const struct store_policy kept[] = {policy("a", "one")};
    use(f->store, kept, 1);
    settle(f);
    for (int i = 0; i < SETS; i++) {
        for (int k = 0; k < EACH; k++) {
            snprintf(versions[k], sizeof versions[k], "v%d-%d", i, k);
            set[k] = policy(versions[k], "text");
        }
        use(f->store, set, EACH);
        settle(f);
    }
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM policy_texts"), 1000);
    assert_string_equal(kit_text(&f->kit, "SELECT source FROM v_policies WHERE version = 'a'"), "one");
    assert_string_equal(kit_text(&f->kit, "SELECT source FROM v_policies WHERE version = 'v0-0'"), "NULL");
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM v_policies WHERE in_use"), EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions_in_use_are_noted, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_versions_are_read, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_old_texts_go, kit_set_up, kit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
