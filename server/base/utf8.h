/* UTF-8 as it must be, in bytes that may be anything.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any thread. */
#ifndef SERVER_BASE_UTF8_H
#define SERVER_BASE_UTF8_H

#include <stddef.h>

/* Length of the valid sequence at `text`, 0 if there is none within `len` (at least 1). A NUL is none. */
size_t utf8_length(const char *text, size_t len);

/* A copy in which each byte that belongs to no character has become U+FFFD, as readers of a stream see it.
 * NUL-terminated, returns owned (free); NULL: out of memory. */
char *utf8_mend(const char *text, size_t len);

#endif
