/* Text in JSON strings: undoing and making escapes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JSON_TEXT_H
#define CORE_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"

/* Decodes the raw JSON of a string, which a walk has found valid, into `out` (room for len + 3 bytes). `*half`
 * carries the first half of a surrogate pair that was cut between two strings of one place (0: none): it is set when
 * the string ends in one, and consumed by the next string. A half that meets no other half becomes U+FFFD. Returns the
 * decoded length; never more than len + 3. */
size_t json_unescape(struct span raw, uint16_t *half, char *out);

/* Appends text to `out` as the inside of a JSON string. Bytes that are not UTF-8 are copied as they are. */
int json_escape(struct bytes *out, struct span text) REIN_MUST_USE;
/* How many bytes that makes of one. */
size_t json_escaped_len(char c);

#endif
