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
#include "config/store_schemes.h"

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

/* What follows "scheme:" in a URL; NULL: it has another scheme, or nothing follows. */
static const char *place_in(const char *url, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(url, scheme, len) == 0 && url[len] == ':' && url[len + 1] != '\0' ? url + len + 1 : NULL;
}

int config_read_store(struct config_reader *r)
{
#define SCHEME(name, place, example) {#name, place},
#define EXPECTED(name, place, example) " or " #name ": and " example
    static const struct {
        const char *scheme;
        enum store_place_kind place;
    } schemes[] = {STORE_DRIVERS(SCHEME)};
    static const char expected[] = STORE_DRIVERS(EXPECTED);
    const char *url = rein_node_text(r->root, "store.url"), *place = NULL;
    size_t i = 0;
    r->config->store.on_error = (enum config_store_on_error)rein_node_word(r->root, "store.on_error");
    while (i < sizeof schemes / sizeof *schemes && (place = place_in(url, schemes[i].scheme)) == NULL)
        i++;
    if (place == NULL) {
        rein_problems_node(r->problems, r->root, "store.url", "expects %s", expected + strlen(" or "));
        return 0;
    }
    r->config->store.scheme = schemes[i].scheme;
    r->config->store.path = schemes[i].place == STORE_AT_FILE ? files_beside(r->path, place) : strdup(place);
    if (r->config->store.path == NULL)
        return REIN_ENOMEM;
    return schemes[i].place == STORE_AT_FILE ? take_older(r) : 0;
}
