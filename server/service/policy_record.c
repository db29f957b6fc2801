/* See policy_record.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/policy_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/policies.h"

/* ---- for the store ---- */

static json_t *document_json(const struct rein_policy_document *document)
{
    json_t *resolved = document->resolved != NULL ? json_loads(document->resolved, 0, NULL) : json_null();
    return json_pack("{ssssssso}", "kind", document->kind, "name", document->name, "sha256", document->digest,
                     "resolved", resolved);
}

/* All documents but the policy itself. Returns owned (free()). */
static char *documents_text(const struct rein_policy_document *documents, size_t len)
{
    json_t *list = json_array();
    int rc = list != NULL ? 0 : -1;
    for (size_t i = 1; i < len && rc == 0; i++) {
        json_t *one = document_json(&documents[i]);
        rc = json_array_append_new(list, one);
    }
    char *text = rc == 0 ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

static int describe(const struct config_policy *policy, struct store_policy *out)
{
    size_t len;
    const struct rein_policy_document *documents = rein_policy_documents(policy->policy, &len);
    *out = (struct store_policy){.version = rein_policy_settings(policy->policy)->version,
                                 .name = policy->name,
                                 .source = documents[0].source,
                                 .resolved = documents[0].resolved,
                                 .documents = documents_text(documents, len)};
    return out->documents != NULL ? 0 : REIN_ENOMEM;
}

void policy_record_note(struct store *store, const struct config *config)
{
    struct store_policy *policies = calloc(config->policies_len + 1, sizeof *policies);
    int rv = policies != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < config->policies_len && rv == 0; i++)
        rv = describe(&config->policies[i], &policies[i]);
    if (rv == 0)
        rv = store_use_policies(store, policies, config->policies_len);
    if (rv != 0)
        log_error("store", "the texts of the policies are not kept: %s", rein_strerror(rv));
    for (size_t i = 0; policies != NULL && i < config->policies_len; i++)
        free((char *)policies[i].documents);
    free(policies);
}

/* ---- for an answer ---- */

static const char *version_of(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->policies_len; i++)
        if (strcmp(config->policies[i].name, name) == 0)
            return rein_policy_settings(config->policies[i].policy)->version;
    return NULL;
}

static int add_change(json_t *list, const char *name, const char *before, const char *after)
{
    json_t *one = json_pack("{ssss?ss?}", "name", name, "before", before, "after", after);
    return json_array_append_new(list, one);
}

json_t *policy_record_changes(const struct config *before, const struct config *after)
{
    json_t *list = json_array();
    int rc = list != NULL ? 0 : -1;
    for (size_t i = 0; i < after->policies_len && rc == 0; i++) {
        const char *name = after->policies[i].name;
        rc = add_change(list, name, version_of(before, name), version_of(after, name));
    }
    for (size_t i = 0; i < before->policies_len && rc == 0; i++) {
        const char *name = before->policies[i].name;
        if (version_of(after, name) == NULL)
            rc = add_change(list, name, version_of(before, name), NULL);
    }
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}
