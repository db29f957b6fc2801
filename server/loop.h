/* One thread's event loop: libuv, the phases that foreign callbacks run in, and what others post to it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Foreign callbacks (libmicrohttpd's, libcurl's) record and wake the pump; decisions are made in the pump, in a fixed
 * order, just before the loop blocks. The phases never nest, and every wrapper asserts that. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdint.h>
#include <uv.h>

#include "rein/rein.h"

struct loop;
typedef void (*loop_fn)(void *ctx);

int loop_new(struct loop **out) REIN_MUST_USE;
void loop_free(struct loop *loop); /* after loop_run returned and all users closed their handles */
uv_loop_t *loop_uv(struct loop *loop);

/* Runs until loop_stop. The calling thread becomes the loop's thread. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* the loop's thread */

/* The loop shall not block before it has run the pump once more. The loop's thread. */
void loop_kick(struct loop *loop);
/* A step of the pump, run in the order of adding, each turn. Borrows ctx as long as the loop. */
int loop_add_pump(struct loop *loop, loop_fn step, void *ctx) REIN_MUST_USE;
/* Runs `fn` once at the end of this turn (deferred frees). The loop's thread. */
int loop_defer(struct loop *loop, loop_fn fn, void *ctx) REIN_MUST_USE;
/* Runs `fn` on the loop's thread, soon. Any thread. Never blocks; posts of one thread keep their order. */
int loop_post(struct loop *loop, loop_fn fn, void *ctx) REIN_MUST_USE;

uint64_t loop_now_ms(struct loop *loop);

#endif
