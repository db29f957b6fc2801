/* See reading.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      readings   version, what they are of, reading*
 *      reading    flags, len, behind, [set of signal sums, sum*], [features, sum of each head]
 *
 * Numbers are as short as they can be (seven bits in a byte, the lowest first); sums of signals are IEEE doubles, the
 * lowest byte first. */
#include "detect/reading.h"

#include <math.h>
#include <string.h>

#include "detect/model_features.h"
#include "detect/sentence.h"

enum {
    READINGS_VERSION = 1,
    SUMS = SIGNAL_CLASSES + 3,
    FLAGS = 127,
    NO_SENTENCE = READING_NO_MORE | READING_LIFTED,
    NUMBER_MAX = 10, /* bytes */
    DOUBLE = 8,
    READING_MAX = 1 + 3 * NUMBER_MAX + SUMS * DOUBLE + (1 + MODEL_SENTENCE_HEADS) * NUMBER_MAX,
    RISK_NUMBERS = 7,
    RISK_SIZE = RISK_NUMBERS * DOUBLE + DOUBLE + 1,
};
static const double SUM_MAX = 1e9;
_Static_assert(SUMS <= 32, "the set of sums is a number of 32 bits");

/* ---- writing ---- */

static size_t put_number(char *to, uint64_t n)
{
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        to[len++] = (char)(n | 0x80);
    to[len++] = (char)n;
    return len;
}

static size_t put_signed(char *to, int64_t n)
{
    return put_number(to, n < 0 ? ~((uint64_t)n << 1) : (uint64_t)n << 1);
}

static size_t put_bits(char *to, uint64_t bits)
{
    for (size_t i = 0; i < DOUBLE; i++)
        to[i] = (char)(bits >> 8 * i);
    return DOUBLE;
}

static size_t put_double(char *to, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return put_bits(to, bits);
}

int readings_begin(struct bytes *out, enum readings_of of)
{
    char head[] = {READINGS_VERSION, (char)of};
    return bytes_append(out, head, sizeof head);
}

static double *sum_at(struct signal_sums *s, size_t i)
{
    double *const more[] = {&s->soft, &s->firm, &s->topic};
    return i < SIGNAL_CLASSES ? &s->sum[i] : more[i - SIGNAL_CLASSES];
}

static size_t put_signals(char *to, const struct signal_sums *signals)
{
    struct signal_sums s = *signals;
    uint32_t set = 0;
    for (size_t i = 0; i < SUMS; i++)
        set |= *sum_at(&s, i) != 0 ? UINT32_C(1) << i : 0;
    size_t len = put_number(to, set);
    for (size_t i = 0; i < SUMS; i++)
        if ((set >> i & 1) != 0)
            len += put_double(to + len, *sum_at(&s, i));
    return len;
}

int reading_write(struct bytes *out, const struct reading *r)
{
    char bytes[READING_MAX];
    size_t len = 0;
    bytes[len++] = (char)r->flags;
    len += put_number(bytes + len, r->len);
    len += put_number(bytes + len, r->behind);
    if ((r->flags & READING_SIGNALS) != 0)
        len += put_signals(bytes + len, &r->signals);
    if ((r->flags & READING_LEARNED) != 0) {
        len += put_number(bytes + len, r->learned.features);
        for (size_t i = 0; i < MODEL_SENTENCE_HEADS; i++)
            len += put_signed(bytes + len, r->learned.sum[i]);
    }
    return bytes_append(out, bytes, len);
}

int reading_write_risk(struct bytes *out, const struct prompt_risk *risk)
{
    const double numbers[RISK_NUMBERS] = {risk->harm,    risk->benign, risk->said,    risk->score,
                                          risk->learned, risk->sum,    risk->evidence};
    char bytes[RISK_SIZE];
    size_t len = 0;
    for (size_t i = 0; i < RISK_NUMBERS; i++)
        len += put_double(bytes + len, numbers[i]);
    len += put_bits(bytes + len, risk->categories);
    bytes[len++] = risk->has_sum;
    bytes_clear(out);
    int rv = readings_begin(out, READINGS_OF_PROMPT);
    return rv == 0 ? bytes_append(out, bytes, len) : rv;
}

/* ---- reading ---- */

static bool take_byte(struct span *in, unsigned *byte)
{
    if (in->len == 0)
        return false;
    *byte = (unsigned char)*in->data;
    in->data++;
    in->len--;
    return true;
}

static bool take_number(struct span *in, uint64_t max, uint64_t *n)
{
    unsigned byte = 0x80;
    *n = 0;
    for (unsigned shift = 0; (byte & 0x80) != 0; shift += 7) {
        if (shift > 56 || !take_byte(in, &byte))
            return false;
        *n |= (uint64_t)(byte & 0x7F) << shift;
    }
    return *n <= max;
}

static bool take_signed(struct span *in, int32_t *n)
{
    uint64_t bits;
    if (!take_number(in, UINT32_MAX, &bits))
        return false;
    *n = (int32_t)((bits & 1) != 0 ? -(int64_t)(bits >> 1) - 1 : (int64_t)(bits >> 1));
    return true;
}

static bool take_bits(struct span *in, uint64_t *bits)
{
    *bits = 0;
    if (in->len < DOUBLE)
        return false;
    for (size_t i = 0; i < DOUBLE; i++)
        *bits |= (uint64_t)(unsigned char)in->data[i] << 8 * i;
    in->data += DOUBLE;
    in->len -= DOUBLE;
    return true;
}

static bool take_double(struct span *in, double *x)
{
    uint64_t bits;
    if (!take_bits(in, &bits))
        return false;
    memcpy(x, &bits, sizeof *x);
    return fabs(*x) <= SUM_MAX; /* false for what is no number */
}

bool readings_open(struct span *in, enum readings_of *of)
{
    unsigned version, what;
    if (!take_byte(in, &version) || !take_byte(in, &what) || version != READINGS_VERSION || what > READINGS_OF_PROMPT)
        return false;
    *of = (enum readings_of)what;
    return true;
}

static bool take_signals(struct span *in, struct signal_sums *s)
{
    uint64_t set;
    if (!take_number(in, (UINT64_C(1) << SUMS) - 1, &set))
        return false;
    for (size_t i = 0; i < SUMS; i++)
        if ((set >> i & 1) != 0 && !take_double(in, sum_at(s, i)))
            return false;
    return true;
}

static bool take_learned(struct span *in, struct model_sentence *learned)
{
    uint64_t features;
    if (!take_number(in, FEATURES_MAX, &features))
        return false;
    learned->features = (uint32_t)features;
    for (size_t i = 0; i < MODEL_SENTENCE_HEADS; i++)
        if (!take_signed(in, &learned->sum[i]))
            return false;
    return true;
}

bool reading_read(struct span *in, struct reading *out)
{
    uint64_t len, behind;
    *out = (struct reading){.is_known = true};
    if (!take_byte(in, &out->flags) || (out->flags & ~(unsigned)FLAGS) != 0 || !take_number(in, SENTENCE_MAX, &len) ||
        !take_number(in, UINT32_MAX, &behind) || (len == 0) != ((out->flags & NO_SENTENCE) != 0))
        return false;
    out->len = (uint32_t)len;
    out->behind = (uint32_t)behind;
    return ((out->flags & READING_SIGNALS) == 0 || take_signals(in, &out->signals)) &&
           ((out->flags & READING_LEARNED) == 0 || take_learned(in, &out->learned));
}

bool reading_read_risk(struct span in, struct prompt_risk *out)
{
    enum readings_of of;
    struct prompt_risk risk = {0};
    double *const numbers[RISK_NUMBERS] = {&risk.harm,    &risk.benign, &risk.said,    &risk.score,
                                           &risk.learned, &risk.sum,    &risk.evidence};
    unsigned has_sum = 0;
    if (!readings_open(&in, &of) || of != READINGS_OF_PROMPT || in.len != RISK_SIZE)
        return false;
    for (size_t i = 0; i < RISK_NUMBERS; i++)
        if (!take_double(&in, numbers[i]))
            return false;
    bool is_whole = take_bits(&in, &risk.categories) && take_byte(&in, &has_sum);
    risk.has_sum = has_sum != 0;
    *out = risk;
    return is_whole;
}
