/* The dialect of OpenAI's Responses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/dialect.h"
#include "dialect/openai_responses/field.h"
#include "dialect/openai_responses/read.h"
#include "dialect/openai_responses/say.h"
#include "dialect/openai_responses/state.h"
#include "dialect/sse.h"

/* The last event is a response object; some upstreams send [DONE] behind it, when nothing is read any more. */
static bool is_no_event(struct span payload)
{
    (void)payload;
    return false;
}

static const char *field_name(uint32_t text)
{
    enum responses_field field = responses_field_of(text);
    return field == RESPONSES_SUMMARY ? "summary" : field == RESPONSES_REASONING ? "reasoning_text" : "content";
}

const struct dialect dialect_openai_responses = {
    .name = "openai-responses",
    .framing = &framing_sse_named,
    .state_size = sizeof(struct responses_state),
    .fallback_id = "resp_rein",
    .echoes = true,
    .is_terminal = is_no_event,
    .field = field_name,
    .read = responses_read,
    .rewrite = responses_rewrite,
    .say_text = responses_say_text,
    .say_finish = responses_say_finish,
    .say_usage = responses_say_usage,
    .say_end = responses_say_end,
    .say_error = responses_say_error,
    .say_body = responses_say_body,
    .say_part = responses_say_part,
    .say_error_body = responses_say_error_body,
    .pass = responses_pass,
    .speak = responses_speak,
    .leave = responses_leave,
};
