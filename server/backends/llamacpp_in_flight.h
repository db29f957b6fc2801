/* A response of llama-server that is corrected in flight: the filter drops what the server still sends until its
 * reasoning has ended with the requested text, and says whether it did.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     ... astray | more of it ... <words></think>   answer ...
 *                ^ steered       dropped            ^ STREAM_CORRECTED: from this event on it goes to the client
 *
 * The server may end the reasoning itself before it gets the request. Then the text is missing, and the answer is that
 * of a model that was not corrected: STREAM_LOST. Thread: one at a time. */
#ifndef SERVER_BACKENDS_LLAMACPP_IN_FLIGHT_H
#define SERVER_BACKENDS_LLAMACPP_IN_FLIGHT_H

#include "backends/stream_filter.h"

/* `words`, the requested text, and `path`, where the correction is asked for, are copied. NULL: out of memory. Returns
 * owned. */
struct stream_filter *llamacpp_in_flight_new(const char *words, const char *path);

#endif
