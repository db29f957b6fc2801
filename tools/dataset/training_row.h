/* One row of training data: a prompt, the reasoning and the answer. Read from the shapes that trainers use.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     trace              {"prompt", "reasoning", "answer"}: what `rein eval` reads too
 *     lrm-study          {"prompt", "response", "data_type"}
 *     messages           {"messages": [{"role": "user", "content"}, {"role": "assistant", "content"}]}
 *     prompt-completion  {"prompt", "completion"}
 *     sharegpt           {"conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}]}
 *     alpaca             {"instruction", "input", "output"}
 *
 * In all but the first, the reasoning stands in front of the answer: <think>, line end, reasoning, line end, </think>,
 * two line ends, answer. One line end beside each tag belongs to the tag. Thread: any. */
#ifndef TOOLS_DATASET_TRAINING_ROW_H
#define TOOLS_DATASET_TRAINING_ROW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum row_format {
    ROW_TRACE,
    ROW_LRM_STUDY,
    ROW_MESSAGES,
    ROW_PROMPT_COMPLETION,
    ROW_SHAREGPT,
    ROW_ALPACA,
    ROW_FORMATS
};

/* "messages" ...; static. */
const char *row_format_name(enum row_format format);
/* False: there is no format of this name. */
bool row_format_find(enum row_format *out, const char *name);

/* Texts are UTF-8 without NUL, and owned by the row. */
struct training_row {
    char *prompt, *answer;
    char *reasoning; /* NULL: the row says nothing of reasoning; "": the model did not reason */
};
void training_row_fini(struct training_row *row);

/* What is wrong with the texts of a row, in words that follow "the row" (static); NULL: nothing. A row that holds a tag
 * inside a text could not be told apart from another one when it is read again. */
const char *training_row_fault(const struct training_row *row);

/* Reads an object of any of the shapes; which one is told by its keys. REIN_EFORMAT: *why (static) says what is wrong,
 * in words that follow "the row"; the row is empty then. REIN_ENOMEM. */
int training_row_read(struct training_row *row, const json_t *object, const char **why) REIN_MUST_USE;

/* The object that holds the row in a format; `kind` is the lrm-study's data_type. Returns owned; NULL: no memory. */
json_t *training_row_object(const struct training_row *row, enum row_format format, const char *kind) REIN_MUST_USE;
/* Reasoning and answer as one text. Returns owned: free; NULL: no memory. */
char *training_row_response(const struct training_row *row) REIN_MUST_USE;

#endif
