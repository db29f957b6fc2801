/* Whether the database holds what clients saw.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_ROWS_H
#define LOAD_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `rows` as in client.h. `may_be_open`: the last record of a request that no client saw the end of may be missing,
 * because memory had run out. Prints each fault; returns how many there are. Thread: none but this may use the file. */
size_t rows_check(const char *path, const uint8_t *rows, size_t len, bool may_be_open);

#endif
