/* Small files and folders, read whole; paths next to other files.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results are 0 or a negated errno. */
#ifndef SERVER_BASE_FILES_H
#define SERVER_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

/* A list of texts; owns them. */
struct files_list {
    char **paths;
    size_t len;
};
void files_list_fini(struct files_list *list);

/* Reads a regular file of at most `limit` bytes; -EFBIG if it is larger. *text is NUL-terminated, returned owned:
 * free. */
int files_read(char **text, size_t *len, const char *path, size_t limit) REIN_MUST_USE;

/* The documents (*.yaml, *.yml, *.json) directly in a folder, sorted by name. */
int files_documents(struct files_list *list, const char *folder) REIN_MUST_USE;
/* The plain texts (*.txt) directly in a folder, sorted by name. */
int files_texts(struct files_list *list, const char *folder) REIN_MUST_USE;
/* The folders directly in a folder, sorted by name; those whose name begins with a dot are left out. */
int files_folders(struct files_list *list, const char *folder) REIN_MUST_USE;

bool files_is_folder(const char *path);

/* `path` as it is meant in `file`: an absolute one as it is, else next to the file. Returned owned: free; NULL: no
 * memory. */
char *files_beside(const char *file, const char *path) REIN_MUST_USE;
/* `folder/name`, likewise. */
char *files_join(const char *folder, const char *name) REIN_MUST_USE;

/* Puts the text in the file's place at once, durably, with mode 0600: a reader sees the old or the new text. */
int files_replace(const char *path, const char *text, size_t len) REIN_MUST_USE;

/* Makes the folder that the file is in, mode 0700, if only that one is missing; one that is there is left alone. */
int files_make_folder_of(const char *path) REIN_MUST_USE;

#endif
