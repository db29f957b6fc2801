/* Folders of policies, templates and lexicons, read into memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_LIBRARY_H
#define SERVER_LIBRARY_H

#include "rein/rein.h"

/* The documents of one folder; owns names and texts. */
struct library_folder {
    struct rein_source *sources;
    size_t len;
};

/* Reads all documents of a folder. What cannot be read is added to `problems`; a folder that is not there is empty
 * unless it `must_exist`. REIN_ENOMEM is the only failure. */
int library_read_folder(struct library_folder *folder, const char *path, bool must_exist,
                        struct rein_problems *problems) REIN_MUST_USE;
/* Reads one document, as library_read_folder would. */
int library_read_file(struct library_folder *folder, const char *path, struct rein_problems *problems) REIN_MUST_USE;
void library_fini(struct library_folder *folder);

#endif
