/* See results.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/results.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A line of the file. */
struct result_place {
    uint64_t key; /* the hash of its key */
    uint64_t at;  /* its offset */
    size_t len;   /* with the line end */
    size_t nth;   /* in the file */
    bool is_last; /* of its key; known when the places are sorted */
};

struct asking_results {
    const char *program, *path;
    FILE *file; /* NULL: none is kept */
    struct result_place *places;
    size_t len, cap;
    uint64_t end; /* of the file */
};

static bool results_are_sound(const struct asking_results *r)
{
    return r->len <= r->cap && (r->len == 0 || r->places[r->len - 1].at + r->places[r->len - 1].len <= r->end);
}

uint64_t asking_hash(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    while (*text++ != '\0');
    return hash;
}

void asking_key(char out[ASKING_KEY_SIZE], uint64_t hash)
{
    snprintf(out, ASKING_KEY_SIZE, "%016" PRIx64, hash);
}

static int results_fail(const struct asking_results *r)
{
    fprintf(stderr, "%s: %s: %s\n", r->program, r->path,
            errno == EWOULDBLOCK ? "another run is writing it: wait until it ends, or use another file"
                                 : strerror(errno));
    return REIN_EIO;
}

static int add_place(struct asking_results *r, const char *key, size_t len)
{
    if (r->len == r->cap) {
        size_t cap = r->cap > 0 ? 2 * r->cap : 256;
        struct result_place *places = realloc(r->places, cap * sizeof *places);
        if (places == NULL)
            return REIN_ENOMEM;
        r->places = places;
        r->cap = cap;
    }
    r->places[r->len] =
        (struct result_place){.key = asking_hash(ASKING_HASH_BEGIN, key), .at = r->end, .len = len, .nth = r->len};
    r->len++;
    return 0;
}

/* ---- what is there ---- */

static int take_result(struct asking_results *r, const char *text, size_t len, asking_result_fn each, void *ctx,
                       size_t *unreadable)
{
    json_t *line = text[len - 1] == '\n' ? json_loadb(text, len, 0, NULL) : NULL;
    const char *key = json_string_value(json_object_get(line, "key"));
    int rv = 0;
    if (key == NULL)
        *unreadable += 1;
    else if ((rv = add_place(r, key, len)) == 0)
        rv = each(ctx, key, line);
    json_decref(line);
    return rv;
}

static int read_results(struct asking_results *r, asking_result_fn each, void *ctx)
{
    char *text = NULL;
    size_t cap = 0, unreadable = 0;
    ssize_t len;
    int rv = 0;
    bool is_torn = false;
    FILE *in = fopen(r->path, "re");
    if (in == NULL)
        return results_fail(r);
    while (rv == 0 && (len = getline(&text, &cap, in)) > 0) {
        rv = take_result(r, text, (size_t)len, each, ctx, &unreadable);
        is_torn = text[len - 1] != '\n';
        r->end += is_torn ? 0 : (uint64_t)len;
    }
    if (rv == 0 && ferror(in))
        rv = results_fail(r);
    if (rv == 0 && is_torn && ftruncate(fileno(r->file), (off_t)r->end) < 0)
        rv = results_fail(r);
    if (unreadable > 0)
        fprintf(stderr, "%s: %s: lines that are not results and are skipped: %zu\n", r->program, r->path, unreadable);
    free(text);
    fclose(in);
    return rv;
}

/* A new file is its owner's alone: it may hold what models say to harmful questions. */
static FILE *append_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

int asking_results_open(struct asking_results **out, const char *program, const char *path, asking_result_fn each,
                        void *ctx)
{
    struct asking_results *r = calloc(1, sizeof *r);
    if (r == NULL)
        return REIN_ENOMEM;
    *r = (struct asking_results){.program = program, .path = path, .file = path != NULL ? append_to(path) : NULL};
    int rv = 0;
    if (path != NULL && (r->file == NULL || flock(fileno(r->file), LOCK_EX | LOCK_NB) < 0))
        rv = results_fail(r);
    else if (path != NULL)
        rv = read_results(r, each, ctx);
    if (rv != 0) {
        if (r->file != NULL)
            fclose(r->file);
        free(r->places);
        free(r);
        return rv;
    }
    assert(results_are_sound(r));
    *out = r;
    return 0;
}

/* ---- adding ---- */

int asking_results_add(struct asking_results *r, json_t *line)
{
    const char *key = json_string_value(json_object_get(line, "key"));
    if (r->file == NULL)
        return 0;
    assert(key != NULL && results_are_sound(r));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text == NULL)
        return REIN_ENOMEM;
    size_t len = strlen(text) + 1;
    int rv = fprintf(r->file, "%s\n", text) < 0 || fflush(r->file) == EOF ? results_fail(r) : add_place(r, key, len);
    r->end += rv == 0 ? len : 0;
    free(text);
    return rv;
}

/* ---- sorting ---- */

static int by_result_key(const void *a, const void *b)
{
    const struct result_place *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->nth > y->nth) - (x->nth < y->nth);
}

static int by_result_place(const void *a, const void *b)
{
    const struct result_place *x = a, *y = b;
    return (x->nth > y->nth) - (x->nth < y->nth);
}

/* The last line of a key, or NULL. */
static struct result_place *find_place(struct asking_results *r, uint64_t key)
{
    size_t low = 0, high = r->len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (r->places[mid].key <= key)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 && r->places[low - 1].key == key ? &r->places[low - 1] : NULL;
}

/* Numbers the lines that stay in their new order; returns how many, the others get SIZE_MAX. */
static size_t number_places(struct asking_results *r, const char (*keys)[ASKING_KEY_SIZE], size_t keys_len)
{
    size_t next = 0;
    struct result_place *rest = malloc((r->len + 1) * sizeof *rest);
    if (rest == NULL)
        return SIZE_MAX;
    qsort(r->places, r->len, sizeof *r->places, by_result_key);
    for (size_t i = 0; i < r->len; i++)
        r->places[i].is_last = i + 1 == r->len || r->places[i + 1].key != r->places[i].key;
    memcpy(rest, r->places, r->len * sizeof *rest);
    for (size_t i = 0; i < r->len; i++)
        r->places[i].nth = SIZE_MAX;
    for (size_t i = 0; i < keys_len; i++) {
        struct result_place *place = find_place(r, asking_hash(ASKING_HASH_BEGIN, keys[i]));
        if (place != NULL && place->nth == SIZE_MAX)
            place->nth = next++;
    }
    qsort(rest, r->len, sizeof *rest, by_result_place);
    for (size_t i = 0; i < r->len; i++) {
        struct result_place *place = rest[i].is_last ? find_place(r, rest[i].key) : NULL;
        if (place != NULL && place->nth == SIZE_MAX)
            place->nth = next++;
    }
    free(rest);
    qsort(r->places, r->len, sizeof *r->places, by_result_place);
    return next;
}

static int copy_line(FILE *to, FILE *from, const struct result_place *place)
{
    char part[4096];
    if (fseeko(from, (off_t)place->at, SEEK_SET) < 0)
        return REIN_EIO;
    for (size_t left = place->len; left > 0;) {
        size_t n = fread(part, 1, left < sizeof part ? left : sizeof part, from);
        if (n == 0 || fwrite(part, 1, n, to) != n)
            return REIN_EIO;
        left -= n;
    }
    return 0;
}

/* Writes the first `len` places to a new file, which takes the old one's place and its lock. */
static int write_sorted(struct asking_results *r, size_t len, char *path)
{
    int fd = mkstemp(path), rv = 0;
    FILE *to = fd >= 0 ? fdopen(fd, "a") : NULL, *from = fopen(r->path, "re");
    if (to == NULL || from == NULL || flock(fd, LOCK_EX | LOCK_NB) < 0)
        rv = REIN_EIO;
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = copy_line(to, from, &r->places[i]);
    if (rv == 0 && (fflush(to) == EOF || fsync(fd) < 0 || rename(path, r->path) < 0))
        rv = REIN_EIO;
    if (rv != 0)
        rv = results_fail(r);
    if (from != NULL)
        fclose(from);
    if (rv == 0) {
        fclose(r->file);
        r->file = to;
        return 0;
    }
    if (fd >= 0)
        unlink(path);
    if (to != NULL)
        fclose(to);
    else if (fd >= 0)
        close(fd);
    return rv;
}

int asking_results_sort(struct asking_results *r, const char (*keys)[ASKING_KEY_SIZE], size_t keys_len)
{
    char *path = NULL;
    if (r->file == NULL || r->len == 0)
        return 0;
    size_t before = r->len, len = number_places(r, keys, keys_len);
    if (len == SIZE_MAX || asprintf(&path, "%s.XXXXXX", r->path) < 0)
        return REIN_ENOMEM;
    uint64_t at = 0;
    bool is_sorted = len == before;
    for (size_t i = 0; i < len; i++) {
        is_sorted &= r->places[i].at == at;
        at += r->places[i].len;
    }
    int rv = is_sorted && at == r->end ? 0 : write_sorted(r, len, path);
    free(path);
    if (rv != 0)
        return rv;
    r->len = len;
    r->end = 0;
    for (size_t i = 0; i < len; i++) {
        r->places[i].at = r->end;
        r->end += r->places[i].len;
    }
    assert(results_are_sound(r));
    return 0;
}

int asking_results_close(struct asking_results *r)
{
    if (r == NULL)
        return 0;
    int rv = r->file != NULL && fclose(r->file) == EOF ? results_fail(r) : 0;
    free(r->places);
    free(r);
    return rv;
}
