/* Where something is in a request, and whether it may be masked there. For the files of server/api/ alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_API_REQUEST_MASK_H
#define SERVER_API_REQUEST_MASK_H

#include "api/request.h"

enum { MASK_PLACE_MAX = 96, MASK_CURSORS = 8 };

/* Where the last place was, so that the next one is found from there: a request may have thousands. Zeroed: nowhere. */
struct mask_cursors {
    struct mask_cursor {
        const struct rein_json_node *list, *at; /* borrowed */
        size_t i;
    } level[MASK_CURSORS];
};

/* The place of a node. */
struct mask_place {
    char name[MASK_PLACE_MAX]; /* "messages[1].content"; of a key, its object's */
    bool may_mask;
    const char *why; /* not: ends the sentence "cannot be changed there"; static */
};

/* Text that a model reads may be changed; what programs read (names, ids, words of the API, keys, addresses, signed
 * blocks) may not. Only what is known to be text is. `node`: a string, number or key of the request. */
void mask_place_of(const struct request *request, const struct rein_json_node *node, struct mask_cursors *cursors,
                   struct mask_place *place);

#endif
