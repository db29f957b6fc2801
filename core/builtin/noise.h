/* Noise: generated text in which built-in rules have nothing to find.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILTIN_NOISE_H
#define CORE_BUILTIN_NOISE_H

#include "builtin/sample.h"
#include "rein/builtin.h"

/* Fills all of `out`. */
void noise_fill(enum rein_noise kind, struct sample_dice *dice, char *out, size_t len);

#endif
