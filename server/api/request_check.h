/* What the checks of all APIs share; for the files of server/api/ alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_REQUEST_CHECK_H
#define SERVER_API_REQUEST_CHECK_H

#include "api/request.h"

/* ---- errors: each fills `err` and returns REIN_EFORMAT ---- */

/* A text that was cut to fit must not end inside a character. `len`: what snprintf returned. */
void request_end_text(char *text, size_t cap, int len);
__attribute__((format(printf, 4, 5))) int request_reject(struct request_error *err, const char *code, const char *param,
                                                         const char *format, ...);
int request_reject_type(struct request_error *err, const char *param, const char *wanted);
/* `field`: its row, NULL: the field is unknown. */
int request_reject_field(struct request_error *err, const char *param, const struct field *field);

/* A key as it is quoted in an error. */
struct request_key_name {
    char text[61];
};
struct request_key_name request_key_name(const struct rein_json_node *key);

/* ---- the document ---- */

/* The value of a top-level field; NULL: absent. */
const struct rein_json_node *request_field(const struct request *request, const char *name);
/* `words` end with NULL. */
bool request_is_one_of(const struct rein_json_node *text, const char *const *words);
/* Clients write null for "not set"; so it is removed before anything is checked, except for a key that upstreams want
 * to see (`kept`; NULL: none). REIN_ENOMEM. */
int request_drop_nulls(struct request *request, const struct rein_json_node *object, const char *kept);

/* The tables of fields, and the fields that a policy accepts in addition. */
struct request_accepted {
    const struct field_table *kind, *common; /* kind: NULL if it has no table of its own */
    const char *const *allow;                /* NULL: none */
};
/* Removes what the tables drop. *refused: the first key that they refuse, with its row (NULL: unknown), or NULL.
 * REIN_ENOMEM. */
int request_check_keys(struct request *request, const struct rein_json_node *object, struct request_accepted accepted,
                       const struct rein_json_node **refused, const struct field **row);

#endif
