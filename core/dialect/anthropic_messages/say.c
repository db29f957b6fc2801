/* Events and bodies of Anthropic's Messages that Rein writes itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is said in a stream depends on the blocks that are open when it goes out. So say_text and the others write a
 * note: a letter and a text; messages_speak writes the events. A chain of `put` calls builds an event; after the first
 * error nothing of it is kept. */
#include "dialect/anthropic_messages/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dialect/anthropic_messages/state.h"
#include "dialect/sse.h"
#include "json/text.h"

enum note { NOTE_TEXT = 't', NOTE_FINISH = 'f', NOTE_NOTHING = 'n', NOTE_END = 'e', NOTE_ERROR = 'x' };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct message_writer {
    struct bytes *out;
    size_t before;     /* length of `out` before */
    size_t payload_at; /* of the event that is being written */
    int rv;
};

static struct message_writer write_to(struct bytes *out)
{
    return (struct message_writer){.out = out, .before = bytes_len(out)};
}

static int written(struct message_writer *w)
{
    if (w->rv != 0)
        w->out->end = w->out->start + w->before;
    return w->rv;
}

/* Text that is JSON already. */
static void put_json(struct message_writer *w, const char *json)
{
    if (w->rv == 0)
        w->rv = bytes_append(w->out, json, strlen(json));
}

static void put_quoted(struct message_writer *w, struct span text)
{
    put_json(w, "\"");
    if (w->rv == 0)
        w->rv = json_escape(w->out, text);
    put_json(w, "\"");
}

static void put_quoted_words(struct message_writer *w, const char *words)
{
    put_quoted(w, (struct span){words, strlen(words)});
}

static void put_count(struct message_writer *w, int64_t count)
{
    char room[24];
    snprintf(room, sizeof room, "%" PRId64, count > 0 ? count : 0);
    put_json(w, room);
}

static void begin_payload(struct message_writer *w)
{
    if (w->rv == 0)
        w->rv = sse_open(w->out, &w->payload_at);
}

static void end_payload(struct message_writer *w)
{
    if (w->rv == 0)
        w->rv = framing_sse_named.close(w->out, w->payload_at);
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
    struct message_writer w = write_to(out);
    char reason[32];
    (void)state;
    if (mark == EVENT_HAS_ID) {
        w.rv = bytes_append_span(out, with);
    } else if (mark == EVENT_ENDS && with.data != NULL) {
        snprintf(reason, sizeof reason, "%.*s", (int)with.len, with.data);
        put_quoted_words(&w, stop_reason_of(reason));
    } else if (mark == EVENT_ENDS) {
        put_json(&w, "null");
    }
    return written(&w);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void put_usage(struct message_writer *w, int64_t input_tokens, int64_t output_tokens)
{
    put_json(w, ",\"usage\":{\"input_tokens\":");
    put_count(w, input_tokens);
    put_json(w, ",\"output_tokens\":");
    put_count(w, output_tokens);
    put_json(w, "}");
}

static void put_message_head(struct message_writer *w, const char *id, const char *model)
{
    put_json(w, "{\"id\":");
    put_quoted_words(w, id);
    put_json(w, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    put_quoted_words(w, model);
    put_json(w, ",\"content\":[");
}

static void put_start(struct message_writer *w, struct messages_state *s)
{
    if (s->has_begun)
        return;
    begin_payload(w);
    put_json(w, "{\"type\":\"message_start\",\"message\":");
    put_message_head(w, s->id, s->model);
    put_json(w, "],\"stop_reason\":null,\"stop_sequence\":null");
    put_usage(w, s->input_tokens, 0);
    put_json(w, "}}");
    end_payload(w);
    s->has_begun = w->rv == 0;
}

static void put_block_event(struct message_writer *w, const char *type, uint32_t number)
{
    begin_payload(w);
    put_json(w, "{\"type\":\"");
    put_json(w, type);
    put_json(w, "\",\"index\":");
    put_count(w, number);
}

int messages_say_stop(struct bytes *out, uint32_t number)
{
    struct message_writer w = write_to(out);
    put_block_event(&w, "content_block_stop", number);
    put_json(&w, "}");
    end_payload(&w);
    return written(&w);
}

static void close_open(struct message_writer *w, struct messages_state *s)
{
    put_start(w, s);
    if (w->rv == 0)
        w->rv = messages_close_blocks(s, w->out);
}

static int speak_text(struct messages_state *s, struct span text, struct bytes *out)
{
    struct message_writer w = write_to(out);
    close_open(&w, s);
    if (text.len > 0) {
        put_block_event(&w, "content_block_start", s->next);
        put_json(&w, ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
        end_payload(&w);
        put_block_event(&w, "content_block_delta", s->next);
        put_json(&w, ",\"delta\":{\"type\":\"text_delta\",\"text\":");
        put_quoted(&w, text);
        put_json(&w, "}}");
        end_payload(&w);
        put_block_event(&w, "content_block_stop", s->next);
        put_json(&w, "}");
        end_payload(&w);
        s->next += w.rv == 0;
    }
    return written(&w);
}

static int speak_finish(struct messages_state *s, struct span reason, struct bytes *out)
{
    struct message_writer w = write_to(out);
    close_open(&w, s);
    begin_payload(&w);
    put_json(&w, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":");
    put_quoted(&w, reason);
    put_json(&w, ",\"stop_sequence\":null},\"usage\":{\"output_tokens\":");
    put_count(&w, s->output_tokens);
    put_json(&w, "}}");
    end_payload(&w);
    return written(&w);
}

static int speak_end(struct bytes *out)
{
    struct message_writer w = write_to(out);
    begin_payload(&w);
    put_json(&w, "{\"type\":\"message_stop\"}");
    end_payload(&w);
    return written(&w);
}

static void put_failure(struct message_writer *w, const char *code, struct span message)
{
    put_json(w, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":");
    put_quoted(w, message);
    if (code != NULL) {
        put_json(w, ",\"code\":");
        put_quoted_words(w, code);
    }
    put_json(w, "}}");
}

/* A code that ends with NUL, then the message. */
static int speak_error(struct span said, struct bytes *out)
{
    struct message_writer w = write_to(out);
    size_t code_size = strnlen(said.data, said.len) + 1;
    begin_payload(&w);
    put_failure(&w, code_size > 1 ? said.data : NULL, (struct span){said.data + code_size, said.len - code_size});
    end_payload(&w);
    return written(&w);
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
    struct message_writer w = write_to(out);
    char first = (char)letter;
    s->model = voice->model;
    snprintf(s->id, sizeof s->id, "%s", voice->id);
    w.rv = bytes_append(out, &first, 1);
    if (w.rv == 0 && head != NULL)
        w.rv = bytes_append(out, head, strlen(head) + 1);
    if (w.rv == 0)
        w.rv = bytes_append_span(out, text);
    return written(&w);
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
    struct message_writer w = write_to(out);
    (void)choices; /* always one */
    put_message_head(&w, voice->id, voice->model);
    if (text.len > 0) {
        put_json(&w, "{\"type\":\"text\",\"text\":");
        put_quoted(&w, text);
        put_json(&w, "}");
    }
    put_json(&w, "],\"stop_reason\":");
    put_quoted_words(&w, stop_reason_of(reason));
    put_json(&w, ",\"stop_sequence\":null");
    put_usage(&w, s->input_tokens, s->output_tokens);
    put_json(&w, "}");
    return written(&w);
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
    struct message_writer w = write_to(out);
    (void)voice;
    (void)type;
    put_failure(&w, code, (struct span){message, strlen(message)});
    return written(&w);
}
