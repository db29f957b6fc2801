/* The dialect of Anthropic's Messages as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/anthropic_messages/read.h"
#include "dialect/anthropic_messages/say.h"
#include "dialect/anthropic_messages/state.h"
#include "dialect/sse.h"

/* The last event is JSON like all others. */
static bool is_never_terminal(struct span payload)
{
    (void)payload;
    return false;
}

static const char *messages_field_name(uint32_t text)
{
    uint32_t field = text & ((1u << MESSAGES_BLOCK_BIT) - 1);
    return field == MESSAGES_THINKING || field == MESSAGES_THOUGHT ? "thinking" : "content";
}

extern const struct dialect dialect_anthropic_messages;
const struct dialect dialect_anthropic_messages = {
    .name = "anthropic-messages",
    .framing = &framing_sse_named,
    .state_size = sizeof(struct messages_state),
    .fallback_id = "msg_rein",
    .sees_emptied = true,
    .is_terminal = is_never_terminal,
    .field = messages_field_name,
    .read = messages_read,
    .rewrite = messages_rewrite,
    .say_text = messages_say_text,
    .say_finish = messages_say_finish,
    .say_usage = messages_say_usage,
    .say_end = messages_say_end,
    .say_error = messages_say_error,
    .say_body = messages_say_body,
    .say_part = messages_say_part,
    .say_error_body = messages_say_error_body,
    .pass = messages_pass,
    .speak = messages_speak,
    .leave = messages_leave,
};
