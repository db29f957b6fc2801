/* What goes upstream of a Responses request: the client's own bytes, or what is built from them. In both, `store` is
 * false. SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"
#include "api/responses/responses.h"

/* Those bytes can be lengthened (sent_text) where they are copied; others are sent as they came. */
bool responses_is_as_sent(const struct request *request)
{
    return request->stream || request->has_options || request->cuts_len > 0;
}

char *responses_sent_text(const struct request *request)
{
    static const char no_store[] = "{\"store\":false,"; /* no object here is empty: it has an input */
    size_t len;
    char *sent = request_text(request, &len);
    if (sent == NULL || request->has_options)
        return sent;
    const char *first_key = (const char *)memchr(sent, '{', len) + 1;
    size_t rest = (size_t)(sent + len - first_key);
    char *text = malloc(sizeof no_store + rest);
    if (text != NULL) {
        memcpy(text, no_store, sizeof no_store - 1);
        memcpy(text + sizeof no_store - 1, first_key, rest);
        text[sizeof no_store - 1 + rest] = '\0';
    }
    free(sent);
    return text;
}

json_t *responses_upstream_body(const struct request *request)
{
    assert(request->body != NULL);
    json_t *body = json_copy(request->body);
    if (body == NULL || json_object_set_new(body, "store", json_false()) == 0)
        return body;
    json_decref(body);
    return NULL;
}

/* The application's own words come first. */
int responses_instruct(json_t *body, const char *text)
{
    const char *own = json_string_value(json_object_get(body, "instructions"));
    json_t *joined = own != NULL && *own != '\0' ? json_sprintf("%s\n\n%s", own, text) : json_string(text);
    return joined == NULL || json_object_set_new(body, "instructions", joined) < 0 ? REIN_ENOMEM : 0;
}
