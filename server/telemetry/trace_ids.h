/* Ids of traces and spans, and the header that carries them (W3C Trace Context, version 00).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_TELEMETRY_TRACE_IDS_H
#define SERVER_TELEMETRY_TRACE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_LEN = 16, SPAN_LEN = 8, TRACEPARENT_LEN = 55 };

struct trace_ids {
    unsigned char trace[TRACE_LEN], span[SPAN_LEN];
    unsigned char parent[SPAN_LEN]; /* all zero: none */
    unsigned char flags;            /* 1: sampled */
    bool is_set;
};

/* Takes what a client sent; `span` is the client's, and the parent of ours. False: it is not valid, or NULL. */
bool trace_ids_read(struct trace_ids *out, const char *traceparent);
/* Makes a span of our own: below the client's, or the first of a new trace. */
void trace_ids_begin(struct trace_ids *ids);
/* The span of the n-th attempt of a request. */
void trace_ids_attempt(const struct trace_ids *ids, unsigned n, unsigned char out[SPAN_LEN]);
/* The header that says that `span` calls. */
void trace_ids_print(const struct trace_ids *ids, const unsigned char span[SPAN_LEN], char out[TRACEPARENT_LEN + 1]);
void trace_ids_hex(const unsigned char *bytes, size_t len, char *out);

#endif
