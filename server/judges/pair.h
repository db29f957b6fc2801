/* The request to judges that read a conversation: the user's turn, and what the model said.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JUDGES_PAIR_H
#define SERVER_JUDGES_PAIR_H

#include "judges/judge.h"

/* Owned; NULL: no memory. Reasoning is sent as plain text, because chat templates drop what stands in think tags. */
json_t *pair_body(const struct judge_question *question, int max_tokens);

#endif
