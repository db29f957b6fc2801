/* Stencils: what was read of earlier events, to recognise the next ones by.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     {"id":"x","choices":[{"index":0,"delta":{"content":"  hole  "},"finish_reason":null}]}
 *     |  literal: the same bytes, so the same meaning    |        |       literal        |
 *
 * A stencil is an event whose streamed strings are holes, and so is the number that counts the events. A payload with
 * the same literals, and with well-formed strings and a number in the holes, means what the event meant, except for the
 * holes' own bytes and for offsets after them: a JSON scanner leaves each hole in the state in which it entered it. */
#ifndef CORE_DIALECT_EVENT_TEMPLATE_H
#define CORE_DIALECT_EVENT_TEMPLATE_H

#include "dialect/event.h"

enum { EVENT_TEMPLATES_MAX = 4 };

struct event_template;

/* Zero it before use. Thread: its reader's. */
struct event_templates {
    struct event_template *all[EVENT_TEMPLATES_MAX]; /* allocated when first needed */
    unsigned latest;                                 /* the one that was made or met last */
    unsigned oldest;                                 /* the one to be replaced next */
};

void event_templates_fini(struct event_templates *s);

/* Returns what the payload means, good until the next call, or NULL if no stencil fits. */
const struct event *event_templates_find(struct event_templates *s, struct span payload);

/* Remembers an event, if it is of the usual size, and marks pieces of `event` that the latest event had too as seen.
 * Out of memory is not a failure: the event is not remembered. */
void event_templates_learn(struct event_templates *s, struct span payload, struct event *event);

#endif
