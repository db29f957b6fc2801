/* Text written into a given room, without memory of its own: for short answers that must always be possible.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What does not fit is counted, not written, as with snprintf. Any thread. */
#ifndef SERVER_BASE_BOUNDED_H
#define SERVER_BASE_BOUNDED_H

#include <stddef.h>

struct bounded {
    char *out;
    size_t cap, len; /* `len`: of the whole text, may be more than the room */
};

void bounded_put(struct bounded *text, const char *more);
/* As a JSON string in quotes; `more` is valid UTF-8. */
void bounded_put_json(struct bounded *text, const char *more);
/* Puts the NUL, if there is any room. Returns the whole length. */
size_t bounded_end(struct bounded *text);

#endif
