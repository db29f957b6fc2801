/* What the clients of the demo's past have asked, and who they are.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; constant. */
#ifndef TOOLS_DEMO_DEMO_ASKS_H
#define TOOLS_DEMO_DEMO_ASKS_H

#include <stdint.h>

struct demo_client {
    const char *key, *model;
};

/* Both are drawn by a number of any size: the same number draws the same. */
const char *demo_ask_draw(uint32_t dice);
const struct demo_client *demo_client_draw(uint32_t dice);

#endif
