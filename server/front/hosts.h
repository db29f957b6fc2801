/* Names that lead to a listener: which Host headers it answers to where nothing else keeps strangers out.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A page of another site can point its own name at this address (DNS rebinding), and the browser then sends that name.
 * So a listener that asks for no key answers to names that lead here and nowhere else, and to those that the config
 * allows.
 *
 * Thread: any. */
#ifndef SERVER_FRONT_HOSTS_H
#define SERVER_FRONT_HOSTS_H

#include <stdbool.h>

/* `header`: a Host header, NULL counts as none of ours. `address`: the listener's, numeric; on a wildcard address any
 * numeric one will do, because rebinding takes a name. `allowed`: names or addresses without port, ends with NULL; may
 * be NULL. */
bool hosts_is_ours(const char *address, char *const *allowed, const char *header);

#endif
