/* The texts of a message, packed into ids; and what events do to the stream.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      block     field
 *     16 bits    4 bits
 *
 * The block counts for what belongs to one tool. Thinking and answer go on from block to block. */
#ifndef CORE_DIALECT_ANTHROPIC_MESSAGES_FIELD_H
#define CORE_DIALECT_ANTHROPIC_MESSAGES_FIELD_H

#include <stdint.h>

enum messages_field {
    MESSAGES_OTHER,    /* every other string, and numbers that are text; whole */
    MESSAGES_TEXT,     /* text */
    MESSAGES_THINKING, /* thinking */
    MESSAGES_INPUT,    /* input, partial_json */
    MESSAGES_NAME,     /* of a tool that is called */
    MESSAGES_THOUGHT,  /* reasoning in a form of other servers: under another name, or in a block of another type */
};

enum { MESSAGES_BLOCK_BIT = 4, MESSAGES_BLOCKS_MAX = 1 << 16 };

/* event_note.kind */
enum messages_kind {
    MESSAGES_ANY, /* nothing that matters here, such as a ping */
    MESSAGES_START,
    MESSAGES_BLOCK_START, /* note.part: is there anything in the block that no delta will add? */
    MESSAGES_DELTA,
    MESSAGES_SIGNATURE,
    MESSAGES_BLOCK_STOP,
    MESSAGES_END, /* message_delta, message_stop, an error */
};

/* event_note.outer: the block's number; event_note.at[0]: where it stands. */
enum { MESSAGES_AT_INDEX };

#endif
