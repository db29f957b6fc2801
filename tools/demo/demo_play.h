/* Plays a scenario of the demo upstream to one exchange, as events or as one body.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the loop's. */
#ifndef TOOLS_DEMO_DEMO_PLAY_H
#define TOOLS_DEMO_DEMO_PLAY_H

#include <jansson.h>

#include "base/loop.h"
#include "demo/demo_script.h"
#include "front/front.h"

/* How to cut and pace, overriding the scenario. */
struct demo_pace {
    const char *chunk; /* NULL: the scenario's */
    int delay_ms;      /* -1: the scenario's */
};

/* Answers the exchange and becomes its responder. Borrows the scenario; `request` during the call. */
void demo_play(struct loop *loop, struct exchange *x, const struct demo_scenario *scenario,
               const struct demo_pace *pace, const json_t *request);

#endif
