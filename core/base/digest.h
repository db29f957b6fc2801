/* Digests of texts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_DIGEST_H
#define CORE_BASE_DIGEST_H

#include "base/bytes.h"

enum { DIGEST_HEX = 65 };
/* SHA-256 as 64 hex digits and NUL. */
void digest_hex(struct span text, char out[DIGEST_HEX]);

enum { DIGEST_LEN = 32, DIGEST_KEY = 32 };
/* HMAC-SHA256 of texts, each of them with its length: nobody without the key can compute it. */
void digest_keyed(const unsigned char key[DIGEST_KEY], const struct span *texts, size_t len,
                  unsigned char out[DIGEST_LEN]);

#endif
