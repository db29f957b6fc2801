/* Chunks: bytes of a streamed answer, framed as HTTP/1.1 chunks and written to a socket.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     | sent | framed, not yet sent | headroom | not yet framed | room |
 *            start               framed       body             end   cap
 *
 * All that was added since the last flush becomes one chunk and goes out with one send. A writer that has nothing to
 * send owns no memory: blocks are lent by a store that all writers of a loop share. A writer whose client is gone takes
 * and frames nothing more; chunk_add then succeeds and does nothing.
 *
 * Thread: the owner's. */
#ifndef SERVER_FRONT_CHUNKS_H
#define SERVER_FRONT_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { CHUNK_BLOCK = 4096, CHUNK_BLOCKS_KEPT = 1024 };

/* Blocks that no writer uses at the moment. Zeroed is empty. */
struct chunk_store {
    size_t len;
    char *blocks[CHUNK_BLOCKS_KEPT];
};
void chunk_store_fini(struct chunk_store *store);

/* Zeroed is empty. */
struct chunk_writer {
    char *data;
    size_t start, framed, body, end, cap;
    bool is_gone;  /* a flush said CHUNK_GONE: for good */
    bool is_plain; /* the owner's, set before the first byte: no framing, for HTTP/1.0 */
};

/* Its positions are in order. Every function asserts it on entry and exit. */
bool chunk_is_sound(const struct chunk_writer *w);

/* Copies bytes. REIN_ELIMIT (and nothing added) if more than `max` bytes would wait. */
int chunk_add(struct chunk_writer *w, struct chunk_store *store, const char *data, size_t len,
              size_t max) REIN_MUST_USE;
/* Bytes that wait, framing included. */
size_t chunk_pending(const struct chunk_writer *w);
enum chunk_sent { CHUNK_ALL, CHUNK_SOME, CHUNK_NONE, CHUNK_GONE };
/* Sends what the socket takes without blocking. CHUNK_SOME: there was progress; wait until it is writable. CHUNK_GONE:
 * the socket takes nothing more, or memory ran out; what waited is dropped, and each later call says so again.
 * `more_follows`: someone writes to the socket right after this, so the last bytes may wait for it. */
enum chunk_sent chunk_flush(struct chunk_writer *w, struct chunk_store *store, int fd, bool more_follows);
/* Forgets what waits. */
void chunk_drop(struct chunk_writer *w, struct chunk_store *store);

#endif
