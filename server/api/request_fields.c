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
    if (table == NULL || table->len == 0)
        return NULL;
    return bsearch(&(struct name){name, len}, table->rows, table->len, sizeof *table->rows, by_name);
}

const struct field *field_find_path(const struct field_table *table, const char *path, bool *inside)
{
    *inside = false;
    for (;;) {
        size_t len = strcspn(path, ".[");
        const struct field *row = field_find(table, path, len);
        if (row == NULL)
            return NULL;
        path += len;
        if (row->below == NULL || *path == '\0') {
            *inside = *path != '\0';
            return row;
        }
        if ((strncmp(path, "[]", 2) == 0) != row->is_list)
            return NULL;
        path += row->is_list ? 2 : 0;
        if (*path != '.')
            return *path == '\0' ? row : NULL;
        path++;
        table = row->below;
    }
}

/* ---- values ---- */

static bool is_word(const struct rein_json_node *value, const char *words)
{
    for (const char *at = words; *at != '\0';) {
        size_t len = strcspn(at, " ");
        if (len == value->len && memcmp(at, value->text, len) == 0)
            return true;
        at += len + strspn(at + len, " ");
    }
    return false;
}

/* Without a digit other than 0 before an exponent. */
static bool is_zero(const struct rein_json_node *number)
{
    for (uint32_t i = 0; i < number->len && (number->text[i] | 0x20) != 'e'; i++)
        if (number->text[i] >= '1' && number->text[i] <= '9')
            return false;
    return true;
}

static bool is_harmless_number(unsigned passes, const struct rein_json_node *value)
{
    int64_t number;
    return ((passes & FIELD_IF_ZERO) != 0 && is_zero(value)) ||
           ((passes & FIELD_IF_NOT_ZERO) != 0 && rein_json_integer(value, &number) && number != 0);
}

bool field_is_harmless(const struct field *field, const struct rein_json_node *value)
{
    unsigned passes = field->passes;
    switch ((enum rein_json_kind)value->kind) {
    case REIN_JSON_TRUE:
        return (passes & FIELD_IF_TRUE) != 0;
    case REIN_JSON_FALSE:
        return (passes & FIELD_IF_FALSE) != 0;
    case REIN_JSON_STRING:
        if (value->len == 0 && (passes & FIELD_IF_EMPTY) != 0)
            return true;
        return field->words != NULL && (passes & (is_word(value, field->words) ? FIELD_IF_WORD : FIELD_IF_OTHER)) != 0;
    case REIN_JSON_ARRAY:
    case REIN_JSON_OBJECT:
        return (passes & FIELD_IF_EMPTY) != 0 && rein_json_first(value) == NULL;
    case REIN_JSON_INTEGER:
    case REIN_JSON_REAL:
        return is_harmless_number(passes, value);
    default:
        return false;
    }
}
