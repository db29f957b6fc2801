/* See reply.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <stdlib.h>
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

void reply_text(struct exchange *x, unsigned status, const char *json, size_t len, const struct front_header *headers)
{
    struct front_header all[REPLY_HEADERS_MAX + 2] = {{"content-type", "application/json"}};
    for (size_t i = 0; headers != NULL && headers[i].name != NULL && i < REPLY_HEADERS_MAX; i++)
        all[i + 1] = headers[i];
    if (exchange_reply(x, status, all, json, len) < 0)
        exchange_abort(x);
}

void reply_error(struct exchange *x, const struct reply_error *error, const struct front_header *headers)
{
    char *text = reply_error_text(error);
    if (text == NULL)
        exchange_abort(x);
    else
        reply_text(x, error->status, text, strlen(text), headers);
    free(text);
}

void reply_json(struct exchange *x, unsigned status, json_t *tree, const struct front_header *headers)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    if (text == NULL)
        exchange_abort(x);
    else
        reply_text(x, status, text, strlen(text), headers);
    free(text);
}
