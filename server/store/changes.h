/* Numbers of rows that were just committed, from the writer to whoever looks.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is noted while nobody watches. Thread: any; its lock is held to copy numbers. */
#ifndef SERVER_STORE_CHANGES_H
#define SERVER_STORE_CHANGES_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/live.h"

struct store_job;

/* Zeroed but for the lock, which changes_init makes. */
struct changes {
    atomic_bool is_watched;
    pthread_mutex_t lock;
    int64_t numbers[STORE_CHANGES_MAX]; /* with the lock, like the next two */
    size_t len;
    uint64_t missed;
};

void changes_init(struct changes *changes);
void changes_fini(struct changes *changes);
void changes_watch(struct changes *changes, bool on);
/* The rows of a chain. */
void changes_note(struct changes *changes, const struct store_job *first);
/* See store_changes. */
size_t changes_take(struct changes *changes, int64_t out[STORE_CHANGES_MAX], uint64_t *missed);

#endif
