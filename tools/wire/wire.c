/* See wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

size_t wire_number(const struct wire_script *script, size_t i)
{
    const struct wire_text *text = &script->texts[i];
    size_t number = 0;
    for (size_t k = 0; k < i; k++)
        number += script->texts[k].channel == text->channel && script->texts[k].choice == text->choice;
    return number;
}

bool wire_has(const struct wire_script *script, enum rein_channel channel, unsigned choice)
{
    for (size_t i = 0; i < script->len; i++)
        if (script->texts[i].channel == channel && script->texts[i].choice == choice)
            return true;
    return false;
}

int wire_add(struct buffer *out, const char *text)
{
    return buffer_add(out, text, strlen(text), WIRE_MAX);
}

int wire_add_json(struct buffer *out, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    int rv = text != NULL ? wire_add(out, text) : REIN_ENOMEM;
    free(text);
    return rv;
}

static int add_name(struct buffer *out, const char *name)
{
    int rv = wire_add(out, "event: ");
    if (rv == 0)
        rv = wire_add(out, name);
    return rv == 0 ? wire_add(out, "\n") : rv;
}

int wire_add_event(struct buffer *out, const struct wire_script *script, json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    int rv = script->name != NULL && type != NULL ? add_name(out, type) : 0;
    if (rv == 0)
        rv = wire_add(out, "data: ");
    if (rv != 0)
        json_decref(json);
    else
        rv = wire_add_json(out, json);
    return rv == 0 ? wire_add(out, "\n\n") : rv;
}

json_t *wire_with(json_t *object, const char *key, json_t *value)
{
    if (object != NULL && value != NULL && json_object_set_new(object, key, value) == 0)
        return object;
    if (object == NULL)
        json_decref(value);
    json_decref(object);
    return NULL;
}
