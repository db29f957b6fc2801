/* Look-alikes: letters, digits and marks of all scripts that are read as ASCII ones.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_CONFUSABLE_H
#define CORE_BASE_CONFUSABLE_H

#include <stdint.h>

/* What a code point (already decomposed and case-folded) is read as: one or two ASCII characters; NULL: itself. */
const char *confusable_find(uint32_t codepoint);

#endif
