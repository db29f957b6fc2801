/* See element_reader.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/element_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 16 };

struct scan {
    element_fn each;
    void *ctx;
    char *text; /* the object that is open, from its brace on */
    size_t len, cap;
    uint64_t at; /* of the next byte in the file */
    struct element element;
    size_t line;
    unsigned depth; /* open braces and brackets of the object; 0: between objects */
    bool in_string, escaped;
    bool in_array, array_over; /* the file is one array */
    bool wants_comma;          /* an element of the array was read */
    bool any;                  /* anything but blanks was read */
};

static int element_append(struct scan *s, char c)
{
    if (s->len == s->cap) {
        size_t cap = s->cap > 0 ? s->cap * 2 : 4096;
        char *text = realloc(s->text, cap);
        if (text == NULL)
            return REIN_ENOMEM;
        s->text = text;
        s->cap = cap;
    }
    if (s->len == ELEMENT_MAX)
        return REIN_ELIMIT;
    s->text[s->len++] = c;
    return 0;
}

static int element_end(struct scan *s)
{
    s->element.text = s->text;
    s->element.len = s->len;
    s->wants_comma = s->in_array;
    s->len = 0;
    return s->each(s->ctx, &s->element);
}

/* Between objects: blanks, the array's own brackets and commas. */
static int scan_between(struct scan *s, char c)
{
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return 0;
    bool first = !s->any;
    s->any = true;
    if (c == '{' && !s->array_over && !s->wants_comma) {
        s->element.offset = s->at;
        s->element.line = s->line;
        s->depth = 1;
        return element_append(s, c);
    }
    if (c == '[' && first) {
        s->in_array = true;
        return 0;
    }
    if (c == ',' && s->wants_comma) {
        s->wants_comma = false;
        return 0;
    }
    if (c == ']' && s->in_array && !s->array_over) {
        s->array_over = true;
        s->wants_comma = false;
        return 0;
    }
    return REIN_EFORMAT;
}

static int scan_inside(struct scan *s, char c)
{
    int rv = element_append(s, c);
    if (s->escaped)
        s->escaped = false;
    else if (s->in_string)
        s->escaped = c == '\\', s->in_string = c != '"';
    else if (c == '"')
        s->in_string = true;
    else if (c == '{' || c == '[')
        s->depth++;
    else if (c == '}' || c == ']')
        s->depth--;
    return rv == 0 && s->depth == 0 ? element_end(s) : rv;
}

static int scan_bytes(struct scan *s, const char *bytes, size_t len)
{
    int rv = 0;
    for (size_t i = 0; i < len && rv == 0; i++) {
        rv = s->depth > 0 ? scan_inside(s, bytes[i]) : scan_between(s, bytes[i]);
        s->line += rv == 0 && bytes[i] == '\n';
        s->at++;
    }
    return rv;
}

int element_read_all(const char *path, element_fn each, void *ctx, size_t *line)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* some editors write it; it is no part of the text */
    struct scan s = {.each = each, .ctx = ctx, .line = 1};
    char *bytes = malloc(READ_BYTES);
    FILE *file = fopen(path, "re");
    int rv = file == NULL ? REIN_EIO : bytes == NULL ? REIN_ENOMEM : 0;
    size_t n;
    while (rv == 0 && (n = fread(bytes, 1, READ_BYTES, file)) > 0) {
        size_t skip = s.at == 0 && n >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
        s.at += skip;
        rv = scan_bytes(&s, bytes + skip, n - skip);
    }
    if (rv == 0 && ferror(file))
        rv = REIN_EIO;
    else if (rv == 0 && (s.depth > 0 || (s.in_array && !s.array_over)))
        rv = REIN_EFORMAT; /* the file ends too early */
    int error = errno;
    *line = s.line;
    if (file != NULL)
        fclose(file);
    free(bytes);
    free(s.text);
    errno = error;
    return rv;
}
