/* Checkpoints next to the commits: a connection and a thread that move the write-ahead log into the database.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A round takes along all that was committed before it began, and syncs; commits continue meanwhile. What they add is
 * left for the writer, which alone can see to it that nothing is added: only a log all of which is in the database, and
 * which no reader is in, begins again.
 *
 * Thread: the writer's. */
#ifndef SERVER_STORE_SQLITE_CHECKPOINT_H
#define SERVER_STORE_SQLITE_CHECKPOINT_H

#include <stdbool.h>

#include "rein/rein.h"

struct store_checkpoint;

/* The database must exist. The thread blocks signals. REIN_EIO, logged; REIN_ENOMEM. */
int store_checkpoint_open(struct store_checkpoint **out, const char *path) REIN_MUST_USE;
void store_checkpoint_close(struct store_checkpoint *checkpoint); /* waits for a round; NULL is fine */

/* Begins a round; there must be none. At its end new readers are held back (reader.h), so that the log can begin again:
 * release them. Urgent: somebody waits for the round, so it waits for no reader. */
void store_checkpoint_begin(struct store_checkpoint *checkpoint, bool is_urgent);
bool store_checkpoint_is_under_way(struct store_checkpoint *checkpoint);
void store_checkpoint_wait(struct store_checkpoint *checkpoint); /* until none is under way */

#endif
