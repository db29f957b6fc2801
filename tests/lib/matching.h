/* Runs a matcher over a text in pieces, for tests: collects the matches and the hold after each piece.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MATCHING_H
#define TESTS_MATCHING_H

#include <stdlib.h>
#include <string.h>

#include "rules/matcher.h"

/* Called after each piece, with how much of the text is known and what was decided so far. */
typedef void (*after_piece)(void *ctx, const struct matcher *m, size_t fed, const struct match_list *found);

/* Feeds text[from, to) and acts as a caller does: it keeps only what the matcher wants kept. The window is a copy of
 * its own, so that a sanitizer sees any look outside of it. */
static inline int match_piece(struct matcher *m, struct span text, size_t from, size_t to, struct match_list *found)
{
    int rv = 0;
    while (from < to && rv == 0) {
        uint64_t base = matcher_keep(m);
        if (base > from)
            base = from;
        size_t len = to - (size_t)base, consumed;
        char *window = malloc(len);
        memcpy(window, text.data + base, len);
        rv = matcher_feed(m, (struct span){window, len}, base, from, found, &consumed);
        free(window);
        from += consumed;
    }
    return rv;
}

/* `cuts`: ends of the pieces, ascending; NULL: one byte each. The last piece is the rest. */
static inline int match_in_pieces(const struct ruleset *rules, struct span text, const size_t *cuts, size_t cuts_len,
                                  struct match_list *found, after_piece after, void *ctx)
{
    struct matcher *m;
    int rv = matcher_new(&m, rules, REIN_ANSWER);
    if (rv != 0 || m == NULL)
        return rv;
    size_t at = 0;
    for (size_t i = 0; at < text.len && rv == 0; i++) {
        size_t to = cuts == NULL ? at + 1 : i < cuts_len ? cuts[i] : text.len;
        rv = match_piece(m, text, at, to, found);
        at = to;
        if (rv == 0 && after != NULL)
            after(ctx, m, at, found);
    }
    uint64_t base = matcher_keep(m);
    if (rv == 0)
        rv = matcher_end(m, (struct span){text.data + base, text.len - (size_t)base}, base, found);
    matcher_free(m);
    return rv;
}

#endif
