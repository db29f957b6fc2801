/* See name_counts.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/name_counts.h"

#include <stdlib.h>
#include <string.h>

static int counts_add(struct name_counts *counts, const char *name, size_t len)
{
    size_t low = 0, high = counts->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(counts->names[middle].name, name, len);
        order = order == 0 && counts->names[middle].name[len] != '\0' ? 1 : order;
        if (order == 0) {
            counts->names[middle].n++;
            return 0;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (counts->len == NAMES_MAX) {
        counts->others++;
        return 0;
    }
    char *copy = strndup(name, len);
    if (copy == NULL)
        return REIN_ENOMEM;
    memmove(&counts->names[low + 1], &counts->names[low], (counts->len - low) * sizeof *counts->names);
    counts->names[low] = (struct name_count){copy, 1};
    counts->len++;
    return 0;
}

int name_counts_add(struct name_counts *counts, const char *name)
{
    return name == NULL || *name == '\0' ? counts_add(counts, "-", 1) : counts_add(counts, name, strlen(name));
}

int name_counts_add_list(struct name_counts *counts, const char *names)
{
    int rv = 0;
    while (names != NULL && *names != '\0' && rv == 0) {
        size_t len = strcspn(names, ",");
        if (len > 0)
            rv = counts_add(counts, names, len);
        names += len + (names[len] == ',');
    }
    return rv;
}

void name_counts_fini(struct name_counts *counts)
{
    for (size_t i = 0; i < counts->len; i++)
        free(counts->names[i].name);
    *counts = (struct name_counts){0};
}

json_t *name_counts_object(const struct name_counts *counts)
{
    json_t *object = json_object();
    for (size_t i = 0; i < counts->len; i++)
        json_object_set_new(object, counts->names[i].name, json_integer((json_int_t)counts->names[i].n));
    if (counts->others > 0)
        json_object_set_new(object, "(others)", json_integer((json_int_t)counts->others));
    return object;
}
