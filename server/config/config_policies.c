/* The config's policies: every policy of the folder, each loaded once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/config_read.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"

static int read_folder(struct config_reader *r, const char *key, struct policy_files_folder *folder)
{
    bool is_lists = strcmp(key, "lists") == 0;
    char *path = NULL;
    bool is_said = rein_node_get(r->root, key) != NULL;
    int rv = config_read_path(r, r->root, key, &path);
    if (rv == 0)
        rv = (is_lists ? policy_files_read_lists : policy_files_read)(folder, path, is_said, r->problems);
    free(path);
    return rv;
}

static void check_twin(struct config_reader *r, const struct rein_source *source, const char *name)
{
    for (size_t i = 0; i < r->config->policies_len; i++)
        if (strcmp(r->config->policies[i].name, name) == 0)
            rein_problems_add(r->problems, source->name, 0, 0, "name",
                              "another policy has the name `%s` too: rename one of them", name);
}

/* The policies whose signals may be shared: those of the config before and those that were just loaded. */
struct compiled_policies {
    struct rein_policy **policies;
    size_t len;
};

static int list_compiled(struct config_reader *r, size_t more, struct compiled_policies *compiled)
{
    size_t before = r->previous != NULL ? r->previous->policies_len : 0;
    compiled->policies = calloc(before + more, sizeof(*compiled->policies));
    if (compiled->policies == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < before; i++)
        compiled->policies[i] = r->previous->policies[i].policy;
    compiled->len = before;
    return 0;
}

enum { VERSION_SHOWN = 12 }; /* how much of a version is enough for a header; the decision has all of it */

static int take_policy(struct config_policy *place, struct rein_policy *policy)
{
    const struct rein_policy_settings *settings = rein_policy_settings(policy);
    place->policy = policy;
    place->name = settings->name;
    if (asprintf(&place->tag, "%s@%.*s", settings->name, VERSION_SHOWN, settings->version) < 0)
        place->tag = NULL;
    return place->tag != NULL ? 0 : REIN_ENOMEM;
}

static int load_each(struct config_reader *r, const struct policy_files_folder *policies,
                     const struct rein_library *library, struct compiled_policies *compiled)
{
    struct config *c = r->config;
    for (size_t i = 0; i < policies->len; i++) {
        struct rein_policy *policy;
        int rv = rein_policy_load_beside(&policy, &policies->sources[i], library, compiled->policies, compiled->len,
                                         r->problems);
        if (rv == REIN_EPOLICY) {
            r->policies_failed = true;
            continue;
        }
        if (rv != 0)
            return rv;
        check_twin(r, &policies->sources[i], rein_policy_settings(policy)->name);
        compiled->policies[compiled->len++] = policy;
        rv = take_policy(&c->policies[c->policies_len++], policy);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int load_all(struct config_reader *r, const struct policy_files_folder *policies,
                    const struct rein_library *library)
{
    struct compiled_policies compiled;
    if (policies->len == 0)
        return 0;
    r->config->policies = calloc(policies->len, sizeof *r->config->policies);
    if (r->config->policies == NULL || list_compiled(r, policies->len, &compiled) != 0)
        return REIN_ENOMEM;
    int rv = load_each(r, policies, library, &compiled);
    free(compiled.policies);
    return rv;
}

/* ---- the cache of compiled lexicons ---- */

/* The folder of the config; else the one that the service manager has made; else cache/ next to the store's file. *out
 * is owned, and NULL if there is none. */
static int find_cache(struct config_reader *r, char **out)
{
    const char *said = rein_node_text(r->root, "cache.folder"), *given = getenv("CACHE_DIRECTORY");
    *out = NULL;
    if (said != NULL && strcmp(said, "off") == 0)
        return 0;
    if (said != NULL)
        *out = files_beside(r->path, said);
    else if (given != NULL && given[0] == '/')
        *out = strdup(given);
    else if (r->config->store.path != NULL)
        *out = files_beside(r->config->store.path, "cache");
    else
        return 0;
    return *out != NULL ? 0 : REIN_ENOMEM;
}

static int use_cache(struct config_reader *r)
{
    char *folder;
    if (!r->is_to_serve || r->previous != NULL) /* a reload does not change it */
        return 0;
    int rv = find_cache(r, &folder);
    if (rv == 0)
        rv = lexicon_cache_use(folder);
    free(folder);
    return rv;
}

int config_read_policies(struct config_reader *r)
{
    struct policy_files_folder policies = {0};
    struct policy_files_library files = {0};
    int rv = read_folder(r, "templates", &files.templates);
    if (rv == 0)
        rv = read_folder(r, "lexicons", &files.lexicons);
    if (rv == 0)
        rv = read_folder(r, "models", &files.models);
    if (rv == 0)
        rv = read_folder(r, "lists", &files.lists);
    if (rv == 0)
        rv = read_folder(r, "policies", &policies);
    struct rein_library library = policy_files_lend(&files);
    library.policies = policies.sources;
    library.policies_len = policies.len;
    struct rein_judge_name *judges = NULL;
    if (rv == 0)
        rv = config_judge_names(r->config, &judges);
    library.judges = judges;
    library.judges_len = r->config->judges_len;
    if (rv == 0)
        rv = use_cache(r);
    if (rv == 0)
        rv = load_all(r, &policies, &library);
    if (r->is_to_serve)
        lexicon_cache_report();
    policy_files_fini(&policies);
    policy_files_library_fini(&files);
    free(judges);
    return rv;
}
