/* Threads that do the work behind the loops: named, and after the loops in the scheduler's eyes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BASE_THREAD_H
#define SERVER_BASE_THREAD_H

#include <pthread.h>

#include "rein/rein.h"

/* Starts `run`; `name` has at most 15 bytes. REIN_EIO, logged. The caller joins it. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *ctx), void *ctx) REIN_MUST_USE;

/* From now on the calling thread does what can wait: it takes what the others leave, and a thread that wakes up does
 * not wait for it. On a machine with nothing left it still gets a small part. A hint, like the class of the threads
 * above. */
void thread_stand_behind(const char *name);

#endif
