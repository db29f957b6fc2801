/* All keys of a document, one a row, with their values in words: defaults filled in, layout and order of keys gone.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; a list belongs to one thread at a time. */
#ifndef TOOLS_POLICYDIFF_KEY_LIST_H
#define TOOLS_POLICYDIFF_KEY_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/doc.h"

struct key_list_row {
    char *key;   /* "rules[card-number].action"; entries of lists go by `id` or `name`, without one by their place */
    char *value; /* NULL: there is none */
    bool is_default; /* the document does not say it */
};

/* Zeroed is empty. Owns its texts. */
struct key_list {
    struct key_list_row *rows;
    size_t len, cap;
};

/* The document was checked against the schema, without problems. REIN_ENOMEM is the only failure; what was listed until
 * then is in the list. */
int key_list_make(struct key_list *list, const struct rein_doc *doc, const struct rein_schema *schema) REIN_MUST_USE;
void key_list_fini(struct key_list *list);

/* The row of a key, searched for from `hint` on, then from the beginning; NULL: it is not there. */
const struct key_list_row *key_list_find(const struct key_list *list, const char *key, size_t hint);

#endif
