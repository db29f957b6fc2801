/* Media types of HTTP: compared by type and subtype alone, in any case, whatever parameters follow.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any thread. */
#ifndef SERVER_BASE_MEDIA_TYPE_H
#define SERVER_BASE_MEDIA_TYPE_H

#include <stdbool.h>

/* Is this header value of the media type `type`, such as "text/event-stream"? NULL, for a missing header, is not. */
bool media_type_is(const char *value, const char *type);

#endif
