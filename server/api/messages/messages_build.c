/* What goes upstream of a request for a message: the client's own bytes, or what is built from them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "api/messages/messages.h"

bool messages_is_as_sent(const struct request *request)
{
    (void)request; /* nothing is ever added */
    return true;
}

char *messages_sent_text(const struct request *request)
{
    size_t len;
    return request_text(request, &len);
}

json_t *messages_upstream_body(const struct request *request)
{
    assert(request->body != NULL);
    return json_copy(request->body);
}

/* The application's own words come first. */
int messages_instruct(json_t *body, const char *text)
{
    const json_t *system = json_object_get(body, "system");
    json_t *more = NULL;
    if (json_is_string(system)) {
        more = json_sprintf("%s\n\n%s", json_string_value(system), text);
    } else if (json_is_array(system)) {
        more = json_copy((json_t *)system);
        if (more != NULL && json_array_append_new(more, json_pack("{ssss}", "type", "text", "text", text)) < 0) {
            json_decref(more);
            more = NULL;
        }
    } else {
        more = json_string(text);
    }
    return more != NULL && json_object_set_new(body, "system", more) == 0 ? 0 : REIN_ENOMEM;
}
