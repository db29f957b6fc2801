/* See request_fields.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/request_fields.h"

#include <stdlib.h>
#include <string.h>

struct name {
    const char *text;
    size_t len;
};

/* As strcmp, of a name that does not end with NUL. Most steps of the search are decided by the first letter. */
static int by_name(const void *key, const void *row)
{
    const struct name *name = key;
    const char *other = ((const struct field *)row)->name;
    if (name->len > 0 && *name->text != *other)
        return (unsigned char)*name->text - (unsigned char)*other;
    int order = strncmp(name->text, other, name->len);
    return order != 0 ? order : other[name->len] == '\0' ? 0 : -1;
}

const struct field *field_find(const struct field_table *table, const char *name, size_t len)
{
    if (table->len == 0)
        return NULL;
    return bsearch(&(struct name){name, len}, table->rows, table->len, sizeof *table->rows, by_name);
}
