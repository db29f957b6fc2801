/* Events and bodies of OpenAI's chat completions that Rein writes itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/openai_chat/say.h"

#include "dialect/openai_chat/field.h"
#include "dialect/sse.h"
#include "dialect/writer.h"

/* {"id":...,"object":...,"created":...,"model":...,"choices": */
static void put_head(struct writer *s, const struct dialect_voice *voice, const char *object)
{
    write_json(s, "{\"id\":");
    write_words(s, voice->id);
    write_json(s, ",\"object\":");
    write_words(s, object);
    write_json(s, ",\"created\":");
    write_number(s, voice->created_s);
    write_json(s, ",\"model\":");
    write_words(s, voice->model);
    write_json(s, ",\"choices\":");
}

/* An event up to the choice's delta, which the caller writes. */
static void open_choice(struct writer *s, const struct dialect_voice *voice, uint16_t choice)
{
    write_event_begin(s, &framing_sse);
    put_head(s, voice, "chat.completion.chunk");
    write_json(s, "[{\"index\":");
    write_number(s, choice);
    write_json(s, ",\"delta\":");
}

/* The event from after the delta on. `reason` may be NULL. */
static void close_choice(struct writer *s, const char *reason)
{
    write_json(s, ",\"logprobs\":null,\"finish_reason\":");
    write_words_or_null(s, reason);
    write_json(s, "}]}");
    write_event_end(s, &framing_sse);
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
    struct writer s = writer_begin(out);
    (void)state;
    if (mark == EVENT_HAS_ID)
        s.rv = bytes_append_span(out, with);
    else if (mark == EVENT_ENDS && with.data != NULL)
        write_string(&s, with);
    else if (mark == EVENT_ENDS)
        write_json(&s, "null");
    return writer_end(&s);
}

int openai_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                    struct span text)
{
    struct writer s = writer_begin(out);
    if (begins) {
        open_choice(&s, voice, choice);
        write_json(&s, "{\"role\":\"assistant\",\"content\":\"\"}");
        close_choice(&s, NULL);
    }
    if (text.len > 0) {
        open_choice(&s, voice, choice);
        write_json(&s, "{\"content\":");
        write_string(&s, text);
        write_json(&s, "}");
        close_choice(&s, NULL);
    }
    return writer_end(&s);
}

int openai_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason)
{
    struct writer s = writer_begin(out);
    open_choice(&s, voice, choice);
    write_json(&s, "{}");
    close_choice(&s, reason != NULL ? reason : "stop");
    return writer_end(&s);
}

static void put_usage(struct writer *s, int64_t prompt_tokens, int64_t completion_tokens)
{
    int64_t prompt = prompt_tokens > 0 ? prompt_tokens : 0;
    int64_t completion = completion_tokens > 0 ? completion_tokens : 0;
    write_json(s, "{\"prompt_tokens\":");
    write_number(s, prompt);
    write_json(s, ",\"completion_tokens\":");
    write_number(s, completion);
    write_json(s, ",\"total_tokens\":");
    write_number(s, prompt + completion);
    write_json(s, "}");
}

int openai_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens)
{
    struct writer s = writer_begin(out);
    write_event_begin(&s, &framing_sse);
    put_head(&s, voice, "chat.completion.chunk");
    write_json(&s, "[],\"usage\":");
    put_usage(&s, prompt_tokens, completion_tokens);
    write_json(&s, "}");
    write_event_end(&s, &framing_sse);
    return writer_end(&s);
}

int openai_say_end(struct bytes *out, const struct dialect_voice *voice)
{
    struct writer s = writer_begin(out);
    (void)voice;
    write_event_begin(&s, &framing_sse);
    write_json(&s, "[DONE]");
    write_event_end(&s, &framing_sse);
    return writer_end(&s);
}

static void put_error(struct writer *s, const char *type, const char *code, const char *message)
{
    write_json(s, "{\"error\":{\"message\":");
    write_words(s, message);
    write_json(s, ",\"type\":");
    write_words(s, type);
    write_json(s, ",\"param\":null,\"code\":");
    write_words_or_null(s, code);
    write_json(s, "}}");
}

int openai_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                     const char *message)
{
    struct writer s = writer_begin(out);
    (void)voice;
    write_event_begin(&s, &framing_sse);
    put_error(&s, type, code, message);
    write_event_end(&s, &framing_sse);
    return writer_end(&s);
}

static void put_choice(struct writer *s, unsigned choice, struct span text, const char *reason)
{
    write_json(s, "{\"index\":");
    write_number(s, choice);
    write_json(s, ",\"message\":{\"role\":\"assistant\",\"content\":");
    write_string(s, text);
    write_json(s, ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":");
    write_words(s, reason);
    write_json(s, "}");
}

int openai_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                    const char *reason)
{
    struct writer s = writer_begin(out);
    (void)voice;
    put_choice(&s, choice, text, reason);
    return writer_end(&s);
}

int openai_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason)
{
    struct writer s = writer_begin(out);
    put_head(&s, voice, "chat.completion");
    write_json(&s, "[");
    for (unsigned i = 0; i < choices; i++) {
        write_json(&s, i == 0 ? "" : ",");
        put_choice(&s, i, text, reason);
    }
    write_json(&s, "]}");
    return writer_end(&s);
}

int openai_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                          const char *message)
{
    struct writer s = writer_begin(out);
    (void)voice;
    put_error(&s, type, code, message);
    return writer_end(&s);
}
