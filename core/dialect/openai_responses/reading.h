/* Reading the objects of OpenAI's Responses: shared by the files that do it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Functions return 0, REIN_EFORMAT or REIN_ENOMEM. */
#ifndef CORE_DIALECT_OPENAI_RESPONSES_READING_H
#define CORE_DIALECT_OPENAI_RESPONSES_READING_H

#include "dialect/event_fill.h"
#include "dialect/openai_responses/field.h"

/* Members of an event that have its own text, each for some types. */
enum own_member { OWN_DELTA, OWN_TEXT, OWN_REFUSAL, OWN_ARGUMENTS, OWN_INPUT, OWN_CODE, OWN_MEMBERS };

/* What an event says of itself; its members may come in any order, so what they mean is settled at its end. */
struct event_facts {
    enum responses_kind kind;
    enum responses_field field; /* of its text */
    int64_t outer, inner;       /* output_index; content_index or summary_index; -1: not said */
    struct range id, type;      /* insides of item_id or the item's id, and of type */
    bool is_odd_part;           /* of a kind that clients do not know */
    bool has_error;
    /* Pieces of the event: one more than the number of each member's (0: none), and those of its item or part. */
    size_t own[OWN_MEMBERS], nested_from, nested_to;
};

/* The object that is being read. */
struct reading {
    struct json_list list;
    struct event_part *part;
    struct event_facts *facts;
    uint32_t outer, inner;      /* of texts in here, as far as known */
    enum responses_field field; /* of `text` in here */
    uint8_t item;               /* enum responses_item, if this is an item */
    struct range id;            /* its id's inside */
};

struct read_member {
    struct span key;
    int (*read)(struct event_fill *fill, struct reading *r);
};

#define READ_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* clang-format off */
#define READ_MEMBER(name, read) {{(name), sizeof(name) - 1}, (read)}
/* clang-format on */

/* Reads an object. Members that are not in the table are read for their strings and numbers; none that is may come
 * twice. Something that is no object is read for its strings, too. */
int read_members(struct event_fill *fill, const struct read_member *members, size_t len,
                 struct reading *r) REIN_MUST_USE;
/* What is known inside of an object that lies in this one. */
struct reading read_inside(const struct reading *r);

/* Any value, for its strings and numbers; `numeric`: its numbers count, measure or identify. */
int read_any(struct event_fill *fill, struct reading *r) REIN_MUST_USE;
int read_numeric(struct event_fill *fill, struct reading *r) REIN_MUST_USE;
/* A word that belongs there, or a text that stands alone: which is settled later (read_settle_word). */
int read_word(struct event_fill *fill, struct reading *r, struct range *inside) REIN_MUST_USE;
/* A text of the answer: streamed in a body, an echo in a stream. What is no string is read for its strings. */
int read_text_of(struct event_fill *fill, struct reading *r, enum responses_field field) REIN_MUST_USE;
/* A member that spells the text. */
int read_spelled(struct event_fill *fill, struct reading *r) REIN_MUST_USE;
/* Whether a whole number is there: *value, else -1; the value is read in any case. *at: where. */
int read_count(struct event_fill *fill, struct reading *r, int64_t *value, struct range *at) REIN_MUST_USE;

/* An item of an answer, and a part of an item. */
int read_item(struct event_fill *fill, struct reading *r) REIN_MUST_USE;
int read_part(struct event_fill *fill, struct reading *r) REIN_MUST_USE;

/* The place of a text of this field. */
struct place responses_place(enum responses_field field, uint32_t outer, uint32_t inner);

#endif
