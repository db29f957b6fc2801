/* Two answers to one prompt, the better one first: rows for training by preference.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     prompt-completion  {"prompt", "chosen", "rejected"}: texts
 *     messages           {"prompt": [user], "chosen": [assistant], "rejected": [assistant]}
 *     sharegpt           {"conversations": [human], "chosen": {"from": "gpt", "value"}, "rejected": ...}
 *     alpaca             {"instruction", "input", "chosen", "rejected"}
 *
 * The first two are TRL's, the others LLaMA-Factory's (a ranking). Thread: any. */
#ifndef TOOLS_DATASET_PAIR_ROW_H
#define TOOLS_DATASET_PAIR_ROW_H

#include "dataset/training_row.h"

/* `is_open`: the rejected answer was stopped in its reasoning, so its think block has no end. Returns owned; NULL: no
 * memory. */
json_t *pair_row_object(const struct training_row *chosen, const struct training_row *rejected, bool is_open,
                        enum row_format format) REIN_MUST_USE;

#endif
