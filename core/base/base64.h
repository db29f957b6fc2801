/* Base64 with padding, as RFC 4648 has it; white space does not count.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include "base/bytes.h"

/* Decodes into `out`, at most `cap` bytes. Returns how many bytes the text stands for, which may be more than `cap`, or
 * REIN_EFORMAT. */
ptrdiff_t base64_decode(struct span text, void *out, size_t cap);

#endif
