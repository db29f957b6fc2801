/* The tree of a request, from which bodies for upstreams are built (request.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/request.h"

static int by_place(const void *left, const void *right)
{
    const struct rein_json_place *a = left, *b = right;
    return a->at < b->at ? -1 : a->at > b->at;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A member is gone: so is the comma behind it, or if none follows the one before it. Returns where the text continues.
 */
static const char *drop_comma(const char *at, const char *end, const char *out, size_t *out_len)
{
    while (at < end && is_blank(*at))
        at++;
    if (at < end && *at == ',')
        return at + 1;
    size_t len = *out_len;
    while (len > 0 && is_blank(out[len - 1]))
        len--;
    if (len > 0 && out[len - 1] == ',')
        *out_len = len - 1;
    return at;
}

char *request_text(const struct request *request, size_t *len)
{
    const char *at = request->sent.text, *end = at + request->sent.len;
    char *text = malloc(request->sent.len + 1);
    if (text == NULL)
        return NULL;
    if (request->cuts_len > 0)
        qsort(request->cuts, request->cuts_len, sizeof *request->cuts, by_place);
    *len = 0;
    for (size_t i = 0; i < request->cuts_len; i++) {
        const char *from = request->sent.text + request->cuts[i].at;
        if (from < at) /* it is in one that is gone already */
            continue;
        memcpy(text + *len, at, (size_t)(from - at));
        *len += (size_t)(from - at);
        at = drop_comma(from + request->cuts[i].len, end, text, len);
    }
    memcpy(text + *len, at, (size_t)(end - at));
    *len += (size_t)(end - at);
    text[*len] = '\0';
    return text;
}

static int load(json_t **out, const char *text, size_t len)
{
    json_error_t where;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (*out != NULL)
        return 0;
    return json_error_code(&where) == json_error_out_of_memory ? REIN_ENOMEM : REIN_EFORMAT;
}

int request_load(struct request *request)
{
    if (request->body != NULL)
        return 0;
    if (request->cuts_len == 0)
        return load(&request->body, request->sent.text, request->sent.len);
    size_t len;
    char *text = request_text(request, &len);
    int rv = text != NULL ? load(&request->body, text, len) : REIN_ENOMEM;
    free(text);
    return rv;
}
