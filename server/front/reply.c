/* See reply.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/reply.h"

#include <stdlib.h>
#include <string.h>

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
    size_t len = exchange_error_text(x, error, NULL, 0);
    char *text = malloc(len + 1);
    if (text != NULL)
        (void)exchange_error_text(x, error, text, len + 1);
    reply_text(x, error->status, text, len, headers);
}

void reply_json(struct exchange *x, unsigned status, json_t *tree, const struct front_header *headers)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    reply_string(x, status, text, headers);
}
