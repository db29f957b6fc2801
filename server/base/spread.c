/* See spread.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/spread.h"

/*      value        0 … 7 | 8 … 15 | 16 … 31 by 2 | 32 … 63 by 4 | …
 *      step         0 … 7 | 8 … 15 | 16 … 23      | 24 … 31      | …  */
static unsigned spread_step(uint64_t value)
{
    if (value < 8)
        return (unsigned)value;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value); /* 3 for 8 … 15 */
    unsigned step = 8 + (octave - 3) * 8 + (unsigned)(value >> (octave - 3) & 7);
    return step < SPREAD_STEPS ? step : SPREAD_STEPS - 1;
}

static int64_t spread_middle(unsigned step)
{
    if (step < 16)
        return step;
    unsigned shift = (step - 8) / 8;
    return (int64_t)(((uint64_t)(8 + step % 8) << shift) + (UINT64_C(1) << (shift - 1)));
}

void spread_add(struct spread *s, int64_t value, int times)
{
    if (value < 0)
        return;
    uint64_t *step = &s->steps[spread_step((uint64_t)value)];
    uint64_t n = times > 0 ? (uint64_t)times : *step < (uint64_t)-times ? *step : (uint64_t)-times;
    *step += times > 0 ? n : -n;
    s->count += times > 0 ? n : -n;
}

void spread_merge(struct spread *s, const struct spread *other)
{
    for (unsigned i = 0; i < SPREAD_STEPS; i++)
        s->steps[i] += other->steps[i];
    s->count += other->count;
}

int64_t spread_at(const struct spread *s, double part)
{
    uint64_t seen = 0, wanted = (uint64_t)(part * (double)s->count + 0.999999);
    for (unsigned i = 0; i < SPREAD_STEPS; i++) {
        seen += s->steps[i];
        if (seen > 0 && seen >= wanted)
            return spread_middle(i);
    }
    return -1;
}

static size_t put_varint(unsigned char *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        out[n++] = (unsigned char)(value | 128);
    out[n++] = (unsigned char)value;
    return n;
}

size_t spread_store(const struct spread *s, unsigned char *out)
{
    size_t len = 0;
    unsigned next = 0;
    for (unsigned i = 0; i < SPREAD_STEPS; i++) {
        if (s->steps[i] == 0)
            continue;
        len += put_varint(out + len, i - next);
        len += put_varint(out + len, s->steps[i]);
        next = i + 1;
    }
    return len;
}

/* 0: the bytes are over, or of another form. */
static size_t take_varint(const unsigned char *bytes, size_t len, uint64_t *value)
{
    *value = 0;
    for (size_t n = 0; n < len && n < 10; n++) {
        *value |= (uint64_t)(bytes[n] & 127) << 7 * n;
        if (bytes[n] < 128)
            return n + 1;
    }
    return 0;
}

void spread_merge_stored(struct spread *s, const unsigned char *bytes, size_t len)
{
    uint64_t after, count, step = 0;
    for (size_t n; len > 0; step++) {
        if ((n = take_varint(bytes, len, &after)) == 0)
            return;
        bytes += n;
        len -= n;
        if (after >= SPREAD_STEPS || (step += after) >= SPREAD_STEPS || (n = take_varint(bytes, len, &count)) == 0)
            return;
        bytes += n;
        len -= n;
        s->steps[step] += count;
        s->count += count;
    }
}
