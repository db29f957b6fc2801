/* A response that is corrected in flight: what the server still sends until its reasoning has ended with the requested
 * text, and whether it did.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     ... astray | more of it ... <words></think>   answer ...
 *                ^ steered       dropped            ^ CONTROL_TAKEN: from this event on it goes to the client
 *
 * The server may end the reasoning itself before it gets the request. Then the text is missing, and the answer is that
 * of a model that was not corrected: CONTROL_LOST. Thread: one at a time. */
#ifndef SERVER_BACKENDS_LLAMACPP_IN_FLIGHT_H
#define SERVER_BACKENDS_LLAMACPP_IN_FLIGHT_H

#include <stddef.h>

#include "base/buffer.h"

enum control_state { CONTROL_WAITS, CONTROL_TAKEN, CONTROL_LOST };

struct control;

/* `words` are copied. NULL: out of memory. Returns owned. */
struct control *control_new(const char *words);
void control_free(struct control *control); /* NULL is fine */

/* The response's bytes from its first on, until it is steered: its id is in the first event. */
void control_note(struct control *control, const char *data, size_t len);
/* NULL: not known. Good as long as the control. */
const char *control_id(const struct control *control);

/* Bytes after what was steered, cut anywhere. With CONTROL_TAKEN, once, `out` has what continues. REIN_ENOMEM;
 * REIN_ELIMIT: the reasoning does not end. */
int control_feed(struct control *control, const char *data, size_t len, struct buffer *out,
                 enum control_state *state) REIN_MUST_USE;

#endif
