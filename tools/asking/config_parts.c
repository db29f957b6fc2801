/* See config_parts.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/config_parts.h"

#include <stdlib.h>
#include <string.h>

#include "asking/node_text.h"
#include "base/files.h"
#include "cli/cli.h"
#include "rein/doc.h"

static void write_parts(FILE *to, const char *path, const char *const *parts, const struct rein_node *root)
{
    for (; *parts != NULL; parts++) {
        const struct rein_node *part = rein_node_get(root, *parts);
        if (part == NULL)
            continue;
        fprintf(to, "%s: ", *parts);
        node_text_write(to, path, part);
        fputc('\n', to);
    }
}

int config_parts_write(FILE *to, const char *program, const char *path, const char *const *parts)
{
    struct rein_problems *problems;
    struct rein_doc *doc = NULL;
    char *text = NULL;
    size_t len;
    int rv = files_read(&text, &len, path, REIN_DOC_BYTES_MAX);
    if (rv < 0) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(-rv));
        return REIN_EIO;
    }
    rv = rein_problems_new(&problems);
    if (rv == 0) {
        rv = rein_doc_read(&doc, &(struct rein_source){path, text, len}, problems);
        cli_print_problems(problems);
        rein_problems_free(problems);
    }
    if (rv == 0)
        write_parts(to, path, parts, rein_doc_root(doc));
    rein_doc_free(doc);
    free(text);
    return rv;
}
