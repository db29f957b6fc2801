/* A front with a small server behind it, for tests; what is answered depends on the path.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Clients are raw sockets in a thread; the test's own thread runs the loop until the client is done.
 *
 *   /echo    the body          /stream   "one", "two", in one turn      /cut   "abc", then aborted
 *   /hold    nothing, `held`   /open     "first", then `held`           /large LARGE bytes of '#', with backpressure
 *   /can     "yes"      /secret  refused in on_head */
#ifndef TESTS_FRONTKIT_H
#define TESTS_FRONTKIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/loop.h"
#include "front/front.h"

enum { ANSWER_MAX = 256 * 1024, LARGE = 4 * 1024 * 1024 };

struct fixture {
    struct loop *loop;
    struct front *front;
    uint16_t port;
    struct front_options options;
    void (*client)(struct fixture *f);
    pthread_t thread;
    struct exchange *held; /* what /hold and /open wait with */
    size_t left;           /* of /large, to write */
    _Atomic int requests, closed, gone, drained, turns, connections;
    char peer[64], query[64];
};

extern const struct front_header plain[]; /* text/plain */

/* Options with room for everything, to be changed before run(). */
struct fixture *prepare(void);
/* Starts the front, runs the client, closes the front. */
void run(struct fixture *f, void (*client)(struct fixture *f));

/* ---- for clients; they end the test with both values if it is not so ---- */
extern char answer[ANSWER_MAX]; /* what was read last */
void post(struct fixture *f, loop_fn fn);
void has(const char *text, const char *part);
void under(uint64_t value, uint64_t limit, const char *what);
/* Waits, at most two seconds, until a counter of the server's reaches a value. */
void await(_Atomic int *counter, int value);
void await_connections(struct fixture *f, int count);
/* One request on a connection of its own; the whole answer, until the server closes. */
const char *ask(struct fixture *f, const char *request);

/* Fails, in the client's thread, with both values. */
#define same(got, want)                                                                                                \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_) {                                                                                           \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_);                   \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
