/* Reading objects of OpenAI's formats by tables of the members that mean something, and the single values in them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Functions return 0, REIN_EFORMAT or REIN_ENOMEM. */
#ifndef CORE_DIALECT_OPENAI_CHAT_SCOPE_H
#define CORE_DIALECT_OPENAI_CHAT_SCOPE_H

#include "dialect/event_fill.h"
#include "dialect/openai_chat/field.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The object that is being read, and what is known of it so far. */
struct scope {
    struct json_list list;
    struct place place;      /* of unknown strings in here */
    struct event_part *part; /* of the choice; NULL outside of choices */
    int64_t index;           /* of a choice or a tool call; -1: not said */
    uint8_t source;          /* of a part's `text` */
    bool thinking;           /* a part whose type says that it is reasoning */
    /* Reads a member that is in no table, if it knows more of it: true, with the result in *rv. NULL: it never does. */
    bool (*read_unknown)(struct event_fill *fill, struct scope *scope, struct range key, int *rv);
};

/* A member that is known: how to read its value. `arg` is its enum chat_field, where there is one. */
struct member {
    struct span key;
    int (*read)(struct event_fill *fill, struct scope *scope, uint8_t arg);
    uint8_t arg;
};

/* clang-format off */
#define WORD(word) {(word), sizeof(word) - 1}
#define MEMBER(name, read, arg) {WORD(name), (read), (arg)}
/* clang-format on */

/* Reads an object; members that are not in the table are read for their strings and numbers. None that is may come
 * twice.
 */
int scope_read(struct event_fill *fill, const struct member *members, size_t len, struct scope *scope) REIN_MUST_USE;
/* What is known inside of an object that lies in this one. */
struct scope scope_inner(const struct scope *scope);
/* The place of a text of this source. */
struct place scope_place(const struct scope *scope, uint8_t source);

/* Any value, for its strings and numbers; `numeric`: for its strings, because its numbers count, measure or identify.
 */
int scope_read_other(struct event_fill *fill, struct scope *scope, uint8_t arg) REIN_MUST_USE;
int scope_read_numeric(struct event_fill *fill, struct scope *scope, uint8_t arg) REIN_MUST_USE;
/* An object, if it is one. */
int scope_read_inner(struct event_fill *fill, struct scope *scope, const struct member *members,
                     size_t len) REIN_MUST_USE;
/* The elements of an array, if it is one: objects by `read`, with their number; others as whole pieces. */
int scope_read_elements(struct event_fill *fill, struct scope *scope,
                        int (*read)(struct event_fill *fill, struct scope *scope, int64_t nth)) REIN_MUST_USE;

/* A string that is a part of a text; what is not a string is read as `whole`. */
int scope_read_text(struct event_fill *fill, struct scope *scope, uint8_t source) REIN_MUST_USE;
int scope_read_whole(struct event_fill *fill, struct scope *scope, uint8_t source) REIN_MUST_USE;
/* A string that is not text if it is one of the words that belong there. *value is its inside; at 0 if it is not a
 * string. */
int scope_read_word(struct event_fill *fill, struct scope *scope, const struct span *words, size_t len,
                    struct range *value) REIN_MUST_USE;
/* A number that counts. *value as walk_number sets it; what is not a number is read as `other`, *value stays. */
int scope_read_number(struct event_fill *fill, struct scope *scope, int64_t *value) REIN_MUST_USE;
/* See event_add_index. */
int scope_read_index(struct event_fill *fill, struct scope *scope, uint8_t arg) REIN_MUST_USE;

#endif
