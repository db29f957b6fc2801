/* Judging the texts of a request: what all APIs share. For the files of server/api/ alone.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every key, string and number is judged, wherever it stands, but for a few words of the API itself, each in its own
 * place. All functions return 0 or an error of rein_trace_prompt. `role`: whose text it is. */
#ifndef SERVER_API_REQUEST_TEXTS_H
#define SERVER_API_REQUEST_TEXTS_H

#include "api/request.h"

/* The place of an object: which words its "type" may have there without being text of the client, and the places below.
 * A list's elements have the place of the list. */
struct request_place {
    const char *const *types; /* NULL-terminated; NULL: none */
    const struct request_below {
        const char *key; /* NULL: every key */
        const struct request_place *place;
    } * below; /* `place` NULL ends it; NULL: nothing */
};

/* JSON Schema, as `parameters` of a tool. */
extern const struct request_place request_at_schema;
/* The place below a key; NULL: none that is known. `place` may be NULL. */
const struct request_place *request_place_below(const struct request_place *place, const struct rein_json_node *key);

/* One string. */
int request_judge(struct rein_trace *trace, const char *role, const struct rein_json_node *text) REIN_MUST_USE;
/* The text of a part of a message; NULL: it has none of its own. */
typedef const struct rein_json_node *(*request_part_text)(const struct rein_json_node *part);
/* The texts of a message's parts, as one text. Nobody knows how the upstream joins them, so several are judged joined
 * by nothing and joined by a line end: a match that straddles two parts is found either way. */
int request_judge_parts(struct rein_trace *trace, const char *role, const struct rein_json_node *list,
                        request_part_text text_of) REIN_MUST_USE;
/* Every key, string and number at and below `value`. The request's depth was limited when it was read. */
int request_judge_all(struct rein_trace *trace, const char *role, const struct rein_json_node *value,
                      const struct request_place *place) REIN_MUST_USE;
/* Likewise, but for data that is no text (request_is_encoded): of parts that are counted as unjudged. */
int request_judge_media(struct rein_trace *trace, const char *role, const struct rein_json_node *value) REIN_MUST_USE;
/* The top-level fields but for these (NULL ends them): as texts of the system, without numbers of parameters. `place`:
 * of the request. */
int request_judge_fields(const struct request *request, struct rein_trace *trace, const char *const *except,
                         const struct request_place *place) REIN_MUST_USE;

#endif
