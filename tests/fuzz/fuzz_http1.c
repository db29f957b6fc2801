/* Fuzz target: the reader of HTTP/1.1 responses reads the same under every chunking, and stays within its input.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is the size of the pieces, the rest is what the upstream sends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/http1.h"

struct outcome {
    enum http1_event event;
    unsigned status;
    size_t consumed, body_len;
    uint64_t body_sum;
    const char *problem;
};

static struct outcome read_in_steps(const char *in, size_t len, size_t step)
{
    struct outcome out = {.event = HTTP1_MORE};
    struct http1_reader r;
    http1_init(&r, false);
    while (out.consumed < len && (out.event == HTTP1_MORE || out.event == HTTP1_HEAD || out.event == HTTP1_DATA)) {
        size_t left = len - out.consumed, piece = left < step ? left : step, data_len = 0;
        const char *at = in + out.consumed, *data = NULL;
        size_t used = http1_read(&r, at, piece, &out.event, &data, &data_len);
        if (used > piece || (out.event == HTTP1_DATA && (data < at || data_len == 0 || data + data_len != at + used)))
            abort();
        if (out.event == HTTP1_MORE && used != piece)
            abort();
        for (size_t i = 0; out.event == HTTP1_DATA && i < data_len; i++)
            out.body_sum = out.body_sum * 31 + (unsigned char)data[i];
        out.body_len += data_len;
        out.consumed += used;
    }
    if (out.event != HTTP1_END && out.event != HTTP1_BAD)
        out.event = http1_close(&r);
    out.status = r.status;
    out.problem = r.problem;
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *in = (const char *)data + 1;
    struct outcome whole = read_in_steps(in, size - 1, size), cut = read_in_steps(in, size - 1, data[0] + 1u);
    if (whole.event != cut.event || whole.status != cut.status || whole.consumed != cut.consumed ||
        whole.body_len != cut.body_len || whole.body_sum != cut.body_sum || whole.problem != cut.problem) {
        fprintf(stderr, "whole: event %d, %zu bytes (%s); in steps of %u: event %d, %zu bytes (%s)\n", whole.event,
                whole.consumed, whole.problem ? whole.problem : "", data[0] + 1u, cut.event, cut.consumed,
                cut.problem ? cut.problem : "");
        abort();
    }
    return 0;
}
