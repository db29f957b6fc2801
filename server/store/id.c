/* Ids of decisions: UUID version 7 (RFC 9562): milliseconds, a fraction of them, 62 random bits.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Ids of one thread ascend; ids of several threads ascend to within a quarter of a microsecond, and never meet. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "store/store.h"

/* Random bytes are fetched for many ids at once. */
static uint64_t next_random(void)
{
    static _Thread_local uint64_t pool[32];
    static _Thread_local size_t left;
    if (left == 0) {
        ssize_t n;
        do
            n = getrandom(pool, sizeof pool, 0);
        while (n < 0 && errno == EINTR);
        assert(n == sizeof pool); /* up to 256 bytes it cannot fail or fall short */
        left = sizeof pool / sizeof *pool;
    }
    return pool[--left];
}

/* Milliseconds in the upper 48 bits, 4096ths of one in the lower 12: never the same twice in a thread. */
static uint64_t next_tick(void)
{
    static _Thread_local uint64_t last;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t tick = ms << 12 | (uint64_t)(now.tv_nsec % 1000000) * 4096 / 1000000;
    last = tick > last ? tick : last + 1;
    return last;
}

static char *put_hex(char *out, uint64_t value, unsigned digits)
{
    while (digits-- > 0)
        *out++ = "0123456789abcdef"[value >> 4 * digits & 15];
    return out;
}

void store_id_new(struct store_id *out)
{
    uint64_t tick = next_tick(), random = next_random();
    char *at = put_hex(out->text, tick >> 28, 8);
    *at++ = '-';
    at = put_hex(at, tick >> 12, 4);
    *at++ = '-';
    at = put_hex(at, 0x7000 | (tick & 0xfff), 4);
    *at++ = '-';
    at = put_hex(at, 0x8000 | (random >> 48 & 0x3fff), 4);
    *at++ = '-';
    at = put_hex(at, random, 12);
    *at = '\0';
}

bool store_id_is_valid(const char *text)
{
    static const char shape[] = "hhhhhhhh-hhhh-7hhh-hhhh-hhhhhhhhhhhh";
    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == 'h' ? strchr("0123456789abcdef", text[i]) == NULL : text[i] != shape[i])
            return false;
    return true;
}
