/* See survival.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/survival.h"

#include <stdio.h>
#include <string.h>

static const char *const family_names[SURVIVAL_FAMILIES] = {"unknown", "r1", "qwen3"};

const char *survival_family_name(enum survival_family family)
{
    return family_names[family];
}

bool survival_family_find(enum survival_family *out, const char *name)
{
    for (int i = 0; i < SURVIVAL_FAMILIES; i++)
        if (strcmp(family_names[i], name) == 0) {
            *out = (enum survival_family)i;
            return true;
        }
    return false;
}

static bool has_edge(const char *text, const char *blanks)
{
    size_t len = strlen(text);
    return len > 0 && (strchr(blanks, text[0]) != NULL || strchr(blanks, text[len - 1]) != NULL);
}

/* Some renderers strip all white space where a template means line ends, so all of it counts. */
bool survival_has_edges(const struct training_row *row)
{
    static const char blanks[] = " \t\r\n";
    return (row->reasoning != NULL && has_edge(row->reasoning, blanks)) ||
           (row->answer[0] != '\0' && strchr(blanks, row->answer[0]) != NULL);
}

/* Qwen3's template strips line ends around the reasoning and before the answer, and always writes a think block into
 * the last turn. */
static enum survival survival_qwen3(const struct training_row *row)
{
    if (row->reasoning == NULL)
        return SURVIVAL_ADDED;
    return survival_has_edges(row) ? SURVIVAL_CHANGED : SURVIVES;
}

enum survival survival_of(const struct training_row *row, enum row_format format, enum survival_family family)
{
    /* No chat template touches plain texts, and nothing trains on traces. */
    if (format == ROW_PROMPT_COMPLETION || format == ROW_TRACE)
        return SURVIVES;
    /* LLaMA-Factory has templates of its own: they keep the last turn, which is the only one, and add an empty block
     * where there is none. */
    if (format == ROW_SHAREGPT || format == ROW_ALPACA)
        return family == SURVIVAL_UNKNOWN ? SURVIVAL_DEPENDS : row->reasoning == NULL ? SURVIVAL_ADDED : SURVIVES;
    if (family == SURVIVAL_QWEN3)
        return survival_qwen3(row);
    if (row->reasoning == NULL)
        return SURVIVES;
    return family == SURVIVAL_R1 ? SURVIVAL_LOST : SURVIVAL_DEPENDS;
}

const char *survival_advice(enum survival survival)
{
    static const char *const texts[SURVIVAL_KINDS] = {
        [SURVIVES] = "",
        [SURVIVAL_LOST] =
            "the chat template drops everything before </think>, so the model is trained without the reasoning; "
            "use the format prompt-completion, or a template that keeps it",
        [SURVIVAL_CHANGED] = "the chat template strips white space at the edges of the reasoning or before the answer; "
                             "use the format prompt-completion if they matter",
        [SURVIVAL_ADDED] = "the chat template puts an empty think block in front of an answer without reasoning; "
                           "use the format prompt-completion if the model shall not learn it",
        [SURVIVAL_DEPENDS] = "whether the chat template keeps the reasoning is not known for this family; "
                             "render one row with it and look, or use the format prompt-completion",
    };
    return texts[survival];
}

const char *survival_name(enum survival survival)
{
    static const char *const names[SURVIVAL_KINDS] = {"survives", "lost", "changed", "added", "depends"};
    return names[survival];
}

void survival_warn(const size_t counts[SURVIVAL_KINDS], enum row_format format, enum survival_family family)
{
    for (int i = 0; i < SURVIVAL_KINDS; i++)
        if (counts[i] > 0 && i != SURVIVES)
            fprintf(stderr, "warning: %zu rows, format %s, family %s: %s\n", counts[i], row_format_name(format),
                    survival_family_name(family), survival_advice((enum survival)i));
}
