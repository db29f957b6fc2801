/* Compiled lexicons on disk, so that a start does not compile what an earlier one has compiled.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A file is as trusted as the program: its content becomes tables that the matcher follows without checks. So the
 * folder (mode 0700) and the files must belong to the process's user, and no one else may write them; a file has a
 * digest of its content, so that a damaged one is not used. Everything else is as if the file were not there, and one
 * line of the log says why. A cache that cannot be written is no error.
 *
 * There is one cache in a process. Thread: any, one at a time, as config_load. */
#ifndef SERVER_CONFIG_LEXICON_CACHE_H
#define SERVER_CONFIG_LEXICON_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

/* More and larger files are removed, those that were used longest ago first. */
enum { LEXICON_CACHE_FILES_MAX = 64, LEXICON_CACHE_FILE_BYTES_MAX = 64 << 20, LEXICON_CACHE_BYTES_MAX = 256 << 20 };
/* Before the content: magic, key, digest, zeros. */
enum { LEXICON_CACHE_HEAD = 192 };

/* From now on all lexicons come from the folder and are kept there; it is made when something is kept. NULL: there is
 * no cache. The path is copied. */
int lexicon_cache_use(const char *folder) REIN_MUST_USE;
/* The same with the user's own folder, for commands: $CACHE_DIRECTORY, else rein/ in $XDG_CACHE_HOME, else
 * ~/.cache/rein. Without any of them there is no cache. Nothing is logged but what is wrong. */
int lexicon_cache_use_own(void) REIN_MUST_USE;
/* The folder in use; NULL: there is no cache. Good until the next lexicon_cache_use. */
const char *lexicon_cache_folder(void);

/* Compiled parts (a lexicon has up to three) since the last report. */
struct lexicon_cache_counts {
    unsigned found, missed, compiled, kept;
};
struct lexicon_cache_counts lexicon_cache_counts(void);

/* Logs what came from the cache and what was compiled since the last call, if anything. */
void lexicon_cache_report(void);

#endif
