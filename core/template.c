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
     .about = "the version of this format"},
    {.path = "name", .type = REIN_TYPE_NAME, .flags = REIN_KEY_REQUIRED, .about = "the name that policies call it by"},
    {.path = "kind",
     .type = REIN_TYPE_WORD,
     .flags = REIN_KEY_REQUIRED,
     .words = kind_words,
     .about = "prefix: opens the reasoning; primer: one sentence that opens it; reminder: a question in its midst; "
              "corrective: opens the restart of a steered response"},
    {.path = "description", .type = REIN_TYPE_TEXT, .max = 400, .fallback = "", .about = "one line for the reader"},
    {.path = "text",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .max = 4096,
     .about = "what the reasoning shall say, in the model's own voice; empty for none"},
    {.path = NULL},
};

const struct rein_schema *rein_schema_template(void)
{
    static const struct rein_schema schema = {
        "template", "Template",
        "A template is a short piece of reasoning in the first person. Delivered as prefill, the model's reasoning "
        "begins with it and goes on from there; delivered as an instruction, the model is asked to begin with it. What "
        "a template says is never a signal.",
        template_keys};
    return &schema;
}
