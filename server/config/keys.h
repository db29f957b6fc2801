/* Bearer keys: a file of names and hashes, and the comparison that takes the same time for all of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key is 256 random bits, so a fast hash (BLAKE2b) keeps it as well as a slow one would. The admin token is a keys
 * file with one key. <sodium.h> of the server is in keys.c alone. */
#ifndef SERVER_CONFIG_KEYS_H
#define SERVER_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { KEY_NAME_MAX = 64, KEY_HASH_LEN = 32, KEY_HASHES = 2, KEY_POLICIES_MAX = 32 };
#define KEY_NEVER INT64_MAX

/* What the holder of an admin token may do; each right contains those before it. */
enum key_right { KEY_MAY_COUNT, KEY_MAY_READ_TEXT, KEY_MAY_OPERATE };

/* One key: whose it is, and what its holder may do. Good as long as its `keys`. */
struct key {
    char name[KEY_NAME_MAX + 1];
    char group[KEY_NAME_MAX + 1], tenant[KEY_NAME_MAX + 1]; /* "" for none */
    int64_t expires_s;                                      /* Unix time from which it is not valid; KEY_NEVER */
    unsigned requests_per_minute, open_streams;             /* 0: no limit */
    char *policies[KEY_POLICIES_MAX + 1];                   /* those that its holder may choose; NULL ends it */
    unsigned policies_line, policies_column;                /* and the names of its policies; 0: it has none */
    unsigned line;                                          /* where it stands in its file */
    enum key_right right;                                   /* of an admin token */
    /* Two while its secret is being changed: the first is the newer one. */
    unsigned char hashes[KEY_HASHES][KEY_HASH_LEN];
    size_t hashes_len;
};

struct keys; /* immutable once loaded; shared by threads */

/* On REIN_EPOLICY all errors are in `problems`. Returns owned. */
int keys_load(struct keys **out, const char *path, struct rein_problems *problems) REIN_MUST_USE;
void keys_free(struct keys *keys); /* NULL is fine */

/* Adds a key whose secret is known, *keys is made if it is NULL. Before they are shared. REIN_ESTATE: the name is
 * taken.
 */
int keys_put(struct keys **keys, const char *name, const char *secret, enum key_right right) REIN_MUST_USE;

size_t keys_count(const struct keys *keys);
const char *keys_name(const struct keys *keys, size_t i);

const struct key *keys_at(const struct keys *keys, size_t i);
/* By its name; NULL: there is none. */
const struct key *keys_named(const struct keys *keys, const char *name);

/* The key that a client brought (the part after "Bearer "), NULL if it is none. The time does not depend on which key
 * it is or how much of one it has right. It may have expired. */
const struct key *keys_holder(const struct keys *keys, const char *bearer);
static inline bool key_is_expired(const struct key *key, int64_t now_s)
{
    return now_s >= key->expires_s;
}
/* The hash of a bearer, as it stands in `hashes`. */
void keys_hash(const char *bearer, unsigned char hash[KEY_HASH_LEN]);
/* The key that has this hash, NULL if there is none. It may have expired. Not for what a client brings: its time tells
 * how much of a hash is right. */
const struct key *keys_with_hash(const struct keys *keys, const unsigned char hash[KEY_HASH_LEN]);
/* The name of a key that is valid now, NULL if it is none. */
const char *keys_find(const struct keys *keys, const char *bearer);

enum { KEYS_TEXT_MAX = 80, KEYS_MAX = 10000 }; /* bytes of a key's text; keys of a file */
/* A new secret of 256 random bits: its text, and its hash. */
int keys_secret(const char *prefix, char text[KEYS_TEXT_MAX], unsigned char hash[KEY_HASH_LEN]) REIN_MUST_USE;
/* Makes a key, writes its text to `text`, and adds its hash to the file, which is made if it is not there. `prefix`:
 * what the text begins with. REIN_ESTATE: the name is taken. REIN_EINVAL: the file cannot be read or written, errno
 * says why. */
int keys_add(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
             struct rein_problems *problems) REIN_MUST_USE;
/* What a new key may do, beside its name; zeroed: anything, for ever. Texts are borrowed. */
struct key_terms {
    const char *group, *tenant, *expires; /* NULL: none. `expires`: as in the file */
    unsigned requests_per_minute, open_streams;
};
/* As keys_add. REIN_EINVAL with errno EINVAL: `expires` is no time. */
int keys_add_with(const char *path, const char *name, const char *prefix, const struct key_terms *terms,
                  char text[KEYS_TEXT_MAX], struct rein_problems *problems) REIN_MUST_USE;
/* Gives a key another secret; the one before stays valid until keys_retire. REIN_ESTATE: there is no such name. */
int keys_rotate(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
                struct rein_problems *problems) REIN_MUST_USE;
/* Only the newer secret is valid from now on. REIN_ESTATE: there is no such name, or it has one secret alone. */
int keys_retire(const char *path, const char *name, struct rein_problems *problems) REIN_MUST_USE;
/* REIN_ESTATE: there is no such name. */
int keys_revoke(const char *path, const char *name, struct rein_problems *problems) REIN_MUST_USE;
/* Like keys_add, in place of all that the file held. */
int keys_reset(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX]) REIN_MUST_USE;

/* The first start: if there is no keys file at `path`, makes one with one key, whose text goes into a new file
 * `secret`, mode 0600, and nowhere else. *made says whether it did. If it fails there is no keys file, so that it can
 * be tried again. REIN_EINVAL: a file cannot be written, errno says why. */
int keys_make_first(const char *path, const char *name, const char *prefix, const char *secret,
                    bool *made) REIN_MUST_USE;

#endif
