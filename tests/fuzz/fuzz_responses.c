/* Fuzzes the whole trace with OpenAI's Responses: see fuzz_trace.c.
 * SPDX-License-Identifier: Apache-2.0 */
#define TRACE_DIALECT REIN_OPENAI_RESPONSES
#define TRACE_CHOICES 1
#define TRACE_HEAD                                                                                                     \
    "data: "                                                                                                           \
    "{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"item_id\":\"i\",\"delta\":\""
#define TRACE_TAIL "\"}\n\n"
#include "fuzz_trace.c"
