/* The texts of a chat completion: in which field, choice and tool call each came, packed into its id.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      choice    tool call   aside   field
 *      5 bits     14 bits    1 bit   5 bits
 */
#ifndef CORE_DIALECT_OPENAI_CHAT_FIELD_H
#define CORE_DIALECT_OPENAI_CHAT_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "rein/rein.h"

/* The same text is often sent in two fields; each is a text of its own. */
enum chat_field {
    CHAT_CONTENT,           /* content: a string, or the text parts of an array */
    CHAT_REFUSAL,           /* refusal */
    CHAT_TEXT,              /* text, next to or instead of a delta */
    CHAT_TRANSCRIPT,        /* audio.transcript */
    CHAT_REASONING_CONTENT, /* reasoning_content */
    CHAT_REASONING,         /* reasoning */
    CHAT_REASONING_TEXT,    /* reasoning_text */
    CHAT_THINKING,          /* thinking, as a string */
    CHAT_THINKING_PART,     /* content[].thinking, content[].text of a thinking part, thinking_blocks[].thinking */
    CHAT_DETAILS_TEXT,      /* reasoning_details[].text */
    CHAT_DETAILS_SUMMARY,   /* reasoning_details[].summary */
    CHAT_REASONING_SUMMARY, /* reasoning_summary */
    CHAT_THOUGHT,           /* thought, thoughts, and any other field of this kind: is_reasoning_name */
    CHAT_ARGUMENTS,         /* tool_calls[].function.arguments */
    CHAT_TOOL_INPUT,        /* tool_calls[].custom.input */
    CHAT_FUNCTION_CALL,     /* function_call.arguments */
    CHAT_TOOL_NAME,         /* names of called functions */
    CHAT_NOISE,             /* obfuscation: random padding that hides the lengths of texts; whole */
    CHAT_SPELLED,           /* tokens that spell a text out (logprobs); whole */
    CHAT_OTHER,             /* every other string, and numbers that are text; whole */
    CHAT_FIELDS,
};

enum {
    CHAT_TOOLS_MAX = 1 << 14, /* a tool call with this index, or a higher one, cannot be judged */
    CHAT_FIELD_BITS = 5,
    CHAT_ASIDE = 1 << CHAT_FIELD_BITS, /* of `message` in a stream, of `delta` in a body: it may repeat the other one,
                                          or differ */
    CHAT_TOOL_BIT = CHAT_FIELD_BITS + 1,
    CHAT_CHOICE_BIT = CHAT_TOOL_BIT + 14,
};

_Static_assert(CHAT_FIELDS <= 1 << CHAT_FIELD_BITS && CHAT_TOOLS_MAX <= 1 << 14 && REIN_CHOICES_MAX <= 1 << 5,
               "each part of an id has its bits");

static inline enum chat_field chat_field_of(uint32_t text)
{
    return (enum chat_field)(text & (CHAT_ASIDE - 1));
}

static inline unsigned chat_tool_of(uint32_t text)
{
    return text >> CHAT_TOOL_BIT & (CHAT_TOOLS_MAX - 1);
}

/* The same text in another field. */
static inline uint32_t chat_text_in(uint32_t text, enum chat_field field)
{
    return (text & ~(uint32_t)(CHAT_ASIDE - 1)) | field;
}

#endif
