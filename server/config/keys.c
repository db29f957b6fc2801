/* See keys.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "config/config_schema.h"

enum { SECRET_LEN = 32, HASH_LEN = 32, HASH_HEX = 2 * HASH_LEN + 1, NAME_LEN = 64, FILE_MAX = REIN_DOC_BYTES_MAX };

struct entry {
    char name[NAME_LEN + 1];
    unsigned char hash[HASH_LEN];
};

struct keys {
    struct entry *entries;
    size_t len;
};

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->entries);
    free(keys);
}

size_t keys_count(const struct keys *keys)
{
    return keys->len;
}

const char *keys_name(const struct keys *keys, size_t i)
{
    return keys->entries[i].name;
}

static void hash_text(const char *text, unsigned char hash[HASH_LEN])
{
    crypto_generichash(hash, HASH_LEN, (const unsigned char *)text, strlen(text), NULL, 0);
}

const char *keys_find(const struct keys *keys, const char *bearer)
{
    unsigned char hash[HASH_LEN];
    const char *found = NULL;
    hash_text(bearer, hash);
    for (size_t i = 0; i < keys->len; i++) /* always all of them */
        if (sodium_memcmp(hash, keys->entries[i].hash, HASH_LEN) == 0)
            found = keys->entries[i].name;
    return found;
}

/* ---- reading ---- */

static bool is_named(const struct keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->len; i++)
        if (strcmp(keys->entries[i].name, name) == 0)
            return true;
    return false;
}

static void keys_take(struct keys *keys, const struct rein_node *node, struct rein_problems *problems)
{
    const char *name = rein_node_text(node, "name"), *hex = rein_node_text(node, "hash");
    struct entry *entry = &keys->entries[keys->len];
    size_t len;
    if (name == NULL || hex == NULL)
        return;
    if (is_named(keys, name))
        rein_problems_node(problems, node, "name", "another key has the name `%.64s` too: rename one of them", name);
    if (sodium_hex2bin(entry->hash, HASH_LEN, hex, strlen(hex), NULL, &len, NULL) != 0 || len != HASH_LEN) {
        rein_problems_node(problems, node, "hash", "expects 64 hex digits, as `rein key` writes them");
        return;
    }
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    keys->len++;
}

static int take_all(struct keys *keys, const struct rein_doc *doc, struct rein_problems *problems)
{
    const struct rein_node *list = rein_node_get(rein_doc_root(doc), "keys");
    if (list == NULL || list->kind != REIN_NODE_LIST || list->count == 0)
        return 0;
    keys->entries = calloc(list->count, sizeof(*keys->entries));
    if (keys->entries == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = list->first; at != NULL; at = at->next)
        keys_take(keys, at, problems);
    return 0;
}

static int read_text(struct keys *keys, const char *path, const char *text, size_t len, struct rein_problems *problems)
{
    struct rein_source source = {path, text, len};
    struct rein_doc *doc = NULL;
    size_t before = rein_problems_said(problems);
    int rv = rein_doc_read(&doc, &source, problems);
    if (rv == 0)
        rv = rein_doc_check(doc, keys_schema(), problems);
    if (rv == 0 || (rv == REIN_EPOLICY && doc != NULL))
        rv = take_all(keys, doc, problems);
    rein_doc_free(doc);
    return rv == 0 && rein_problems_said(problems) != before ? REIN_EPOLICY : rv;
}

int keys_load(struct keys **out, const char *path, struct rein_problems *problems)
{
    char *text;
    size_t len;
    int rv = files_read(&text, &len, path, FILE_MAX);
    if (rv != 0) {
        errno = -rv;
        rein_problems_add(problems, path, 0, 0, "", "cannot be read: %s", strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EPOLICY;
    }
    struct keys *keys = calloc(1, sizeof(*keys));
    rv = keys != NULL ? read_text(keys, path, text, len, problems) : REIN_ENOMEM;
    free(text);
    if (rv == 0)
        *out = keys;
    else
        keys_free(keys);
    return rv;
}

/* ---- writing ---- */

static int write_file(const struct keys *keys, const char *path)
{
    static const char head[] = "# Written by `rein key`. Contains hashes, not keys.\nversion: 1\nkeys:\n";
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return REIN_ENOMEM;
    fputs(head, out);
    if (keys->len == 0)
        fputs("  []\n", out);
    for (size_t i = 0; i < keys->len; i++) {
        char hex[HASH_HEX];
        sodium_bin2hex(hex, sizeof(hex), keys->entries[i].hash, HASH_LEN);
        fprintf(out, "  - { name: \"%s\", hash: \"%s\" }\n", keys->entries[i].name, hex);
    }
    if (fclose(out) != 0) {
        free(text);
        return REIN_ENOMEM;
    }
    int rv = keys->len <= KEYS_MAX && len <= FILE_MAX ? files_replace(path, text, len) : -EFBIG;
    free(text);
    errno = rv != 0 ? -rv : 0;
    return rv == 0 ? 0 : REIN_EINVAL;
}

static int keys_append(struct keys *keys, const char *name, const char *prefix, char text[KEYS_TEXT_MAX])
{
    unsigned char secret[SECRET_LEN];
    char code[sodium_base64_ENCODED_LEN(SECRET_LEN, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    struct entry *entries = realloc(keys->entries, (keys->len + 1) * sizeof(*entries));
    if (entries == NULL || sodium_init() < 0)
        return REIN_ENOMEM;
    keys->entries = entries;
    struct entry *entry = &entries[keys->len++];
    randombytes_buf(secret, sizeof(secret));
    sodium_bin2base64(code, sizeof(code), secret, sizeof(secret), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(text, KEYS_TEXT_MAX, "%s%s", prefix, code);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    hash_text(text, entry->hash);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(code, sizeof(code));
    return 0;
}

/* Two commands at once must not lose a key: they take turns, by a lock on the file's folder. */
static int lock_folder(const char *path)
{
    char *folder = files_beside(path, ".");
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int load_or_begin(struct keys **keys, const char *path, struct rein_problems *problems)
{
    if (access(path, F_OK) == 0 || errno != ENOENT)
        return keys_load(keys, path, problems);
    *keys = calloc(1, sizeof(**keys));
    return *keys != NULL ? 0 : REIN_ENOMEM;
}

int keys_add(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
             struct rein_problems *problems)
{
    struct keys *keys = NULL;
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = load_or_begin(&keys, path, problems);
    if (rv == 0 && is_named(keys, name))
        rv = REIN_ESTATE;
    if (rv == 0)
        rv = keys_append(keys, name, prefix, text);
    if (rv == 0)
        rv = write_file(keys, path);
    keys_free(keys);
    close(lock);
    return rv;
}

static int take_out(struct keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->len; i++)
        if (strcmp(keys->entries[i].name, name) == 0) {
            memmove(&keys->entries[i], &keys->entries[i + 1], (keys->len - i - 1) * sizeof(*keys->entries));
            keys->len--;
            return 0;
        }
    return REIN_ESTATE;
}

int keys_revoke(const char *path, const char *name, struct rein_problems *problems)
{
    struct keys *keys = NULL;
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = keys_load(&keys, path, problems);
    if (rv == 0)
        rv = take_out(keys, name);
    if (rv == 0)
        rv = write_file(keys, path);
    keys_free(keys);
    close(lock);
    return rv;
}

int keys_reset(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX])
{
    struct keys keys = {0};
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = keys_append(&keys, name, prefix, text);
    if (rv == 0)
        rv = write_file(&keys, path);
    free(keys.entries);
    close(lock);
    return rv;
}

static int write_secret(const char *path, const char *text)
{
    char line[KEYS_TEXT_MAX + 1];
    int len = snprintf(line, sizeof(line), "%s\n", text);
    int rv = files_replace(path, line, (size_t)len);
    sodium_memzero(line, sizeof(line));
    errno = rv != 0 ? -rv : 0;
    return rv == 0 ? 0 : REIN_EINVAL;
}

int keys_make_first(const char *path, const char *name, const char *prefix, const char *secret, bool *made)
{
    struct keys keys = {0};
    char text[KEYS_TEXT_MAX];
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    *made = access(path, F_OK) != 0 && errno == ENOENT;
    int rv = *made ? keys_append(&keys, name, prefix, text) : 0;
    /* The keys file comes last: a key whose text is nowhere would lock everyone out. */
    if (rv == 0 && *made)
        rv = write_secret(secret, text);
    if (rv == 0 && *made)
        rv = write_file(&keys, path);
    int error = errno;
    sodium_memzero(text, sizeof(text));
    free(keys.entries);
    close(lock);
    errno = error;
    return rv;
}
