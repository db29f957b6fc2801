/* A delta written out as text, so that two can be compared and a difference read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DESCRIBE_H
#define TESTS_DESCRIBE_H

#include <stdio.h>
#include <string.h>

#include "dialect/event.h"
#include "dialect/openai_chat/field.h"

struct description {
    char text[1 << 16];
    size_t len;
};

static inline void describe_text(struct description *d, const char *name, struct span s)
{
    if (d->len < sizeof(d->text)) /* else it is cut */
        d->len += (size_t)snprintf(d->text + d->len, sizeof(d->text) - d->len, "%s=%.*s\n", name, (int)s.len, s.data);
}

static inline void describe_range(struct description *d, const char *name, struct span payload, struct range range)
{
    if (range.len > 0)
        describe_text(d, name, (struct span){payload.data + range.at, range.len});
}

static inline void describe_count(struct description *d, const char *name, int64_t count)
{
    if (count >= 0 && d->len < sizeof(d->text))
        d->len += (size_t)snprintf(d->text + d->len, sizeof(d->text) - d->len, "%s=%lld\n", name, (long long)count);
}

/* One line for each piece, "choice channel source tool flags|raw", then what else is there. */
static inline void describe(struct description *d, struct span payload, const struct event *delta)
{
    static const char channels[] = "praTo";
    static const char *const sources[CHAT_FIELDS] = {
        "content",  "refusal",       "text",   "transcript", "reasoning_content", "reasoning", "r_text",
        "thinking", "thinking_part", "d_text", "d_summary",  "r_summary",         "thought",   "arguments",
        "input",    "function_call", "name",   "noise",      "spelled",           "other"};
    d->len = 0;
    d->text[0] = '\0';
    for (size_t i = 0; i < delta->pieces_len; i++) {
        const struct piece *p = &delta->pieces[i];
        char name[64];
        snprintf(name, sizeof(name), "%u%c %s %u%s%s%s", p->place.choice, channels[p->place.channel],
                 sources[chat_field_of(p->place.text)], chat_tool_of(p->place.text),
                 p->place.kind == PIECE_WHOLE ? "w" : "",
                 p->place.is_key      ? "k"
                 : p->place.is_number ? "n"
                                      : "",
                 p->place.text & CHAT_ASIDE ? "+" : "");
        describe_text(d, name, (struct span){payload.data + p->at, p->len});
    }
    for (size_t i = 0; i < delta->parts_len; i++) {
        const struct event_part *c = &delta->parts[i];
        describe_count(d, c->has_tool_calls ? "choice+tools" : "choice", c->choice);
        describe_range(d, c->has_end ? "finish" : "no finish", payload, c->ends);
        describe_range(d, "role", payload, c->begins);
        for (size_t k = 0; k < EVENT_SPELLED_MAX; k++)
            describe_range(d, "spelled", payload, c->spelled[k]);
    }
    if (!delta->has_parts)
        describe_text(d, "no choices", SPAN(""));
    describe_range(d, delta->has_error ? "error" : "no error", payload, delta->error);
    describe_range(d, "id", payload, delta->id);
    describe_range(d, "usage", payload, delta->usage);
    describe_range(d, "prompt_logprobs", payload, delta->spelled_aside);
    describe_count(d, "prompt", delta->prompt_tokens);
    describe_count(d, "completion", delta->completion_tokens);
    describe_count(d, "reasoned", delta->reasoning_tokens);
}

#endif
