/* Reads an HTTP/1.1 response as it comes, strictly, and the lines of an event stream inside it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_RESPONSE_H
#define BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_LEN 2048

enum response_phase {
    RESPONSE_HEAD,
    RESPONSE_CHUNK_SIZE,
    RESPONSE_CHUNK_END,
    RESPONSE_TRAILER,
    RESPONSE_CHUNK,
    RESPONSE_FIXED,
    RESPONSE_DONE,
    RESPONSE_BAD,
};

struct line {
    char *text; /* allocated when a line comes in parts, then kept */
    size_t len;
};

struct response {
    enum response_phase phase;
    unsigned status;
    bool chunked, has_length;
    uint64_t left; /* of the chunk or of the body */
    struct line http, body;
    /* Each line of a streamed body, without its end; the whole body if it has a length or nobody wants lines, in
     * parts. */
    void (*on_line)(void *ctx, const char *line, size_t len);
    void (*on_part)(void *ctx, const char *data, size_t len);
    void *ctx;
};

void response_start(struct response *r); /* keeps the buffers and the callbacks */
void response_fini(struct response *r);
/* Feeds what came. Stops at the response's end or at the first thing that is not HTTP; returns what it took. */
size_t response_feed(struct response *r, const char *data, size_t len);

#endif
