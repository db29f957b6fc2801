/* What goes upstream of a chat request: the client's own bytes, or what is built from them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/chat/chat.h"

static bool has_to_ask_for_usage(const struct request *request)
{
    return request->stream && !request->wants_usage;
}

bool chat_is_as_sent(const struct request *request)
{
    return !has_to_ask_for_usage(request) || !request->has_options;
}

char *chat_sent_text(const struct request *request)
{
    static const char ask[] =
        "{\"stream_options\":{\"include_usage\":true},"; /* no object here is empty: it has messages */
    size_t len;
    char *sent = request_text(request, &len);
    if (sent == NULL || !has_to_ask_for_usage(request))
        return sent;
    const char *first_key = (const char *)memchr(sent, '{', len) + 1;
    size_t rest = (size_t)(sent + len - first_key);
    char *text = malloc(sizeof ask + rest);
    if (text != NULL) {
        memcpy(text, ask, sizeof ask - 1);
        memcpy(text + sizeof ask - 1, first_key, rest);
        text[sizeof ask - 1 + rest] = '\0';
    }
    free(sent);
    return text;
}

json_t *chat_upstream_body(const struct request *request)
{
    assert(request->body != NULL);
    json_t *body = json_copy(request->body);
    if (body == NULL || !request->stream)
        return body;
    if (json_object_set_new(body, "stream_options", json_pack("{sb}", "include_usage", 1)) == 0)
        return body;
    json_decref(body);
    return NULL;
}

/* ---- an instruction ---- */

static bool is_system(const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    return strcmp(role, "system") == 0 || strcmp(role, "developer") == 0;
}

/* A conversation that has a system message keeps having exactly one, its own words first: many templates accept no
 * second one, and the application's instructions stay what they were. */
static int add_to_system(json_t *message, const char *text)
{
    json_t *content = json_object_get(message, "content");
    if (json_is_array(content))
        return json_array_append_new(content, json_pack("{ssss}", "type", "text", "text", text));
    json_t *joined = json_sprintf("%s\n\n%s", json_string_value(content), text);
    return joined == NULL ? -1 : json_object_set_new(message, "content", joined);
}

int chat_instruct(json_t *body, const char *text)
{
    json_t *messages = json_deep_copy(json_object_get(body, "messages")), *first = json_array_get(messages, 0);
    if (messages == NULL || json_object_set_new(body, "messages", messages) < 0)
        return REIN_ENOMEM;
    int rv = is_system(first)
                 ? add_to_system(first, text)
                 : json_array_insert_new(messages, 0, json_pack("{ssss}", "role", "system", "content", text));
    return rv < 0 ? REIN_ENOMEM : 0;
}
