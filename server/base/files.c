/* See files.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of documents has fewer; a wrong path may have more. */
enum { PATHS_MAX = 10000 };

/* ---- reading ---- */

static int read_all(int fd, char *text, size_t cap, size_t *len)
{
    *len = 0;
    while (*len < cap) {
        ssize_t n = read(fd, text + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        *len += (size_t)n;
    }
    return 0;
}

static int read_open(int fd, char **text, size_t *len, size_t limit)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uintmax_t)st.st_size > limit)
        return -EFBIG;
    /* A file that grows meanwhile is read up to its former length. */
    char *buffer = malloc((size_t)st.st_size + 1);
    if (buffer == NULL)
        return -ENOMEM;
    int rv = read_all(fd, buffer, (size_t)st.st_size, len);
    if (rv != 0) {
        free(buffer);
        return rv;
    }
    buffer[*len] = '\0';
    *text = buffer;
    return 0;
}

int files_read(char **text, size_t *len, const char *path, size_t limit)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    if (fd < 0)
        return -errno;
    int rv = read_open(fd, text, len, limit);
    close(fd);
    return rv;
}

/* ---- folders ---- */

void files_list_fini(struct files_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct files_list){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_document(const char *path)
{
    const char *dot = strrchr(path, '.');
    bool named = dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
    return named && !files_is_folder(path);
}

static int files_add(struct files_list *list, char *path)
{
    char **paths = list->len < PATHS_MAX ? realloc(list->paths, (list->len + 1) * sizeof(*paths)) : NULL;
    if (paths == NULL) {
        free(path);
        return -ENOMEM;
    }
    list->paths = paths;
    list->paths[list->len++] = path;
    return 0;
}

static int list_folder(struct files_list *list, const char *folder, bool (*wanted)(const char *path))
{
    *list = (struct files_list){0};
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return -errno;
    int rv = 0;
    for (struct dirent *entry; rv == 0 && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = files_join(folder, entry->d_name);
        if (path == NULL)
            rv = -ENOMEM;
        else if (wanted(path))
            rv = files_add(list, path);
        else
            free(path);
    }
    closedir(dir);
    if (rv != 0)
        files_list_fini(list);
    else if (list->len > 0)
        qsort(list->paths, list->len, sizeof(*list->paths), by_name);
    return rv;
}

int files_documents(struct files_list *list, const char *folder)
{
    return list_folder(list, folder, is_document);
}

static bool is_text_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && strcmp(dot, ".txt") == 0 && !files_is_folder(path);
}

int files_texts(struct files_list *list, const char *folder)
{
    return list_folder(list, folder, is_text_file);
}

int files_folders(struct files_list *list, const char *folder)
{
    return list_folder(list, folder, files_is_folder);
}

bool files_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- paths ---- */

char *files_join(const char *folder, const char *name)
{
    size_t len = strlen(folder);
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", folder, len > 0 && folder[len - 1] == '/' ? "" : "/", name) < 0)
        return NULL;
    return path;
}

char *files_beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || slash == NULL)
        return strdup(path);
    char *folder = strndup(file, (size_t)(slash - file) + 1);
    char *joined = folder != NULL ? files_join(folder, path) : NULL;
    free(folder);
    return joined;
}

/* ---- writing ---- */

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* The new name is durable once its folder is synced. */
static int sync_folder(const char *path)
{
    char *folder = files_beside(path, ".");
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rv = fd < 0 || fsync(fd) != 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return rv;
}

int files_replace(const char *path, const char *text, size_t len)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    int rv = fd < 0 ? -errno : write_all(fd, text, len);
    if (fd >= 0)
        close(fd);
    if (rv == 0 && rename(temporary, path) != 0)
        rv = -errno;
    if (rv != 0 && fd >= 0)
        unlink(temporary);
    free(temporary);
    return rv == 0 ? sync_folder(path) : rv;
}

int files_make_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) /* the working directory, or the root */
        return 0;
    char *folder = strndup(path, (size_t)(slash - path));
    if (folder == NULL)
        return -ENOMEM;
    int rv = mkdir(folder, 0700) == 0 || errno == EEXIST ? 0 : -errno;
    free(folder);
    return rv;
}
