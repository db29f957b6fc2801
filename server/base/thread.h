/* The store's threads: named, without signals, and after the loops in the scheduler's eyes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BASE_THREAD_H
#define SERVER_BASE_THREAD_H

#include <pthread.h>

#include "rein/rein.h"

/* Starts `run`; `name` has at most 15 bytes. REIN_EIO, logged. The caller joins it. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *ctx), void *ctx) REIN_MUST_USE;

#endif
