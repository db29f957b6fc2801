/* The strictest client of OpenAI's Responses: builds the answer from the events, and fails the test if anything is not
 * as it must be. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VIEW_RESPONSES_H
#define TESTS_VIEW_RESPONSES_H

#include "tracekit.h"

/* Joins the texts; choices[0] has them. */
extern const struct kit_view kit_view_responses;

/* Reads all that went to the client as the strictest client does: one response.created, and it is the first event;
 * numbers without a gap; items and parts announced, in the order of their numbers; each text in an announced part; each
 * repetition says what the client was shown; one last event, and nothing behind it. Returns its type, or "error": good
 * until the next call. `is_open`: the stream may end without one. */
const char *strict_responses(struct span stream, bool is_open);

#endif
