/* Numbers of JSON: which of them a program can represent. They are checked as text, because strtod depends on the
 * locale. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JSON_NUMBER_H
#define CORE_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Has this number, of valid JSON, a fraction or an exponent? */
bool number_is_real(struct span number);

/* One that is not real: false if it is out of the range of 64 bits. */
bool number_integer(struct span number, int64_t *value);

/* One that is real: would it be read as a double that is not infinite? What is too small is read as 0. */
bool number_is_finite(struct span number);

enum { NUMBER_PLAIN_MAX = 48 };

/* Writes a number of valid JSON without exponent, and without a fraction that is all zeros: what a program makes of
 * 4.1e15 and of 41.0. Returns the length; 0 if it is longer than the room, or below 1. */
size_t number_plain(struct span number, char out[NUMBER_PLAIN_MAX]);

#endif
