/* Digests of texts: the core's only use of libsodium.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <sodium.h>
#include <stdint.h>

void digest_hex(struct span text, char out[DIGEST_HEX])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text.data, text.len);
    sodium_bin2hex(out, DIGEST_HEX, hash, sizeof(hash));
}

void digest_keyed(const unsigned char key[DIGEST_KEY], const struct span *texts, size_t len,
                  unsigned char out[DIGEST_LEN])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, DIGEST_KEY);
    for (size_t i = 0; i < len; i++) {
        unsigned char size[8];
        for (size_t k = 0; k < sizeof size; k++)
            size[k] = (unsigned char)((uint64_t)texts[i].len >> (8 * k));
        crypto_auth_hmacsha256_update(&state, size, sizeof size);
        crypto_auth_hmacsha256_update(&state, (const unsigned char *)texts[i].data, texts[i].len);
    }
    crypto_auth_hmacsha256_final(&state, out);
}
