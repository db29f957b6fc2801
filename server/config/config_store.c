/* The config's store: where decisions are kept.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first version's sample kept them next to the config. Who has such a file must not lose sight of it when the
 * sample names another place: while the named file is not there, one of the same name next to the config is used. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "config/config_read.h"

static bool is_file(const char *path)
{
    return access(path, F_OK) == 0 && !files_is_folder(path);
}

/* Takes the file next to the config in place of the one that is named, if only the former is there. */
static int take_older(struct config_reader *r)
{
    char *named = r->config->store.path;
    const char *slash = strrchr(named, '/');
    char *older = files_beside(r->path, slash != NULL ? slash + 1 : named);
    if (older == NULL)
        return REIN_ENOMEM;
    if (access(named, F_OK) == 0 || !is_file(older)) {
        free(older);
        return 0;
    }
    r->config->store.path = older;
    r->config->store.wanted = named;
    return 0;
}

int config_read_store(struct config_reader *r)
{
    static const char scheme[] = "sqlite:";
    const char *url = rein_node_text(r->root, "store.url");
    r->config->store.on_error = (enum config_store_on_error)rein_node_word(r->root, "store.on_error");
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || url[sizeof(scheme) - 1] == '\0') {
        rein_problems_node(r->problems, r->root, "store.url", "expects sqlite: and a file, such as sqlite:rein.db");
        return 0;
    }
    r->config->store.path = files_beside(r->path, url + sizeof(scheme) - 1);
    return r->config->store.path != NULL ? take_older(r) : REIN_ENOMEM;
}
