/* kill -9 at random moments: what the store called durable is there afterwards, and the database is intact.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A child writes decisions and reports each id that was acknowledged through a pipe; after a random number of them it
 * is killed. What was in the pipe by then must be in the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dice.h"
#include "storekit.h"

enum { ROUNDS = 20, ACKNOWLEDGED_MAX = 100000, KILL = 9 /* <signal.h> is hidden by the core's signal.h */ };

struct child {
    struct loop *loop;
    struct store *store;
    int pipe;
    int inflight;
};

struct ticket {
    struct child *child;
    struct kit_record record;
};

static void put_next(struct child *child);

/* First a record before the end, then the final one, as sessions do; each acknowledged id is reported. */
static void on_done(void *ctx, int rv)
{
    struct ticket *t = ctx;
    struct child *child = t->child;
    char line[40];
    if (rv != 0)
        _exit(3);
    snprintf(line, sizeof line, "%s%c\n", t->record.record.id.text, t->record.record.final ? 'f' : 'o');
    if (write(child->pipe, line, strlen(line)) < 0)
        _exit(4);
    if (!t->record.record.final) {
        t->record.record.final = true;
        if (store_put(child->store, &t->record.record, child->loop, on_done, t) != 0)
            _exit(5);
        return;
    }
    free(t);
    child->inflight--;
    put_next(child);
}

static void put_next(struct child *child)
{
    for (; child->inflight < 50; child->inflight++) {
        struct ticket *t = calloc(1, sizeof *t);
        t->child = child;
        kit_record(&t->record);
        t->record.record.attempts = t->record.attempts;
        t->record.record.final = child->inflight % 2 == 0;
        t->record.record.decision = &t->record.decision;
        t->record.decision.findings = t->record.findings;
        if (store_put(child->store, &t->record.record, child->loop, on_done, t) != 0)
            _exit(6);
    }
}

static void begin(void *ctx)
{
    put_next(ctx);
}

static _Noreturn void write_for_ever(const char *path, int pipe)
{
    struct child child = {.pipe = pipe};
    alarm(60); /* never outlives the test by much */
    if (loop_new(&child.loop) != 0 || store_open(&child.store, &(struct store_options){.path = path}) != 0 ||
        loop_post(child.loop, begin, &child) != 0)
        _exit(2);
    loop_run(child.loop);
    _exit(1);
}

/* Reads acknowledgements until `enough`, kills, reads what is left. Returns all as text. */
static char *run_and_kill(const char *path, size_t enough)
{
    int ends[2], status;
    char *text = malloc(ACKNOWLEDGED_MAX * 38), *at = text;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        write_for_ever(path, ends[1]);
    }
    close(ends[1]);
    ssize_t n;
    bool is_killed = false;
    while ((n = read(ends[0], at, (size_t)(text + ACKNOWLEDGED_MAX * 38 - 1 - at))) > 0) {
        at += n;
        if (!is_killed && (size_t)(at - text) / 38 >= enough)
            is_killed = uv_kill(pid, KILL) == 0;
    }
    *at = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == KILL);
    return text;
}

/* Every whole line must be in the database; one that says 'f' must be final. Returns how many lines there were. */
static size_t check(const char *path, const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    size_t lines = 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT final, attempts = 1 + (SELECT count(*) FROM attempts WHERE decision = seq),"
                           " findings = (SELECT count(*) FROM findings WHERE decision = seq)"
                           " FROM decisions WHERE id = ?1",
                           -1, &stmt, NULL),
        SQLITE_OK);
    for (; strchr(text, '\n') != NULL; text = strchr(text, '\n') + 1, lines++) {
        sqlite3_bind_text(stmt, 1, text, 36, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        if (text[36] == 'f')
            assert_int_equal(sqlite3_column_int(stmt, 0), 1);
        assert_int_equal(sqlite3_column_int(stmt, 1), 1);
        assert_int_equal(sqlite3_column_int(stmt, 2), 1);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return lines;
}

static void nothing_acknowledged_is_lost(void **state)
{
    struct kit kit;
    size_t total = 0;
    struct dice dice = dice_of((uint64_t)getpid());
    (void)state;
    print_message("seed %d\n", (int)getpid());
    kit_start(&kit);
    kit_stop_loop(&kit);
    for (int round = 0; round < ROUNDS; round++) {
        /* Now and then after so many that checkpoints are under way. */
        char *text = run_and_kill(kit.path, 1 + dice_below(&dice, round % 5 == 4 ? 20000 : 400));
        total += check(kit.path, text);
        free(text);
    }
    assert_true(total > ROUNDS);
    struct store *store = kit_open(&kit, 0);
    assert_string_equal(kit_text(&kit, "PRAGMA integrity_check"), "ok");
    assert_int_equal(kit_number(&kit, "SELECT count(*) FROM decisions WHERE final = 0"), 0);
    store_close(store);
    print_message("%zu acknowledged\n", total);
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
