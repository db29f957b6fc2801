/* Rendering: one event on its way out, unchanged or with a few spans of its JSON replaced.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRACE_RENDER_H
#define CORE_TRACE_RENDER_H

#include "trace/gate.h"

enum { REPLACEMENT_PARTS = 4, REPLACEMENT_NUMBER = 16 };

/* What stands in the place of redacted bytes, in so many parts; `number` is room for one of them. */
void render_replacement(const struct rein_policy *policy, const struct edit *e, char number[REPLACEMENT_NUMBER],
                        struct span parts[REPLACEMENT_PARTS]);

/* Appends the event at the gate's head to `out`, or nothing if all it carried was removed from it; counts what was
 * released and redacted. */
int render_event(struct gate *g, struct gate_event *e, const struct gate_piece *pieces,
                 struct bytes *out) REIN_MUST_USE;

#endif
