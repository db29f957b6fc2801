/* The texts of a response: in which field, output item and part each came, packed into its id. And the kinds of events.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      again    output item    part       field
 *      1 bit     14 bits      12 bits    5 bits
 */
#ifndef CORE_DIALECT_OPENAI_RESPONSES_FIELD_H
#define CORE_DIALECT_OPENAI_RESPONSES_FIELD_H

#include <stdint.h>

#include "dialect/event.h"
#include "rein/rein.h"

enum responses_field {
    RESPONSES_OTHER,     /* every other string, and numbers that are text; whole */
    RESPONSES_TEXT,      /* output_text */
    RESPONSES_REFUSAL,   /* refusal */
    RESPONSES_REASONING, /* reasoning_text */
    RESPONSES_SUMMARY,   /* summary_text */
    RESPONSES_ARGUMENTS, /* arguments of a function */
    RESPONSES_INPUT,     /* input of a custom tool */
    RESPONSES_CODE,      /* code or a patch that a tool of the upstream is given */
    RESPONSES_NAME,      /* name of a called function */
    RESPONSES_SPOKEN,    /* a transcript, and any other text whose kind is not known */
    RESPONSES_JOINED,    /* output_text of a response object: all texts in one */
    RESPONSES_FIELDS,
};

enum {
    RESPONSES_FIELD_BITS = 5,
    RESPONSES_INNER_BITS = 12,
    RESPONSES_OUTER_BITS = 14,
    RESPONSES_INNER_MAX = 1 << RESPONSES_INNER_BITS,
    RESPONSES_OUTER_MAX = 1 << RESPONSES_OUTER_BITS,
};

_Static_assert(RESPONSES_FIELDS <= 1 << RESPONSES_FIELD_BITS &&
                   RESPONSES_FIELD_BITS + RESPONSES_INNER_BITS + RESPONSES_OUTER_BITS == 31,
               "each part of an id has its bits; the last one is PLACE_AGAIN");

static inline uint32_t responses_text(enum responses_field field, uint32_t outer, uint32_t inner)
{
    return field | inner << RESPONSES_FIELD_BITS | outer << (RESPONSES_FIELD_BITS + RESPONSES_INNER_BITS);
}

static inline enum responses_field responses_field_of(uint32_t text)
{
    return (enum responses_field)(text & ((1u << RESPONSES_FIELD_BITS) - 1));
}

/* Whether a field is announced as a part of its item. */
static inline bool responses_is_part(enum responses_field field)
{
    return field >= RESPONSES_TEXT && field <= RESPONSES_SUMMARY;
}

/* event_note.kind: what an event does. */
enum responses_kind {
    RESPONSES_ANY,        /* nothing that matters here */
    RESPONSES_BEGIN,      /* response.created */
    RESPONSES_GOING,      /* response.queued, response.in_progress */
    RESPONSES_ITEM_ADDED, /* note.part: enum responses_item */
    RESPONSES_ITEM_DONE,
    RESPONSES_PART_ADDED, /* note.part: enum responses_field, as in those that follow */
    RESPONSES_PART_DONE,
    RESPONSES_DELTA,
    RESPONSES_DONE,
    RESPONSES_END, /* response.completed, response.incomplete, response.failed */
    RESPONSES_ERROR,
    RESPONSES_BODY, /* the whole answer, not a stream */
};

enum responses_item { RESPONSES_SOMETHING, RESPONSES_MESSAGE, RESPONSES_THOUGHT, RESPONSES_CALL };

/* event_note.at */
enum {
    AT_OUTER,   /* the value of output_index; of a body: of status */
    AT_TAIL,    /* before the event's last brace: what is missing goes there */
    AT_ID,      /* the inside of the item's id; of a body: the value of incomplete_details */
    AT_OBJECT,  /* the item; of a response object: after the bracket that opens `output`, or, without one, before the
                   object's last brace */
    AT_SPECIAL, /* of a part: the inside of a type that clients do not know; of a response object: the value of
                   `instructions` */
};

/* event_note.part of an event with a response object. */
enum { RESPONSES_HAS_OUTPUT = 1, RESPONSES_OUTPUT_IS_EMPTY = 2 };

/* Next to event_note.part: clients want to know which part of its item it is, and the upstream does not say. */
enum { RESPONSES_LACKS_INNER = 0x80 };

#endif
