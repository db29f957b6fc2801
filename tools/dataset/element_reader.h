/* Files of JSON objects, one after the other: one a line, or the elements of one array. Read piece by piece, so a file
 * may be larger than the memory. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_DATASET_ELEMENT_READER_H
#define TOOLS_DATASET_ELEMENT_READER_H

#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { ELEMENT_MAX = 16 << 20 }; /* bytes of one object */

struct element {
    const char *text; /* borrowed during the call; not NUL-terminated */
    size_t len;
    uint64_t offset; /* in the file, bytes */
    size_t line;     /* from 1 */
};

/* Gets each object in the order of the file. Anything but 0 ends the reading and is its result. */
typedef int (*element_fn)(void *ctx, const struct element *element);

/* Only the outer braces are looked at: what is inside of them is for the caller to parse. REIN_EIO with errno set;
 * REIN_EFORMAT: the file is no sequence of objects, *line says where; REIN_ELIMIT: an object is longer than
 * ELEMENT_MAX; REIN_ENOMEM. */
int element_read_all(const char *path, element_fn each, void *ctx, size_t *line) REIN_MUST_USE;

#endif
