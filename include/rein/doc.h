/* Rein documents: YAML read into a tree that remembers where everything stood, and checked against a table.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Policies, templates, lexicons and the server's config are all read this way, so every error of each names file, line,
 * column and key, all at once. (Draft: the document module owns this header.) */
#ifndef REIN_DOC_H
#define REIN_DOC_H

#include "rein/rein.h"

#endif
