/* See write.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/openai_responses/write.h"

/* ---- events ------------------------------------------------------------------------------------------------------ */

void event_begin(struct writer *w, const char *type)
{
    write_json(w, "event: ");
    write_json(w, type);
    write_json(w, "\ndata: ");
    w->payload_at = bytes_len(w->out);
    write_json(w, "{\"type\":\"");
    write_json(w, type);
    write_json(w, "\"");
}

void event_end(struct writer *w, struct responses_state *s)
{
    write_json(w, ",\"sequence_number\":");
    write_number(w, s->number++);
    for (size_t i = w->payload_at; w->rv == 0 && i < bytes_len(w->out); i++)
        if (*bytes_at(w->out, i) == '\n' || *bytes_at(w->out, i) == '\r')
            *bytes_at(w->out, i) = ' '; /* between the members of what an upstream wrote on several lines */
    write_json(w, "}\n\n");
    s->is_numbered = true;
}

void write_place(struct writer *w, const struct open_item *item)
{
    write_json(w, ",\"output_index\":");
    write_number(w, item->index);
    write_json(w, ",\"item_id\":");
    write_inside(w, (struct span){item->id, item->id_len});
}

void write_inner(struct writer *w, enum responses_field field, uint64_t inner)
{
    write_json(w, field == RESPONSES_SUMMARY ? ",\"summary_index\":" : ",\"content_index\":");
    write_number(w, (int64_t)inner);
}

void write_part(struct writer *w, enum responses_field field, struct span inside)
{
    static const char *const heads[] = {[RESPONSES_TEXT] = "{\"type\":\"output_text\",\"text\":",
                                        [RESPONSES_REFUSAL] = "{\"type\":\"refusal\",\"refusal\":",
                                        [RESPONSES_REASONING] = "{\"type\":\"reasoning_text\",\"text\":",
                                        [RESPONSES_SUMMARY] = "{\"type\":\"summary_text\",\"text\":"};
    write_json(w, heads[field]);
    write_inside(w, inside);
    write_json(w, field == RESPONSES_TEXT ? ",\"annotations\":[],\"logprobs\":[]}" : "}");
}

static const char *part_event(enum responses_field field, bool is_done)
{
    if (field == RESPONSES_SUMMARY)
        return is_done ? "response.reasoning_summary_part.done" : "response.reasoning_summary_part.added";
    return is_done ? "response.content_part.done" : "response.content_part.added";
}

static void say_part(struct writer *w, struct responses_state *s, const struct open_item *item,
                     enum responses_field field, uint64_t inner, struct span inside, bool is_done)
{
    event_begin(w, part_event(field, is_done));
    write_place(w, item);
    write_inner(w, field, inner);
    write_json(w, ",\"part\":");
    write_part(w, field, inside);
    event_end(w, s);
}

void say_part_added(struct writer *w, struct responses_state *s, const struct open_item *item,
                    enum responses_field field, uint64_t inner)
{
    say_part(w, s, item, field, inner, SPAN(""), false);
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

/* What the client was shown of a part's text: in memory->room, from *at on. */
static struct span shown_of(struct writer *w, struct dialect_memory *memory, const struct open_item *item,
                            enum responses_field field, uint64_t inner)
{
    uint32_t text = responses_text(field, item->outer, (uint32_t)inner);
    bytes_clear(&memory->room);
    if (w->rv == 0)
        w->rv = memory->shown(memory->ctx, text, &memory->room);
    return bytes_span(&memory->room);
}

/* The text's own end, and its part's. */
static void say_part_done(struct writer *w, struct responses_state *s, struct dialect_memory *memory,
                          const struct open_item *item, enum responses_field field, uint64_t inner)
{
    static const char *const ends[] = {[RESPONSES_TEXT] = "response.output_text.done",
                                       [RESPONSES_REFUSAL] = "response.refusal.done",
                                       [RESPONSES_REASONING] = "response.reasoning_text.done",
                                       [RESPONSES_SUMMARY] = "response.reasoning_summary_text.done"};
    struct span inside = shown_of(w, memory, item, field, inner);
    event_begin(w, ends[field]);
    write_place(w, item);
    write_inner(w, field, inner);
    write_json(w, field == RESPONSES_REFUSAL ? ",\"refusal\":" : ",\"text\":");
    write_inside(w, inside);
    if (field == RESPONSES_TEXT)
        write_json(w, ",\"logprobs\":[]");
    event_end(w, s);
    say_part(w, s, item, field, inner, inside, true);
}

/* The field of a part of the item's content. */
static enum responses_field content_field(const struct open_item *item, uint64_t inner)
{
    return item->type == RESPONSES_THOUGHT         ? RESPONSES_REASONING
           : item->refusals >> inner & UINT64_C(1) ? RESPONSES_REFUSAL
                                                   : RESPONSES_TEXT;
}

static void write_parts(struct writer *w, struct dialect_memory *memory, const struct open_item *item, bool of_summary)
{
    uint64_t parts = of_summary ? item->summary : item->content;
    bool is_first = true;
    write_json(w, "[");
    for (uint64_t inner = 0; parts >> inner != 0 && inner < 64; inner++) {
        enum responses_field field = of_summary ? RESPONSES_SUMMARY : content_field(item, inner);
        write_json(w, is_first ? "" : ",");
        write_part(w, field, shown_of(w, memory, item, field, inner));
        is_first = false;
    }
    write_json(w, "]");
}

static void write_item(struct writer *w, struct dialect_memory *memory, const struct open_item *item)
{
    write_json(w, "{\"id\":");
    write_inside(w, (struct span){item->id, item->id_len});
    if (item->type == RESPONSES_MESSAGE) {
        write_json(w, ",\"type\":\"message\",\"status\":\"incomplete\",\"role\":\"assistant\",\"content\":");
        write_parts(w, memory, item, false);
    } else {
        write_json(w, ",\"type\":\"reasoning\",\"status\":\"incomplete\",\"summary\":");
        write_parts(w, memory, item, true);
        write_json(w, ",\"content\":");
        write_parts(w, memory, item, false);
    }
    write_json(w, "}");
}

/* Keeps what was written from `at` on as the item of this number; without room it is not kept. */
static void keep_item(struct writer *w, struct dialect_memory *memory, uint32_t index, size_t at)
{
    size_t entry, end = bytes_len(w->out);
    if (w->rv != 0)
        return;
    int rv = memory_begin(memory, index, &entry);
    if (rv == 0)
        rv = bytes_append(&memory->kept, bytes_at(w->out, at), end - at);
    if (rv == 0)
        memory_end(memory, entry);
    else
        memory->kept.end = memory->kept.start + entry;
    w->rv = rv == REIN_ELIMIT ? 0 : rv;
}

void say_item_done(struct writer *w, struct responses_state *s, struct dialect_memory *memory,
                   const struct open_item *item)
{
    if (item->type != RESPONSES_MESSAGE && item->type != RESPONSES_THOUGHT)
        return;
    for (uint64_t inner = 0; inner < 64; inner++)
        if (item->open_summary >> inner & UINT64_C(1))
            say_part_done(w, s, memory, item, RESPONSES_SUMMARY, inner);
    for (uint64_t inner = 0; inner < 64; inner++)
        if (item->open_content >> inner & UINT64_C(1))
            say_part_done(w, s, memory, item, content_field(item, inner), inner);
    event_begin(w, "response.output_item.done");
    write_json(w, ",\"output_index\":");
    write_number(w, item->index);
    write_json(w, ",\"item\":");
    size_t at = bytes_len(w->out);
    write_item(w, memory, item);
    keep_item(w, memory, item->index, at);
    event_end(w, s);
}

void say_open_done(struct writer *w, struct responses_state *s, struct dialect_memory *memory)
{
    for (unsigned i = 0; i < s->open_len; i++)
        say_item_done(w, s, memory, &s->open[i]);
    s->open_len = 0;
}
