/* See row_writer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/row_writer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

enum { INDENT = 4, INFO_MAX = 1 << 20 };

struct row_writer {
    FILE *file;
    const char *path;
    char *unfinished; /* where it is written */
    enum row_format format;
    size_t rows;
    crypto_hash_sha256_state digest;
};

/* LLaMA-Factory and the paper's scripts read one array; the others read lines. */
static bool is_array(enum row_format format)
{
    return format == ROW_LRM_STUDY || format == ROW_SHAREGPT || format == ROW_ALPACA;
}

static int writer_put(struct row_writer *writer, const char *text, size_t len)
{
    crypto_hash_sha256_update(&writer->digest, (const unsigned char *)text, len);
    return fwrite(text, 1, len, writer->file) == len ? 0 : -errno;
}

int row_writer_open(struct row_writer **out, const char *path, enum row_format format)
{
    struct row_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return -ENOMEM;
    writer->path = path;
    writer->format = format;
    crypto_hash_sha256_init(&writer->digest);
    int rv = asprintf(&writer->unfinished, "%s.unfinished", path) < 0 ? -ENOMEM : 0;
    if (rv != 0)
        writer->unfinished = NULL;
    if (rv == 0 && (writer->file = fopen(writer->unfinished, "we")) == NULL)
        rv = -errno;
    if (rv != 0) {
        row_writer_drop(writer);
        return rv;
    }
    *out = writer;
    return 0;
}

/* An array is indented, so its elements' lines are moved to the right. */
static int writer_put_indented(struct row_writer *writer, const char *text)
{
    int rv = 0;
    while (rv == 0 && *text != '\0') {
        size_t len = strcspn(text, "\n");
        len += text[len] == '\n';
        rv = writer_put(writer, "    ", INDENT);
        if (rv == 0)
            rv = writer_put(writer, text, len);
        text += len;
    }
    return rv;
}

int row_writer_add(struct row_writer *writer, const struct training_row *row, const char *kind)
{
    bool array = is_array(writer->format);
    json_t *object = training_row_object(row, writer->format, kind);
    char *text = object != NULL ? json_dumps(object, array ? JSON_INDENT(INDENT) : 0) : NULL;
    json_decref(object);
    if (text == NULL)
        return -ENOMEM;
    int rv = 0;
    if (array) {
        const char *before = writer->rows == 0 ? "[\n" : ",\n";
        rv = writer_put(writer, before, 2);
        if (rv == 0)
            rv = writer_put_indented(writer, text);
    } else {
        rv = writer_put(writer, text, strlen(text));
        if (rv == 0)
            rv = writer_put(writer, "\n", 1);
    }
    free(text);
    writer->rows += rv == 0;
    return rv;
}

int row_writer_close(struct row_writer *writer, char sha256[SHA256_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    const char *end = !is_array(writer->format) ? "" : writer->rows == 0 ? "[]\n" : "\n]\n";
    int rv = writer_put(writer, end, strlen(end));
    if (rv == 0 && (fflush(writer->file) != 0 || fsync(fileno(writer->file)) != 0))
        rv = -errno;
    if (fclose(writer->file) != 0 && rv == 0)
        rv = -errno;
    writer->file = NULL;
    if (rv == 0 && rename(writer->unfinished, writer->path) != 0)
        rv = -errno;
    crypto_hash_sha256_final(&writer->digest, digest);
    sodium_bin2hex(sha256, SHA256_HEX, digest, sizeof digest);
    row_writer_drop(writer);
    return rv;
}

void row_writer_drop(struct row_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->file != NULL)
        fclose(writer->file);
    if (writer->unfinished != NULL)
        unlink(writer->unfinished); /* after the rename there is none */
    free(writer->unfinished);
    free(writer);
}

/* ---- what describes the file ---- */

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static json_t *file_description(const char *path, enum row_format format)
{
    if (format == ROW_SHAREGPT)
        return json_pack("{sssss{ss}}", "file_name", name_in(path), "formatting", "sharegpt", "columns", "messages",
                         "conversations");
    return json_pack("{sssss{ssssss}}", "file_name", name_in(path), "formatting", "alpaca", "columns", "prompt",
                     "instruction", "query", "input", "response", "output");
}

int row_writer_describe(const char *path, enum row_format format)
{
    char *at = NULL, *text = NULL, name[256];
    size_t len;
    if (format != ROW_SHAREGPT && format != ROW_ALPACA)
        return 0;
    if ((at = files_beside(path, "dataset_info.json")) == NULL)
        return -ENOMEM;
    int rv = files_read(&text, &len, at, INFO_MAX);
    json_t *info = rv == 0 ? json_loads(text, 0, NULL) : rv == -ENOENT ? json_object() : NULL;
    free(text);
    if (rv == -ENOENT)
        rv = 0;
    if (rv == 0 && !json_is_object(info))
        rv = -EINVAL; /* somebody else's file: it is left alone */
    snprintf(name, sizeof name, "%s", name_in(path));
    name[strcspn(name, ".")] = '\0';
    if (rv == 0) {
        json_object_set_new(info, name, file_description(path, format));
        text = json_dumps(info, JSON_INDENT(2) | JSON_SORT_KEYS);
        rv = files_replace(at, text, strlen(text));
        free(text);
    }
    json_decref(info);
    free(at);
    return rv;
}

int row_file_digest(const char *path, char sha256[SHA256_HEX])
{
    unsigned char block[1 << 14], digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    size_t n;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    crypto_hash_sha256_init(&state);
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        crypto_hash_sha256_update(&state, block, n);
    int rv = ferror(file) ? -EIO : 0;
    fclose(file);
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(sha256, SHA256_HEX, digest, sizeof digest);
    return rv;
}
