/* Folders of policies, templates, lexicons, models and lists of words, read into memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CONFIG_POLICY_FILES_H
#define SERVER_CONFIG_POLICY_FILES_H

#include "rein/rein.h"

/* The documents of one folder; owns names and texts. */
struct policy_files_folder {
    struct rein_source *sources;
    size_t len;
};

/* Reads all documents of a folder. What cannot be read is added to `problems`; a folder that is not there is empty
 * unless it `must_exist`. REIN_ENOMEM is the only failure. */
int policy_files_read(struct policy_files_folder *folder, const char *path, bool must_exist,
                      struct rein_problems *problems) REIN_MUST_USE;
/* Likewise, the lists of words in a folder. */
int policy_files_read_lists(struct policy_files_folder *folder, const char *path, bool must_exist,
                            struct rein_problems *problems) REIN_MUST_USE;
/* Reads one document, as policy_files_read would. */
int policy_files_read_file(struct policy_files_folder *folder, const char *path,
                           struct rein_problems *problems) REIN_MUST_USE;
/* Reads the policies in the folder of this one, which it may extend. What cannot be read is left out. REIN_ENOMEM is
 * the only failure. */
int policy_files_read_beside(struct policy_files_folder *folder, const char *policy) REIN_MUST_USE;
void policy_files_fini(struct policy_files_folder *folder);

/* All that policies may refer to. */
struct policy_files_library {
    struct policy_files_folder templates, lexicons, models, lists;
    struct policy_files_folder policies; /* that others may extend */
};

/* Folders that the command line names; NULL: the usual one, next to the policy's folder. */
struct policy_files_places {
    const char *templates, *lexicons, *models, *lists;
};

/* Reads all that the policy of this path may refer to, as commands without a config do. What cannot be read is added to
 * `problems`; a usual folder that is not there is empty. REIN_ENOMEM is the only failure. */
int policy_files_find(struct policy_files_library *files, const char *policy, const struct policy_files_places *places,
                      struct rein_problems *problems) REIN_MUST_USE;

/* The library for rein_policy_load; borrows from `files`. */
struct rein_library policy_files_lend(const struct policy_files_library *files);
void policy_files_library_fini(struct policy_files_library *files);

#endif
