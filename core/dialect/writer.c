/* See writer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json/text.h"

struct writer writer_begin(struct bytes *out)
{
    return (struct writer){.out = out, .before = bytes_len(out)};
}

int writer_end(struct writer *w)
{
    if (w->rv != 0)
        w->out->end = w->out->start + w->before;
    return w->rv;
}

void write_raw(struct writer *w, struct span json)
{
    if (w->rv == 0)
        w->rv = bytes_append_span(w->out, json);
}

void write_json(struct writer *w, const char *json)
{
    write_raw(w, (struct span){json, strlen(json)});
}

void write_number(struct writer *w, int64_t number)
{
    char room[24];
    snprintf(room, sizeof(room), "%" PRId64, number);
    write_json(w, room);
}

void write_string(struct writer *w, struct span text)
{
    write_json(w, "\"");
    if (w->rv == 0)
        w->rv = json_escape(w->out, text);
    write_json(w, "\"");
}

void write_words(struct writer *w, const char *words)
{
    write_string(w, (struct span){words, strlen(words)});
}

void write_words_or_null(struct writer *w, const char *words)
{
    if (words != NULL)
        write_words(w, words);
    else
        write_json(w, "null");
}

void write_inside(struct writer *w, struct span inside)
{
    write_json(w, "\"");
    write_raw(w, inside);
    write_json(w, "\"");
}

void write_event_begin(struct writer *w, const struct framing *framing)
{
    if (w->rv == 0)
        w->rv = framing->open(w->out, &w->payload_at);
}

void write_event_end(struct writer *w, const struct framing *framing)
{
    if (w->rv == 0)
        w->rv = framing->close(w->out, w->payload_at);
}
