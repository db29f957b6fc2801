/* See storekit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "storekit.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t kit_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *run(void *ctx)
{
    loop_run(ctx);
    return NULL;
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void kit_start(struct kit *kit)
{
    *kit = (struct kit){.dir = "/tmp/rein-store-XXXXXX"};
    char *made = mkdtemp(kit->dir);
    assert(made != NULL);
    snprintf(kit->path, sizeof kit->path, "%s/rein.db", kit->dir);
    int rv = loop_new(&kit->loop);
    assert(rv == 0);
    kit_start_loop(kit);
    (void)made;
    (void)rv;
}

void kit_start_loop(struct kit *kit)
{
    int rv = pthread_create(&kit->thread, NULL, run, kit->loop);
    assert(rv == 0);
    (void)rv;
}

void kit_stop_loop(struct kit *kit)
{
    int rv = loop_post(kit->loop, stop, kit->loop);
    assert(rv == 0);
    (void)rv;
    pthread_join(kit->thread, NULL);
}

void kit_free(struct kit *kit)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    loop_free(kit->loop);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", kit->path, suffixes[i]);
        unlink(name);
    }
    rmdir(kit->dir);
}

struct store *kit_open(struct kit *kit, size_t queue_max)
{
    struct store *store = NULL;
    int rv = store_open(&store, &(struct store_options){.path = kit->path, .queue_max = queue_max});
    if (rv != 0) {
        fprintf(stderr, "store_open: %s\n", rein_strerror(rv));
        abort();
    }
    return store;
}

void kit_plain(struct kit_record *out, int64_t started_at_us)
{
    *out = (struct kit_record){
        .decision = {.harms = "", .prompt_tokens = -1, .completion_tokens = -1, .reasoning_tokens = -1}};
    out->record = (struct store_record){
        .request_id = "req",
        .started_at_us = started_at_us,
        .route = "r",
        .model = "m",
        .upstream = "u",
        .dialect = "openai-chat",
        .policy = "default",
        .policy_version = "v1",
        .final = true,
        .ending = "complete",
        .status = 200,
        .upstream_first_byte_us = 1000,
        .client_first_byte_us = 2000,
        .duration_us = 3000,
        .attempts = out->attempts,
        .attempts_len = 1,
        .decision = &out->decision,
        .keep_text = REIN_KEEP_EVIDENCE,
    };
    out->attempts[0] = (struct store_attempt){.template_name = "checklist",
                                              .delivery = REIN_DELIVER_INSTRUCT,
                                              .first_byte_us = 1000,
                                              .ended_us = 3000,
                                              .status = 200,
                                              .outcome = "whole"};
    store_id_new(&out->record.id);
}

static void fill_findings(struct kit_record *out)
{
    out->findings[0] =
        (struct rein_finding){.id = "strong_vacillation",
                              .action = REIN_STEER,
                              .channel = REIN_REASONING,
                              .offset = 10,
                              .len = 20,
                              .score = 0.75,
                              .evidence = "perhaps it is fine",
                              .evidence_len = 18,
                              .steps_len = 2,
                              .steps = {{.signal = "names_harm", .sentence = 1, .offset = 10, .len = 4},
                                        {.signal = "con\"cedes", .sentence = 2, .offset = 30, .len = 5}}};
    out->findings[1] = (struct rein_finding){.id = "card-number",
                                             .is_rule = true,
                                             .shadow = true,
                                             .action = REIN_REDACT,
                                             .channel = REIN_ANSWER,
                                             .choice = 1,
                                             .attempt = 1,
                                             .offset = 100,
                                             .len = 16,
                                             .score = 1,
                                             .evidence = "****",
                                             .evidence_len = 4};
    out->decision.findings = out->findings;
    out->decision.findings_len = 2;
}

void kit_record(struct kit_record *out)
{
    kit_plain(out, kit_now_us());
    out->record.key = "alice";
    out->record.tenant = "acme";
    out->record.streamed = true;
    out->record.attempts_len = 2;
    out->attempts[1] = (struct store_attempt){.template_name = "corrective",
                                              .delivery = REIN_DELIVER_PREFILL,
                                              .reason = "verified",
                                              .started_us = 1500,
                                              .first_byte_us = -1,
                                              .ended_us = 3000,
                                              .status = 200,
                                              .outcome = "whole"};
    struct rein_decision *d = &out->decision;
    d->verdict = REIN_STEER;
    d->shadow = REIN_REDACT;
    d->harms = "weapons,fraud";
    d->prompt_risk = 0.5;
    d->trace_risk = 0.25;
    d->events = 7;
    d->garbage_events = 1;
    d->bytes_in = 1111;
    d->bytes_out = 2222;
    d->first_finding_bytes = 33;
    d->prompt_tokens = 5;
    for (int i = 0; i < REIN_PATTERNS; i++)
        d->scores[i] = 0.1 * (i + 1);
    d->heads[REIN_COMPLIES] = 0.625;
    for (unsigned i = 0; i < REIN_CHANNELS; i++)
        d->flow[i] = (struct rein_flow){i * 10 + 1, i * 10 + 2, i * 10 + 3, i * 10 + 4, i * 10 + 5};
    fill_findings(out);
}

/* ---- putting and waiting ---- */

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool called;
    int rv;
};

static void on_done(void *ctx, int rv)
{
    struct wait *wait = ctx;
    pthread_mutex_lock(&wait->lock);
    wait->called = true;
    wait->rv = rv;
    pthread_cond_signal(&wait->cond);
    pthread_mutex_unlock(&wait->lock);
}

int kit_put(struct kit *kit, struct store *store, const struct store_record *record)
{
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    int rv = store_put(store, record, kit->loop, on_done, &wait);
    if (rv != 0)
        return rv;
    pthread_mutex_lock(&wait.lock);
    while (!wait.called)
        pthread_cond_wait(&wait.cond, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    return wait.rv;
}

/* ---- a test's state ---- */

int kit_set_up_closed(void **state)
{
    struct kit *kit = malloc(sizeof *kit);
    kit_start(kit);
    *state = kit;
    return 0;
}

int kit_tear_down_closed(void **state)
{
    kit_free(*state);
    free(*state);
    return 0;
}

int kit_set_up(void **state)
{
    struct kit_fixture *f = malloc(sizeof *f);
    kit_start(&f->kit);
    f->store = kit_open(&f->kit, 0);
    *state = f;
    return 0;
}

int kit_tear_down(void **state)
{
    struct kit_fixture *f = *state;
    kit_stop_loop(&f->kit);
    store_close(f->store);
    kit_free(&f->kit);
    free(f);
    return 0;
}

/* ---- looking ---- */

const char *kit_text(struct kit *kit, const char *sql)
{
    static char text[4096];
    sqlite3 *db;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_open_v2(kit->path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        abort();
    }
    const char *value = (const char *)sqlite3_column_text(stmt, 0);
    snprintf(text, sizeof text, "%s", value != NULL ? value : "NULL");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

int64_t kit_number(struct kit *kit, const char *sql)
{
    return atoll(kit_text(kit, sql));
}
