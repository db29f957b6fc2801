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
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "config/config_schema.h"

enum { SECRET_LEN = 32, HASH_HEX = 2 * KEY_HASH_LEN + 1, FILE_MAX = REIN_DOC_BYTES_MAX };

struct keys {
    struct key *entries;
    size_t len;
};

static void key_fini(struct key *key)
{
    for (char **policy = key->policies; *policy != NULL; policy++)
        free(*policy);
}

static void keys_fini(struct keys *keys)
{
    for (size_t i = 0; i < keys->len; i++)
        key_fini(&keys->entries[i]);
    free(keys->entries);
}

void keys_free(struct keys *keys)
{
    if (keys == NULL)
        return;
    keys_fini(keys);
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

const struct key *keys_at(const struct keys *keys, size_t i)
{
    return &keys->entries[i];
}

static struct key *key_named(const struct keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->len; i++)
        if (strcmp(keys->entries[i].name, name) == 0)
            return &keys->entries[i];
    return NULL;
}

const struct key *keys_named(const struct keys *keys, const char *name)
{
    return key_named(keys, name);
}

void keys_hash(const char *bearer, unsigned char hash[KEY_HASH_LEN])
{
    crypto_generichash(hash, KEY_HASH_LEN, (const unsigned char *)bearer, strlen(bearer), NULL, 0);
}

const struct key *keys_holder(const struct keys *keys, const char *bearer)
{
    unsigned char hash[KEY_HASH_LEN];
    const struct key *found = NULL;
    keys_hash(bearer, hash);
    for (size_t i = 0; i < keys->len; i++) /* always all of them */
        for (size_t k = 0; k < keys->entries[i].hashes_len; k++)
            if (sodium_memcmp(hash, keys->entries[i].hashes[k], KEY_HASH_LEN) == 0)
                found = &keys->entries[i];
    return found;
}

const struct key *keys_with_hash(const struct keys *keys, const unsigned char hash[KEY_HASH_LEN])
{
    for (size_t i = 0; i < keys->len; i++)
        for (size_t k = 0; k < keys->entries[i].hashes_len; k++)
            if (memcmp(hash, keys->entries[i].hashes[k], KEY_HASH_LEN) == 0)
                return &keys->entries[i];
    return NULL;
}

const char *keys_find(const struct keys *keys, const char *bearer)
{
    const struct key *key = keys_holder(keys, bearer);
    return key != NULL && !key_is_expired(key, (int64_t)time(NULL)) ? key->name : NULL;
}

/* ---- reading ---- */

/* A date, 00:00 UTC, or a time, both in UTC. */
static bool time_read(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL || *end != '\0') {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    *out = end != NULL && *end == '\0' ? (int64_t)timegm(&tm) : 0;
    return end != NULL && *end == '\0';
}

static void hash_read(struct key *key, const struct rein_node *node, const char *name, struct rein_problems *problems)
{
    const char *hex = rein_node_text(node, name);
    size_t len;
    if (hex == NULL)
        return;
    if (sodium_hex2bin(key->hashes[key->hashes_len], KEY_HASH_LEN, hex, strlen(hex), NULL, &len, NULL) != 0 ||
        len != KEY_HASH_LEN)
        rein_problems_node(problems, node, name, "expects 64 hex digits, as `rein key` writes them");
    else
        key->hashes_len++;
}

static void name_copy(char out[KEY_NAME_MAX + 1], const char *text)
{
    snprintf(out, KEY_NAME_MAX + 1, "%s", text != NULL ? text : "");
}

static int policies_read(struct key *key, const struct rein_node *list)
{
    size_t len = 0;
    for (const struct rein_node *at = list != NULL ? list->first : NULL; at != NULL && len < KEY_POLICIES_MAX;
         at = at->next)
        if ((key->policies[len++] = strdup(at->text)) == NULL)
            return REIN_ENOMEM;
    return 0;
}

static int terms_read(struct key *key, const struct rein_node *node, struct rein_problems *problems)
{
    const char *expires = rein_node_text(node, "expires");
    key->expires_s = KEY_NEVER;
    if (expires != NULL && !time_read(expires, &key->expires_s))
        rein_problems_node(problems, node, "expires", "expects a date such as 2027-01-31, or 2027-01-31T12:00:00Z");
    name_copy(key->group, rein_node_text(node, "group"));
    name_copy(key->tenant, rein_node_text(node, "tenant"));
    key->requests_per_minute = (unsigned)rein_node_int(node, "requests_per_minute");
    key->open_streams = (unsigned)rein_node_int(node, "open_streams");
    key->line = node->line;
    const struct rein_node *policies = rein_node_get(node, "policies");
    key->policies_line = policies != NULL ? policies->line : 0;
    key->policies_column = policies != NULL ? policies->column : 0;
    key->right = KEY_MAY_OPERATE;
    return policies_read(key, rein_node_get(node, "policies"));
}

static int keys_take(struct keys *keys, const struct rein_node *node, struct rein_problems *problems)
{
    const char *name = rein_node_text(node, "name");
    struct key *key = &keys->entries[keys->len];
    if (node->kind != REIN_NODE_MAP || name == NULL)
        return 0;
    if (key_named(keys, name) != NULL)
        rein_problems_node(problems, node, "name", "another key has the name `%.64s` too: rename one of them", name);
    name_copy(key->name, name);
    keys->len++;
    hash_read(key, node, "hash", problems);
    hash_read(key, node, "previous_hash", problems);
    return terms_read(key, node, problems);
}

static int take_all(struct keys *keys, const struct rein_doc *doc, struct rein_problems *problems)
{
    const struct rein_node *list = rein_node_get(rein_doc_root(doc), "keys");
    if (list == NULL || list->kind != REIN_NODE_LIST || list->count == 0)
        return 0;
    keys->entries = calloc(list->count, sizeof(*keys->entries));
    if (keys->entries == NULL)
        return REIN_ENOMEM;
    int rv = 0;
    for (const struct rein_node *at = list->first; at != NULL && rv == 0; at = at->next)
        rv = keys_take(keys, at, problems);
    return rv;
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

int keys_put(struct keys **keys, const char *name, const char *secret, enum key_right right)
{
    struct keys *all = *keys != NULL ? *keys : calloc(1, sizeof(*all));
    if (all == NULL)
        return REIN_ENOMEM;
    *keys = all;
    if (key_named(all, name) != NULL)
        return REIN_ESTATE;
    struct key *entries = realloc(all->entries, (all->len + 1) * sizeof(*entries));
    if (entries == NULL)
        return REIN_ENOMEM;
    all->entries = entries;
    struct key *key = &entries[all->len++];
    *key = (struct key){.expires_s = KEY_NEVER, .right = right, .hashes_len = 1};
    name_copy(key->name, name);
    keys_hash(secret, key->hashes[0]);
    return 0;
}

/* ---- writing ---- */

static void time_write(FILE *out, int64_t when)
{
    char text[32];
    time_t seconds = (time_t)when;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(out, ", expires: %s", text);
}

/* All texts are names, which need no quotes; quotes keep a name such as `on` a text. */
static void key_write(FILE *out, const struct key *key)
{
    static const char *const hash_keys[KEY_HASHES] = {"hash", "previous_hash"};
    char hex[HASH_HEX];
    fprintf(out, "  - { name: \"%s\"", key->name);
    for (size_t k = 0; k < key->hashes_len; k++) {
        sodium_bin2hex(hex, sizeof(hex), key->hashes[k], KEY_HASH_LEN);
        fprintf(out, ", %s: \"%s\"", hash_keys[k], hex);
    }
    if (key->group[0] != '\0')
        fprintf(out, ", group: \"%s\"", key->group);
    if (key->tenant[0] != '\0')
        fprintf(out, ", tenant: \"%s\"", key->tenant);
    if (key->expires_s != KEY_NEVER)
        time_write(out, key->expires_s);
    if (key->requests_per_minute > 0)
        fprintf(out, ", requests_per_minute: %u", key->requests_per_minute);
    if (key->open_streams > 0)
        fprintf(out, ", open_streams: %u", key->open_streams);
    for (size_t k = 0; key->policies[k] != NULL; k++)
        fprintf(out, "%s\"%s\"", k == 0 ? ", policies: [" : ", ", key->policies[k]);
    fputs(key->policies[0] != NULL ? "] }\n" : " }\n", out);
}

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
    for (size_t i = 0; i < keys->len; i++)
        key_write(out, &keys->entries[i]);
    if (fclose(out) != 0) {
        free(text);
        return REIN_ENOMEM;
    }
    int rv = keys->len <= KEYS_MAX && len <= FILE_MAX ? files_replace(path, text, len) : -EFBIG;
    free(text);
    errno = rv != 0 ? -rv : 0;
    return rv == 0 ? 0 : REIN_EINVAL;
}

int keys_secret(const char *prefix, char text[KEYS_TEXT_MAX], unsigned char hash[KEY_HASH_LEN])
{
    unsigned char secret[SECRET_LEN];
    char code[sodium_base64_ENCODED_LEN(SECRET_LEN, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    if (sodium_init() < 0)
        return REIN_ENOMEM;
    randombytes_buf(secret, sizeof(secret));
    sodium_bin2base64(code, sizeof(code), secret, sizeof(secret), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(text, KEYS_TEXT_MAX, "%s%s", prefix, code);
    keys_hash(text, hash);
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(code, sizeof(code));
    return 0;
}

static int keys_append(struct keys *keys, const char *name, const char *prefix, const struct key_terms *terms,
                       char text[KEYS_TEXT_MAX])
{
    struct key *entries = realloc(keys->entries, (keys->len + 1) * sizeof(*entries));
    if (entries == NULL)
        return REIN_ENOMEM;
    keys->entries = entries;
    struct key *key = &entries[keys->len];
    *key = (struct key){.expires_s = KEY_NEVER,
                        .requests_per_minute = terms->requests_per_minute,
                        .open_streams = terms->open_streams,
                        .hashes_len = 1};
    name_copy(key->name, name);
    name_copy(key->group, terms->group);
    name_copy(key->tenant, terms->tenant);
    if (terms->expires != NULL && !time_read(terms->expires, &key->expires_s)) {
        errno = EINVAL;
        return REIN_EINVAL;
    }
    int rv = keys_secret(prefix, text, key->hashes[0]);
    keys->len += rv == 0;
    return rv;
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

static const struct key_terms no_terms;

int keys_add(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
             struct rein_problems *problems)
{
    return keys_add_with(path, name, prefix, &no_terms, text, problems);
}

int keys_add_with(const char *path, const char *name, const char *prefix, const struct key_terms *terms,
                  char text[KEYS_TEXT_MAX], struct rein_problems *problems)
{
    struct keys *keys = NULL;
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = load_or_begin(&keys, path, problems);
    if (rv == 0 && key_named(keys, name) != NULL)
        rv = REIN_ESTATE;
    if (rv == 0)
        rv = keys_append(keys, name, prefix, terms, text);
    if (rv == 0)
        rv = write_file(keys, path);
    int error = errno;
    keys_free(keys);
    close(lock);
    errno = error;
    return rv;
}

/* Changes one key of a file. `change`: REIN_ESTATE if it cannot. */
static int keys_change(const char *path, const char *name, int (*change)(struct keys *, struct key *, void *),
                       void *ctx, struct rein_problems *problems)
{
    struct keys *keys = NULL;
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = keys_load(&keys, path, problems);
    struct key *key = rv == 0 ? key_named(keys, name) : NULL;
    if (rv == 0)
        rv = key != NULL ? change(keys, key, ctx) : REIN_ESTATE;
    if (rv == 0)
        rv = write_file(keys, path);
    int error = errno;
    keys_free(keys);
    close(lock);
    errno = error;
    return rv;
}

static int key_take_out(struct keys *keys, struct key *key, void *ctx)
{
    (void)ctx;
    key_fini(key);
    memmove(key, key + 1, (size_t)(keys->entries + keys->len - key - 1) * sizeof(*key));
    keys->len--;
    return 0;
}

int keys_revoke(const char *path, const char *name, struct rein_problems *problems)
{
    return keys_change(path, name, key_take_out, NULL, problems);
}

struct new_secret {
    const char *prefix;
    char *text;
};

static int key_rotate(struct keys *keys, struct key *key, void *ctx)
{
    const struct new_secret *secret = ctx;
    (void)keys;
    memcpy(key->hashes[1], key->hashes[0], KEY_HASH_LEN);
    key->hashes_len = 2;
    return keys_secret(secret->prefix, secret->text, key->hashes[0]);
}

int keys_rotate(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
                struct rein_problems *problems)
{
    struct new_secret secret = {prefix, text};
    return keys_change(path, name, key_rotate, &secret, problems);
}

static int key_retire(struct keys *keys, struct key *key, void *ctx)
{
    (void)keys;
    (void)ctx;
    int rv = key->hashes_len == 2 ? 0 : REIN_ESTATE;
    key->hashes_len = 1;
    return rv;
}

int keys_retire(const char *path, const char *name, struct rein_problems *problems)
{
    return keys_change(path, name, key_retire, NULL, problems);
}

int keys_reset(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX])
{
    struct keys keys = {0};
    int lock = lock_folder(path);
    if (lock < 0)
        return REIN_EINVAL;
    int rv = keys_append(&keys, name, prefix, &no_terms, text);
    if (rv == 0)
        rv = write_file(&keys, path);
    keys_fini(&keys);
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
    int rv = *made ? keys_append(&keys, name, prefix, &no_terms, text) : 0;
    /* The keys file comes last: a key whose text is nowhere would lock everyone out. */
    if (rv == 0 && *made)
        rv = write_secret(secret, text);
    if (rv == 0 && *made)
        rv = write_file(&keys, path);
    int error = errno;
    sodium_memzero(text, sizeof(text));
    keys_fini(&keys);
    close(lock);
    errno = error;
    return rv;
}
