/* See server_secret.h. The file has the secret as hex digits and a line end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/server_secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"

enum { HEX_LEN = 2 * SERVER_SECRET_LEN, FILE_MAX = 256 };

static int secret_create(const char *path)
{
    unsigned char bytes[SERVER_SECRET_LEN];
    char text[HEX_LEN + 2];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(text, HEX_LEN + 1, bytes, sizeof bytes);
    text[HEX_LEN] = '\n';
    int rv = files_replace(path, text, HEX_LEN + 1);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(text, sizeof text);
    if (rv == 0)
        log_info("serve", "made the server's secret %s", path);
    return rv;
}

static bool is_own(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

static int secret_parse(struct server_secret *out, const char *path, const char *text, size_t len)
{
    size_t got = 0;
    len -= len > 0 && text[len - 1] == '\n';
    if (len != HEX_LEN || sodium_hex2bin(out->bytes, sizeof out->bytes, text, len, NULL, &got, NULL) != 0 ||
        got != sizeof out->bytes) {
        log_error("serve", "%s is not a secret of Rein: move it away, and a new one is made", path);
        return REIN_EINVAL;
    }
    if (!is_own(path)) {
        log_error("serve", "%s must be readable for its owner alone: run chmod 600 on it", path);
        return REIN_EINVAL;
    }
    return 0;
}

static int secret_read(struct server_secret *out, const char *path)
{
    char *text = NULL;
    size_t len = 0;
    int rv = files_read(&text, &len, path, FILE_MAX);
    if (rv == -ENOENT) {
        rv = secret_create(path);
        if (rv == 0)
            rv = files_read(&text, &len, path, FILE_MAX);
    }
    if (rv != 0) {
        log_error("serve", "the server's secret %s cannot be read or made: %s", path, strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EIO;
    }
    rv = secret_parse(out, path, text, len);
    sodium_memzero(text, len);
    free(text);
    return rv;
}

int server_secret_load(struct server_secret *out, const char *store_path)
{
    char *path = files_beside(store_path, "rein.secret");
    if (path == NULL || sodium_init() < 0) {
        free(path);
        return REIN_ENOMEM;
    }
    int rv = files_make_folder_of(path) == 0 ? 0 : REIN_EIO;
    if (rv == 0)
        rv = secret_read(out, path);
    else
        log_error("serve", "the folder of %s cannot be made", path);
    free(path);
    return rv;
}

void server_secret_derive(const struct server_secret *secret, const char *purpose, const char *name,
                          unsigned char out[SERVER_SECRET_LEN])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret->bytes, sizeof secret->bytes);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)purpose, strlen(purpose) + 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)name, strlen(name));
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

int server_secret_user(const struct server_secret *secret, const char *user, size_t len, char out[USER_HASH_LEN + 1])
{
    unsigned char hash[SERVER_SECRET_LEN];
    char *name = strndup(user, len);
    if (name == NULL)
        return REIN_ENOMEM;
    server_secret_derive(secret, "user", name, hash);
    sodium_bin2hex(out, USER_HASH_LEN + 1, hash, USER_HASH_LEN / 2);
    free(name);
    return 0;
}
