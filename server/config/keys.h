/* Bearer keys: a file of names and hashes, and the comparison that takes the same time for all of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key is 256 random bits, so a fast hash (BLAKE2b) keeps it as well as a slow one would. The admin token is a keys
 * file with one key. <sodium.h> of the server is in keys.c alone. */
#ifndef SERVER_CONFIG_KEYS_H
#define SERVER_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct keys; /* immutable once loaded; shared by threads */

/* On REIN_EPOLICY all errors are in `problems`. Returns owned. */
int keys_load(struct keys **out, const char *path, struct rein_problems *problems) REIN_MUST_USE;
void keys_free(struct keys *keys); /* NULL is fine */

size_t keys_count(const struct keys *keys);
const char *keys_name(const struct keys *keys, size_t i);

/* The name of the key that a client brought (the part after "Bearer "), NULL if it is none. The time does not depend on
 * which key it is or how much of one it has right. Good as long as `keys`. */
const char *keys_find(const struct keys *keys, const char *bearer);

enum { KEYS_TEXT_MAX = 80, KEYS_MAX = 10000 }; /* bytes of a key's text; keys of a file */
/* Makes a key, writes its text to `text`, and adds its hash to the file, which is made if it is not there. `prefix`:
 * what the text begins with. REIN_ESTATE: the name is taken. REIN_EINVAL: the file cannot be read or written, errno
 * says why. */
int keys_add(const char *path, const char *name, const char *prefix, char text[KEYS_TEXT_MAX],
             struct rein_problems *problems) REIN_MUST_USE;
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
