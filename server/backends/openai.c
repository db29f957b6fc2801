/* The kind `openai`: any server that speaks OpenAI's chat API and promises no more. Its prompts cannot be rendered for
 * a look, so nothing is prefilled: the delivery is `instruct`. SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

const struct backend backend_openai = {.kind = "openai"};
