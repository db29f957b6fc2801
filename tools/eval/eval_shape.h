/* Is a line of a file a labelled trace, or a labelled prompt? What is neither is rejected, and never counted as a trace
 * that was allowed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trace has a prompt, and reasoning or an answer or both. A prompt alone has a `label`. Thread: any. */
#ifndef TOOLS_EVAL_EVAL_SHAPE_H
#define TOOLS_EVAL_EVAL_SHAPE_H

#include <jansson.h>
#include <stdbool.h>

enum { EVAL_WHY_MAX = 160 };

/* False: `why` says what is wrong, and names the member. NULL is no row. */
bool eval_shape_is_row(const json_t *row, char why[EVAL_WHY_MAX]);

#endif
