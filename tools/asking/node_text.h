/* A part of a document as text again, on one line, which reads as the same tree.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Paths in it are meant beside the file that it was read from, so they become absolute. Thread: any. */
#ifndef TOOLS_ASKING_NODE_TEXT_H
#define TOOLS_ASKING_NODE_TEXT_H

#include <stdio.h>

#include "rein/doc.h"

/* `file`: where the config is that this is a part of; NULL: it is of a document without paths. Errors are those of the
 * stream. */
void node_text_write(FILE *to, const char *file, const struct rein_node *node);
/* A text in quotes. */
void node_text_quote(FILE *to, const char *text);

#endif
