/* Expressions and samples that the rows of single secrets and of all of them share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILTIN_BUILTIN_SECRETS_H
#define CORE_BUILTIN_BUILTIN_SECRETS_H

#include "base/bytes.h"

/* Line ends may be escaped, as in JSON inside a string. */
#define SECRET_LINE_END "(?:\\n|\\\\[nr])"
#define SECRET_SPACES "(?:\\s|\\\\[nr])*"
#define SECRET_BASE64 "[A-Za-z0-9+/=]"
#define SECRET_KEY_NAME "[A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"

#define SECRET_JWT "\\beyJ[A-Za-z0-9_-]{6,}\\.eyJ[A-Za-z0-9_-]{6,}\\.[A-Za-z0-9_-]{10,}"
#define SECRET_PEM                                                                                                     \
    "-----BEGIN " SECRET_KEY_NAME "(?:" SECRET_SPACES "[A-Z][A-Za-z-]{2,20}: [^\\n\\\\]*" SECRET_LINE_END              \
    ")*(?:" SECRET_SPACES SECRET_BASE64 "{20,})*(?:(?:" SECRET_SPACES SECRET_BASE64 "{1,19})?" SECRET_SPACES           \
    "-----END " SECRET_KEY_NAME ")?"

/* Words end in `sk` (task-, risk-): behind a letter, a key that begins with three characters such as `sk-` must look
 * random. */
bool secret_is_random(struct span match);

extern const char *const secret_jwts[], *const secret_no_jwts[], *const secret_pems[], *const secret_no_pems[];

#endif
