/* The clients: each plays one scene after the other, and leaves when the scene says so.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CLIENTS_MAX = 512 };

struct clients_options {
    uint64_t seed, stuck_ms;
    uint16_t port, admin_port;
    bool expects_errors; /* allocations fail */
};

void clients_open(const struct clients_options *options);
/* How many play from now on; those above it end after their scene. */
void clients_set(size_t count);
/* Goes on with what waited for a time; begins new scenes in idle slots. */
void clients_tick(void);
/* All of them that wait for a response, or `percent` of those, leave at once. */
void clients_storm(unsigned percent, bool resets);
size_t clients_busy(void);
/* Closes the connections that are kept. */
void clients_drop_idle(void);
/* From now on the server may go away: ends that are broken off, refusals and errors are no faults. */
void clients_expect_end(void);
void clients_close(void);

size_t clients_faults(void);
size_t clients_scenes(void);
size_t clients_whole(void);
/* `rows[number]` is what must be in the database of a scene (enum row). */
const uint8_t *clients_rows(size_t *len);
void clients_print(FILE *to);

#endif
