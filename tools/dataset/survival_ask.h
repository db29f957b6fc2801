/* Asks a server what its chat template does to an assistant turn with reasoning (llama-server: POST /apply-template).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Four made-up turns are rendered: with reasoning, with blanks at its edges, with empty reasoning, without any. What
 * becomes of them holds for all rows of their kind. Thread: one. */
#ifndef TOOLS_DATASET_SURVIVAL_ASK_H
#define TOOLS_DATASET_SURVIVAL_ASK_H

#include "dataset/survival.h"

enum survival_probe { PROBE_PLAIN, PROBE_EDGES, PROBE_EMPTY, PROBE_NONE, SURVIVAL_PROBES };

struct survival_asked {
    bool is_known; /* the server has said it */
    enum survival of[SURVIVAL_PROBES];
};

/* Asks the server at `url` (its root). If it does not say it, that is said on stderr, and `out` stays unknown: then the
 * rules of the family apply. */
void survival_ask(struct survival_asked *out, const char *program, const char *url);

/* As survival_of, by what the server said where it did; `asked` of zeros: by the rules. */
enum survival survival_asked_of(const struct survival_asked *asked, const struct training_row *row,
                                enum row_format format, enum survival_family family);

#endif
