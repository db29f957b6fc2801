/* Origins: the scheme, host and port of an upstream. The config and the calls read them with the same function, so what
 * the config takes can be called.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_UPSTREAM_ORIGIN_H
#define SERVER_UPSTREAM_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the longest origin, "https://", a name, ":65535"; and the room that it needs as a string. */
enum { ORIGIN_HOST_MAX = 253, ORIGIN_LEN_MAX = 8 + ORIGIN_HOST_MAX + 6, ORIGIN_SIZE = ORIGIN_LEN_MAX + 1 };

/* Points into the text that was read. */
struct origin {
    bool is_tls;
    const char *host; /* with its port, as a Host header has it */
    size_t host_len;
    size_t len; /* of all: what stands behind it is a path */
};

/* Reads the origin at the beginning of a text; what follows it is nothing or a path. NULL: fine; else why it is none, a
 * static text that continues from the name of a key ("has no host name"). */
const char *origin_read(struct origin *out, const char *text);

#endif
