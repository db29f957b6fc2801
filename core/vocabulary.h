/* The vocabulary: object keys that the known formats have. A key that is not among them is text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_VOCABULARY_H
#define CORE_VOCABULARY_H

#include <stdbool.h>

#include "bytes.h"

bool vocabulary_has_key(struct span key);

#endif
