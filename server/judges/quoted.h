/* The question to judges that follow instructions: our instructions as the system's turn, the texts quoted in the
 * user's. SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JUDGES_QUOTED_H
#define SERVER_JUDGES_QUOTED_H

#include "judges/judge.h"

/* The prompt and the judged text stand between lines with the question's nonce, and `instructions` (borrowed, in which
 * each
 * `{nonce}` is replaced) says so. max_tokens 0: no limit of ours. Owned; NULL: no memory. */
json_t *quoted_body(const struct judge_question *question, const char *instructions, int max_tokens);

#endif
