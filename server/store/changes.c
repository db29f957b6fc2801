/* See changes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/changes.h"

#include <stdlib.h>
#include <string.h>

#include "store/job.h"

void changes_init(struct changes *c)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
}

void changes_fini(struct changes *c)
{
    pthread_mutex_destroy(&c->lock);
}

void changes_watch(struct changes *c, bool on)
{
    pthread_mutex_lock(&c->lock);
    c->len = 0;
    c->missed = 0;
    pthread_mutex_unlock(&c->lock);
    atomic_store_explicit(&c->is_watched, on, memory_order_relaxed);
}

void changes_note(struct changes *c, const struct store_job *first)
{
    if (!atomic_load_explicit(&c->is_watched, memory_order_relaxed))
        return;
    pthread_mutex_lock(&c->lock);
    for (const struct store_job *job = first; job != NULL; job = job->next)
        if (c->len < STORE_CHANGES_MAX)
            c->numbers[c->len++] = job->seq;
        else
            c->missed++;
    pthread_mutex_unlock(&c->lock);
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t changes_take(struct changes *c, int64_t out[STORE_CHANGES_MAX], uint64_t *missed)
{
    size_t len = 0;
    pthread_mutex_lock(&c->lock);
    size_t all = c->len;
    memcpy(out, c->numbers, all * sizeof *out);
    *missed = c->missed;
    c->len = 0;
    c->missed = 0;
    pthread_mutex_unlock(&c->lock);
    qsort(out, all, sizeof *out, compare_numbers);
    for (size_t i = 0; i < all; i++)
        if (len == 0 || out[len - 1] != out[i])
            out[len++] = out[i];
    return len;
}
