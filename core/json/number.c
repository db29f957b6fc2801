/* See number.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json/number.h"

/* 2^1024 - 2^970: it lies in the middle between the largest double and the next power of two, and is read as infinite
 * like all above it. */
static const char first_infinite[] =
    "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070963"
    "3028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447573027"
    "0069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
enum { INFINITE_DIGITS = sizeof(first_infinite) - 1 };

static bool is_number_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_negative(struct span number)
{
    return number.len > 0 && number.data[0] == '-';
}

bool number_is_real(struct span number)
{
    for (size_t i = 0; i < number.len; i++)
        if (number.data[i] == '.' || (number.data[i] | 0x20) == 'e')
            return true;
    return false;
}

bool number_integer(struct span number, int64_t *value)
{
    bool negative = is_negative(number);
    const uint64_t most = (uint64_t)INT64_MAX + negative;
    uint64_t sum = 0;
    for (size_t i = negative; i < number.len; i++) {
        uint64_t digit = (uint64_t)(number.data[i] - '0');
        if (sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* An exponent, limited far below overflow: no text in memory has enough digits to compensate it. */
static int64_t read_exponent(struct span text)
{
    const int64_t most = INT64_C(1) << 40;
    int64_t sum = 0;
    for (size_t i = 0; i < text.len; i++)
        if (is_number_digit(text.data[i]) && sum < most)
            sum = sum * 10 + (text.data[i] - '0');
    return text.len > 0 && text.data[0] == '-' ? -sum : sum;
}

/* Are the digits, which begin with one that is not 0, below those of `first_infinite`? */
static bool is_below(const char *at, const char *end)
{
    size_t i = 0;
    for (; i < INFINITE_DIGITS && at < end; at++) {
        if (!is_number_digit(*at))
            continue;
        if (*at != first_infinite[i])
            return *at < first_infinite[i];
        i++;
    }
    return i < INFINITE_DIGITS;
}

bool number_is_finite(struct span number)
{
    const char *at = number.data + is_negative(number), *end = number.data + number.len;
    const char *mantissa_end = at, *first = NULL;
    int64_t magnitude = 0; /* the value is 0.d1d2d3... * 10^magnitude, d1 is the first digit that is not 0 */
    bool in_fraction = false;
    for (; mantissa_end < end && (*mantissa_end | 0x20) != 'e'; mantissa_end++) {
        if (*mantissa_end == '.') {
            in_fraction = true;
            continue;
        }
        if (first == NULL && *mantissa_end != '0')
            first = mantissa_end;
        magnitude += first != NULL ? !in_fraction : -in_fraction;
    }
    if (first == NULL)
        return true;
    if (mantissa_end < end)
        magnitude += read_exponent((struct span){mantissa_end + 1, (size_t)(end - mantissa_end - 1)});
    return magnitude < INFINITE_DIGITS || (magnitude == INFINITE_DIGITS && is_below(first, mantissa_end));
}

/* Digits of the mantissa without the point; *point is where the point stands among them. */
static size_t read_mantissa(struct span number, size_t at, char digits[NUMBER_PLAIN_MAX], int64_t *point)
{
    size_t len = 0;
    bool in_fraction = false;
    for (; at < number.len && (number.data[at] | 0x20) != 'e'; at++) {
        if (number.data[at] == '.') {
            in_fraction = true;
            continue;
        }
        if (len == NUMBER_PLAIN_MAX)
            return 0;
        digits[len++] = number.data[at];
        *point += !in_fraction;
    }
    if (at < number.len)
        *point += read_exponent((struct span){number.data + at + 1, number.len - at - 1});
    return len;
}

size_t number_plain(struct span number, char out[NUMBER_PLAIN_MAX])
{
    char digits[NUMBER_PLAIN_MAX];
    int64_t point = 0;
    bool negative = is_negative(number);
    size_t len = read_mantissa(number, negative, digits, &point), to = 0;
    while (len > 0 && digits[len - 1] == '0' && (int64_t)len > point)
        len--;
    if (len == 0 || point < 1 || point + 3 > NUMBER_PLAIN_MAX || len + 3 > NUMBER_PLAIN_MAX)
        return 0;
    if (negative)
        out[to++] = '-';
    for (size_t i = 0; i < len || (int64_t)i < point; i++) {
        if ((int64_t)i == point)
            out[to++] = '.';
        out[to++] = i < len ? digits[i] : '0';
    }
    return to;
}
