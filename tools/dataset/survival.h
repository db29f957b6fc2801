/* Does a row's reasoning reach the model in training? Chat templates rewrite assistant turns, and many drop or change
 * what stands in <think> there. SPDX-License-Identifier: Apache-2.0
 *
 * The rules are those of the templates that the families publish; tests render such templates and compare. Thread: any.
 */
#ifndef TOOLS_DATASET_SURVIVAL_H
#define TOOLS_DATASET_SURVIVAL_H

#include <stdbool.h>

#include "dataset/training_row.h"

/* The family of models whose chat template the trainer will use. */
enum survival_family {
    SURVIVAL_UNKNOWN,
    SURVIVAL_R1,    /* DeepSeek-R1 and its distillations: an assistant turn begins behind its last </think> */
    SURVIVAL_QWEN3, /* takes the turn apart and writes the think block anew */
    SURVIVAL_FAMILIES,
};
const char *survival_family_name(enum survival_family family);
bool survival_family_find(enum survival_family *out, const char *name);

enum survival {
    SURVIVES,         /* the model sees reasoning and answer as they are */
    SURVIVAL_LOST,    /* it never sees the reasoning */
    SURVIVAL_CHANGED, /* it sees another text: white space at the edges of reasoning or answer is lost */
    SURVIVAL_ADDED,   /* an empty think block is put in front of an answer that has none */
    SURVIVAL_DEPENDS, /* it depends on a template that is not known */
    SURVIVAL_KINDS,
};
enum survival survival_of(const struct training_row *row, enum row_format format, enum survival_family family);
/* Is there white space at the edges of the reasoning, or before the answer? */
bool survival_has_edges(const struct training_row *row);
/* What happens and what to do about it, in a sentence; static. "" for SURVIVES. */
const char *survival_advice(enum survival survival);
/* "lost" ...; static. */
const char *survival_name(enum survival survival);
/* Says on stderr what happens to how many rows of a file, and what to do about it. */
void survival_warn(const size_t counts[SURVIVAL_KINDS], enum row_format format, enum survival_family family);

#endif
