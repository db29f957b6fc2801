/* See place.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/place.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const suffixes[STORE_FILES] = {
    [STORE_FILE_DATABASE] = "", [STORE_FILE_LOG] = "-wal", [STORE_FILE_INDEX] = "-shm", [STORE_FILE_LOCK] = "-lock"};

int store_place_name(char out[STORE_PATH_MAX], const char *path, enum store_file file)
{
    int len = snprintf(out, STORE_PATH_MAX, "%s%s", path, suffixes[file]);
    return len < STORE_PATH_MAX ? 0 : REIN_EINVAL;
}

void store_place_look(struct store_place *out, const char *path)
{
    *out = (struct store_place){.size = -1};
    for (int i = 0; i < STORE_FILES; i++) {
        char name[STORE_PATH_MAX];
        struct stat st;
        if (store_place_name(name, path, (enum store_file)i) != 0 || stat(name, &st) != 0)
            continue;
        out->files[i].is_there = true;
        out->files[i].device = (uint64_t)st.st_dev;
        out->files[i].number = (uint64_t)st.st_ino;
        if (i != STORE_FILE_DATABASE)
            continue;
        out->size = st.st_size;
        out->changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
}

bool store_place_has(const struct store_place *opened, const struct store_place *now, enum store_file file)
{
    return opened->files[file].is_there && now->files[file].is_there &&
           opened->files[file].device == now->files[file].device &&
           opened->files[file].number == now->files[file].number;
}

enum store_file store_place_missing(const struct store_place *opened, const struct store_place *now)
{
    for (int i = 0; i < STORE_FILES; i++)
        if (opened->files[i].is_there && !store_place_has(opened, now, (enum store_file)i))
            return (enum store_file)i;
    return STORE_FILES;
}

/* A descriptor of this kind has no part in the file's locks: closing it drops none of SQLite's. */
void store_place_pin(int pins[STORE_FILES], const char *path)
{
    for (int i = 0; i < STORE_FILES; i++) {
        char name[STORE_PATH_MAX];
        pins[i] = store_place_name(name, path, (enum store_file)i) == 0 ? open(name, O_PATH | O_CLOEXEC) : -1;
    }
}

void store_place_unpin(int pins[STORE_FILES])
{
    for (int i = 0; i < STORE_FILES; i++) {
        if (pins[i] >= 0)
            close(pins[i]);
        pins[i] = -1;
    }
}

bool store_place_is_quiet(const struct store_place *before, const struct store_place *now)
{
    for (int i = 0; i < STORE_FILES; i++) {
        bool same_file = store_place_has(before, now, (enum store_file)i);
        if (!same_file && (before->files[i].is_there || now->files[i].is_there))
            return false;
    }
    return before->size == now->size && before->changed_ns == now->changed_ns;
}
