/* Fuzzes what a client sends as traceparent: it is refused, or it says the same again, and no id of it is zero.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/trace_ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char none[TRACE_LEN];
    struct trace_ids ids = {.is_set = false}, same;
    char said[TRACEPARENT_LEN + 1], *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    bool is_read = trace_ids_read(&ids, text);
    if (is_read != ids.is_set)
        abort();
    if (is_read) {
        trace_ids_print(&ids, ids.span, said);
        if (strlen(said) != TRACEPARENT_LEN || memcmp(said + 2, text + 2, TRACEPARENT_LEN - 2) != 0 ||
            !trace_ids_read(&same, said) || memcmp(same.trace, ids.trace, TRACE_LEN) != 0 ||
            memcmp(ids.trace, none, TRACE_LEN) == 0 || memcmp(ids.span, none, SPAN_LEN) == 0)
            abort();
    }
    free(text);
    return 0;
}
