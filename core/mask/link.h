/* Is a place of a text inside a URL, the target of a link, or an HTML tag? A value that is put back there would go to
 * whoever the address names, as soon as a reader shows a picture or follows the link.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It reads Markdown and HTML as far as that needs, byte by byte, and says "inside" where it is in doubt:
 *
 *      ![a](https://h/?q=HERE)   [a](<h HERE>)   <a href="h HERE">   https://h/HERE   h.example/HERE   [a]: HERE
 *      <style>HERE</style>       {"url": "https://h/ HERE"}
 *
 * Thread: any. Allocates nothing. */
#ifndef CORE_MASK_LINK_H
#define CORE_MASK_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum { LINK_WORD = 11 };

/* Zeroed: the beginning of a text. */
struct link {
    char last, before_last;
    bool is_url;       /* the present word (up to white space) is one, or the target of a definition */
    bool has_dot;      /* the word has a dot between letters or digits, as names of hosts do */
    bool may_define;   /* a label in brackets has just ended: a colon would make it a definition */
    bool defines;      /* the next word is the target of a definition */
    bool is_value;     /* a value of JSON: if it begins with a URL, all of it is one, blanks or not */
    bool has_word;     /* its first word has begun, */
    bool is_past_word; /* and is over */
    bool is_all_url;
    bool names_tag;    /* what stands in `word` is the name of a tag */
    bool is_raw;       /* in a style or a script, where other rules hold */
    uint8_t depth;     /* open parentheses of a target; 0: there is none */
    uint8_t line_ends; /* in a row */
    uint8_t tag;       /* enum link_tag */
    char quote;        /* of the attribute's value */
    uint8_t word_len;  /* of what stands in `word`: the letters, small, before the present byte */
    char word[LINK_WORD];
};

void link_feed(struct link *link, char c);

static inline bool link_is_inside(const struct link *link)
{
    return link->is_url || link->is_all_url || link->defines || link->is_raw || link->depth > 0 || link->tag > 1;
}

/* What came since `before`, in brackets, is not text of the author: the word goes on as if it were a letter. */
static inline void link_skip(struct link *link, const struct link *before)
{
    *link = *before;
    link->before_last = 'x';
    link->last = ']';
    link->may_define = false;
    link->has_word = true;
    link->line_ends = 0;
    link->word_len = 0;
}

#endif
