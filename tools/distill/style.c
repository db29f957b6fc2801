/* See style.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "distill/style.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char place[] = "{prompt}";
static const char *const reasoning_words[] = {"keep", "none", NULL};

static const struct rein_key style_keys[] = {
    {.path = "", .type = REIN_TYPE_MAP, .about = "How `rein distill` puts a prompt to a model."},
    {.path = "version",
     .type = REIN_TYPE_INT,
     .flags = REIN_KEY_REQUIRED,
     .min = 1,
     .max = 1,
     .about = "the version of this format"},
    {.path = "name",
     .type = REIN_TYPE_NAME,
     .flags = REIN_KEY_REQUIRED,
     .about = "the name that `--style` uses for it"},
    {.path = "description", .type = REIN_TYPE_TEXT, .fallback = "", .max = 400, .about = "one line for readers"},
    {.path = "text",
     .type = REIN_TYPE_TEXT,
     .flags = REIN_KEY_REQUIRED,
     .max = STYLE_TEXT_MAX,
     .about = "what is sent; `{prompt}` stands once in it, and the prompt is put there"},
    {.path = "reasoning",
     .type = REIN_TYPE_WORD,
     .words = reasoning_words,
     .fallback = "keep",
     .about = "what of the model's reasoning is in a row. keep: all of it; none: the row has an empty think block"},
    {.path = NULL},
};

const struct rein_schema style_schema = {
    .name = "style",
    .title = "Style",
    .about =
        "A style is how `rein distill` puts a prompt to a model, so that the reasoning has the form that is wanted. "
        "The rows have the prompt itself, without the style's words.",
    .keys = style_keys};

static int style_fill(struct style *style, const struct rein_node *root, struct rein_problems *problems)
{
    const char *text = rein_node_text(root, "text"), *at = strstr(text, place);
    if (at == NULL || strstr(at + 1, place) != NULL) {
        rein_problems_node(problems, root, "text", "needs %s exactly once", place);
        return REIN_EPOLICY;
    }
    snprintf(style->name, sizeof style->name, "%s", rein_node_text(root, "name"));
    style->before = strndup(text, (size_t)(at - text));
    style->after = strdup(at + sizeof place - 1);
    style->drops_reasoning = rein_node_word(root, "reasoning") == 1;
    return style->before != NULL && style->after != NULL ? 0 : REIN_ENOMEM;
}

int style_read(struct style *out, const struct rein_source *source, struct rein_problems *problems)
{
    struct rein_doc *doc = NULL;
    *out = (struct style){0};
    int rv = rein_doc_read(&doc, source, problems);
    if (rv == 0)
        rv = rein_doc_check(doc, &style_schema, problems);
    if (rv == 0)
        rv = style_fill(out, rein_doc_root(doc), problems);
    rein_doc_free(doc);
    if (rv != 0)
        style_fini(out);
    return rv;
}

void style_fini(struct style *style)
{
    free(style->before);
    free(style->after);
    *style = (struct style){0};
}

char *style_apply(const struct style *style, const char *prompt)
{
    char *text = NULL;
    return asprintf(&text, "%s%s%s", style->before, prompt, style->after) < 0 ? NULL : text;
}

static int style_check(const struct rein_source *source, struct rein_problems *problems)
{
    struct style style;
    int rv = style_read(&style, source, problems);
    if (rv == 0) {
        printf("%s: style %s\n", source->name, style.name);
        style_fini(&style);
    }
    return rv;
}

const struct cli_document_kind style_document_kind = {.schema = &style_schema, .check = style_check};
