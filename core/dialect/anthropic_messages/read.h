/* Reading one payload: a dialect's `read`. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_ANTHROPIC_MESSAGES_READ_H
#define CORE_DIALECT_ANTHROPIC_MESSAGES_READ_H

#include "dialect/event_fill.h"

int messages_read(struct event_fill *fill) REIN_MUST_USE;

#endif
