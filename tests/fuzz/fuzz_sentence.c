/* Fuzz target: sentences are the same whole and cut, never empty, never longer than the bound.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte of the input says how the text is cut. */
#include <stdint.h>
#include <stdlib.h>

#include "detect/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

/* The first end after `from`, feeding `step` bytes at a time; 0 if there is none. */
static uint64_t next_end(struct sentencer *s, const char *text, size_t len, size_t *at, size_t step)
{
    while (*at < len) {
        uint64_t end = 0;
        size_t n = step < len - *at ? step : len - *at;
        size_t used = sentencer_feed(s, (struct span){text + *at, n}, &end);
        expect(used <= n);
        *at += used;
        if (end != 0)
            return end;
        expect(used == n);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1, whole_at = 0, cut_at = 0, step = 1 + data[0] % 16;
    struct sentencer whole, cut;
    sentencer_init(&whole, 0);
    sentencer_init(&cut, 0);
    for (uint64_t last = 0;;) {
        uint64_t a = next_end(&whole, text, len, &whole_at, len), b = next_end(&cut, text, len, &cut_at, step);
        expect(a == b);
        if (a == 0)
            return 0;
        expect(a > last && a - last <= SENTENCE_MAX);
        last = a;
    }
}
