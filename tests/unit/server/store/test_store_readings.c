/* What is kept for judging a decision again: written and read back, all or nothing, unknown in older rows, in no view.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/kept_read.h"
#include "store/job.h"
#include "store/sqlite/migrate.h"
#include "store/whole.h"
#include "storekit.h"

/* A record with two texts, of which the second has readings, and with two opinions. */
struct sample {
    struct kit_record r;
    struct rein_text texts[2];
    struct rein_span found[4];
    struct rein_turn turns[2];
    struct rein_asked asked[2];
};

static void sample_fill(struct sample *s)
{
    kit_record(&s->r);
    s->r.attempts[0].may_continue = true;
    s->r.attempts[0].choices = s->r.attempts[1].choices = 2;
    s->found[0] = (struct rein_span){.offset = 0, .len = 2, .rule = "a"};
    s->found[1] = (struct rein_span){.offset = 1, .len = 2, .rule = "b", .at = 3};
    s->found[2] = (struct rein_span){.offset = 3, .len = 2, .rule = "c", .at = 6};
    s->found[3] = (struct rein_span){.offset = 4, .len = 3, .rule = "d", .at = UINT64_MAX};
    s->turns[0] = (struct rein_turn){.at = 0, .len = 3};
    s->turns[1] = (struct rein_turn){.at = 9, .len = 5};
    s->texts[0] = (struct rein_text){.n = 0,
                                     .channel = REIN_PROMPT,
                                     .speaker = "user",
                                     .form = REIN_KEEP_FULL,
                                     .whole = true,
                                     .text = "why",
                                     .text_len = 3};
    s->texts[1] = (struct rein_text){.n = 1,
                                     .channel = REIN_ANSWER,
                                     .form = REIN_KEEP_FULL,
                                     .whole = true,
                                     .text = "ab *****",
                                     .text_len = 8,
                                     .found = s->found,
                                     .found_len = 4,
                                     .turns = s->turns,
                                     .series = 2,
                                     .turns_len = 2,
                                     .readings = "\0\x01\x7f\xff\"",
                                     .readings_len = 5};
    s->asked[0] = (struct rein_asked){.panel = "p",
                                      .judge = "j",
                                      .channel = REIN_ANSWER,
                                      .outcome = REIN_JUDGE_OPINED,
                                      .risk = 0.5,
                                      .heard = 120,
                                      .said = 3,
                                      .leaves = 1u << REIN_WEAK_VACILLATION | 1u << REIN_INCONSISTENCY_COMPLIES};
    s->asked[1] =
        (struct rein_asked){.panel = "p", .judge = "j", .channel = REIN_ANSWER, .outcome = REIN_JUDGE_OPEN, .heard = 7};
    s->r.record.texts = s->texts;
    s->r.record.texts_len = 2;
    s->r.decision.asked = s->asked;
    s->r.decision.asked_len = 2;
}

static void check_json(json_t *value, const char *expected)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static json_t *member(json_t *list, size_t i, const char *name)
{
    json_t *value = json_object_get(json_array_get(list, i), name);
    assert_non_null(value);
    return value;
}

static void all_is_read_back(void **state)
{
    struct kit_fixture *f = *state;
    struct store_reader *reader;
    struct sample s;
    json_t *decision, *readings;
    sample_fill(&s);
    assert_int_equal(kit_put(&f->kit, f->store, &s.r.record), 0);
    assert_int_equal(store_reader_open(&reader, f->store, 5000), 0);
    assert_int_equal(store_read_readings(reader, s.r.record.id.text, &readings), 0);
    check_json(readings, "[{\"n\":1,\"readings\":\"00017fff22\"}]");
    json_decref(readings);
    assert_int_equal(kept_read_with_readings(reader, s.r.record.id.text, &decision), 0);
    json_t *attempts = json_object_get(decision, "attempts"), *opinions = json_object_get(decision, "opinions");
    json_t *texts = json_object_get(decision, "texts");
    check_json(member(attempts, 0, "may_continue"), "true");
    check_json(member(attempts, 1, "may_continue"), "false");
    check_json(member(attempts, 0, "choices"), "2");
    check_json(member(attempts, 1, "choices"), "2");
    check_json(member(opinions, 0, "said"), "3");
    check_json(member(opinions, 1, "said"), "null");
    check_json(member(opinions, 0, "heard"), "120");
    check_json(member(opinions, 0, "patterns"), "\"weak_vacillation,inconsistency.complies\"");
    check_json(member(opinions, 1, "patterns"), "null");
    check_json(member(opinions, 1, "heard"), "null"); /* nothing was heard of it */
    check_json(member(texts, 0, "found"), "[]");
    check_json(member(texts, 1, "found"), "[{\"offset\":0,\"len\":2,\"rule\":\"a\"},"
                                          "{\"offset\":1,\"len\":2,\"rule\":\"b\"},"
                                          "{\"offset\":3,\"len\":2,\"rule\":\"c\",\"at\":6},"
                                          "{\"offset\":4,\"len\":3,\"rule\":\"d\",\"at\":null}]");
    check_json(member(texts, 0, "turns"), "null");
    check_json(member(texts, 1, "turns"), "[[0,3],[9,5]]");
    check_json(member(texts, 0, "series"), "null");
    check_json(member(texts, 1, "series"), "2");
    assert_null(json_object_get(json_array_get(texts, 0), "readings"));
    check_json(member(texts, 1, "readings"), "\"00017fff22\"");
    json_decref(decision);
    assert_int_equal(store_read_readings(reader, "01900000-0000-7000-8000-000000000000", &readings), 0);
    check_json(readings, "[]");
    json_decref(readings);
    decision = json_null();
    assert_int_equal(kept_read_with_readings(reader, "01900000-0000-7000-8000-000000000000", &decision), 0);
    assert_null(decision);
    store_reader_close(reader);
}

/* Neither as bytes nor as digits, for whoever may read all texts. */
static void nobody_else_reads_them(void **state)
{
    struct kit_fixture *f = *state;
    struct store_reader *reader;
    struct sample s;
    json_t *shown[3];
    sample_fill(&s);
    s.texts[1].readings = "sums";
    s.texts[1].readings_len = 4;
    assert_int_equal(kit_put(&f->kit, f->store, &s.r.record), 0);
    assert_int_equal(store_reader_open(&reader, f->store, 5000), 0);
    assert_int_equal(store_read_whole(reader, s.r.record.id.text, true, &shown[0]), 0);
    assert_int_equal(store_read_texts(reader, s.r.record.id.text, &shown[1]), 0);
    assert_int_equal(kept_read(reader, s.r.record.id.text, &shown[2]), 0);
    for (size_t i = 0; i < 3; i++) {
        char *text = json_dumps(shown[i], 0);
        assert_non_null(strstr(text, "ab *****"));
        assert_null(strstr(text, "readings"));
        assert_null(strstr(text, "sums"));
        assert_null(strstr(text, "73756d73"));
        free(text);
        json_decref(shown[i]);
    }
    store_reader_close(reader);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM sqlite_schema AS s, pragma_table_info(s.name) AS c"
                                         " WHERE s.type = 'view' AND c.name = 'readings'"),
                     0);
}

static void a_later_record_replaces_them(void **state)
{
    struct kit_fixture *f = *state;
    struct sample s;
    sample_fill(&s);
    assert_int_equal(kit_put(&f->kit, f->store, &s.r.record), 0);
    s.r.attempts[0].may_continue = false;
    s.r.attempts[1].may_continue = true;
    s.texts[1].readings = NULL;
    s.texts[1].readings_len = 0;
    assert_int_equal(kit_number(&f->kit, "SELECT count(readings) FROM kept_texts"), 1);
    assert_int_equal(kit_put(&f->kit, f->store, &s.r.record), 0);
    assert_int_equal(kit_number(&f->kit, "SELECT count(readings) FROM kept_texts"), 0);
    assert_string_equal(kit_text(&f->kit, "SELECT group_concat(may_continue) FROM v_attempts"), "0,1");
    s.r.record.attempts_len = 0;
    assert_int_equal(kit_put(&f->kit, f->store, &s.r.record), 0);
    assert_string_equal(kit_text(&f->kit, "SELECT attempt_may_continue FROM decisions"), "NULL");
}

/* Sums of half a text would be read as those of the whole text. */
static void what_is_too_long_is_left_out(void **state)
{
    struct sample s;
    struct store_job *job;
    char *much = calloc(1, STORE_READINGS_MAX + 1);
    size_t counted[2];
    (void)state;
    sample_fill(&s);
    much[STORE_READINGS_MAX - 1] = 'x';
    for (size_t more = 0; more < 2; more++) {
        s.texts[1].readings = much;
        s.texts[1].readings_len = STORE_READINGS_MAX + more;
        assert_int_equal(store_job_new(&job, &s.r.record), 0);
        const struct rein_text *kept = &job->record.texts[1];
        assert_int_equal(kept->readings_len, more == 0 ? STORE_READINGS_MAX : 0);
        counted[more] = job->text_bytes;
        assert_string_equal(kept->text, "ab *****");
        if (more == 0)
            assert_memory_equal(kept->readings, much, STORE_READINGS_MAX);
        else
            assert_null(kept->readings);
        store_job_unref(job);
    }
    assert_int_equal(counted[0] - counted[1], STORE_READINGS_MAX);
    free(much);
}

/* They count as text: where too much of it waits, texts and readings of further records are left out. */
static void where_no_text_is_kept_none_is(void **state)
{
    enum { FULL = STORE_QUEUE_TEXT_MAX / STORE_READINGS_MAX };
    struct sample s;
    struct store_job *jobs[FULL + 1];
    char *much = calloc(1, STORE_READINGS_MAX);
    (void)state;
    sample_fill(&s);
    s.texts[1].readings = much;
    s.texts[1].readings_len = STORE_READINGS_MAX;
    for (size_t i = 0; i <= FULL; i++) {
        assert_int_equal(store_job_new(&jobs[i], &s.r.record), 0);
        const struct rein_text *kept = &jobs[i]->record.texts[1];
        assert_int_equal(kept->readings != NULL, i < FULL);
        assert_int_equal(kept->readings_len, i < FULL ? STORE_READINGS_MAX : 0);
        assert_int_equal(kept->whole, i < FULL);
        assert_int_equal(kept->found_len, i < FULL ? 4 : 0);
    }
    for (size_t i = 0; i <= FULL; i++)
        store_job_unref(jobs[i]);
    free(much);
}

/* So do matches: a short text may have very many. */
static void matches_count_as_text(void **state)
{
    enum { MATCHES = 4096, ENOUGH = STORE_QUEUE_TEXT_MAX / (MATCHES * (int)sizeof(struct rein_span)) };
    static struct rein_span found[MATCHES];
    struct sample s;
    struct store_job *jobs[ENOUGH + 1];
    (void)state;
    sample_fill(&s);
    for (size_t i = 0; i < MATCHES; i++)
        found[i] = (struct rein_span){.offset = i, .len = 1, .rule = "r"};
    s.texts[1].found = found;
    s.texts[1].found_len = MATCHES;
    for (size_t i = 0; i <= ENOUGH; i++)
        assert_int_equal(store_job_new(&jobs[i], &s.r.record), 0);
    assert_int_equal(jobs[0]->record.texts[1].found_len, MATCHES);
    assert_int_equal(jobs[ENOUGH]->record.texts[1].found_len, 0);
    for (size_t i = 0; i <= ENOUGH; i++)
        store_job_unref(jobs[i]);
}

/* ---- a database from before ---- */

static int older_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int number = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

static void older_run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* With one decision, which has two attempts, an opinion and a text. */
static void make_older(const char *path, const char *id)
{
    sqlite3 *db;
    char sql[1024];
    size_t before = 0;
    while (strcmp(migrations[before].name, "0014_readings") != 0)
        before++;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(store_migrate(db, migrations, before), 0);
    int len = snprintf(sql, sizeof sql, "INSERT INTO decisions VALUES (1, '%s'", id);
    for (int i = older_number(db, "SELECT count(*) FROM pragma_table_info('decisions')"); i > 2; i--)
        len += snprintf(sql + len, sizeof sql - (size_t)len, ", 0");
    snprintf(sql + len, sizeof sql - (size_t)len, ")");
    older_run(db, sql);
    older_run(db, "UPDATE decisions SET policy = 1, final = 1, attempts = 2, upstream_error = NULL;"
                  "INSERT INTO policies VALUES (1, 'v1', 'default');"
                  "INSERT INTO attempts VALUES (1, 1, NULL, 'off', NULL, 4, NULL, 6, 0, 'broke');"
                  "INSERT INTO opinions VALUES (1, 0, 'p', 'j', 0, 0, 'answer', 0, 3, 'opined', 0.5, NULL, 9, 0);"
                  "INSERT INTO kept_texts VALUES (1, 0, 'answer', 0, 0, NULL, 'full', 0, 3, 1,"
                  " '[{\"offset\":2,\"len\":1,\"rule\":\"r\",\"restored_len\":1}]',"
                  " '[{\"offset\":2,\"len\":1,\"rule\":\"r\"}]', NULL, 'ab*')");
    sqlite3_close(db);
}

static void older_rows_say_that_they_do_not_know(void **state)
{
    static const char id[] = "01900000-0000-7000-8000-000000000001";
    struct kit *kit = *state;
    struct store_reader *reader;
    struct sample s;
    json_t *decision, *readings;
    make_older(kit->path, id);
    struct store *store = kit_open(kit, 0); /* it is migrated */
    sample_fill(&s);
    assert_int_equal(kit_put(kit, store, &s.r.record), 0); /* and goes on */
    assert_int_equal(store_reader_open(&reader, store, 5000), 0);
    assert_int_equal(kept_read_with_readings(reader, id, &decision), 0);
    json_t *attempts = json_object_get(decision, "attempts");
    assert_int_equal(json_array_size(attempts), 2);
    for (size_t i = 0; i < 2; i++)
        check_json(member(attempts, i, "may_continue"), "null");
    check_json(member(json_object_get(decision, "opinions"), 0, "heard"), "null");
    check_json(json_object_get(decision, "texts"),
               "[{\"n\":0,\"channel\":\"answer\",\"attempt\":0,\"choice\":0,\"speaker\":null,\"form\":\"full\","
               "\"origin\":0,\"len\":3,\"whole\":true,"
               "\"masks\":[{\"offset\":2,\"len\":1,\"rule\":\"r\",\"restored_len\":1}],"
               "\"found\":[{\"offset\":2,\"len\":1,\"rule\":\"r\"}],\"turns\":null,\"series\":null,\"text\":\"ab*\"}]");
    json_decref(decision);
    assert_int_equal(store_read_readings(reader, id, &readings), 0);
    check_json(readings, "[]");
    json_decref(readings);
    assert_int_equal(store_read_readings(reader, s.r.record.id.text, &readings), 0);
    assert_int_equal(json_array_size(readings), 1);
    json_decref(readings);
    store_reader_close(reader);
    kit_stop_loop(kit);
    store_close(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
#define CLOSED_TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up_closed, kit_tear_down_closed)
    const struct CMUnitTest tests[] = {
        TEST(all_is_read_back),
        TEST(nobody_else_reads_them),
        TEST(a_later_record_replaces_them),
        cmocka_unit_test(what_is_too_long_is_left_out),
        cmocka_unit_test(where_no_text_is_kept_none_is),
        cmocka_unit_test(matches_count_as_text),
        CLOSED_TEST(older_rows_say_that_they_do_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
