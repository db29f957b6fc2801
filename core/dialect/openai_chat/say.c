/* Events and bodies of OpenAI's chat completions that Rein writes itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A chain of `put` calls builds a message; after the first error the whole message is discarded. */
#include "dialect/openai_chat/say.h"

#include <inttypes.h>
#include <stdio.h>

#include "dialect/openai_chat/field.h"
#include "dialect/sse.h"

/* A message that is being built. */
struct saying {
    struct bytes *out;
    size_t before;     /* length of `out` before */
    size_t payload_at; /* of the event that is being said */
    int rv;
};

static struct saying begin(struct bytes *out)
{
    return (struct saying){.out = out, .before = bytes_len(out)};
}

static void begin_event(struct saying *s)
{
    if (s->rv == 0)
        s->rv = sse_open(s->out, &s->payload_at);
}

static void end_event(struct saying *s)
{
    if (s->rv == 0)
        s->rv = sse_close(s->out, s->payload_at);
}

/* Text that is JSON already. */
static void say_put(struct saying *s, const char *json)
{
    if (s->rv == 0)
        s->rv = bytes_append(s->out, json, strlen(json));
}

static void put_string(struct saying *s, struct span text)
{
    say_put(s, "\"");
    if (s->rv == 0)
        s->rv = json_escape(s->out, text);
    say_put(s, "\"");
}

static void put_words(struct saying *s, const char *words)
{
    put_string(s, (struct span){words, strlen(words)});
}

/* A text, or null. */
static void put_words_or_null(struct saying *s, const char *words)
{
    if (words != NULL)
        put_words(s, words);
    else
        say_put(s, "null");
}

static void put_number(struct saying *s, int64_t number)
{
    char room[24];
    snprintf(room, sizeof(room), "%" PRId64, number);
    say_put(s, room);
}

static int end(struct saying *s)
{
    if (s->rv != 0)
        s->out->end = s->out->start + s->before;
    return s->rv;
}

/* {"id":...,"object":...,"created":...,"model":...,"choices": */
static void put_head(struct saying *s, const struct dialect_voice *voice, const char *object)
{
    say_put(s, "{\"id\":");
    put_words(s, voice->id);
    say_put(s, ",\"object\":");
    put_words(s, object);
    say_put(s, ",\"created\":");
    put_number(s, voice->created_s);
    say_put(s, ",\"model\":");
    put_words(s, voice->model);
    say_put(s, ",\"choices\":");
}

/* An event up to the choice's delta, which the caller writes. */
static void open_choice(struct saying *s, const struct dialect_voice *voice, uint16_t choice)
{
    begin_event(s);
    put_head(s, voice, "chat.completion.chunk");
    say_put(s, "[{\"index\":");
    put_number(s, choice);
    say_put(s, ",\"delta\":");
}

/* The event from after the delta on. `reason` may be NULL. */
static void close_choice(struct saying *s, const char *reason)
{
    say_put(s, ",\"logprobs\":null,\"finish_reason\":");
    put_words_or_null(s, reason);
    say_put(s, "}]}");
    end_event(s);
}

/* Parts of an array have no field name of their own: the usual one is used. */
const char *openai_field(uint32_t text)
{
    enum chat_field field = chat_field_of(text);
    return field == CHAT_CONTENT ? "content" : field == CHAT_REASONING ? "reasoning" : "reasoning_content";
}

/* A finish reason is a string or null; what begins an answer or spells a text is removed; the id is JSON already. */
int openai_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out)
{
    struct saying s = begin(out);
    (void)state;
    if (mark == EVENT_HAS_ID)
        s.rv = bytes_append_span(out, with);
    else if (mark == EVENT_ENDS && with.data != NULL)
        put_string(&s, with);
    else if (mark == EVENT_ENDS)
        say_put(&s, "null");
    return end(&s);
}

int openai_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                    struct span text)
{
    struct saying s = begin(out);
    if (begins) {
        open_choice(&s, voice, choice);
        say_put(&s, "{\"role\":\"assistant\",\"content\":\"\"}");
        close_choice(&s, NULL);
    }
    if (text.len > 0) {
        open_choice(&s, voice, choice);
        say_put(&s, "{\"content\":");
        put_string(&s, text);
        say_put(&s, "}");
        close_choice(&s, NULL);
    }
    return end(&s);
}

int openai_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason)
{
    struct saying s = begin(out);
    open_choice(&s, voice, choice);
    say_put(&s, "{}");
    close_choice(&s, reason != NULL ? reason : "stop");
    return end(&s);
}

static void put_usage(struct saying *s, int64_t prompt_tokens, int64_t completion_tokens)
{
    int64_t prompt = prompt_tokens > 0 ? prompt_tokens : 0;
    int64_t completion = completion_tokens > 0 ? completion_tokens : 0;
    say_put(s, "{\"prompt_tokens\":");
    put_number(s, prompt);
    say_put(s, ",\"completion_tokens\":");
    put_number(s, completion);
    say_put(s, ",\"total_tokens\":");
    put_number(s, prompt + completion);
    say_put(s, "}");
}

int openai_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens)
{
    struct saying s = begin(out);
    begin_event(&s);
    put_head(&s, voice, "chat.completion.chunk");
    say_put(&s, "[],\"usage\":");
    put_usage(&s, prompt_tokens, completion_tokens);
    say_put(&s, "}");
    end_event(&s);
    return end(&s);
}

int openai_say_end(struct bytes *out, const struct dialect_voice *voice)
{
    struct saying s = begin(out);
    (void)voice;
    begin_event(&s);
    say_put(&s, "[DONE]");
    end_event(&s);
    return end(&s);
}

static void put_error(struct saying *s, const char *type, const char *code, const char *message)
{
    say_put(s, "{\"error\":{\"message\":");
    put_words(s, message);
    say_put(s, ",\"type\":");
    put_words(s, type);
    say_put(s, ",\"param\":null,\"code\":");
    put_words_or_null(s, code);
    say_put(s, "}}");
}

int openai_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                     const char *message)
{
    struct saying s = begin(out);
    (void)voice;
    begin_event(&s);
    put_error(&s, type, code, message);
    end_event(&s);
    return end(&s);
}

static void put_choice(struct saying *s, unsigned choice, struct span text, const char *reason)
{
    say_put(s, "{\"index\":");
    put_number(s, choice);
    say_put(s, ",\"message\":{\"role\":\"assistant\",\"content\":");
    put_string(s, text);
    say_put(s, ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":");
    put_words(s, reason);
    say_put(s, "}");
}

int openai_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                    const char *reason)
{
    struct saying s = begin(out);
    (void)voice;
    put_choice(&s, choice, text, reason);
    return end(&s);
}

int openai_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason)
{
    struct saying s = begin(out);
    put_head(&s, voice, "chat.completion");
    say_put(&s, "[");
    for (unsigned i = 0; i < choices; i++) {
        say_put(&s, i == 0 ? "" : ",");
        put_choice(&s, i, text, reason);
    }
    say_put(&s, "]}");
    return end(&s);
}

int openai_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                          const char *message)
{
    struct saying s = begin(out);
    (void)voice;
    put_error(&s, type, code, message);
    return end(&s);
}
