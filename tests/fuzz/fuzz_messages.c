/* Fuzzes the whole trace with Anthropic's Messages: see fuzz_trace.c.
 * SPDX-License-Identifier: Apache-2.0 */
#define TRACE_DIALECT REIN_ANTHROPIC_MESSAGES
#define TRACE_CHOICES 1
#define TRACE_HEAD "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""
#define TRACE_TAIL "\"}}\n\n"
#include "fuzz_trace.c"
