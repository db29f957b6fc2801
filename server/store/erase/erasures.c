/* See erasures.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/erase/erasures.h"

#include <assert.h>
#include <time.h>

enum { MORE_US = 15 * 1000 }; /* leaves room for writes in between */

int erasures_add(struct erasures *e, struct store_erasure *erasure)
{
    struct store_erasure **end = &e->waiting;
    size_t waiting = 0;
    for (; *end != NULL; end = &(*end)->next)
        waiting++;
    if (waiting >= STORE_ERASURES_MAX)
        return REIN_ELIMIT;
    erasure->next = NULL;
    erasure->eraser = NULL;
    *end = erasure;
    e->is_anew = true;
    return 0;
}

bool erasures_begin(struct erasures *e)
{
    e->is_anew = false;
    if (e->running != NULL || e->waiting == NULL)
        return e->running != NULL;
    e->running = e->waiting;
    e->waiting = e->running->next;
    return true;
}

static int step(struct store_erasure *erasure, const struct store_driver *driver, const char *path, bool is_healthy)
{
    if (!is_healthy) /* what could not be written yet would not be erased */
        return REIN_EIO;
    if (erasure->eraser != NULL)
        return driver->step_erase(erasure->eraser);
    int rv = driver->begin_erase(&erasure->eraser, path, &erasure->filter);
    return rv != 0 ? rv : STORE_ERASE_MORE;
}

void erasures_step(struct erasures *e, const struct store_driver *driver, const char *path, bool is_healthy)
{
    struct timespec now;
    assert(e->running != NULL);
    int rv = step(e->running, driver, path, is_healthy);
    if (rv <= 0)
        erasures_end(e, driver, rv);
    clock_gettime(CLOCK_MONOTONIC, &now);
    e->due_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 +
                (rv == STORE_ERASE_LATER ? STORE_ERASE_PAUSE_MS * 1000 : MORE_US);
}

/* The caller's from the moment in which its loop knows. */
void erasures_end(struct erasures *e, const struct store_driver *driver, int rv)
{
    struct store_erasure *erasure = e->running;
    e->running = NULL;
    if (erasure->eraser != NULL)
        driver->end_erase(erasure->eraser, &erasure->erased);
    erasure->eraser = NULL;
    erasure->rv = rv;
    loop_give(erasure->loop, &erasure->done);
}
