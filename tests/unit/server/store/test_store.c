/* The store: each record is written once and completely, and its callback runs on the right thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storekit.h"

static void finish(struct kit *kit, struct store *store)
{
    kit_stop_loop(kit);
    store_close(store);
}

static void put_is_whole(void **state)
{
    static const struct {
        const char *sql, *value;
    } expected[] = {
        {"SELECT count(*) FROM decisions", "1"},
        {"SELECT route || model || upstream || key || tenant FROM v_decisions", "rmualiceacme"},
        {"SELECT policy || ' ' || policy_version FROM v_decisions", "default v1"},
        {"SELECT verdict || ' ' || action || ' ' || shadow FROM v_decisions", "steer steer redact"},
        {"SELECT template || ' ' || delivery FROM v_decisions", "checklist instruct"},
        {"SELECT streamed || final || status FROM v_decisions", "11200"},
        {"SELECT reasoning || ' ' || harms FROM v_decisions", "evaluable weapons,fraud"},
        {"SELECT prompt_tokens FROM v_decisions", "5"},
        {"SELECT completion_tokens FROM v_decisions", "NULL"},
        {"SELECT attempts || ' ' || findings || ' ' || first_finding_bytes FROM v_decisions", "2 2 33"},
        {"SELECT prompt_received || ' ' || reasoning_scanned || ' ' || answer_released || ' ' || tool_redacted || ' ' "
         "|| other_held_max FROM v_decisions",
         "1 12 23 34 45"},
        {"SELECT printf('%.1f %.1f', score_lack_of_safety_awareness, score_inconsistency_refuses) FROM v_decisions",
         "0.1 0.6"},
        {"SELECT upstream_first_byte_us || ' ' || client_first_byte_us || ' ' || duration_us FROM v_decisions",
         "1000 2000 3000"},
        {"SELECT events || ' ' || garbage_events || ' ' || bytes_in || ' ' || bytes_out FROM v_decisions",
         "7 1 1111 2222"},
        {"SELECT template || ' ' || delivery || ' ' || reason || ' ' || coalesce(first_byte_us, '-') FROM v_attempts "
         "WHERE n = 1",
         "corrective prefill verified -"},
        {"SELECT kind || ' ' || name || ' ' || action || ' ' || shadow || ' ' || channel FROM v_findings WHERE n = 0",
         "pattern strong_vacillation steer 0 reasoning"},
        {"SELECT evidence FROM v_findings WHERE n = 0", "perhaps it is fine"},
        {"SELECT json_extract(steps, '$[1].signal') FROM v_findings WHERE n = 0", "con\"cedes"},
        {"SELECT json_extract(steps, '$[1].offset') FROM v_findings WHERE n = 0", "30"},
        {"SELECT kind || ' ' || shadow || ' ' || choice || ' ' || attempt || ' ' || offset || ' ' || len FROM "
         "v_findings WHERE n = 1",
         "rule 1 1 1 100 16"},
        {"SELECT requests || ' ' || steered || ' ' || restarted FROM v_daily", "1 1 1"},
        {"SELECT sum(findings) FROM v_findings_daily", "2"},
    };
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_string_equal(kit_text(kit, "SELECT id FROM v_decisions"), r.record.id.text);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(kit_text(kit, expected[i].sql), expected[i].value);
    finish(kit, store);
}

/* All of a text and of its masks is read back; a text that is not UTF-8 keeps its length. */
static void texts_are_kept(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    static const struct rein_span mask = {.offset = 3, .len = 4, .rule = "c\"d"};
    static const struct rein_text texts[] = {{.n = 0,
                                              .channel = REIN_PROMPT,
                                              .speaker = "user",
                                              .form = REIN_KEEP_FULL,
                                              .len = 3,
                                              .whole = true,
                                              .text = "a\0\xff",
                                              .text_len = 3},
                                             {.n = 1,
                                              .channel = REIN_TOOL,
                                              .attempt = 1,
                                              .choice = 2,
                                              .form = REIN_KEEP_REDACTED,
                                              .origin = 7,
                                              .len = 90,
                                              .text = "ab ****",
                                              .text_len = 7,
                                              .masks = &mask,
                                              .masks_len = 1,
                                              .found = &mask,
                                              .found_len = 1}};
    kit_record(&r);
    r.record.texts = texts;
    r.record.texts_len = 2;
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    static const struct {
        const char *sql, *text;
    } wanted[] = {
        {"SELECT count(*) FROM v_texts", "2"},
        {"SELECT n || channel || attempt || choice || speaker || form || origin || len || whole || masks || found || "
         "text"
         " FROM v_texts WHERE n = 0",
         "0prompt00userfull031[][]a??"},
        {"SELECT n || channel || attempt || choice || ifnull(speaker, '-') || form || origin || len || whole || text"
         " FROM v_texts WHERE n = 1",
         "1tool12-redacted7900ab ****"},
        {"SELECT json_extract(masks, '$[0].rule') || json_extract(masks, '$[0].restored_len') FROM v_texts WHERE n = 1",
         "c\"d4"},
        {"SELECT json_extract(found, '$[0].offset') FROM v_texts WHERE n = 1", "3"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_string_equal(kit_text(kit, wanted[i].sql), wanted[i].text);
    assert_int_equal(kit_put(kit, store, &r.record), 0); /* once more: they are replaced */
    assert_string_equal(kit_text(kit, "SELECT count(*) FROM v_texts"), "2");
    finish(kit, store);
}

static void later_replaces(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    r.record.final = false;
    r.record.ending = "open";
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    int64_t seq = kit_number(kit, "SELECT seq FROM decisions");
    r.record.final = true;
    r.record.ending = "refused";
    r.record.attempts_len = 1;
    r.decision.findings_len = 1;
    r.decision.verdict = REIN_REFUSE;
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 1);
    assert_int_equal(kit_number(kit, "SELECT seq FROM decisions"), seq);
    assert_string_equal(kit_text(kit, "SELECT ending || ' ' || verdict FROM decisions"), "refused refuse");
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM v_attempts"), 1);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM findings"), 1);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM texts"), 1);
    finish(kit, store);
}

static void unjudged_and_unkept(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    r.record.keep_text = REIN_KEEP_NONE;
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM texts"), 0);
    kit_record(&r);
    struct store_record bare = {.id = r.record.id,
                                .started_at_us = 1,
                                .final = true,
                                .ending = "rejected",
                                .upstream_first_byte_us = -1,
                                .client_first_byte_us = -1,
                                .duration_us = -1};
    assert_int_equal(kit_put(kit, store, &bare), 0);
    assert_string_equal(kit_text(kit, "SELECT verdict || ' ' || ending FROM decisions WHERE started_at_us = 1"),
                        "none rejected");
    assert_string_equal(kit_text(kit, "SELECT route FROM v_decisions WHERE started_at_us = 1"), "NULL");
    finish(kit, store);
}

static void text_is_clean(void **state)
{
    static char long_name[1000];
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    memset(long_name, 'x', sizeof long_name - 1);
    memcpy(long_name + 255, "\xc3\xa4", 2);                /* would be cut in two at 256 */
    r.record.model = "a\xff\xc3(\xed\xa0\x80\xe2\x82\xac"; /* stray bytes, a surrogate, and a whole euro sign */
    r.record.route = long_name;
    r.findings[0].evidence = "nul \0 in it";
    r.findings[0].evidence_len = 11;
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_string_equal(kit_text(kit, "SELECT model FROM decisions"), "a?\?(???\xe2\x82\xac");
    assert_int_equal(kit_number(kit, "SELECT length(CAST(route AS BLOB)) FROM decisions"), 255);
    assert_string_equal(kit_text(kit, "SELECT evidence FROM v_findings WHERE n = 0"), "nul ? in it");
    for (int at = 0; at < 24; at++) { /* wherever it is */
        char name[] = "abcdefghijklmnopqrstuvwx", expected[] = "abcdefghijklmnopqrstuvwx";
        name[at] = '\x80';
        expected[at] = '?';
        kit_record(&r);
        r.record.model = name;
        assert_int_equal(kit_put(kit, store, &r.record), 0);
        assert_string_equal(kit_text(kit, "SELECT model FROM decisions ORDER BY seq DESC LIMIT 1"), expected);
    }
    finish(kit, store);
}

/* ---- callbacks ---- */

struct seen {
    pthread_t thread;
    atomic_int calls, wrong_thread, out_of_order;
    intptr_t last;
};
static struct seen seen;

static void on_done(void *ctx, int rv)
{
    if (!pthread_equal(pthread_self(), seen.thread))
        seen.wrong_thread++;
    if (rv != 0 || (intptr_t)ctx != seen.last + 1)
        seen.out_of_order++;
    seen.last = (intptr_t)ctx;
    seen.calls++;
}

/* A writer that cannot begin: another connection holds the database. */
static sqlite3 *hold(struct kit *kit)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(kit->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the writer may be purging just now */
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void let_go(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void waiting_records_share_a_commit(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    struct store_stats stats;
    seen = (struct seen){.thread = kit->thread};
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    sqlite3 *db = hold(kit);
    for (intptr_t i = 1; i <= 500; i++) {
        store_id_new(&r.record.id);
        assert_int_equal(store_put(store, &r.record, kit->loop, on_done, (void *)i), 0);
    }
    let_go(db);
    store_id_new(&r.record.id);
    assert_int_equal(kit_put(kit, store, &r.record), 0); /* after all the others */
    store_stats(store, &stats);
    assert_int_equal(seen.calls, 500);
    assert_int_equal(seen.wrong_thread, 0);
    assert_int_equal(seen.out_of_order, 0);
    assert_int_equal(stats.written, 502);
    assert_in_range(stats.commits, 2, 4); /* the first; one or two for what waited; perhaps the last */
    assert_int_equal(stats.queued, 0);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 502);
    finish(kit, store);
}

static void queue_is_bounded(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 10);
    struct kit_record r;
    int accepted = 0, refused = 0;
    kit_record(&r);
    sqlite3 *db = hold(kit);
    for (int i = 0; i < 100; i++) {
        store_id_new(&r.record.id);
        int rv = store_put(store, &r.record, NULL, NULL, NULL);
        accepted += rv == 0;
        refused += rv == REIN_ELIMIT;
    }
    let_go(db);
    assert_int_equal(accepted + refused, 100);
    assert_in_range(accepted, 10, 20); /* what the writer took before it was held up, and a full queue */
    finish(kit, store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), accepted);
}

struct producer {
    struct store *store;
    struct loop *loop;
    int rv;
};

static void count_call(void *ctx, int rv)
{
    if (rv == 0)
        atomic_fetch_add((atomic_int *)ctx, 1);
}

static atomic_int told;

static void *produce(void *ctx)
{
    struct producer *p = ctx;
    struct kit_record r;
    for (int i = 0; i < 200 && p->rv == 0; i++) {
        kit_record(&r);
        p->rv = store_put(p->store, &r.record, p->loop, count_call, &told);
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { THREADS = 4 };
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct producer producers[THREADS];
    pthread_t threads[THREADS];
    struct kit_record r;
    atomic_store(&told, 0);
    for (int i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){store, kit->loop, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(producers[i].rv, 0);
    }
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_int_equal(atomic_load(&told), THREADS * 200);
    assert_int_equal(kit_number(kit, "SELECT count(DISTINCT id) FROM decisions"), THREADS * 200 + 1);
    finish(kit, store);
}

/* ---- opening and closing ---- */

static void close_writes_what_is_queued(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    for (int i = 0; i < 100; i++) {
        store_id_new(&r.record.id);
        assert_int_equal(store_put(store, &r.record, NULL, NULL, NULL), 0);
    }
    finish(kit, store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 100);
}

static void file_is_private(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
            char name[128];
            struct stat st;
            snprintf(name, sizeof name, "%s%s", kit->path, suffixes[i]);
            assert_int_equal(stat(name, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0600);
        }
        if (round == 0) { /* a file that others could read is closed to them */
            store_close(store);
            assert_int_equal(chmod(kit->path, 0644), 0);
            store = kit_open(kit, 0);
            kit_record(&r);
            assert_int_equal(kit_put(kit, store, &r.record), 0);
        }
    }
    finish(kit, store);
}

static void one_process_writes(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0), *second = NULL;
    assert_int_equal(store_open(&second, &(struct store_options){.path = kit->path}), REIN_ESTATE);
    assert_null(second);
    finish(kit, store);
}

static void open_decisions_are_lost(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    store_id_new(&r.record.id);
    r.record.final = false;
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    store_close(store);
    store = kit_open(kit, 0);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions WHERE final = 0"), 0);
    assert_string_equal(kit_text(kit, "SELECT group_concat(ending) FROM (SELECT ending FROM decisions ORDER BY seq)"),
                        "complete,lost");
    finish(kit, store);
}

/* ---- ids ---- */

static void ids_ascend(void **state)
{
    struct store_id last = {""}, id;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        store_id_new(&id);
        assert_true(store_id_is_valid(id.text));
        assert_true(strcmp(last.text, id.text) < 0);
        last = id;
    }
    uint64_t ms = strtoull((char[]){id.text[0], id.text[1], id.text[2], id.text[3], id.text[4], id.text[5], id.text[6],
                                    id.text[7], id.text[9], id.text[10], id.text[11], id.text[12], '\0'},
                           NULL, 16);
    assert_in_range(ms, kit_now_us() / 1000 - 60000, kit_now_us() / 1000 + 60000);
    assert_false(store_id_is_valid("0190a0b0-0000-4000-8000-000000000000")); /* another version */
    assert_false(store_id_is_valid("0190A0B0-0000-7000-8000-000000000000"));
    assert_false(store_id_is_valid("0190a0b0-0000-7000-8000-00000000000"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up_closed, kit_tear_down_closed)
    const struct CMUnitTest tests[] = {
        TEST(put_is_whole),           TEST(texts_are_kept),     TEST(later_replaces),
        TEST(unjudged_and_unkept),    TEST(text_is_clean),      TEST(waiting_records_share_a_commit),
        TEST(queue_is_bounded),       TEST(many_threads),       TEST(close_writes_what_is_queued),
        TEST(file_is_private),        TEST(one_process_writes), TEST(open_decisions_are_lost),
        cmocka_unit_test(ids_ascend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
