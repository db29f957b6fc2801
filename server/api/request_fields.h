/* Which fields of a request may reach an upstream.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests are not trusted: a field that moves, hides, forces or prefills the model's text would defeat the guard. So
 * each API has a table of the fields that pass; all others are refused by name. A kind of upstream may have rows of its
 * own, which come first.
 *
 * Thread: any; tables are constant. */
#ifndef SERVER_API_REQUEST_FIELDS_H
#define SERVER_API_REQUEST_FIELDS_H

#include <stddef.h>

enum field_rule {
    FIELD_PASS, /* is forwarded unchanged; its strings are judged with the prompt */
    FIELD_DENY, /* the request is refused */
    FIELD_DROP, /* removed: the kind sets it itself, or it means nothing there */
};

struct field {
    const char *name;
    enum field_rule rule;
    const char *why; /* of DENY: ends the sentence "is not accepted: it ..." */
};

struct field_table {
    const struct field *rows; /* sorted by name */
    size_t len;
};

/* The row of a name, which contains no NUL; NULL if the table has none. */
const struct field *field_find(const struct field_table *table, const char *name, size_t len);

#endif
