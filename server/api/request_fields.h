/* Which fields of a request may reach an upstream, and what becomes of the others.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests are not trusted: a field that moves, hides, forces or prefills the model's text would defeat the guard. So
 * each API has a table of the fields that it knows, and a kind of upstream may have rows of its own for this API, which
 * come first. A row gives a field one of five fates. A field may have another fate where its value is harmless:
 * `enable_thinking: true` passes, `false` is dropped. What no table knows is unknown; the policy decides about it.
 *
 * A field is dropped only if the request makes sense without it. A field whose loss could weaken safety, privacy, a
 * ceiling of costs or the request's meaning passes or is refused, never dropped.
 *
 * Thread: any; tables are constant. */
#ifndef SERVER_API_REQUEST_FIELDS_H
#define SERVER_API_REQUEST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/json.h"

enum field_fate {
    FIELD_PASS,     /* forwarded: its numbers are parameters that no model reads, its strings are judged */
    FIELD_JUDGE,    /* forwarded: every key, string and number in it is judged with the prompt */
    FIELD_OVERRIDE, /* removed without a word: Rein sets it itself, or it has no meaning here */
    FIELD_DROP,     /* removed, and the client is told; a policy that refuses unknown fields refuses it */
    FIELD_REFUSE,   /* the request is refused, and the field is named */
};

/* Values with which a field passes (as FIELD_JUDGE) whatever its fate. */
enum field_value {
    FIELD_IF_TRUE = 1,
    FIELD_IF_FALSE = 2,
    FIELD_IF_EMPTY = 4,     /* "", [] and {} */
    FIELD_IF_ZERO = 8,      /* the number 0, in any spelling */
    FIELD_IF_NOT_ZERO = 16, /* an integer other than 0 */
    FIELD_IF_WORD = 32,     /* one of `words` */
    FIELD_IF_OTHER = 64,    /* a string that is none of `words` */
};

struct field_table;

struct field {
    const char *name;
    enum field_fate fate;
    /* DROP, REFUSE: ends the sentence "is not accepted: it ..."; PASS, JUDGE, OVERRIDE: why this does not weaken the
     * guard. For the reference; of DROP and REFUSE also for the client. */
    const char *why;
    unsigned passes;   /* enum field_value */
    const char *words; /* separated by blanks */
    /* The members of its value, if that is an object, or (`is_list`) an array of objects; values of another type have
     * the field's own fate. NULL: the value is not looked into. */
    const struct field_table *below;
    bool is_list;
    bool is_whole;   /* where a member is to be dropped, the whole field is: it has no meaning without that */
    bool keeps_null; /* null does not mean "absent" here */
};

struct field_table {
    const struct field *rows; /* sorted by name */
    size_t len;
};
#define FIELD_TABLE(rows)                                                                                              \
    {                                                                                                                  \
        rows, sizeof rows / sizeof *rows                                                                               \
    }

/* The row of a name, which contains no NUL; NULL if the table has none, or is NULL. */
const struct field *field_find(const struct field_table *table, const char *name, size_t len);
/* The row of a path: "messages[].images", "stream_options.include_usage". NULL: none. *inside: the path leads into a
 * field whose value is not looked into; then that field's row is returned. */
const struct field *field_find_path(const struct field_table *table, const char *path, bool *inside);
/* May the field pass with this value? */
bool field_is_harmless(const struct field *field, const struct rein_json_node *value);

#endif
