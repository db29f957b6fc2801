/* The server's own secret: made at the first start, kept in a file next to the decisions, the root of all keys that the
 * server needs for itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No key is used for two purposes: each is derived from the secret, its purpose and a name. Whoever has the file can
 * compute them, so it is readable for its owner alone. With another secret, what was derived before is not recognised
 * any more; nothing else is lost. Servers that share their file derive the same keys.
 *
 * Thread: any; a loaded secret is constant. */
#ifndef SERVER_CONFIG_SERVER_SECRET_H
#define SERVER_CONFIG_SERVER_SECRET_H

#include "rein/rein.h"

enum { SERVER_SECRET_LEN = 32 };

struct server_secret {
    unsigned char bytes[SERVER_SECRET_LEN];
};

/* Reads the file `rein.secret` in the folder of `store_path`; makes it, mode 0600, if it is not there. Errors are
 * logged: REIN_EIO, REIN_EINVAL (it is no secret, or others may read it), REIN_ENOMEM. */
int server_secret_load(struct server_secret *out, const char *store_path) REIN_MUST_USE;

/* The key for a purpose ("mask") and a name within it, such as a client key's; "" if there is only one. */
void server_secret_derive(const struct server_secret *secret, const char *purpose, const char *name,
                          unsigned char out[SERVER_SECRET_LEN]);

/* How a user is written into decisions: a hash that only this secret makes, in hex digits. Texts of `len` bytes without
 * NUL. REIN_ENOMEM. */
enum { USER_HASH_LEN = 32 };
int server_secret_user(const struct server_secret *secret, const char *user, size_t len,
                       char out[USER_HASH_LEN + 1]) REIN_MUST_USE;

#endif
