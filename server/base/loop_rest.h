/* When a busy loop lets events accumulate: like interrupt coalescing in network drivers.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A ready stream costs a turn two system calls, however many events they carry. A loop that is always ready finds one
 * or two events in each of many streams; after a short rest it finds more events for the same calls. So when several
 * turns in a row find little in each of many streams, a turn is followed by a rest of half its own length: the delay
 * that the rest adds is small compared with the turn that caused it, and the rest saves more than it costs
 * (docs/IO.md). A loop never rests if it has little to do, after a single long turn, or if each read finds much.
 *
 * Thread: one at a time. */
#ifndef SERVER_BASE_LOOP_REST_H
#define SERVER_BASE_LOOP_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOOP_REST_READS = 32,   /* of a turn: fewer are none that gathering would help */
    LOOP_REST_BYTES = 2048, /* in a read, on average: where there is more, the calls are small change already */
    LOOP_REST_MAX_US = 3000,
};

/* What a turn has read so far. Zero it before the first. */
struct loop_rest {
    uint64_t began_us; /* monotonic: the first read */
    size_t reads, bytes;
    bool is_behind; /* the turn before had many small reads as well */
};

void loop_rest_note(struct loop_rest *turn, size_t bytes, uint64_t now_us);

/* The turn's work is done, and the next one begins: how long to rest before it, in microseconds; 0: not at all. */
uint64_t loop_rest_end(struct loop_rest *turn, uint64_t now_us);

#endif
