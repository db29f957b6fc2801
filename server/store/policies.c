/* See policies.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/policies.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/driver.h"

/* ---- a set ---- */

static size_t text_size(const char *text)
{
    return strlen(text) + 1;
}

/* Copies into the block; moves *at behind the copy. */
static const char *keep_text(char **at, const char *text)
{
    char *copy = *at;
    size_t size = text_size(text);
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

int store_policies_new(struct store_policies **out, const struct store_policy *policies, size_t len)
{
    struct timespec now;
    size_t size = sizeof(struct store_policies) + len * sizeof(struct store_policy);
    for (size_t i = 0; i < len; i++)
        size += text_size(policies[i].version) + text_size(policies[i].name) + text_size(policies[i].source) +
                text_size(policies[i].resolved) + text_size(policies[i].documents);
    struct store_policies *set = malloc(size);
    if (set == NULL)
        return REIN_ENOMEM;
    clock_gettime(CLOCK_REALTIME, &now);
    *set = (struct store_policies){.at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, .len = len};
    char *at = (char *)&set->items[len];
    for (size_t i = 0; i < len; i++)
        set->items[i] = (struct store_policy){.version = keep_text(&at, policies[i].version),
                                              .name = keep_text(&at, policies[i].name),
                                              .source = keep_text(&at, policies[i].source),
                                              .resolved = keep_text(&at, policies[i].resolved),
                                              .documents = keep_text(&at, policies[i].documents)};
    *out = set;
    return 0;
}

void store_policies_free(struct store_policies *policies)
{
    free(policies);
}

/* ---- reading ---- */

static json_t *policy_time(int64_t at_us)
{
    char text[STORE_TIME_LEN];
    if (at_us == STORE_UNKNOWN)
        return json_null();
    store_format_time(at_us, text);
    return json_string(text);
}

static json_t *policy_json(const struct store_policy_row *row)
{
    return json_pack("{sssssososb}", "version", row->policy.version, "name", row->policy.name, "first_active_at",
                     policy_time(row->first_active_us), "last_active_at", policy_time(row->last_active_us), "in_use",
                     row->in_use);
}

static int list_policy(void *ctx, const struct store_policy_row *row)
{
    return json_array_append_new(ctx, policy_json(row)) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_policies(struct store_reader *reader, json_t **out)
{
    json_t *list = json_array();
    int rv = list != NULL ? reader->driver->policies(reader, NULL, list_policy, list) : REIN_ENOMEM;
    if (rv == 0)
        *out = list;
    else
        json_decref(list);
    return rv;
}

static json_t *read_json(const char *text)
{
    return text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
}

static int take_policy(void *ctx, const struct store_policy_row *row)
{
    json_t **out = ctx, *tree = policy_json(row);
    if (tree == NULL ||
        json_object_set_new(tree, "source",
                            row->policy.source != NULL ? json_string(row->policy.source) : json_null()) != 0 ||
        json_object_set_new(tree, "resolved", read_json(row->policy.resolved)) != 0 ||
        json_object_set_new(tree, "documents", read_json(row->policy.documents)) != 0) {
        json_decref(tree);
        return REIN_ENOMEM;
    }
    *out = tree;
    return 0;
}

int store_read_policy(struct store_reader *reader, const char *version, json_t **out)
{
    json_t *tree = NULL;
    int rv = reader->driver->policies(reader, version, take_policy, &tree);
    if (rv == 0)
        *out = tree;
    else
        json_decref(tree);
    return rv;
}
