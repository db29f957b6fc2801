/* Digests of texts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_DIGEST_H
#define CORE_BASE_DIGEST_H

#include "base/bytes.h"

enum { DIGEST_HEX = 65 };
/* SHA-256 as 64 hex digits and NUL. */
void digest_hex(struct span text, char out[DIGEST_HEX]);

#endif
