/* Errors of the chat API: one as an event, and an answer that says words.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/chat/chat.h"
#include "api/openai_error.h"

size_t chat_error_event(const struct reply_error *error, char *out, size_t cap)
{
    static const char before[] = "data: ", after[] = "\n\n";
    size_t around = sizeof before - 1 + sizeof after - 1, len = openai_error_text(error, NULL, 0);
    if (len + around < cap) {
        memcpy(out, before, sizeof before - 1);
        openai_error_text(error, out + sizeof before - 1, len + 1);
        memcpy(out + sizeof before - 1 + len, after, sizeof after);
    } else if (cap > 0) {
        *out = '\0';
    }
    return len + around;
}

char *chat_answer_saying(const char *words)
{
    json_t *tree = json_pack("{s[{sis{ssss}ss}]}", "choices", "index", 0, "message", "role", "assistant", "content",
                             words, "finish_reason", "stop");
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}
