/* See text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char text[] =
    "The question is how a small bakery should plan its morning, so let me think about the ovens first. There are two "
    "of "
    "them, and each one holds twelve loaves at a time. A loaf wants forty minutes, and the oven wants ten more to come "
    "back "
    "to its heat. If the doors open at seven, the first batch has to go in before six. That leaves time for the second "
    "batch to cool a little before anyone asks for it. Wait, the rolls were not counted yet. Rolls take only eighteen "
    "minutes, and they can share the upper shelf with the flat breads. So the order could be bread, then rolls, then "
    "bread "
    "again. Let me check the sums once more. Two ovens with twelve loaves each make twenty four loaves in fifty "
    "minutes. In "
    "two rounds that is forty eight, which is a few more than they sold on an ordinary Tuesday last spring. On "
    "Saturdays "
    "they would need a third round, and somebody would have to start half an hour earlier. The dough is the other half "
    "of "
    "the matter. It rests over night in the cold room, about nine hours, and it needs an hour on the table before it "
    "is "
    "shaped. One person can shape thirty loaves in an hour when the flour is good. Hmm, what about the person at the "
    "counter? She arrives at half past six and can carry the first trays to the front. I think the plan works if the "
    "mixing is done the evening before. There is a small risk that the cold room gets too warm in summer, so a "
    "thermometer "
    "with an alarm would be a cheap help. Now the answer should be short and clear. Mix the dough in the evening and "
    "let it "
    "rest in the cold room. Take it out at a quarter past four, shape it from five on, and light both ovens at the "
    "same "
    "time. Put the first loaves in before six and the rolls in between the rounds. Keep one tray back for the regular "
    "guests who come late. Write down what is left at noon, because after three weeks those notes will tell you more "
    "than "
    "any rule of thumb. If the numbers on Saturday are much higher, ask whether one of the two bakers would like to "
    "start "
    "earlier and leave earlier. Above all, do not change everything at once. A bakery runs on habits, and good habits "
    "want "
    "time to settle. ";

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define STAMP_PERIOD (26ULL * 52 * 52 * 52 * 52 * 52 * 52)

#define WORDS_MAX 1024
static struct {
    const char *at;
    size_t len;
} words[WORDS_MAX];
static size_t words_len;

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void stamp_write(char out[STAMP_LEN], uint64_t at_ns)
{
    uint64_t rest = at_ns % STAMP_PERIOD;
    for (size_t i = STAMP_LEN; i-- > 0; rest /= 52)
        out[i] = letters[rest % 52];
}

static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

uint64_t stamp_age(const char stamp[STAMP_LEN], uint64_t at_ns)
{
    uint64_t value = 0;
    for (size_t i = 0; i < STAMP_LEN; i++) {
        int digit = letter_value(stamp[i]);
        if (digit < 0)
            return UINT64_MAX;
        value = value * 52 + (uint64_t)digit;
    }
    return (at_ns % STAMP_PERIOD + STAMP_PERIOD - value) % STAMP_PERIOD;
}

static void split_words(void)
{
    for (const char *at = text; *at != '\0' && words_len < WORDS_MAX;) {
        size_t len = strcspn(at, " ");
        words[words_len].at = at;
        words[words_len++].len = len;
        at += len + strspn(at + len, " ");
    }
}

const char *word_at(uint64_t i, size_t *len)
{
    if (words_len == 0)
        split_words();
    *len = words[i % words_len].len;
    return words[i % words_len].at;
}

size_t piece_write(char out[PIECE_MAX], uint64_t seed, uint64_t i, uint64_t at_ns)
{
    size_t len;
    const char *word = word_at(seed + i, &len);
    out[0] = ' ';
    stamp_write(out + 1, at_ns);
    out[1 + STAMP_LEN] = ' ';
    memcpy(out + STAMP_LEN + 2, word, len);
    return STAMP_LEN + 2 + len;
}

uint64_t piece_check(const char *piece, size_t len, uint64_t seed, uint64_t i, uint64_t at_ns)
{
    size_t word_len;
    const char *word = word_at(seed + i, &word_len);
    if (len != STAMP_LEN + 2 + word_len || memcmp(piece + STAMP_LEN + 2, word, word_len) != 0)
        return UINT64_MAX;
    return stamp_age(piece + 1, at_ns);
}

int scenario_write(char out[SCENARIO_MAX], const struct scenario *s)
{
    return snprintf(out, SCENARIO_MAX, "bench-n%llu-b%llu-r%llu-t%llu-s%llu-k%llu", (unsigned long long)s->events,
                    (unsigned long long)s->burst, (unsigned long long)s->rate, (unsigned long long)s->time_ms,
                    (unsigned long long)s->seed, (unsigned long long)s->kind);
}

bool scenario_read(struct scenario *out, const char *body, size_t len)
{
    char name[SCENARIO_MAX];
    const char *at = memmem(body, len, "\"bench-", 7);
    if (at == NULL)
        return false;
    size_t rest = (size_t)(body + len - at) - 1;
    snprintf(name, sizeof name, "%.*s", (int)(rest < sizeof name - 1 ? rest : sizeof name - 1), at + 1);
    unsigned long long v[6];
    if (sscanf(name, "bench-n%llu-b%llu-r%llu-t%llu-s%llu-k%llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6)
        return false;
    *out = (struct scenario){v[0], v[1], v[2], v[3], v[4], v[5]};
    return out->burst >= 1 && out->burst <= 64;
}
