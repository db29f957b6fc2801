/* A folder for the files of a run, which goes with it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_ASKING_TEMPORARY_FOLDER_H
#define TOOLS_ASKING_TEMPORARY_FOLDER_H

/* In $TMPDIR, else /tmp, with mode 0700. Returns owned: free; NULL: it said on stderr why not. */
char *temporary_folder_make(void);
/* With all that is in it. */
void temporary_folder_remove(const char *folder);

#endif
