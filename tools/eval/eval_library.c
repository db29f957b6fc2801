/* See eval_library.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/lexicon_cache.h"
#include "rein/doc.h"

int eval_library_read(struct policy_files_library *files, const char *folder, struct rein_problems *problems)
{
    const struct {
        const char *name;
        struct policy_files_folder *to;
        int (*read)(struct policy_files_folder *, const char *, bool, struct rein_problems *);
        bool must_exist;
    } parts[] = {{"lexicons", &files->lexicons, policy_files_read, true},
                 {"templates", &files->templates, policy_files_read, false},
                 {"models", &files->models, policy_files_read, false},
                 {"lists", &files->lists, policy_files_read_lists, false}};
    *files = (struct policy_files_library){0};
    int rv = lexicon_cache_use_own();
    for (size_t i = 0; i < sizeof parts / sizeof *parts && rv == 0; i++) {
        char *path = files_join(folder, parts[i].name);
        rv = path != NULL ? parts[i].read(parts[i].to, path, parts[i].must_exist, problems) : REIN_ENOMEM;
        free(path);
    }
    return rv == 0 ? rein_problems_result(problems) : rv;
}

int eval_policy_load_text(struct rein_policy **out, const char *path, const char *text,
                          const struct rein_library *library, struct rein_policy *const *peers, size_t peers_len,
                          struct rein_problems *problems)
{
    struct policy_files_folder beside = {0};
    struct rein_library whole = *library;
    int rv = policy_files_read_beside(&beside, path);
    whole.policies = beside.sources;
    whole.policies_len = beside.len;
    if (rv == 0)
        rv = rein_policy_load_beside(out, &(struct rein_source){path, text, strlen(text)}, &whole, peers, peers_len,
                                     problems);
    policy_files_fini(&beside);
    return rv;
}

int eval_policy_load(struct rein_policy **out, const char *path, const struct rein_library *library,
                     struct rein_policy *const *peers, size_t peers_len, struct rein_problems *problems)
{
    char *text = NULL;
    size_t len;
    int rv = files_read(&text, &len, path, REIN_DOC_BYTES_MAX);
    if (rv < 0) {
        rein_problems_add(problems, path, 0, 0, "", "cannot be read: %s", strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EPOLICY;
    }
    rv = eval_policy_load_text(out, path, text, library, peers, peers_len, problems);
    free(text);
    return rv;
}
