/* See api.h: the table of APIs, and how a path leads to one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <stdio.h>
#include <string.h>

#include "api/chat/chat.h"
#include "api/embeddings/embeddings.h"
#include "api/messages/messages.h"
#include "api/responses/responses.h"

/* The first one also answers where a path suggests none. */
static const struct api *const apis[] = {
    &api_chat, &api_messages, &api_count_tokens, &api_responses, &api_embeddings,
};

size_t api_count(void)
{
    return sizeof apis / sizeof *apis;
}

const struct api *api_at(size_t i)
{
    return apis[i];
}

const struct api *api_find(const char *path)
{
    for (size_t i = 0; i < api_count(); i++)
        if (strcmp(apis[i]->path, path) == 0)
            return apis[i];
    return NULL;
}

const struct api *api_suggested(const char *path)
{
    const struct api *best = NULL;
    for (size_t i = 0; path != NULL && i < api_count(); i++) {
        size_t len = strlen(apis[i]->prefix);
        if (strncmp(apis[i]->prefix, path, len) == 0 && (best == NULL || len > strlen(best->prefix)))
            best = apis[i];
    }
    return best != NULL ? best : apis[0];
}

const char *api_any_key(const struct exchange *x)
{
    const char *key = NULL;
    for (size_t i = 0; i < api_count() && key == NULL; i++)
        key = apis[i]->key(x);
    return key;
}

void api_list(unsigned set, char *out, size_t cap)
{
    size_t len = 0;
    *out = '\0';
    for (size_t i = 0; i < api_count() && len < cap; i++)
        if ((apis[i]->serves & set) != 0)
            len +=
                (size_t)snprintf(out + len, cap - len, "%s%s %s", len > 0 ? ", " : "", apis[i]->method, apis[i]->path);
}

size_t api_error_text(const char *path, const struct reply_error *error, char *out, size_t cap)
{
    return api_suggested(path)->error_text(error, out, cap);
}
