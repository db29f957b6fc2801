/* Bytes that are gathered before they mean something: an unstreamed answer, an upstream's error, a list of models.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BASE_BUFFER_H
#define SERVER_BASE_BUFFER_H

#include <stddef.h>

#include "rein/rein.h"

/* Zeroed is empty. */
struct buffer {
    char *data; /* NULL or NUL-terminated; good until the next add */
    size_t len, cap;
};

/* On REIN_ELIMIT (more than `limit` in all) and REIN_ENOMEM nothing is changed. */
int buffer_add(struct buffer *g, const char *data, size_t len, size_t limit) REIN_MUST_USE;
void buffer_clear(struct buffer *g);

#endif
