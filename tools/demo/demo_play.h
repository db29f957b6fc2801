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

/* Answers the exchange and becomes its responder. Borrows the scenario; `request` and its messages (its instructions
 * are among them) during the call. `is_message`: as Anthropic's Messages, else as a chat. */
void demo_play(struct loop *loop, struct exchange *x, const struct demo_scenario *scenario,
               const struct demo_pace *pace, const json_t *request, const json_t *messages, bool is_message);

#endif
