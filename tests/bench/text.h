/* What the bench's upstream sends and its client expects: a fixed text, word by word, each word with the time when it
 * was sent.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The piece number i of a stream with seed s is " <stamp> <word s+i>". A stamp is 7 letters, never digits, which could
 * look like a card number to a guard; its first letter is a capital, so that a sentence may end before it. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMP_LEN 7
#define PIECE_MAX 48

/* CLOCK_MONOTONIC in nanoseconds, the same clock in both programs. */
uint64_t now_ns(void);

void stamp_write(char out[STAMP_LEN], uint64_t at_ns);
/* The nanoseconds that have passed from the stamp to `at_ns`, UINT64_MAX if those are no stamp's letters. Stamps come
 * round again every 8 minutes. */
uint64_t stamp_age(const char stamp[STAMP_LEN], uint64_t at_ns);

/* Good for ever. */
const char *word_at(uint64_t i, size_t *len);

/* Writes piece i of a stream, without a terminating zero, returns its length. */
size_t piece_write(char out[PIECE_MAX], uint64_t seed, uint64_t i, uint64_t at_ns);
/* The age of a piece as it arrived, UINT64_MAX if it is not piece i. */
uint64_t piece_check(const char *text, size_t len, uint64_t seed, uint64_t i, uint64_t at_ns);

/* A stream's scenario travels in the name of the model, because a proxy passes that on whatever else it changes:
 *
 *     bench-n<events>-b<burst>-r<rate>-t<ms>-s<seed>-k<kind>
 */
enum bench_kind { BENCH_PLAIN, BENCH_SECRET }; /* SECRET: the answer says a private key's first line */
struct scenario {
    uint64_t events;  /* of a stream, 0: until the time is over */
    uint64_t burst;   /* events per write */
    uint64_t rate;    /* events per second, 0: as fast as the socket takes them */
    uint64_t time_ms; /* of a stream, 0: until the events are said */
    uint64_t seed;
    uint64_t kind;
};
#define SCENARIO_MAX 128
int scenario_write(char out[SCENARIO_MAX], const struct scenario *scenario);
/* Finds the scenario in a request's body; false if there is none. */
bool scenario_read(struct scenario *out, const char *body, size_t len);

#define SECRET_LINE "-----BEGIN RSA PRIVATE KEY-----"
#define ANSWER_BYTES 2048 /* of an answer that is not streamed, after its stamp */

#endif
