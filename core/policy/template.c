/* The template's table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rein/doc.h"

static const char *const kind_words[] = {"prefix", "corrective", "reminder", "primer", NULL};

static const struct rein_key template_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "One text that a policy calls by its name."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .example = "1",
     .about = "the version of this format"},
    {.path = "name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .example = "corrective",
     .about = "the name that policies use for it"},
    {.path = "kind",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_REQUIRED,
     .words = kind_words,
     .example = "corrective",
     .about = "prefix: begins the reasoning; primer: one sentence that begins the reasoning; reminder: a question "
              "within the reasoning; corrective: begins the restart of a steered response"},
    {.path = "description",
     .type = REIN_TYPE_TEXT,
     .max = 400,
     .fallback = "",
     .example = "\"Begins a restart with the duty to check.\"",
     .about = "one line for readers"},
    {.path = "text",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .max = 4096,
     .example = "\"Wait. Before I go on, who could be hurt by this?\"",
     .about = "what the reasoning should say, in the model's own voice; empty for no prefix"},
    {.path = NULL},
};

const struct rein_schema *rein_schema_template(void)
{
    static const struct rein_schema schema = {
        "template", "Template",
        "A template is a short piece of reasoning in the first person. Delivered as prefill, the model's reasoning "
        "begins with it and continues from there. Delivered as an instruction, the model is asked to begin with it. "
        "The text of a template carries no signal.",
        template_keys};
    return &schema;
}
