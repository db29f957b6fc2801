/* The config's upstreams: their roots, and their keys from where secrets are kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/config_read.h"
#include "upstream/origin.h"

/* Why a text is not the root of a server; NULL if it is one. *len: without trailing slashes. The mistakes that are made
 * most come first, with what to do about them. */
static const char *why_no_root(const char *url, size_t *len)
{
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return "must begin with http:// or https://";
    *len = strlen(url);
    while (*len > scheme && url[*len - 1] == '/')
        (*len)--;
    const char *host = url + scheme;
    size_t host_len = *len - scheme;
    if (host_len == 0 || host[0] == ':')
        return "has no host name";
    if (memchr(host, '@', host_len) != NULL)
        return "secrets are not allowed in this file: use api_key_env or api_key_file";
    if (strpbrk(host, "?#") != NULL)
        return "must be the server's root, without a query";
    if (memchr(host, '/', host_len) != NULL)
        return "must be the server's root, without a path: put the path into path_prefix";
    struct origin origin;
    return origin_read(&origin, url);
}

/* The root: what url_env names, else url. NULL if neither is set, which is then reported. *key: the key that has it. */
static const char *find_url(struct config_reader *r, const struct rein_node *node, const char **key)
{
    const char *variable = rein_node_text(node, "url_env");
    const char *url = variable != NULL ? getenv(variable) : NULL;
    *key = "url_env";
    if (url != NULL && *url != '\0')
        return url;
    *key = "url";
    url = rein_node_text(node, "url");
    if (rein_node_get(node, "url") == NULL && variable == NULL)
        rein_problems_node(r->problems, node, "url",
                           "is missing: it is the root of the backend, such as "
                           "http://127.0.0.1:8000");
    else if (rein_node_get(node, "url") == NULL)
        rein_problems_node(r->absent, node, "url_env",
                           "the environment variable `%.64s` is not set: set it to the root of the backend, such as "
                           "http://127.0.0.1:8000",
                           variable);
    return url;
}

int config_read_root(struct config_reader *r, const struct rein_node *node, char **out)
{
    const char *key, *url = find_url(r, node, &key);
    size_t len = 0;
    if (url == NULL)
        return 0;
    const char *why = why_no_root(url, &len);
    if (why != NULL)
        rein_problems_node(r->problems, node, key, "%s", why);
    *out = strndup(url, len);
    return *out != NULL ? 0 : REIN_ENOMEM;
}

static int read_prefix(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    const char *prefix = rein_node_text(node, "path_prefix");
    size_t len = strlen(prefix);
    while (len > 0 && prefix[len - 1] == '/')
        len--;
    bool is_plain = prefix[strcspn(prefix, " ?#\\\t\r\n")] == '\0';
    if ((len > 0 && prefix[0] != '/') || !is_plain)
        rein_problems_node(r->problems, node, "path_prefix", "expects a path such as /v1, or nothing");
    u->path_prefix = strndup(prefix, len);
    return u->path_prefix != NULL ? 0 : REIN_ENOMEM;
}

/* ---- keys ---- */

static int read_key(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    char *secret = NULL;
    int rv = config_read_secret(r, node, "api_key_env", "api_key_file", &secret);
    if (rv != 0 || secret == NULL)
        return rv;
    if (asprintf(&u->authorization, "Bearer %s", secret) < 0)
        u->authorization = NULL;
    explicit_bzero(secret, strlen(secret));
    free(secret);
    return u->authorization != NULL ? 0 : REIN_ENOMEM;
}

/* ---- all ---- */

static bool copy(char **out, const char *text)
{
    if (text != NULL)
        *out = strdup(text);
    return text == NULL || *out != NULL;
}

/* A turn has its text in one place, and the rest of the template none. */
static void check_contents(struct config_reader *r, const struct rein_node *node, const char *key, const char *text,
                           bool is_turn)
{
    static const char content[] = "{content}";
    const char *first = text != NULL ? strstr(text, content) : NULL;
    bool is_once = first != NULL && strstr(first + 1, content) == NULL;
    if (text != NULL && is_turn && !is_once)
        rein_problems_node(r->problems, node, key, "needs `{content}` exactly once, in place of the turn's text");
    else if (!is_turn && first != NULL)
        rein_problems_node(r->problems, node, key, "is not a turn: `{content}` is not allowed here");
}

static int read_template(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    struct config_template *t = &u->template;
    const struct {
        const char *key;
        char **out;
        bool is_turn;
    } parts[] = {
        {"template.begin", &t->begin, false},       {"template.system", &t->system, true},
        {"template.user", &t->user, true},          {"template.assistant", &t->assistant, true},
        {"template.generate", &t->generate, false},
    };
    bool wants = u->kind != NULL && strcmp(u->kind, "completions") == 0;
    bool has = rein_node_get(node, "template") != NULL;
    if (wants && !has)
        rein_problems_node(r->problems, node, "kind", "this kind needs a `template`, because it sends raw prompts");
    else if (!wants && has)
        rein_problems_node(r->problems, node, "template", "is only for the kind `completions`: remove it");
    for (size_t i = 0; has && i < sizeof parts / sizeof *parts; i++) {
        const char *text = rein_node_text(node, parts[i].key);
        if (!copy(parts[i].out, text))
            return REIN_ENOMEM;
        check_contents(r, node, parts[i].key, text, parts[i].is_turn);
    }
    return 0;
}

/* The APIs that it serves: those of the file, else those that its kind has. A template renders one kind of request. */
static void read_apis(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    static const struct {
        const char *kind;
        unsigned apis;
    } kinds[] = {
#define KIND_ROW(kind, apis) {kind, apis},
        CONFIG_KINDS(KIND_ROW)
#undef KIND_ROW
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (u->kind != NULL && strcmp(u->kind, kinds[i].kind) == 0)
            u->apis = kinds[i].apis;
    if (rein_node_get(node, "apis") == NULL)
        return;
    bool is_fixed = u->kind != NULL && strcmp(u->kind, "completions") == 0;
    unsigned apis = rein_node_words(node, "apis");
    if (apis == 0)
        rein_problems_node(r->problems, node, "apis", "names no API: remove the key for those of the kind");
    else if (is_fixed && apis != u->apis)
        rein_problems_node(r->problems, node, "apis", "is always [chat] for the kind `completions`: remove it");
    u->apis = apis;
}

static int read_upstream(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    if (!copy(&u->name, rein_node_text(node, "name")) || !copy(&u->kind, rein_node_text(node, "kind")) ||
        !copy(&u->open, rein_node_text(node, "reasoning.open")) ||
        !copy(&u->close, rein_node_text(node, "reasoning.close")))
        return REIN_ENOMEM;
    if ((u->open == NULL) != (u->close == NULL))
        rein_problems_node(r->problems, node, "reasoning", "open and close must be used together");
    u->opened = rein_node_get(node, "reasoning") != NULL && rein_node_bool(node, "reasoning.opened");
    read_apis(r, node, u);
    u->in_flight = rein_node_bool(node, "in_flight");
    if (u->in_flight && u->kind != NULL && strcmp(u->kind, "llamacpp") != 0)
        rein_problems_node(r->problems, node, "in_flight", "is only for the kind `llamacpp`: remove it");
    int rv = config_read_root(r, node, &u->url);
    if (rv == 0)
        rv = read_prefix(r, node, u);
    if (rv == 0)
        rv = read_template(r, node, u);
    if (rv == 0)
        rv = config_read_reach(r, node, u);
    return rv == 0 ? read_key(r, node, u) : rv;
}

static void check_twin(struct config_reader *r, const struct rein_node *node, const struct config_upstream *u)
{
    for (const struct config_upstream *at = r->config->upstreams; at != u; at++)
        if (at->name != NULL && u->name != NULL && strcmp(at->name, u->name) == 0)
            rein_problems_node(r->problems, node, "name", "another upstream has the name `%s` too: rename one of them",
                               u->name);
}

int config_read_upstreams(struct config_reader *r)
{
    const struct rein_node *list = rein_node_get(r->root, "upstreams");
    if (list == NULL || list->kind != REIN_NODE_LIST || list->count == 0)
        return 0;
    r->config->upstreams = calloc(list->count, sizeof(*r->config->upstreams));
    if (r->config->upstreams == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = list->first; at != NULL; at = at->next) {
        if (at->kind != REIN_NODE_MAP)
            continue;
        struct config_upstream *u = &r->config->upstreams[r->config->upstreams_len++];
        int rv = read_upstream(r, at, u);
        if (rv != 0)
            return rv;
        check_twin(r, at, u);
    }
    return 0;
}
