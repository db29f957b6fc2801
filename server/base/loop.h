/* One thread's event loop: libuv, the phases in which foreign callbacks run, and what other threads post to it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Foreign callbacks (libmicrohttpd's, libcurl's) record and wake the pump; decisions are made in the pump, in a fixed
 * order, just before the loop blocks. The phases never nest, and every wrapper asserts that. */
#ifndef SERVER_BASE_LOOP_H
#define SERVER_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "rein/rein.h"

struct loop;
typedef void (*loop_fn)(void *ctx);

/* Where the thread is. Foreign libraries are entered only from LOOP_FREE or LOOP_PUMP, and never from each other. */
enum loop_phase {
    LOOP_FREE, /* a callback of libuv's, or outside of loop_run */
    LOOP_PUMP,
    LOOP_HTTP,    /* inside libmicrohttpd */
    LOOP_CONNECT, /* inside libcurl */
};
enum { LOOP_POSTS_MAX = 65536, LOOP_STEPS_MAX = 16 };

int loop_new(struct loop **out) REIN_MUST_USE;
void loop_free(struct loop *loop); /* after loop_run returned and all users closed their handles */
uv_loop_t *loop_uv(struct loop *loop);

/* Runs until loop_stop. The calling thread becomes the loop's thread. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* the loop's thread */

/* Makes the loop run the pump once more before it blocks. The loop's thread. */
void loop_kick(struct loop *loop);
/* Adds a step of the pump; steps run each turn, in the order of adding. Borrows ctx for the loop's lifetime. */
int loop_add_pump(struct loop *loop, loop_fn step, void *ctx) REIN_MUST_USE;
/* Removes a step; from loop_defer'd functions or libuv's callbacks, not from a step. */
void loop_remove_pump(struct loop *loop, loop_fn step, void *ctx);
/* Runs `fn` once at the end of this turn (deferred frees). It can't fail: the task is the caller's memory, borrowed
 * until `fn` is called, and waits for one turn at a time. The loop's thread. */
struct loop_task {
    loop_fn fn;
    void *ctx;
    STAILQ_ENTRY(loop_task) deferred;
};
void loop_defer(struct loop *loop, struct loop_task *task);
/* Runs `fn` on the loop's thread, soon. Any thread. Never blocks; posts of one thread keep their order. REIN_ELIMIT
 * when LOOP_POSTS_MAX already wait. loop_free drops what is posted after the last turn. */
int loop_post(struct loop *loop, loop_fn fn, void *ctx) REIN_MUST_USE;

/* A post that cannot fail, for messages that must not get lost: its memory is the caller's, zeroed before the first
 * use, good until it has run for the last time. If it is given again before it has run, it runs once. Orders run after
 * the posts, in the order in which they were given. */
struct loop_order {
    loop_fn fn;
    void *ctx;
    bool is_given;
    struct loop_order *next;
};
/* Any thread. */
void loop_give(struct loop *loop, struct loop_order *order);

/* A stream's descriptor was read. After several turns with many such reads and little in each, rests follow
 * (base/loop_rest.h), in which nothing else runs either; at most LOOP_REST_MAX_US. The loop's thread. */
void loop_note_read(struct loop *loop, size_t bytes);

/* Monotonic time, from the beginning of this turn's callbacks. */
uint64_t loop_now_ms(struct loop *loop);

/* Marks the way into and out of a foreign library; asserts that nothing nests. Returns the phase to leave to. */
enum loop_phase loop_enter(struct loop *loop, enum loop_phase phase);
void loop_leave(struct loop *loop, enum loop_phase back);
enum loop_phase loop_phase(const struct loop *loop);

#endif
