/* The header Retry-After of an upstream.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_UPSTREAM_RETRY_AFTER_H
#define SERVER_UPSTREAM_RETRY_AFTER_H

#include <stdbool.h>

/* Is this value of Retry-After what HTTP says: seconds, or a date in the one form that is sent? */
bool retry_after_is_valid(const char *value);

#endif
