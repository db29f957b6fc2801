/* For tests of the store: a folder of its own, a sample record, a loop in a thread, and looking into the database.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STOREKIT_H
#define TESTS_STOREKIT_H

#include <pthread.h>
#include <stdint.h>

#include "store/store.h"

struct kit {
    char dir[64], path[96]; /* the database's path */
    struct loop *loop;
    pthread_t thread; /* runs the loop */
};

void kit_start(struct kit *kit); /* fails the test on any error, like all of these */
void kit_stop_loop(struct kit *kit);
void kit_start_loop(struct kit *kit); /* once more */
void kit_free(struct kit *kit);       /* removes the folder */

struct store *kit_open(struct kit *kit, size_t queue_max);

/* A kit and its open store, as a test's state. */
struct kit_fixture {
    struct kit kit;
    struct store *store;
};
int kit_set_up(void **state);
int kit_tear_down(void **state);
/* Only a kit, as a test's state; the test opens the store, and stops the loop. */
int kit_set_up_closed(void **state);
int kit_tear_down_closed(void **state);

/* A record with every field set, and what it leads into. */
struct kit_record {
    struct store_record record;
    struct rein_decision decision;
    struct store_attempt attempts[2];
    struct rein_finding findings[2];
};
void kit_record(struct kit_record *out);
/* A plain allowed one that began at that time; route "r". */
void kit_plain(struct kit_record *out, int64_t started_at_us);

/* Puts and waits for the callback; returns what it was told (or what store_put returned). */
int kit_put(struct kit *kit, struct store *store, const struct store_record *record);

/* One value of the database, read on a connection of its own. */
int64_t kit_number(struct kit *kit, const char *sql);
const char *kit_text(struct kit *kit, const char *sql); /* good until the next call; "NULL" for NULL */

int64_t kit_now_us(void); /* Unix time */

#endif
