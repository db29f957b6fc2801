/* Styles: how a prompt is put to a model, so that its reasoning has a certain form.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A style is a document, in the library's folder styles/. Its text holds {prompt} once. Thread: any. */
#ifndef TOOLS_DISTILL_STYLE_H
#define TOOLS_DISTILL_STYLE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"
#include "rein/doc.h"

enum { STYLE_NAME_MAX = 64, STYLE_TEXT_MAX = 8192 };

struct style {
    char name[STYLE_NAME_MAX + 1];
    char *before, *after; /* of the prompt; owned */
    bool drops_reasoning; /* the rows have an empty think block */
};

extern const struct rein_schema style_schema;
extern const struct cli_document_kind style_document_kind;

/* REIN_EPOLICY: `problems` says what is wrong. */
int style_read(struct style *out, const struct rein_source *source, struct rein_problems *problems) REIN_MUST_USE;
void style_fini(struct style *style);
/* What is sent. Returned owned; NULL: no memory. */
char *style_apply(const struct style *style, const char *prompt) REIN_MUST_USE;

#endif
