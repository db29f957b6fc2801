/* Responses that Rein says itself: notes while the response is judged (say_*), events when they go out (speak).
 * SPDX-License-Identifier: Apache-2.0
 *
 * A note is one letter and what it needs. What is said then depends on what the client has been sent until then: what
 * is open is closed first, a message gets the next number, the last event repeats all. */
#include "dialect/openai_responses/say.h"

#include <stdio.h>

#include "dialect/openai_responses/write.h"

enum { NOTE_TEXT = 'T', NOTE_END = 'E', NOTE_ERROR = 'X', NOTE_NOTHING = 'N' };

/* ---- notes ------------------------------------------------------------------------------------------------------- */

static void take_voice(const struct dialect_voice *voice)
{
    struct responses_state *s = voice->state;
    s->model = voice->model;
    s->created_s = voice->created_s;
    snprintf(s->id, sizeof s->id, "%s", voice->id);
}

static int note_down(struct bytes *out, const struct dialect_voice *voice, char kind, struct span text)
{
    struct writer w = writer_begin(out);
    take_voice(voice);
    write_raw(&w, (struct span){&kind, 1});
    write_raw(&w, text);
    return writer_end(&w);
}

/* Answers of several choices do not exist here. */
int responses_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                       struct span text)
{
    (void)choice;
    (void)begins;
    return note_down(out, voice, NOTE_TEXT, text);
}

int responses_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason)
{
    struct responses_state *s = voice->state;
    (void)choice;
    snprintf(s->reason, sizeof s->reason, "%s", reason != NULL ? reason : "");
    return note_down(out, voice, NOTE_NOTHING, SPAN(""));
}

int responses_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                        int64_t completion_tokens)
{
    struct responses_state *s = voice->state;
    s->input_tokens = prompt_tokens > 0 ? prompt_tokens : 0;
    s->output_tokens = completion_tokens > 0 ? completion_tokens : 0;
    return note_down(out, voice, NOTE_NOTHING, SPAN(""));
}

int responses_say_end(struct bytes *out, const struct dialect_voice *voice)
{
    return note_down(out, voice, NOTE_END, SPAN(""));
}

/* {"message":...,"type":...,"param":null,"code":...} */
static void write_error(struct writer *w, const char *type, const char *code, const char *message)
{
    write_json(w, "{\"message\":");
    write_words(w, message);
    write_json(w, ",\"type\":");
    write_words(w, type);
    write_json(w, ",\"param\":null,\"code\":");
    if (code != NULL)
        write_words(w, code);
    else
        write_json(w, "null");
    write_json(w, "}");
}

/* The event has the code and the message itself; next to them is the object without which some clients take no notice.
 */
int responses_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                        const char *message)
{
    struct writer w = writer_begin(out);
    take_voice(voice);
    write_json(&w, "X,\"code\":");
    write_words(&w, code != NULL ? code : type);
    write_json(&w, ",\"message\":");
    write_words(&w, message);
    write_json(&w, ",\"param\":null,\"error\":");
    write_error(&w, type, code, message);
    return writer_end(&w);
}

/* ---- response objects -------------------------------------------------------------------------------------------- */

bool responses_is_incomplete(const char *reason)
{
    return reason != NULL && *reason != '\0' && strcmp(reason, "stop") != 0;
}

/* Up to the output, which the caller writes. */
static void write_response_head(struct writer *w, const char *id, int64_t created_s, const char *model,
                                const char *status, const char *incomplete)
{
    write_json(w, "{\"id\":");
    write_words(w, id);
    write_json(w, ",\"object\":\"response\",\"created_at\":");
    write_number(w, created_s);
    write_json(w, ",\"status\":");
    write_words(w, status);
    write_json(w, ",\"error\":null,\"incomplete_details\":");
    if (incomplete != NULL) {
        write_json(w, "{\"reason\":");
        write_words(w, incomplete);
        write_json(w, "}");
    } else {
        write_json(w, "null");
    }
    write_json(w, ",\"instructions\":null,\"metadata\":{},\"model\":");
    write_words(w, model);
    write_json(w, ",\"output\":");
}

static void write_response_tail(struct writer *w, bool has_usage, int64_t input_tokens, int64_t output_tokens)
{
    write_json(w, ",\"parallel_tool_calls\":true,\"store\":false,\"temperature\":null,\"tool_choice\":\"auto\","
                  "\"tools\":[],\"top_p\":null,\"usage\":");
    if (has_usage) {
        write_json(w, "{\"input_tokens\":");
        write_number(w, input_tokens);
        write_json(w, ",\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":");
        write_number(w, output_tokens);
        write_json(w, ",\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":");
        write_number(w, input_tokens + output_tokens);
        write_json(w, "}}");
    } else {
        write_json(w, "null}");
    }
}

/* All items that were done, in the order in which they were. */
static void write_output(struct writer *w, const struct dialect_memory *memory)
{
    bool is_first = true;
    struct span item;
    size_t at = 0;
    uint32_t index;
    write_json(w, "[");
    while (memory_next(memory, &at, &index, &item)) {
        write_json(w, is_first ? "" : ",");
        write_raw(w, item);
        is_first = false;
    }
    write_json(w, "]");
}

/* ---- speaking ---------------------------------------------------------------------------------------------------- */

static void say_begin(struct writer *w, struct responses_state *s, const char *type)
{
    event_begin(w, type);
    write_json(w, ",\"response\":");
    write_response_head(w, s->id, s->created_s, s->model, "in_progress", NULL);
    write_json(w, "[]");
    write_response_tail(w, false, 0, 0);
    event_end(w, s);
}

/* Nothing has begun the response yet. */
static void ensure_begun(struct writer *w, struct responses_state *s)
{
    if (s->has_begun)
        return;
    s->has_begun = true;
    say_begin(w, s, "response.created");
    say_begin(w, s, "response.in_progress");
}

static void write_message(struct writer *w, const struct open_item *item, const char *status, struct span text)
{
    write_json(w, "{\"id\":");
    write_inside(w, (struct span){item->id, item->id_len});
    write_json(w, ",\"type\":\"message\",\"status\":");
    write_words(w, status);
    write_json(w, ",\"role\":\"assistant\",\"content\":[");
    if (text.data != NULL)
        write_part(w, RESPONSES_TEXT, text);
    write_json(w, "]}");
}

static void say_message_item(struct writer *w, struct responses_state *s, const struct open_item *item,
                             const char *status, struct span text)
{
    event_begin(w, text.data != NULL ? "response.output_item.done" : "response.output_item.added");
    write_json(w, ",\"output_index\":");
    write_number(w, item->index);
    write_json(w, ",\"item\":");
    write_message(w, item, status, text);
    event_end(w, s);
}

/* ,"output_index":...,"item_id":...,"content_index":0,NAME:"..." of one event about the message's text. */
static void say_message_text(struct writer *w, struct responses_state *s, const struct open_item *item,
                             const char *type, const char *name, struct span inside)
{
    event_begin(w, type);
    write_place(w, item);
    write_inner(w, RESPONSES_TEXT, 0);
    write_json(w, name);
    write_inside(w, inside);
    write_json(w, ",\"logprobs\":[]");
    event_end(w, s);
}

static void keep_message(struct writer *w, struct dialect_memory *memory, const struct open_item *item,
                         struct span inside)
{
    size_t entry;
    if (w->rv != 0)
        return;
    int rv = memory_begin(memory, item->index, &entry);
    struct writer kept = writer_begin(&memory->kept);
    kept.rv = rv;
    write_message(&kept, item, "completed", inside);
    rv = writer_end(&kept);
    if (rv == 0)
        memory_end(memory, entry);
    else
        memory->kept.end = memory->kept.start + entry;
    w->rv = rv == REIN_ELIMIT ? 0 : rv;
}

/* A whole message with this text. */
static void say_message(struct writer *w, struct responses_state *s, struct dialect_memory *memory, struct span text)
{
    struct open_item item = {.index = s->next++, .type = RESPONSES_MESSAGE};
    int len = snprintf(item.id, sizeof item.id, "msg_rein_%u", item.index);
    item.id_len = (uint8_t)len;
    bytes_clear(&memory->room);
    if (w->rv == 0)
        w->rv = json_escape(&memory->room, text);
    struct span inside = bytes_span(&memory->room);
    say_message_item(w, s, &item, "in_progress", (struct span){NULL, 0});
    say_part_added(w, s, &item, RESPONSES_TEXT, 0);
    say_message_text(w, s, &item, "response.output_text.delta", ",\"delta\":", inside);
    say_message_text(w, s, &item, "response.output_text.done", ",\"text\":", inside);
    event_begin(w, "response.content_part.done");
    write_place(w, &item);
    write_inner(w, RESPONSES_TEXT, 0);
    write_json(w, ",\"part\":");
    write_part(w, RESPONSES_TEXT, inside);
    event_end(w, s);
    say_message_item(w, s, &item, "completed", inside);
    keep_message(w, memory, &item, inside);
}

/* The last event. */
static void say_whole_response(struct writer *w, struct responses_state *s, const struct dialect_memory *memory)
{
    bool is_incomplete = responses_is_incomplete(s->reason);
    event_begin(w, is_incomplete ? "response.incomplete" : "response.completed");
    write_json(w, ",\"response\":");
    write_response_head(w, s->id, s->created_s, s->model, is_incomplete ? "incomplete" : "completed",
                        is_incomplete ? s->reason : NULL);
    write_output(w, memory);
    write_response_tail(w, true, s->input_tokens, s->output_tokens);
    event_end(w, s);
}

int responses_speak(void *state, struct dialect_memory *memory, struct span said, struct bytes *out)
{
    struct responses_state *s = state;
    struct writer w = writer_begin(out);
    assert(responses_state_is_sound(s) && said.len > 0);
    struct span rest = {said.data + 1, said.len - 1};
    switch (said.data[0]) {
    case NOTE_TEXT:
        ensure_begun(&w, s);
        say_open_done(&w, s, memory);
        if (rest.len > 0)
            say_message(&w, s, memory, rest);
        break;
    case NOTE_END:
        ensure_begun(&w, s);
        say_open_done(&w, s, memory);
        say_whole_response(&w, s, memory);
        break;
    case NOTE_ERROR:
        event_begin(&w, "error");
        write_raw(&w, rest);
        event_end(&w, s);
        break;
    default:
        break;
    }
    assert(responses_state_is_sound(s));
    return writer_end(&w);
}

/* The items of the attempt are closed as they are; those of the next one come after them. */
int responses_leave(void *state, struct dialect_memory *memory, struct bytes *out)
{
    struct responses_state *s = state;
    struct writer w = writer_begin(out);
    say_open_done(&w, s, memory);
    s->first = s->next;
    s->named_len = 0;
    return writer_end(&w);
}

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

/* What is removed is a member that spells text; all else is written when it goes out. */
int responses_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out)
{
    (void)state;
    return mark == EVENT_HAS_ID ? bytes_append_span(out, with) : 0;
}

int responses_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                       const char *reason)
{
    struct writer w = writer_begin(out);
    bool is_incomplete = responses_is_incomplete(reason);
    (void)choices;
    write_response_head(&w, voice->id, voice->created_s, voice->model, is_incomplete ? "incomplete" : "completed",
                        is_incomplete ? reason : NULL);
    write_json(&w, "[{\"id\":\"msg_rein_0\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\","
                   "\"content\":[{\"type\":\"output_text\",\"text\":");
    write_string(&w, text);
    write_json(&w, ",\"annotations\":[],\"logprobs\":[]}]}]");
    write_response_tail(&w, true, 0, 0);
    return writer_end(&w);
}

/* There is one answer alone, so none of several is replaced. */
int responses_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                       const char *reason)
{
    (void)out;
    (void)voice;
    (void)choice;
    (void)text;
    (void)reason;
    return 0;
}

int responses_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                             const char *message)
{
    struct writer w = writer_begin(out);
    (void)voice;
    write_json(&w, "{\"error\":");
    write_error(&w, type, code, message);
    write_json(&w, "}");
    return writer_end(&w);
}
