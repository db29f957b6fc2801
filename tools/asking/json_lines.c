/* See json_lines.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/json_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hand_on(const char *text, size_t len, size_t number, json_line_fn each, void *ctx)
{
    json_error_t where;
    if (strspn(text, " \t\r\n") == len)
        return 0;
    if (len > JSON_LINE_MAX)
        return each(ctx, number, NULL, "the line is too long");
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    bool is_object = json_is_object(object);
    int rv = each(ctx, number, is_object ? object : NULL,
                  is_object        ? NULL
                  : object == NULL ? where.text
                                   : "the line is not a JSON object");
    json_decref(object);
    return rv;
}

int json_lines_read(const char *path, json_line_fn each, void *ctx, bool *torn)
{
    char *text = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    int rv = 0;
    bool ended = true;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return REIN_EIO;
    errno = 0;
    while (rv == 0 && (len = getline(&text, &cap, file)) > 0) {
        ended = text[len - 1] == '\n';
        rv = hand_on(text, (size_t)len, ++number, each, ctx);
    }
    if (rv == 0 && ferror(file))
        rv = REIN_EIO;
    free(text);
    fclose(file);
    if (torn != NULL)
        *torn = !ended;
    return rv;
}
