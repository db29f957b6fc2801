/* See pair.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/pair.h"

#include <stdlib.h>

json_t *pair_body(const struct judge_question *question, int max_tokens)
{
    char *prompt = judge_quote(question->prompt), *text = judge_quote(question->text);
    json_t *body = NULL;
    if (prompt != NULL && text != NULL && question->subject == JUDGE_PROMPT)
        body = json_pack("{s[{ssss}]sisi}", "messages", "role", "user", "content", text, "temperature", 0, "max_tokens",
                         max_tokens);
    else if (prompt != NULL && text != NULL)
        body = json_pack("{s[{ssss}{ssss}]sisi}", "messages", "role", "user", "content", prompt, "role", "assistant",
                         "content", text, "temperature", 0, "max_tokens", max_tokens);
    free(prompt);
    free(text);
    return body;
}
