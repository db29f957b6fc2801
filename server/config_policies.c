/* The config's policies: every policy of the folder, each loaded once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "library.h"

static int read_folder(struct config_reader *r, const char *key, struct library_folder *folder)
{
    char *path = NULL;
    bool is_said = rein_node_get(r->root, key) != NULL;
    int rv = config_read_path(r, r->root, key, &path);
    if (rv == 0)
        rv = library_read_folder(folder, path, is_said, r->problems);
    free(path);
    return rv;
}

static void check_twin(struct config_reader *r, const struct rein_source *source, const char *name)
{
    for (size_t i = 0; i < r->config->policies_len; i++)
        if (strcmp(rein_policy_settings(r->config->policies[i])->name, name) == 0)
            rein_problems_add(r->problems, source->name, 0, 0, "name", "another policy is called `%s` too", name);
}

static int load_all(struct config_reader *r, const struct library_folder *policies, const struct rein_library *library)
{
    struct config *c = r->config;
    if (policies->len == 0)
        return 0;
    c->policies = calloc(policies->len, sizeof(struct rein_policy *));
    if (c->policies == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < policies->len; i++) {
        struct rein_policy *policy;
        int rv = rein_policy_load(&policy, &policies->sources[i], library, r->problems);
        if (rv == REIN_EPOLICY) {
            r->policies_failed = true;
            continue;
        }
        if (rv != 0)
            return rv;
        check_twin(r, &policies->sources[i], rein_policy_settings(policy)->name);
        c->policies[c->policies_len++] = policy;
    }
    return 0;
}

int config_read_policies(struct config_reader *r)
{
    struct library_folder policies = {0}, templates = {0}, lexicons = {0};
    int rv = read_folder(r, "templates", &templates);
    if (rv == 0)
        rv = read_folder(r, "lexicons", &lexicons);
    if (rv == 0)
        rv = read_folder(r, "policies", &policies);
    struct rein_library library = {templates.sources, templates.len, lexicons.sources, lexicons.len};
    if (rv == 0)
        rv = load_all(r, &policies, &library);
    library_fini(&policies);
    library_fini(&templates);
    library_fini(&lexicons);
    return rv;
}
