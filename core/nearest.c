/* The nearest name, for "did you mean".
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rein/doc.h"

enum { NAME_MAX_LEN = 48, BEGINNING_MIN = 3 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least_of_two = a < b ? a : b;
    return least_of_two < c ? least_of_two : c;
}

/* Edits (insert, delete, replace) that make one name the other. */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), row[NAME_MAX_LEN + 1];
    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

/* A name that this one is the beginning of: idle, idle_ms. */
static const char *longer(const char *name, const char *const *names)
{
    size_t len = strlen(name);
    for (; names != NULL && *names != NULL; names++)
        if (len >= BEGINNING_MIN && strncmp(name, *names, len) == 0)
            return *names;
    return NULL;
}

const char *rein_nearest(const char *name, const char *const *names)
{
    const char *const *first = names;
    const char *nearest = NULL;
    size_t nearest_distance = strlen(name) / 3 + 2; /* one typo in a short name, more in a long one */
    for (; names != NULL && *names != NULL; names++) {
        size_t d = distance(name, *names);
        if (d < nearest_distance && d < strlen(*names)) {
            nearest_distance = d;
            nearest = *names;
        }
    }
    return nearest != NULL ? nearest : longer(name, first);
}
