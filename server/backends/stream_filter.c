/* See stream_filter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/stream_filter.h"

void stream_filters_add(struct stream_filter **chain, struct stream_filter *filter)
{
    while (*chain != NULL)
        chain = &(*chain)->next;
    filter->next = NULL;
    *chain = filter;
}

void stream_filters_free(struct stream_filter **chain)
{
    struct stream_filter *next;
    for (struct stream_filter *at = *chain; at != NULL; at = next) {
        next = at->next;
        at->kind->free(at);
    }
    *chain = NULL;
}

int stream_filters_feed(struct stream_filter *chain, struct stream_piece *piece)
{
    int rv = 0;
    for (struct stream_filter *at = chain; at != NULL && rv == 0 && piece->len > 0; at = at->next)
        rv = at->kind->feed(at, piece);
    return rv;
}

int stream_filters_end(struct stream_filter *chain, bool is_whole, struct stream_piece *piece)
{
    int rv = 0;
    for (struct stream_filter *at = chain; at != NULL && rv == 0; at = at->next)
        rv = at->kind->end(at, is_whole, piece);
    return rv;
}

bool stream_filters_correct(struct stream_filter *chain, struct backend_call *call)
{
    for (struct stream_filter *at = chain; at != NULL; at = at->next)
        if (at->kind->correct != NULL && at->kind->correct(at, call))
            return true;
    return false;
}

bool stream_filters_are_promised(const struct stream_filter *chain, const json_t *reply)
{
    for (const struct stream_filter *at = chain; at != NULL; at = at->next)
        if (at->kind->is_promised != NULL && at->kind->is_promised(at, reply))
            return true;
    return false;
}
