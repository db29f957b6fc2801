/* Live feeds: decisions as they are stored, as server-sent events.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Twice a second one look at the store serves all feeds; while there are none nothing runs. Thread: the admin loop's.
 */
#ifndef SERVER_ADMIN_ADMIN_LIVE_H
#define SERVER_ADMIN_ADMIN_LIVE_H

#include "rein/rein.h"

struct admin;
struct admin_live;

int admin_live_new(struct admin_live **out, struct admin *admin) REIN_MUST_USE;
/* No look begins any more. Before the loop stops, or its thread has ended; may be called again. */
void admin_live_stop(struct admin_live *live);
void admin_live_free(struct admin_live *live); /* after the loop was freed; NULL is fine */

#endif
