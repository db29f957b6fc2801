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
/* Removes a member. REIN_ENOMEM. */
int request_take_out(struct request *request, const struct rein_json_node *key) REIN_MUST_USE;
/* What stands in a place of the client's text instead. */
struct request_edit {
    struct rein_json_place place;
    const char *text; /* JSON */
    size_t text_len;
};
/* request_text with edits (in order, not overlapping). */
char *request_text_with(const struct request *request, const struct request_edit *edits, size_t edits_len,
                        size_t *len) REIN_MUST_USE;
/* Applies the tables to the whole document: removes members, or finds what is refused. Null means "not set" for
 * clients, so it is removed first, except where upstreams want to see it. REIN_EFORMAT with `err` filled, REIN_ENOMEM.
 */
int request_walk(struct request *request, struct request_error *err) REIN_MUST_USE;

/* ---- for checks ---- */

/* Does a text hold a delimiter of reasoning? As a stop string it would remove the mark that ends the reasoning. */
bool request_is_delimiter(const struct rein_json_node *text);
int request_reject_model(struct request_error *err);
/* Counts a part of a message that cannot be judged, or refuses it. REIN_EFORMAT with `err` filled. */
int request_note_unjudged(struct request *request, const char *param, struct request_error *err) REIN_MUST_USE;

/* ---- for judging ---- */

/* A number in a top-level field that no model reads. */
bool request_is_parameter(const struct request *request, const struct rein_json_node *key);
/* Data rather than words: base64, alone or in a data URL. For strings of parts that are counted as unjudged. */
bool request_is_encoded(const struct rein_json_node *text);

#endif
