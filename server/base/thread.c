/* See thread.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

enum { BEHIND_NICE = 10, BEHIND_SLICE_NS = 100 * 1000, BACK_SLICE_NS = 5 * 1000 * 1000 };

/* What sched_setattr takes: glibc has no name for it. */
struct class
{
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};

/* Hints; without them all continues as well. */
static void take_class(uint32_t policy, int32_t nice, uint64_t slice_ns)
{
    const struct class class = {.size = sizeof class, .policy = policy, .nice = nice, .slice_ns = slice_ns};
    (void)syscall(SYS_sched_setattr, 0, &class, 0);
}

/* A thread of the class for batches takes its share like any other, but does not push another aside the moment it wakes
 * up: that would be the loop which has just given it a record. Nor does it keep one waiting that wakes up: since Linux
 * 6.12 that one goes first if its slice is shorter, and threads that ask for none have 3 ms at most. */
static void stand_back(void)
{
    take_class(SCHED_BATCH, getpriority(PRIO_PROCESS, 0), BACK_SLICE_NS);
}

struct beginning {
    void *(*run)(void *ctx);
    void *ctx;
};

/* The thread takes its class itself, before it can take another one. */
static void *begin(void *ctx)
{
    struct beginning b = *(struct beginning *)ctx;
    free(ctx);
    stand_back();
    return b.run(b.ctx);
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *ctx), void *ctx)
{
    sigset_t all, before;
    struct beginning *b = malloc(sizeof *b);
    if (b == NULL)
        return REIN_ENOMEM;
    *b = (struct beginning){run, ctx};
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, begin, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        free(b);
        log_error("store", "cannot start the thread %s: %s", name, strerror(rc));
        return REIN_EIO;
    }
    pthread_setname_np(*thread, name);
    return 0;
}

/* Any other thread that wakes up goes before this one, the store's too, which do not push aside one of a low priority.
 * There is no way back without a privilege. */
void thread_stand_aside(const char *name)
{
    pthread_setname_np(pthread_self(), name);
    take_class(SCHED_IDLE, 0, 0);
}

int thread_processor(void)
{
    return sched_getcpu();
}

/* The process's processors are those of its main thread, which keeps off none. */
void thread_keep_off(int processor)
{
    static _Thread_local int off = -1;
    cpu_set_t set;
    if (processor == off)
        return;
    off = processor;
    if (sched_getaffinity(getpid(), sizeof set, &set) != 0)
        return; /* more processors than the set can name */
    if (processor >= 0 && processor < CPU_SETSIZE)
        CPU_CLR((unsigned)processor, &set);
    if (CPU_COUNT(&set) > 0)
        (void)sched_setaffinity(0, sizeof set, &set);
}

/* Low priority alone is not enough: Linux lets a thread of any priority run for a slice, a millisecond or more, before
 * one that has woken up. The shortest slice is asked for. */
void thread_stand_behind(const char *name)
{
    int now = getpriority(PRIO_PROCESS, 0); /* the thread's; there is no way back to a lower one */
    pthread_setname_np(pthread_self(), name);
    take_class(SCHED_OTHER, now > BEHIND_NICE ? now : BEHIND_NICE, BEHIND_SLICE_NS);
}
