/* Writing events of Responses and the parts of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_OPENAI_RESPONSES_WRITE_H
#define CORE_DIALECT_OPENAI_RESPONSES_WRITE_H

#include "dialect/openai_responses/state.h"
#include "dialect/writer.h"

/* An event up to its members behind `type`, which begin with a comma; then its end, with its number. */
void event_begin(struct writer *w, const char *type);
void event_end(struct writer *w, struct responses_state *s);

/* ,"output_index":...,"item_id":"..." */
void write_place(struct writer *w, const struct open_item *item);
/* ,"content_index":N or ,"summary_index":N */
void write_inner(struct writer *w, enum responses_field field, uint64_t inner);
/* {"type":"output_text","text":"...",...}: a text as the inside of a JSON string. */
void write_part(struct writer *w, enum responses_field field, struct span inside);
/* Announces a part. */
void say_part_added(struct writer *w, struct responses_state *s, const struct open_item *item,
                    enum responses_field field, uint64_t inner);
/* Closes an open item and what is open in it, with the texts that the client was shown. A call of a tool is not closed:
 * clients would run it. The item is kept in `memory`. */
void say_item_done(struct writer *w, struct responses_state *s, struct dialect_memory *memory,
                   const struct open_item *item);
/* All that are open. */
void say_open_done(struct writer *w, struct responses_state *s, struct dialect_memory *memory);

#endif
