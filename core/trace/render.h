/* Rendering: one event on its way out, unchanged or with a few spans of its JSON replaced.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRACE_RENDER_H
#define CORE_TRACE_RENDER_H

#include "trace/gate.h"

/* Appends the event at the gate's head to `out`, or nothing if all it carried was removed from it; counts what was
 * released and redacted. */
int render_event(struct gate *g, struct gate_event *e, const struct gate_piece *pieces,
                 struct bytes *out) REIN_MUST_USE;

#endif
