/* See lexicon_cache.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/lexicon_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"

static const char magic[] = "rein lexicon cache 1\n", suffix[] = ".lexicon";

enum { KEY_LEN = 64, NAME_MAX_LEN = KEY_LEN + sizeof(suffix), REASON_MAX = 160 };
/* What a writer that was killed leaves behind is removed after this time. */
enum { LEFT_OVER_SECONDS = 600 };

static struct {
    char *folder; /* NULL: there is no cache */
    bool is_quiet;
    bool was_told_unused, was_told_unwritable; /* one line each is enough */
    struct lexicon_cache_counts counts;
} cache;

/* ---- what is wrong ---- */

static void cache_unused(const char *name, const char *why)
{
    if (cache.was_told_unused)
        return;
    cache.was_told_unused = true;
    log_warn("cache", "%s%s%s is not used: %s; lexicons are compiled instead, which takes some seconds", cache.folder,
             *name != '\0' ? "/" : "", name, why);
}

static void cache_unwritable(const char *why)
{
    if (cache.was_told_unwritable)
        return;
    cache.was_told_unwritable = true;
    log_warn("cache", "compiled lexicons cannot be kept in %s: %s; each start will compile them again", cache.folder,
             why);
}

/* NULL: the file or folder is ours alone to write. */
static const char *find_intruder(const struct stat *st, mode_t forbidden)
{
    if (st->st_uid != geteuid())
        return "it belongs to another user";
    return (st->st_mode & forbidden) != 0 ? "others have access to it (chmod go= would help)" : NULL;
}

/* The folder, checked; negated errno if it cannot be opened, -EPERM if it is not ours alone. */
static int cache_open_folder(void)
{
    struct stat st;
    int fd = open(cache.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        cache_unused("", strerror(errno));
    if (fd < 0)
        return -errno;
    const char *why = fstat(fd, &st) == 0 ? find_intruder(&st, S_IRWXG | S_IRWXO) : strerror(errno);
    if (why == NULL)
        return fd;
    cache_unused("", why);
    close(fd);
    return -EPERM;
}

/* ---- files ---- */

static bool is_key(const char *key)
{
    return strlen(key) == KEY_LEN && strspn(key, "0123456789abcdef") == KEY_LEN;
}

static void make_name(const char *key, char name[NAME_MAX_LEN])
{
    snprintf(name, NAME_MAX_LEN, "%.*s%s", KEY_LEN, key, suffix);
}

static void make_head(const char *key, const char *content, size_t len, char head[LEXICON_CACHE_HEAD])
{
    unsigned char hash[crypto_generichash_BYTES];
    char hex[2 * sizeof(hash) + 1];
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)content, len, NULL, 0);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    memset(head, 0, LEXICON_CACHE_HEAD);
    snprintf(head, LEXICON_CACHE_HEAD, "%s%s\n%s\n", magic, key, hex);
}

static int read_exactly(int fd, char *to, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, to, len);
        if (n == 0 || (n < 0 && errno != EINTR))
            return n == 0 ? -EIO : -errno;
        if (n > 0) {
            to += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* The whole file, owned; NULL and `why` if it cannot be used. */
static char *cache_read(int fd, const char *key, size_t *len, const char **why)
{
    struct stat st;
    char head[LEXICON_CACHE_HEAD];
    *why = fstat(fd, &st) != 0 ? strerror(errno) : find_intruder(&st, S_IWGRP | S_IWOTH);
    if (*why == NULL && !S_ISREG(st.st_mode))
        *why = "it is not a file";
    if (*why == NULL && (st.st_size <= LEXICON_CACHE_HEAD || st.st_size > LEXICON_CACHE_FILE_BYTES_MAX))
        *why = "its size is wrong";
    if (*why != NULL)
        return NULL;
    *len = (size_t)st.st_size;
    char *bytes = malloc(*len);
    int rv = bytes == NULL ? -ENOMEM : read_exactly(fd, bytes, *len);
    if (rv == 0)
        make_head(key, bytes + LEXICON_CACHE_HEAD, *len - LEXICON_CACHE_HEAD, head);
    if (rv == 0 && memcmp(head, bytes, LEXICON_CACHE_HEAD) == 0) {
        (void)futimens(fd, NULL); /* when it was used last */
        return bytes;
    }
    *why = rv != 0 ? strerror(-rv) : "it is damaged";
    free(bytes);
    return NULL;
}

/* A start that takes long says why. */
static void cache_miss(void)
{
    if (!cache.is_quiet && cache.counts.missed++ == 0)
        log_info("cache", "compiling lexicons, which takes some seconds");
}

static const char *cache_get(void *ctx, const char *key, size_t *len)
{
    (void)ctx;
    char name[NAME_MAX_LEN];
    const char *why = NULL;
    int folder = is_key(key) ? cache_open_folder() : -EINVAL;
    if (folder < 0) {
        cache_miss();
        return NULL;
    }
    make_name(key, name);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        why = strerror(errno);
    char *bytes = fd >= 0 ? cache_read(fd, key, len, &why) : NULL;
    if (why != NULL)
        cache_unused(name, why);
    if (fd >= 0)
        close(fd);
    close(folder);
    if (bytes == NULL) {
        cache_miss();
        return NULL;
    }
    cache.counts.found++;
    *len -= LEXICON_CACHE_HEAD;
    return bytes + LEXICON_CACHE_HEAD;
}

static void cache_done(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)len;
    free((char *)bytes - LEXICON_CACHE_HEAD);
}

/* ---- bounds ---- */

struct kept_file {
    char name[NAME_MAX_LEN];
    struct timespec used;
    off_t size;
};

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct kept_file *)a)->used, *y = &((const struct kept_file *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec > y->tv_sec ? -1 : 1;
    return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

/* Removes what a killed writer has left; true if that is what the name is of. */
static bool cache_sweep(int folder, const char *name, const struct stat *st)
{
    if (name[0] != '.' || strstr(name, suffix) == NULL)
        return false;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - st->st_mtim.tv_sec > LEFT_OVER_SECONDS)
        (void)unlinkat(folder, name, 0);
    return true;
}

/* Lists what is kept, at most `max`; what is beyond is removed at once. Other files are left alone. */
static size_t cache_list(DIR *dir, struct kept_file *files, size_t max)
{
    size_t len = 0;
    for (struct dirent *at; (at = readdir(dir)) != NULL;) {
        struct stat st;
        if (fstatat(dirfd(dir), at->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
            cache_sweep(dirfd(dir), at->d_name, &st) || strlen(at->d_name) != KEY_LEN + sizeof(suffix) - 1 ||
            strcmp(at->d_name + KEY_LEN, suffix) != 0)
            continue;
        if (len == max) {
            (void)unlinkat(dirfd(dir), at->d_name, 0);
            continue;
        }
        strcpy(files[len].name, at->d_name);
        files[len].used = st.st_mtim;
        files[len++].size = st.st_size;
    }
    return len;
}

/* Removes what was used longest ago, until the rest is within the bounds. */
static void cache_trim(int folder)
{
    static struct kept_file files[4 * LEXICON_CACHE_FILES_MAX];
    int fd = dup(folder);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    rewinddir(dir);
    size_t len = cache_list(dir, files, sizeof(files) / sizeof(*files));
    qsort(files, len, sizeof(*files), by_use);
    off_t bytes = 0;
    for (size_t i = 0; i < len; i++) {
        bytes += files[i].size;
        if (i >= LEXICON_CACHE_FILES_MAX || bytes > LEXICON_CACHE_BYTES_MAX)
            (void)unlinkat(folder, files[i].name, 0);
    }
    closedir(dir);
}

/* ---- writing ---- */

static int write_exactly(int fd, const char *from, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, from, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            from += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* A reader sees the whole file or none; after a crash its digest tells whether it is whole, so it is not synced. */
static int cache_write(int folder, const char *key, const char *bytes, size_t len)
{
    char name[NAME_MAX_LEN], temporary[NAME_MAX_LEN + 32], head[LEXICON_CACHE_HEAD];
    make_name(key, name);
    snprintf(temporary, sizeof(temporary), ".%s.%08x%08x", name, randombytes_random(), randombytes_random());
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    make_head(key, bytes, len, head);
    int rv = write_exactly(fd, head, sizeof(head));
    if (rv == 0)
        rv = write_exactly(fd, bytes, len);
    if (close(fd) != 0 && rv == 0)
        rv = -errno;
    if (rv == 0 && renameat(folder, temporary, folder, name) != 0)
        rv = -errno;
    if (rv != 0)
        (void)unlinkat(folder, temporary, 0);
    return rv;
}

static int cache_make_folder(void)
{
    int rv = files_make_folder_of(cache.folder);
    return rv != 0 || mkdir(cache.folder, 0700) == 0 || errno == EEXIST ? rv : -errno;
}

static void cache_put(void *ctx, const char *key, const char *bytes, size_t len)
{
    (void)ctx;
    cache.counts.compiled++;
    if (!is_key(key) || len > LEXICON_CACHE_FILE_BYTES_MAX - LEXICON_CACHE_HEAD)
        return;
    int rv = cache_make_folder(), folder = -1;
    if (rv == 0) {
        folder = cache_open_folder();
        if (folder < 0)
            return; /* it has been said why */
        rv = cache_write(folder, key, bytes, len);
    }
    if (rv != 0)
        cache_unwritable(strerror(-rv));
    if (rv == 0) {
        cache.counts.kept++;
        cache_trim(folder);
    }
    if (folder >= 0)
        close(folder);
}

/* ---- the cache of the process ---- */

static int cache_replace(const char *folder, bool is_quiet)
{
    static const struct rein_cache hook = {NULL, cache_get, cache_done, cache_put};
    char *copy = folder != NULL ? strdup(folder) : NULL;
    if (folder != NULL && copy == NULL)
        return REIN_ENOMEM;
    free(cache.folder);
    cache.folder = copy;
    cache.is_quiet = is_quiet;
    rein_cache_set(copy != NULL ? &hook : NULL);
    return 0;
}

int lexicon_cache_use(const char *folder)
{
    if (folder != NULL && cache.folder != NULL && strcmp(folder, cache.folder) == 0 && !cache.is_quiet)
        return 0;
    cache.was_told_unused = cache.was_told_unwritable = false;
    return cache_replace(folder, false);
}

const char *lexicon_cache_folder(void)
{
    return cache.folder;
}

/* An absolute path in a variable; NULL if there is none. */
static const char *find_path(const char *name)
{
    const char *path = getenv(name);
    return path != NULL && path[0] == '/' ? path : NULL;
}

int lexicon_cache_use_own(void)
{
    const char *own = find_path("CACHE_DIRECTORY"), *base = find_path("XDG_CACHE_HOME"), *home = find_path("HOME");
    char *folder = NULL;
    int len = 0;
    if (own == NULL && base != NULL)
        len = asprintf(&folder, "%s/rein", base);
    else if (own == NULL && home != NULL)
        len = asprintf(&folder, "%s/.cache/rein", home);
    if (len < 0)
        return REIN_ENOMEM;
    int rv = cache_replace(own != NULL ? own : folder, true);
    if (len > 0)
        free(folder);
    return rv;
}

struct lexicon_cache_counts lexicon_cache_counts(void)
{
    return cache.counts;
}

void lexicon_cache_report(void)
{
    bool is_said = cache.folder != NULL && !cache.is_quiet;
    if (is_said && cache.counts.compiled > 0)
        log_info("cache", "%u parts of lexicons were compiled, %u of them kept in %s for the next start",
                 cache.counts.compiled, cache.counts.kept, cache.folder);
    if (is_said && cache.counts.found > 0)
        log_info("cache", "%u compiled parts of lexicons were read from %s", cache.counts.found, cache.folder);
    cache.counts = (struct lexicon_cache_counts){0};
}
