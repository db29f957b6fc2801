/* Recorded streams: every *.sse below the folder `wire` of $REIN_DATA, for tests that replay them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RECORDINGS_H
#define TESTS_RECORDINGS_H

#include <stdbool.h>

#include "base/bytes.h"

struct recording {
    const char *path;
    struct span bytes;
    bool is_chat; /* it has events of the chat API */
};

/* Calls `each` for every recording, which is good until it returns. Returns how many there were; fails the test if one
 * can not be read. */
size_t recordings_each(void (*each)(const struct recording *recording, void *ctx), void *ctx);

/* The main function of such a test: runs it if there is data, else says that it was skipped (77). */
int recordings_main(void (*test)(void **state));

#endif
