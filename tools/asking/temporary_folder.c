/* See temporary_folder.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/temporary_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *temporary_folder_make(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/rein-XXXXXX", base != NULL && *base == '/' ? base : "/tmp") < 0)
        return NULL;
    if (mkdtemp(path) != NULL)
        return path;
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(path);
    return NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void temporary_folder_remove(const char *folder)
{
    if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
        fprintf(stderr, "%s: cannot be removed: %s\n", folder, strerror(errno));
}
