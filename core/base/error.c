/* The one table of results.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rein/rein.h"

const char *rein_strerror(int rv)
{
    switch (rv) {
    case 0:
        return "ok";
#define CASE(code, name, text)                                                                                         \
    case code:                                                                                                         \
        return text;
        REIN_ERRORS(CASE)
#undef CASE
    default:
        return "unknown error";
    }
}

const char *rein_version(void)
{
    return REIN_VERSION;
}
