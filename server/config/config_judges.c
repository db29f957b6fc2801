/* The config's judges: what they are, where they run, and how long one waits for them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/config_read.h"
#include "judges/described.h"

enum { VERSION_BYTES = 16, DESCRIPTION_MAX = REIN_DOC_BYTES_MAX };

/* ---- what it is ---- */

/* NULL: the word is none of the schema's, which was said. */
static void read_kind(struct config_judge *judge, const char *kind)
{
    judge->settings.kind = kind != NULL ? judge_kind_find(kind) : NULL;
    judge->settings.path = "/v1/chat/completions";
}

/* *text is owned: the description, for the version. */
static int read_description(struct config_reader *r, const struct rein_node *node, struct config_judge *judge,
                            char **text)
{
    char *path = NULL;
    size_t len;
    int rv = config_read_path(r, node, "description", &path);
    if (rv != 0)
        return rv;
    rv = files_read(text, &len, path, DESCRIPTION_MAX);
    if (rv == 0) {
        struct rein_source source = {path, *text, len};
        rv = judge_description_load(&judge->description, &source, r->problems);
    } else {
        rein_problems_node(r->problems, node, "description", "cannot be read: %s", strerror(-rv));
        rv = rv == -ENOMEM ? REIN_ENOMEM : REIN_EPOLICY;
    }
    free(path);
    if (rv != 0)
        return rv == REIN_EPOLICY ? 0 : rv;
    judge->settings.kind = judge_description_kind(judge->description);
    judge->settings.description = judge->description;
    judge->settings.path = judge_description_path(judge->description);
    return 0;
}

/* A digest of all that its opinions depend on. */
static int make_version(struct config_judge *judge, const char *kind, const char *description)
{
    unsigned char digest[VERSION_BYTES];
    const char *const parts[] = {kind, description, judge->model};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof digest);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *part = parts[i] != NULL ? parts[i] : "";
        crypto_generichash_update(&state, (const unsigned char *)part, strlen(part) + 1);
    }
    crypto_generichash_final(&state, digest, sizeof digest);
    judge->version = malloc(2 * sizeof digest + 1);
    if (judge->version == NULL)
        return REIN_ENOMEM;
    sodium_bin2hex(judge->version, 2 * sizeof digest + 1, digest, sizeof digest);
    judge->settings.version = judge->version;
    return 0;
}

static int read_what(struct config_reader *r, const struct rein_node *node, struct config_judge *judge)
{
    const char *kind = rein_node_text(node, "kind");
    char *text = NULL;
    int rv = 0;
    bool has_kind = rein_node_get(node, "kind") != NULL;
    if (has_kind == (rein_node_get(node, "description") != NULL))
        rein_problems_node(r->problems, node, NULL, "needs either `kind` or `description`");
    else if (has_kind)
        read_kind(judge, kind);
    else
        rv = read_description(r, node, judge, &text);
    if (rv == 0)
        rv = make_version(judge, kind, text);
    free(text);
    return rv;
}

/* ---- where it runs ---- */

static bool judge_text_copy(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static int read_secrets(struct config_reader *r, const struct rein_node *node, struct config_judge *judge)
{
    char *key = NULL;
    int rv = config_read_secret(r, node, "api_key_env", "api_key_file", &key);
    if (rv == 0)
        rv = config_read_secret(r, node, "secret_env", "secret_file", &judge->secret);
    if (rv == 0 && key != NULL && asprintf(&judge->authorization, "Bearer %s", key) < 0) {
        judge->authorization = NULL;
        rv = REIN_ENOMEM;
    }
    if (key != NULL)
        explicit_bzero(key, strlen(key));
    free(key);
    judge->settings.authorization = judge->authorization;
    judge->settings.secret = judge->secret;
    return rv;
}

static void read_numbers(const struct rein_node *node, struct judge_settings *settings)
{
    settings->calls_max = (unsigned)rein_node_int(node, "calls");
    settings->timeout_ms = (unsigned)rein_node_int(node, "timeout_ms");
    settings->second_ms = (unsigned)rein_node_int(node, "second_ms");
    settings->busy_ms = (unsigned)rein_node_int(node, "busy_ms");
    settings->failures = (unsigned)rein_node_int(node, "failures");
    settings->alone_ms = (unsigned)rein_node_int(node, "alone_ms");
    settings->known_max = (size_t)rein_node_int(node, "known");
    settings->known_s = (unsigned)rein_node_int(node, "known_s");
}

static int read_judge(struct config_reader *r, const struct rein_node *node, struct config_judge *judge)
{
    if (!judge_text_copy(&judge->name, rein_node_text(node, "name")) ||
        !judge_text_copy(&judge->model, rein_node_text(node, "model")))
        return REIN_ENOMEM;
    for (const struct config_judge *at = r->config->judges; at != judge; at++)
        if (at->name != NULL && judge->name != NULL && strcmp(at->name, judge->name) == 0)
            rein_problems_node(r->problems, node, "name", "another judge has the name `%s` too: rename one of them",
                               at->name);
    judge->settings.name = judge->name;
    judge->settings.model = judge->model;
    judge->probe = rein_node_bool(node, "probe");
    read_numbers(node, &judge->settings);
    int rv = config_read_root(r, node, &judge->url);
    judge->settings.url = judge->url;
    if (rv == 0)
        rv = read_secrets(r, node, judge);
    if (rv == 0)
        rv = read_what(r, node, judge);
    bool wants_model = judge->settings.kind != NULL && judge->settings.kind->route != JUDGE_JSON;
    if (rv == 0 && wants_model && judge->model == NULL)
        rein_problems_node(r->problems, node, "model",
                           "is missing: it is the name that the judge's server gives the model");
    return rv;
}

int config_read_judges(struct config_reader *r)
{
    const struct rein_node *list = rein_node_get(r->root, "judges");
    int rv = 0;
    if (list == NULL || list->kind != REIN_NODE_LIST || list->count == 0)
        return 0;
    r->config->judges = calloc(list->count, sizeof *r->config->judges);
    if (r->config->judges == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = list->first; at != NULL && rv == 0; at = at->next)
        if (at->kind == REIN_NODE_MAP)
            rv = read_judge(r, at, &r->config->judges[r->config->judges_len++]);
    return rv;
}

void config_judges_fini(struct config *config)
{
    for (size_t i = 0; i < config->judges_len; i++) {
        struct config_judge *judge = &config->judges[i];
        free(judge->name);
        free(judge->url);
        free(judge->model);
        free(judge->version);
        if (judge->authorization != NULL)
            explicit_bzero(judge->authorization, strlen(judge->authorization));
        free(judge->authorization);
        if (judge->secret != NULL)
            explicit_bzero(judge->secret, strlen(judge->secret));
        free(judge->secret);
        judge_description_free(judge->description);
    }
    free(config->judges);
}

/* ---- what policies know of them ---- */

int config_judge_names(const struct config *config, struct rein_judge_name **out)
{
    struct rein_judge_name *names = calloc(config->judges_len + 1, sizeof *names);
    if (names == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < config->judges_len; i++) {
        const struct judge_settings *settings = &config->judges[i].settings;
        names[i] = (struct rein_judge_name){settings->name != NULL ? settings->name : "", settings->version, 0};
        for (int subject = 0; subject < JUDGE_SUBJECTS && settings->kind != NULL; subject++)
            if (settings->kind->judges(settings->description, (enum judge_subject)subject))
                names[i].channels |= 1u << subject; /* in the order of enum rein_channel */
    }
    *out = names;
    return 0;
}
