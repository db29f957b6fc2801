/* Fuzzes framing: any bytes, cut anywhere, give the same frames, which joined are the input.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is the seed of the cuts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LIMIT = 512 };

struct sum {
    uint64_t value;
    size_t raw_len;
    int rv;
};

static void mix(struct sum *sum, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum->value = (sum->value ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

static void drain(struct framer *f, struct bytes *buf, bool at_end, struct span input, struct sum *sum)
{
    struct frame frame;
    while ((sum->rv = framer_next(f, bytes_span(buf), at_end, &frame)) == 1) {
        if (memcmp(frame.raw.data, input.data + sum->raw_len, frame.raw.len) != 0)
            abort();
        sum->raw_len += frame.raw.len;
        mix(sum, &frame.raw.len, sizeof(frame.raw.len));
        mix(sum, frame.payload.data, frame.payload.len);
        unsigned char flags[] = {(unsigned char)frame.kind, frame.has_extras, frame.unterminated};
        mix(sum, flags, sizeof(flags));
        bytes_consume(buf, frame.raw.len);
    }
}

/* `seed` 0: the whole at once. */
static struct sum run(struct span input, unsigned seed)
{
    struct framer f;
    struct bytes buf;
    struct sum sum = {0};
    framer_init(&f, &framing_sse, LIMIT);
    bytes_init(&buf, SIZE_MAX / 2);
    for (size_t at = 0; at < input.len && sum.rv >= 0;) {
        size_t len = input.len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            size_t chunk = 1 + (seed >> 16) % 9;
            len = chunk < len ? chunk : len;
        }
        if (bytes_append(&buf, input.data + at, len) != 0)
            abort();
        at += len;
        drain(&f, &buf, false, input, &sum);
    }
    if (sum.rv >= 0)
        drain(&f, &buf, true, input, &sum);
    if (sum.rv >= 0 && sum.raw_len != input.len)
        abort();
    bytes_fini(&buf);
    framer_fini(&f);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    struct span input = {(const char *)data + 1, len - 1};
    struct sum whole = run(input, 0), cut = run(input, data[0] + 1u);
    if (whole.value != cut.value || whole.rv != cut.rv || whole.raw_len != cut.raw_len)
        abort();
    return 0;
}
