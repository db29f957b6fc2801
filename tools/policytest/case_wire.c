/* See case_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct case_wire *case_wire_at(size_t i)
{
    static const struct case_wire *const wires[CASE_WIRES] = {&case_wire_chat, &case_wire_messages,
                                                              &case_wire_responses};
    return wires[i];
}

int case_send_event(struct case_sink *sink, const char *name, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL, *frame = NULL;
    json_decref(json);
    int len = text == NULL   ? -1
              : name != NULL ? asprintf(&frame, "event: %s\ndata: %s\n\n", name, text)
                             : asprintf(&frame, "data: %s\n\n", text);
    free(text);
    if (len < 0)
        return REIN_ENOMEM;
    int rv = sink->feed(sink, frame, (size_t)len);
    free(frame);
    return rv;
}

int case_send_body(struct case_sink *sink, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = sink->feed(sink, text, strlen(text));
    free(text);
    return rv;
}

static size_t piece_of(const char *text)
{
    size_t len = strnlen(text, CASE_PIECE_BYTES + 1);
    for (len = len < CASE_PIECE_BYTES ? len : CASE_PIECE_BYTES; ((unsigned char)text[len] & 0xC0) == 0x80; len--)
        ;
    return len;
}

int case_send_pieces(struct case_sink *sink, const char *name, const char *text, case_pack pack, int index)
{
    int rv = 0;
    for (size_t len; *text != '\0' && rv == 0 && !sink->is_over; text += len) {
        len = piece_of(text);
        rv = case_send_event(sink, name, pack(text, len, index));
    }
    return rv;
}

int case_join(struct buffer *out, const json_t *string)
{
    const char *text = json_string_value(string);
    return text != NULL ? buffer_add(out, text, json_string_length(string), CASE_OUT_MAX) : 0;
}
