/* Events of Anthropic's Messages, as text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MESSAGESKIT_H
#define TESTS_MESSAGESKIT_H

#include "tracekit.h"

#define MEVENT(name, members) "event: " name "\ndata: {\"type\":\"" name "\"" members "}\n\n"
#define MSTART                                                                                                         \
    MEVENT(                                                                                                            \
        "message_start",                                                                                               \
        ",\"message\":{\"id\":\"msg_up\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"  \
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}")
#define MPING "event: ping\ndata: {\"type\": \"ping\"}\n\n"
#define MBLOCK(index, members) MEVENT("content_block_start", ",\"index\":" #index ",\"content_block\":{" members "}")
#define MTHINKING(index) MBLOCK(index, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
#define MTEXT(index) MBLOCK(index, "\"type\":\"text\",\"text\":\"\"")
#define MTOOL(index, name) MBLOCK(index, "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"" name "\",\"input\":{}")
#define MDELTA(index, members) MEVENT("content_block_delta", ",\"index\":" #index ",\"delta\":{" members "}")
#define MTHINK(index, text) MDELTA(index, "\"type\":\"thinking_delta\",\"thinking\":\"" text "\"")
#define MSAY(index, text) MDELTA(index, "\"type\":\"text_delta\",\"text\":\"" text "\"")
#define MINPUT(index, text) MDELTA(index, "\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"")
#define MSIGN(index) MDELTA(index, "\"type\":\"signature_delta\",\"signature\":\"c2lnbmVk\"")
#define MSTOP(index) MEVENT("content_block_stop", ",\"index\":" #index)
#define MEND(reason)                                                                                                   \
    MEVENT("message_delta",                                                                                            \
           ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}")
#define MLAST MEVENT("message_stop", "")

#endif
