/* Events and bodies of Anthropic's Messages that Rein writes itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is said in a stream depends on the blocks that are open when it goes out. So say_text and the others write a
 * note: a letter and a text; messages_speak writes the events. See writer.h for how. */
#include "dialect/anthropic_messages/say.h"

#include <stdio.h>
#include <string.h>

#include "dialect/anthropic_messages/state.h"
#include "dialect/sse.h"
#include "dialect/writer.h"

enum note { NOTE_TEXT = 't', NOTE_FINISH = 'f', NOTE_NOTHING = 'n', NOTE_END = 'e', NOTE_ERROR = 'x' };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Counts that are not known are 0. */
static void put_count(struct writer *w, int64_t count)
{
    write_number(w, count > 0 ? count : 0);
}

/* Why the answer ends, in this format's words. */
static const char *stop_reason_of(const char *reason)
{
    if (reason == NULL || *reason == '\0' || strcmp(reason, "stop") == 0)
        return "end_turn";
    return strcmp(reason, "content_filter") == 0 ? "refusal" : reason;
}

int messages_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out)
{
    struct writer w = writer_begin(out);
    char reason[32];
    (void)state;
    if (mark == EVENT_HAS_ID) {
        w.rv = bytes_append_span(out, with);
    } else if (mark == EVENT_ENDS && with.data != NULL) {
        snprintf(reason, sizeof reason, "%.*s", (int)with.len, with.data);
        write_words(&w, stop_reason_of(reason));
    } else if (mark == EVENT_ENDS) {
        write_json(&w, "null");
    }
    return writer_end(&w);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void put_usage(struct writer *w, int64_t input_tokens, int64_t output_tokens)
{
    write_json(w, ",\"usage\":{\"input_tokens\":");
    put_count(w, input_tokens);
    write_json(w, ",\"output_tokens\":");
    put_count(w, output_tokens);
    write_json(w, "}");
}

static void put_message_head(struct writer *w, const char *id, const char *model)
{
    write_json(w, "{\"id\":");
    write_words(w, id);
    write_json(w, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    write_words(w, model);
    write_json(w, ",\"content\":[");
}

static void put_start(struct writer *w, struct messages_state *s)
{
    if (s->has_begun)
        return;
    write_event_begin(w, &framing_sse_named);
    write_json(w, "{\"type\":\"message_start\",\"message\":");
    put_message_head(w, s->id, s->model);
    write_json(w, "],\"stop_reason\":null,\"stop_sequence\":null");
    put_usage(w, s->input_tokens, 0);
    write_json(w, "}}");
    write_event_end(w, &framing_sse_named);
    s->has_begun = w->rv == 0;
}

static void put_block_event(struct writer *w, const char *type, uint32_t number)
{
    write_event_begin(w, &framing_sse_named);
    write_json(w, "{\"type\":\"");
    write_json(w, type);
    write_json(w, "\",\"index\":");
    put_count(w, number);
}

int messages_say_stop(struct bytes *out, uint32_t number)
{
    struct writer w = writer_begin(out);
    put_block_event(&w, "content_block_stop", number);
    write_json(&w, "}");
    write_event_end(&w, &framing_sse_named);
    return writer_end(&w);
}

static void close_open(struct writer *w, struct messages_state *s)
{
    put_start(w, s);
    if (w->rv == 0)
        w->rv = messages_close_blocks(s, w->out);
}

static int speak_text(struct messages_state *s, struct span text, struct bytes *out)
{
    struct writer w = writer_begin(out);
    close_open(&w, s);
    if (text.len > 0) {
        put_block_event(&w, "content_block_start", s->next);
        write_json(&w, ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
        write_event_end(&w, &framing_sse_named);
        put_block_event(&w, "content_block_delta", s->next);
        write_json(&w, ",\"delta\":{\"type\":\"text_delta\",\"text\":");
        write_string(&w, text);
        write_json(&w, "}}");
        write_event_end(&w, &framing_sse_named);
        put_block_event(&w, "content_block_stop", s->next);
        write_json(&w, "}");
        write_event_end(&w, &framing_sse_named);
        s->next += w.rv == 0;
    }
    return writer_end(&w);
}

static int speak_finish(struct messages_state *s, struct span reason, struct bytes *out)
{
    struct writer w = writer_begin(out);
    close_open(&w, s);
    write_event_begin(&w, &framing_sse_named);
    write_json(&w, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":");
    write_string(&w, reason);
    write_json(&w, ",\"stop_sequence\":null},\"usage\":{\"output_tokens\":");
    put_count(&w, s->output_tokens);
    write_json(&w, "}}");
    write_event_end(&w, &framing_sse_named);
    return writer_end(&w);
}

static int speak_end(struct bytes *out)
{
    struct writer w = writer_begin(out);
    write_event_begin(&w, &framing_sse_named);
    write_json(&w, "{\"type\":\"message_stop\"}");
    write_event_end(&w, &framing_sse_named);
    return writer_end(&w);
}

static void put_failure(struct writer *w, const char *code, struct span message)
{
    write_json(w, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":");
    write_string(w, message);
    if (code != NULL) {
        write_json(w, ",\"code\":");
        write_words(w, code);
    }
    write_json(w, "}}");
}

/* A code that ends with NUL, then the message. */
static int speak_error(struct span said, struct bytes *out)
{
    struct writer w = writer_begin(out);
    size_t code_size = strnlen(said.data, said.len) + 1;
    write_event_begin(&w, &framing_sse_named);
    put_failure(&w, code_size > 1 ? said.data : NULL, (struct span){said.data + code_size, said.len - code_size});
    write_event_end(&w, &framing_sse_named);
    return writer_end(&w);
}

int messages_speak(void *state, struct dialect_memory *memory, struct span said, struct bytes *out)
{
    struct messages_state *s = state;
    struct span text = {said.data + 1, said.len - 1};
    (void)memory;
    assert(messages_state_is_sound(s) && said.len > 0);
    switch (*said.data) {
    case NOTE_TEXT:
        return speak_text(s, text, out);
    case NOTE_FINISH:
        return speak_finish(s, text, out);
    case NOTE_END:
        return speak_end(out);
    case NOTE_ERROR:
        return speak_error(text, out);
    default:
        return 0;
    }
}

/* ---- notes ------------------------------------------------------------------------------------------------------- */

static int note(struct bytes *out, const struct dialect_voice *voice, enum note letter, const char *head,
                struct span text)
{
    struct messages_state *s = voice->state;
    struct writer w = writer_begin(out);
    char first = (char)letter;
    s->model = voice->model;
    snprintf(s->id, sizeof s->id, "%s", voice->id);
    w.rv = bytes_append(out, &first, 1);
    if (w.rv == 0 && head != NULL)
        w.rv = bytes_append(out, head, strlen(head) + 1);
    if (w.rv == 0)
        w.rv = bytes_append_span(out, text);
    return writer_end(&w);
}

int messages_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                      struct span text)
{
    (void)choice;
    (void)begins; /* the state knows it */
    return note(out, voice, NOTE_TEXT, NULL, text);
}

int messages_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason)
{
    const char *word = stop_reason_of(reason);
    (void)choice;
    return note(out, voice, NOTE_FINISH, NULL, (struct span){word, strlen(word)});
}

/* The end of the answer says it. */
int messages_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                       int64_t completion_tokens)
{
    (void)prompt_tokens;
    (void)completion_tokens;
    return note(out, voice, NOTE_NOTHING, NULL, SPAN(""));
}

int messages_say_end(struct bytes *out, const struct dialect_voice *voice)
{
    return note(out, voice, NOTE_END, NULL, SPAN(""));
}

int messages_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                       const char *message)
{
    (void)type;
    return note(out, voice, NOTE_ERROR, code != NULL ? code : "", (struct span){message, strlen(message)});
}

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

int messages_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                      const char *reason)
{
    const struct messages_state *s = voice->state;
    struct writer w = writer_begin(out);
    (void)choices; /* always one */
    put_message_head(&w, voice->id, voice->model);
    if (text.len > 0) {
        write_json(&w, "{\"type\":\"text\",\"text\":");
        write_string(&w, text);
        write_json(&w, "}");
    }
    write_json(&w, "],\"stop_reason\":");
    write_words(&w, stop_reason_of(reason));
    write_json(&w, ",\"stop_sequence\":null");
    put_usage(&w, s->input_tokens, s->output_tokens);
    write_json(&w, "}");
    return writer_end(&w);
}

/* There is one answer, so no part of a body is replaced alone. */
int messages_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                      const char *reason)
{
    (void)out;
    (void)voice;
    (void)choice;
    (void)text;
    (void)reason;
    return 0;
}

int messages_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                            const char *message)
{
    struct writer w = writer_begin(out);
    (void)voice;
    (void)type;
    put_failure(&w, code, (struct span){message, strlen(message)});
    return writer_end(&w);
}
