/* Building a regular expression's tree; used by the parser and the literals.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RULES_REGEX_TREE_H
#define CORE_RULES_REGEX_TREE_H

#include "rules/regex.h"

/* Each returns the new node's number, or a negative error (REIN_ENOMEM, REIN_ELIMIT). */
int64_t tree_node(struct regex *re, enum regex_kind kind, uint32_t index);
int64_t tree_set(struct regex *re, struct charset *set); /* takes the set, on errors too */
int64_t tree_repeat(struct regex *re, uint32_t child, int32_t min, int32_t max);
/* Puts `child` after the last child of a CAT or ALT. */
void tree_append(struct regex *re, uint32_t parent, uint32_t child);
/* The node for one character of the pattern: itself, what it folds to, or both its cases. */
int64_t tree_char(struct regex *re, uint32_t codepoint, bool folded, bool caseless);

#endif
