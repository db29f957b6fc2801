/* See reply.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/reply.h"

#include <string.h>

char *reply_error_text(const struct reply_error *error)
{
    const char *param = error->param != NULL && *error->param != '\0' ? error->param : NULL;
    json_t *tree = json_pack("{s{ssssss?ss?}}", "error", "message", error->message, "type", error->type, "param", param,
                             "code", error->code);
    if (tree == NULL)
        return NULL;
    char *text = json_dumps(tree, JSON_COMPACT);
    json_decref(tree);
    return text;
}

void reply_text(struct exchange *x, unsigned status, char *json, size_t len, const struct front_header *headers)
{
    struct front_header all[REPLY_HEADERS_MAX + 2];
    size_t n = 0;
    all[n++] = (struct front_header){"content-type", "application/json"};
    while (headers != NULL && headers->name != NULL && n <= REPLY_HEADERS_MAX)
        all[n++] = *headers++;
    all[n] = (struct front_header){NULL, NULL};
    if (json == NULL || exchange_give(x, status, all, json, len) < 0)
        exchange_abort(x);
}

static void reply_string(struct exchange *x, unsigned status, char *json, const struct front_header *headers)
{
    reply_text(x, status, json, json != NULL ? strlen(json) : 0, headers);
}

void reply_error(struct exchange *x, const struct reply_error *error, const struct front_header *headers)
{
    reply_string(x, error->status, reply_error_text(error), headers);
}

void reply_json(struct exchange *x, unsigned status, json_t *tree, const struct front_header *headers)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    reply_string(x, status, text, headers);
}
