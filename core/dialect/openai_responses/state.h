/* What is remembered of a response. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_OPENAI_RESPONSES_STATE_H
#define CORE_DIALECT_OPENAI_RESPONSES_STATE_H

#include "dialect/dialect.h"
#include "dialect/openai_responses/field.h"

enum {
    NAMED_MAX = 64, /* items that an upstream tells apart by their ids alone */
    OPEN_MAX = 4,   /* items that are open at a time; the oldest of more is never closed by Rein */
    ITEM_ID_MAX = 96,
};

/* An item that the client was told of, and that is not done. */
struct open_item {
    uint32_t outer; /* its number in the attempt */
    uint32_t index; /* and the one that the client knows */
    uint8_t type;   /* enum responses_item */
    uint8_t id_len;
    /* Parts that were announced, by their numbers: of the content (and which of them are refusals), of the summary. */
    uint64_t content, refusals, summary;
    uint64_t open_content, open_summary; /* those that are not done */
    char id[ITEM_ID_MAX];                /* the inside of a JSON string */
};

struct responses_state {
    /* ---- reading, of this attempt ---- */
    uint32_t named[NAMED_MAX]; /* digests of the ids of items without a number, in their order */
    unsigned named_len;
    /* ---- what has gone out ---- */
    bool has_begun, is_numbered;
    int64_t number;       /* of the next event */
    uint32_t first, next; /* the attempt's first item, and the one after the last of all, as the client numbers them */
    struct open_item open[OPEN_MAX]; /* the latest is the last */
    unsigned open_len;
    /* ---- for what Rein says ---- */
    const char *model; /* borrowed: good as long as the trace */
    int64_t created_s;
    int64_t input_tokens, output_tokens; /* 0: not known */
    char id[128], reason[32];            /* reason: why the answer ends; "": by itself */
};

static inline bool responses_state_is_sound(const struct responses_state *s)
{
    return s->named_len <= NAMED_MAX && s->open_len <= OPEN_MAX && s->first <= s->next && s->number >= 0 &&
           (s->open_len == 0 || s->open[s->open_len - 1].index < s->next);
}

#endif
