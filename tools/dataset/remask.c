/* See remask.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/remask.h"

#include <stdlib.h>
#include <string.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "rein/doc.h"

struct remask {
    struct rein_policy *policy;
};

/* Judges of any name may be named: none is asked. */
static int load_masks(struct remask *remask, const char *policy, struct rein_problems *problems)
{
    struct policy_files_folder file = {0};
    struct policy_files_library files = {0};
    int rv = policy_files_read_file(&file, policy, problems);
    if (rv == 0)
        rv = rein_problems_result(problems);
    if (rv == 0)
        rv = policy_files_find(&files, policy, &(struct policy_files_places){0}, problems);
    if (rv == 0) {
        struct rein_library library = policy_files_lend(&files);
        library.any_judge = true;
        rv = rein_policy_load(&remask->policy, &file.sources[0], &library, problems);
    }
    policy_files_library_fini(&files);
    policy_files_fini(&file);
    return rv;
}

int remask_new(struct remask **out, const char *policy, struct rein_problems *problems)
{
    struct remask *remask = calloc(1, sizeof *remask);
    int rv = remask != NULL ? lexicon_cache_use_own() : REIN_ENOMEM;
    if (rv == 0)
        rv = load_masks(remask, policy, problems);
    if (rv == 0)
        *out = remask;
    else
        remask_free(remask);
    return rv;
}

void remask_free(struct remask *remask)
{
    if (remask == NULL)
        return;
    rein_policy_unref(remask->policy);
    free(remask);
}

const struct rein_policy_settings *remask_settings(const struct remask *remask)
{
    return rein_policy_settings(remask->policy);
}

int remask_row(struct remask *remask, struct training_row *row, size_t *masks)
{
    char *const texts[] = {row->prompt, row->reasoning, row->answer};
    static const enum rein_channel channels[] = {REIN_PROMPT, REIN_REASONING, REIN_ANSWER};
    int rv = 0;
    *masks = 0;
    for (size_t i = 0; i < 3 && rv == 0; i++) {
        size_t spans = 0;
        if (texts[i] != NULL)
            rv = rein_policy_mask(remask->policy, channels[i], texts[i], strlen(texts[i]), &spans);
        *masks += spans;
    }
    return rv;
}
