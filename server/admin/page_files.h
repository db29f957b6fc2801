/* The files of the page, as cmake/embed_page.cmake puts them into the binary.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ADMIN_PAGE_FILES_H
#define SERVER_ADMIN_PAGE_FILES_H

#include <stddef.h>

struct page_file {
    const char *path, *type;
    const unsigned char *gzip;
    size_t len;
};

/* The first one is the page itself, which has no path of its own. */
extern const struct page_file page_files[];
extern const size_t page_files_len;
/* An ETag, with its quotes: the hash of all files, which is in their paths too. */
extern const char page_version[];

#endif
