/* See row_writer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/row_writer.h"

#include <errno.h>
#include <fcntl.h>
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

/* For its owner alone: rows may be what users said. */
static FILE *private_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
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
    if (rv == 0 && (writer->file = private_file(writer->unfinished)) == NULL)
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
    return row_writer_add_object(writer, training_row_object(row, writer->format, kind));
}

int row_writer_add_object(struct row_writer *writer, json_t *object)
{
    bool array = is_array(writer->format);
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

/* LLaMA-Factory calls pairs a ranking. */
static json_t *pairs_description(const char *path, enum row_format format)
{
    if (format == ROW_SHAREGPT)
        return json_pack("{sssssbs{ssssss}}", "file_name", row_file_name(path), "formatting", "sharegpt", "ranking", 1,
                         "columns", "messages", "conversations", "chosen", "chosen", "rejected", "rejected");
    return json_pack("{sssssbs{ssssssss}}", "file_name", row_file_name(path), "formatting", "alpaca", "ranking", 1,
                     "columns", "prompt", "instruction", "query", "input", "chosen", "chosen", "rejected", "rejected");
}

static json_t *rows_description(const char *path, enum row_format format)
{
    if (format == ROW_SHAREGPT)
        return json_pack("{sssss{ss}}", "file_name", row_file_name(path), "formatting", "sharegpt", "columns",
                         "messages", "conversations");
    return json_pack("{sssss{ssssss}}", "file_name", row_file_name(path), "formatting", "alpaca", "columns", "prompt",
                     "instruction", "query", "input", "response", "output");
}

/* FILE.json is called FILE, FILE.test.json is another one. */
static void name_data_set(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s", row_file_name(path));
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out)
        *dot = '\0';
    for (char *at = out; *at != '\0'; at++)
        *at = *at == '.' ? '_' : *at;
}

int row_writer_describe(const char *path, enum row_format format, bool pairs)
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
    name_data_set(name, sizeof name, path);
    if (rv == 0) {
        json_object_set_new(info, name, pairs ? pairs_description(path, format) : rows_description(path, format));
        text = json_dumps(info, JSON_INDENT(2) | JSON_SORT_KEYS);
        rv = files_replace(at, text, strlen(text));
        free(text);
    }
    json_decref(info);
    free(at);
    return rv;
}

const char *row_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *row_test_path(const char *train)
{
    const char *slash = strrchr(train, '/'), *dot = strrchr(train, '.');
    size_t stem = dot != NULL && (slash == NULL || dot > slash + 1) ? (size_t)(dot - train) : strlen(train);
    char *path = NULL;
    return asprintf(&path, "%.*s.test%s", (int)stem, train, train + stem) < 0 ? NULL : path;
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
