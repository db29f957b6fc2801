/* Errors of the Responses API: an event of its own, and an answer that says words. The event has what OpenAI's error
 * object has, and the object too, without which some clients take no notice. SPDX-License-Identifier: Apache-2.0 */
#include "api/responses/responses.h"

#include "api/openai_error.h"
#include "base/bounded.h"

static void put_value(struct bounded *text, const char *before, const char *value)
{
    bounded_put(text, before);
    if (value != NULL && *value != '\0')
        bounded_put_json(text, value);
    else
        bounded_put(text, "null");
}

size_t responses_error_event(const struct reply_error *error, char *out, size_t cap)
{
    struct bounded text = {out, cap, 0};
    char object[1024];
    bounded_put(&text, "event: error\ndata: {\"type\":\"error\",\"message\":");
    bounded_put_json(&text, error->message);
    put_value(&text, ",\"param\":", error->param);
    put_value(&text, ",\"code\":", error->code);
    size_t len = openai_error_text(error, object, sizeof object); /* {"error":{...}} */
    if (len < sizeof object) {
        object[0] = ',';
        bounded_put(&text, object);
    } else {
        bounded_put(&text, "}");
    }
    bounded_put(&text, "\n\n");
    return bounded_end(&text);
}

char *responses_answer_saying(const char *words)
{
    json_t *tree = json_pack("{sss[{sssss[{ssss}]}]}", "status", "completed", "output", "type", "message", "role",
                             "assistant", "content", "type", "output_text", "text", words);
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}
