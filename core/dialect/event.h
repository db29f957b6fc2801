/* Deltas: finds the text and the few other things that matter inside the JSON of an event, without building a tree.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A strict RFC 8259 scanner walks the payload once; the dialect says what each value is. Every string is a piece of
 * text, and so is every object key that no known format has, and every number but those that count, measure or identify
 * under a key that says so; only words of a fixed vocabulary in their own place (`"role":"assistant"`) are not.
 *
 * Most events of a stream differ from an earlier one only inside the streamed strings; such an event is recognised by
 * comparing the bytes around these strings (a *stencil*) and is not walked again. The result is the same. */
#ifndef CORE_DIALECT_EVENT_H
#define CORE_DIALECT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"
#include "json/text.h"
#include "json/walk.h"

/* The field that a text came in. The same text is often sent in two fields; each is a text of its own. */
enum delta_source {
    DELTA_CONTENT,           /* content: a string, or the text parts of an array */
    DELTA_REFUSAL,           /* refusal */
    DELTA_TEXT,              /* text, next to or instead of a delta */
    DELTA_TRANSCRIPT,        /* audio.transcript */
    DELTA_REASONING_CONTENT, /* reasoning_content */
    DELTA_REASONING,         /* reasoning */
    DELTA_REASONING_TEXT,    /* reasoning_text */
    DELTA_THINKING,          /* thinking, as a string */
    DELTA_THINKING_PART,     /* content[].thinking, content[].text of a thinking part, thinking_blocks[].thinking */
    DELTA_DETAILS_TEXT,      /* reasoning_details[].text */
    DELTA_DETAILS_SUMMARY,   /* reasoning_details[].summary */
    DELTA_ARGUMENTS,         /* tool_calls[].function.arguments */
    DELTA_TOOL_INPUT,        /* tool_calls[].custom.input */
    DELTA_FUNCTION_CALL,     /* function_call.arguments */
    DELTA_TOOL_NAME,         /* names of called functions */
    DELTA_NOISE,             /* obfuscation: random padding that hides the lengths of texts; whole */
    DELTA_SPELLED,           /* tokens that spell a text out (logprobs); whole */
    DELTA_OTHER,             /* every other string, and numbers that are text; whole */
    DELTA_SOURCES,
};

/* Where one piece of text belongs. The same (choice, channel, source, tool, aside) is the same text continuing. */
struct place {
    uint16_t choice; /* the `index` inside the choice object, below DELTA_CHOICES_MAX */
    uint16_t tool;   /* index of a tool call, below DELTA_TOOLS_MAX, else 0 */
    uint8_t channel; /* enum rein_channel; inline reasoning arrives as REIN_ANSWER and is split later */
    uint8_t source;  /* enum delta_source */
    bool aside;      /* of `message` in a stream, of `delta` in a body: it may repeat the other one, or differ */
    bool whole;      /* not a stream: each value stands alone (names, error messages, unknown fields) */
    bool is_key;     /* an object's key */
    bool is_number;  /* a number, which has no quotes */
    bool numeric;    /* while reading: numbers in here count, measure or identify, so they are not text */
};

/* Does a piece at `b` continue with the text at `a`? */
static inline bool delta_is_same_text(const struct place *a, const struct place *b)
{
    return a->choice == b->choice && a->channel == b->channel && a->source == b->source && a->tool == b->tool &&
           a->aside == b->aside;
}

/* A string value: `at` and `len` are the raw JSON between the quotes, from the payload's start. Or a number. */
struct piece {
    struct place place;
    uint32_t at, len;
    /* The same bytes were in the same place of an earlier event. May be false although they were; used only to avoid
     * work. */
    bool seen;
};

/* Ranges of a payload are bytes that may have to be replaced or removed, from the payload's start. len 0: not there.
 * For `member` spans the range holds key, colon, value and one adjacent comma, so that what is left is valid JSON. */

enum {
    DELTA_PIECES_MAX = 4096,         /* an event with more strings and numbers than this is garbage */
    DELTA_BODY_PIECES_MAX = 1 << 18, /* in a whole body, where logprobs may spell out a long answer */
    DELTA_CHOICES_MAX = REIN_CHOICES_MAX,
    DELTA_TOOLS_MAX = 128,
    DELTA_DEPTH_MAX = 64,
    DELTA_SPELLED_MAX = 4, /* members of a choice that spell its text */
};

struct delta_choice {
    uint16_t index;
    bool has_finish;     /* finish_reason is a string that is not empty */
    bool has_tool_calls; /* tool_calls is an array that is not empty, or function_call an object */
    struct range finish; /* its value, quotes included */
    struct range role;   /* member span of delta.role when it is a string */
    struct range object; /* all of the choice; of a body alone */
    /* Member spans of members that spell the text (logprobs, token_ids, token_id; not null), in the order of the
     * payload; unused ones have no length. They are removed together. */
    struct range spelled[DELTA_SPELLED_MAX];
    uint32_t ids_len; /* token ids in the longest list of them */
};

struct delta {
    struct piece *pieces; /* in the order of the payload, but in a choice: reasoning, answer, tool, others; empty
                             strings too */
    size_t pieces_len, pieces_cap;
    bool spells;           /* some choice has members that spell its text */
    bool spells_aside;     /* prompt_logprobs is a member that spells the answer */
    bool has_choices;      /* the key `choices` exists (perhaps empty) */
    bool has_error;        /* a top-level `error` that is not null */
    bool has_choice_error; /* an error where clients search for none: in a choice, or an object that is named so */
    struct range error;    /* its member span, also when null */
    struct range id;       /* the top-level id's value, quotes included */
    struct range usage;    /* member span of a usage that is not null */
    struct range prompt_logprobs; /* further vendor members that spell text: removed when anything is hidden */
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* -1: not said */
    struct delta_choice *choices;                               /* at most DELTA_CHOICES_MAX */
    size_t choices_len, choices_cap;
};

struct dialect;
struct delta_reader; /* opaque: stencils and the pieces' memory */

/* Returns owned. `dialect` is borrowed for the reader's lifetime. One reader per response, because it learns the shapes
 * of its stream. */
int delta_reader_new(struct delta_reader **out, const struct dialect *dialect) REIN_MUST_USE;
void delta_reader_free(struct delta_reader *r);

/* Reads one payload. `body` is true for a whole (non-streamed) JSON body, in which `message` stands for `delta`.
 * Returns 0 and *out, good until the next call; REIN_EFORMAT if it is not a valid JSON object, repeats a key that the
 * dialect knows, has an index beyond the ceilings above, is nested too deep or has too many strings; REIN_ENOMEM. */
int delta_read(struct delta_reader *r, struct span payload, bool body, const struct delta **out) REIN_MUST_USE;

#endif
