/* The built-in rules: what there is, and how well each one finds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef REIN_BUILTIN_H
#define REIN_BUILTIN_H

#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum rein_noise {
    REIN_NOISE_DIGITS,
    REIN_NOISE_HEX,
    REIN_NOISE_BASE64,
    REIN_NOISE_PROSE,
    REIN_NOISE_CODE,
    REIN_NOISE_LOG,
    REIN_NOISES
};

/* What one built-in found in generated text. */
struct rein_builtin_figures {
    const char *name, *finds;
    size_t max_bytes;            /* its longest match, which is the most that it holds */
    unsigned made, found;        /* samples that are right */
    unsigned near, near_found;   /* samples that only look right, such as those with a wrong check digit */
    size_t noise_bytes;          /* of each kind */
    unsigned noise[REIN_NOISES]; /* finds in it */
};

const char *rein_noise_name(enum rein_noise noise); /* digits, hex, ... */

/* Makes `samples` right and near samples for each built-in and `noise_bytes` of noise of each kind, and calls `row` for
 * each built-in, in a fixed order. The same seed makes the same figures everywhere. REIN_ENOMEM: no row was given. */
int rein_builtins_measure(uint64_t seed, unsigned samples, size_t noise_bytes,
                          void (*row)(void *ctx, const struct rein_builtin_figures *figures), void *ctx) REIN_MUST_USE;

#endif
