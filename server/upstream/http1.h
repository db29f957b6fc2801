/* A strict reader of HTTP/1.1 responses: a cursor over bytes, in pieces of any size.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Strict means that one reading is possible: lines end in CRLF (a bare LF or CR is refused), no folded header lines, no
 * space before a colon, at most one Content-Length, Transfer-Encoding only "chunked" and never next to a
 * Content-Length. Interim responses (1xx) are skipped; 101 is refused. A body that is encoded is refused: nothing here
 * could look into it. Nothing is allocated; body bytes are handed on in place.
 *
 * Thread: the owner's. */
#ifndef SERVER_UPSTREAM_HTTP1_H
#define SERVER_UPSTREAM_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP1_HEAD_MAX = 64 * 1024, /* bytes of one head, and of all heads with the interim ones */
    HTTP1_HEADERS_MAX = 200,
    HTTP1_INTERIM_MAX = 8,
    HTTP1_EXTENSION_MAX = 1024, /* bytes of a chunk's size line */
    HTTP1_TRAILER_MAX = 8 * 1024,
    HTTP1_NAME_KEPT = 32,
    HTTP1_VALUE_KEPT = 256,
};

enum http1_event {
    HTTP1_MORE, /* all bytes were consumed */
    HTTP1_HEAD, /* the head is complete: the fields below are set */
    HTTP1_DATA, /* bytes of the body: *data, *data_len */
    HTTP1_END,  /* the response is complete; bytes behind it are not consumed */
    HTTP1_BAD,  /* no HTTP as we accept it: `problem` says why; nothing more can be read */
};

enum http1_body { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_TO_CLOSE };

struct http1_reader {
    /* Set when the head is complete. Values longer than HTTP1_VALUE_KEPT are refused where they matter, cut elsewhere.
     */
    unsigned status;
    enum http1_body body;
    uint64_t length; /* of a body with a length */
    bool keep_alive; /* the connection may be used again once the response is complete */
    char content_type[HTTP1_VALUE_KEPT], retry_after[64];
    char decision[64];   /* the id of a decision, if another Rein has answered */
    const char *problem; /* static */

    /* The reader's own. */
    bool is_head_request, is_http10;
    bool has_length, has_coding, has_close, has_keep_alive;
    uint8_t state, matched, name_len, interim;
    uint16_t value_len;
    uint16_t headers;
    uint32_t head_len, line_len, trailer_len;
    uint64_t left; /* of a body with a length, or of a chunk */
    char name[HTTP1_NAME_KEPT], value[HTTP1_VALUE_KEPT];
};

/* A new response. `to_head_request`: it has no body whatever it says. */
void http1_init(struct http1_reader *r, bool to_head_request);
/* Reads up to the next event. Returns how many bytes it consumed; call again with the rest unless MORE, END or BAD. */
size_t http1_read(struct http1_reader *r, const char *in, size_t len, enum http1_event *event, const char **data,
                  size_t *data_len);
/* The peer closed. END if that is this body's end; otherwise BAD. */
enum http1_event http1_close(struct http1_reader *r);
/* Has any byte of a response been read? */
bool http1_has_begun(const struct http1_reader *r);

#endif
