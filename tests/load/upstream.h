/* The scripted upstream: sends what the script of a scene says, and leaves when the scene says so.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_UPSTREAM_H
#define LOAD_UPSTREAM_H

#include <stddef.h>
#include <stdint.h>

/* Returns the port. */
uint16_t upstream_open(uint64_t seed);
/* Goes on with what waited for a time. */
void upstream_tick(void);
/* Closes all connections, so that the server keeps none. */
void upstream_drop_all(void);
void upstream_close(void);
size_t upstream_open_connections(void);
size_t upstream_requests(void);

#endif
