/* See pair_row.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/pair_row.h"

#include <stdio.h>
#include <stdlib.h>

static char *rejected_response(const struct training_row *row, bool is_open)
{
    char *text = NULL;
    if (!is_open || row->reasoning == NULL)
        return training_row_response(row);
    return asprintf(&text, "<think>\n%s", row->reasoning) < 0 ? NULL : text;
}

static json_t *pair_object(const char *prompt, const char *chosen, const char *rejected, enum row_format format)
{
    switch (format) {
    case ROW_MESSAGES:
        return json_pack("{s[{ssss}]s[{ssss}]s[{ssss}]}", "prompt", "role", "user", "content", prompt, "chosen", "role",
                         "assistant", "content", chosen, "rejected", "role", "assistant", "content", rejected);
    case ROW_SHAREGPT:
        return json_pack("{s[{ssss}]s{ssss}s{ssss}}", "conversations", "from", "human", "value", prompt, "chosen",
                         "from", "gpt", "value", chosen, "rejected", "from", "gpt", "value", rejected);
    case ROW_ALPACA:
        return json_pack("{ssssssss}", "instruction", prompt, "input", "", "chosen", chosen, "rejected", rejected);
    default:
        return json_pack("{ssssss}", "prompt", prompt, "chosen", chosen, "rejected", rejected);
    }
}

json_t *pair_row_object(const struct training_row *chosen, const struct training_row *rejected, bool is_open,
                        enum row_format format)
{
    char *better = training_row_response(chosen), *worse = rejected_response(rejected, is_open);
    json_t *object = better != NULL && worse != NULL ? pair_object(chosen->prompt, better, worse, format) : NULL;
    free(better);
    free(worse);
    return object;
}
