/* See policy_match.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/policy_match.h"

#include <stdlib.h>
#include <string.h>

#include "backtest/decision_script.h"

/* Keys of a rule that say what becomes of what it finds. */
static const char *const effects[] = {"action",   "message", "finish_reason", "shadow",  "severity", "tags",
                                      "evidence", "when",    "replacement",   "restore", "secret",   "description"};

/* Is it a document that detectors read by? Templates, because what repeats the prefix carries no signal. */
static bool is_of_detectors(const char *kind)
{
    return strcmp(kind, "lexicon") == 0 || strcmp(kind, "model") == 0 || strcmp(kind, "template") == 0;
}

static bool is_list(const char *kind)
{
    return strcmp(kind, "list") == 0;
}

/* Is there a document of this digest? */
static bool has_document(const json_t *documents, const char *kind, const char *digest)
{
    const json_t *document;
    size_t i;
    json_array_foreach(documents, i, document)
    {
        if (strcmp(script_word(document, "kind"), kind) == 0 && strcmp(script_word(document, "sha256"), digest) == 0)
            return true;
    }
    return false;
}

/* Are all of one that are `wanted` in the other, too? */
static bool has_all(const json_t *of, const json_t *in, bool (*wanted)(const char *kind))
{
    const json_t *document;
    size_t i;
    json_array_foreach(of, i, document)
    {
        const char *kind = script_word(document, "kind");
        if (wanted(kind) && !has_document(in, kind, script_word(document, "sha256")))
            return false;
    }
    return true;
}

static bool are_alike(const json_t *a, const json_t *b, bool (*wanted)(const char *kind))
{
    return has_all(a, b, wanted) && has_all(b, a, wanted);
}

/* A rule without what becomes of its matches. Returns owned; NULL: no memory. */
static json_t *what_it_finds(const json_t *rule)
{
    json_t *copy = json_copy((json_t *)rule);
    for (size_t i = 0; copy != NULL && i < sizeof effects / sizeof *effects; i++)
        json_object_del(copy, effects[i]);
    return copy;
}

/* The rule of this name that finds the same. */
static bool finds_the_same(const json_t *rules, const json_t *rule, int *rv)
{
    const json_t *other;
    size_t i;
    bool is_same = false;
    json_array_foreach(rules, i, other)
    {
        if (strcmp(script_word(other, "id"), script_word(rule, "id")) != 0)
            continue;
        json_t *a = what_it_finds(rule), *b = what_it_finds(other);
        is_same = json_equal(a, b) == 1;
        *rv = a == NULL || b == NULL ? REIN_ENOMEM : *rv;
        json_decref(a);
        json_decref(b);
    }
    return is_same;
}

/* Does it name a file of words, at any place? */
static bool reads_lists(const json_t *value)
{
    const json_t *item;
    const char *key;
    size_t i;
    bool reads = false;
    json_array_foreach(value, i, item) reads = reads || reads_lists(item);
    json_object_foreach((json_t *)value, key, item) reads = reads || strcmp(key, "file") == 0 || reads_lists(item);
    return reads;
}

static int match_rules(struct policy_match *out, const json_t *theirs, const json_t *ours, bool lists)
{
    const json_t *rule;
    size_t i;
    int rv = 0;
    out->rules = calloc(json_array_size(ours) + 1, sizeof *out->rules);
    if (out->rules == NULL)
        return REIN_ENOMEM;
    json_array_foreach(ours, i, rule)
    {
        if (rv == 0 && (lists || !reads_lists(rule)) && finds_the_same(theirs, rule, &rv))
            out->rules[out->rules_len++] = script_word(rule, "id");
    }
    return rv;
}

/* The policy's documents; that of the policy itself has `resolved`. */
static int list_documents(struct policy_match *out, const struct rein_policy *policy, const json_t **resolved)
{
    size_t len;
    const struct rein_policy_document *documents = rein_policy_documents(policy, &len);
    out->documents = json_array();
    for (size_t i = 0; i < len; i++) {
        const struct rein_policy_document *d = &documents[i];
        json_t *text = d->resolved != NULL ? json_loads(d->resolved, 0, NULL) : json_null();
        json_t *row = json_pack("{ssssso}", "kind", d->kind, "sha256", d->digest, "resolved", text);
        if (json_array_append_new(out->documents, row) != 0)
            return REIN_ENOMEM;
        out->has_detectors |= strcmp(d->kind, "lexicon") == 0;
        if (strcmp(d->kind, "policy") == 0 && *resolved == NULL)
            *resolved = text;
    }
    return 0;
}

int policy_match_read(struct policy_match *out, const json_t *version, const struct rein_policy *policy)
{
    const json_t *resolved = NULL, *documents = json_object_get(version, "documents");
    *out = (struct policy_match){.documents = NULL};
    int rv = list_documents(out, policy, &resolved);
    if (rv != 0 || !json_is_array(documents))
        return rv;
    out->is_known = true;
    out->detectors = are_alike(documents, out->documents, is_of_detectors);
    return match_rules(out, json_object_get(json_object_get(version, "resolved"), "rules"),
                       json_object_get(resolved, "rules"), are_alike(documents, out->documents, is_list));
}

void policy_match_fini(struct policy_match *match)
{
    json_decref(match->documents);
    free(match->rules);
    *match = (struct policy_match){.documents = NULL};
}
