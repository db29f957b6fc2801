/* Threads that do the work behind the loops: named, and after the loops in the scheduler's eyes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BASE_THREAD_H
#define SERVER_BASE_THREAD_H

#include <pthread.h>

#include "rein/rein.h"

/* Starts `run`; `name` has at most 15 bytes. REIN_ENOMEM; REIN_EIO, logged. The caller joins it. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *ctx), void *ctx) REIN_MUST_USE;

/* From now on, and for good, the calling thread takes only what all others leave of the processors: a thread that wakes
 * up does not wait for it. On a machine with nothing left it hardly goes on. A hint, like the class of the threads
 * above. */
void thread_stand_aside(const char *name);
/* Likewise, but on a machine with nothing left it still gets a small part; so others may wait for it a little. */
void thread_stand_behind(const char *name);

/* The processor that the calling thread runs on; -1: nobody says. */
int thread_processor(void);
/* From now on the calling thread runs on all processors of the process but this one, unless it is the only one; -1: on
 * all of them. A hint. Cheap if it is the same one as before. */
void thread_keep_off(int processor);

#endif
