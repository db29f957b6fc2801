/* Erasures of a running store: one after the other, in steps of the writer's thread between its groups.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_ERASE_ERASURES_H
#define SERVER_STORE_ERASE_ERASURES_H

#include "store/driver.h"
#include "store/erase/erase.h"

struct erasures {
    struct store_erasure *waiting; /* with the store's lock, like is_anew; a list by `next` */
    bool is_anew;                  /* the writer does not know of the last one yet */
    struct store_erasure *running; /* the writer's, like due_us; NULL: none */
    int64_t due_us;                /* the next step; INT64_MAX: there is nothing to erase */
};

/* ---- with the store's lock, any thread ---- */

int erasures_add(struct erasures *erasures, struct store_erasure *erasure) REIN_MUST_USE; /* results of store_erase */
/* The first that waits runs now, if none does. True: one runs. */
bool erasures_begin(struct erasures *erasures);

/* ---- the writer's thread, without the lock ---- */

/* A step of the one that runs. `is_healthy`: all that was put is written. */
void erasures_step(struct erasures *erasures, const struct store_driver *driver, const char *path, bool is_healthy);
/* Ends the one that runs. */
void erasures_end(struct erasures *erasures, const struct store_driver *driver, int rv);

#endif
