/* The weights of the learned score that a policy names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "policy/policy_load.h"

int policy_load_model(struct policy_loader *l)
{
    const char *name = rein_node_text(l->root, "model");
    l->policy->settings.model =
        arena_copy(&l->policy->arena, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    if (l->policy->settings.model == NULL)
        return REIN_ENOMEM;
    if (name == NULL)
        return 0;
    l->model = policy_library_find(l->models, l->models_len, name);
    if (l->model != NULL)
        return model_load(&l->policy->model, l->model, l->problems);
    policy_library_missing(l, l->root, "model", "model", name, l->models, l->models_len);
    return 0;
}
