/* Digests of texts: the core's only use of libsodium.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <sodium.h>

void digest_hex(struct span text, char out[DIGEST_HEX])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text.data, text.len);
    sodium_bin2hex(out, DIGEST_HEX, hash, sizeof(hash));
}
