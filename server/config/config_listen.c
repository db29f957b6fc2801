/* The config's listeners: numeric addresses, and who may come in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config_read.h"
#include "config/keys.h"
#include "front/proxies.h"

enum { HOST_MAX = INET6_ADDRSTRLEN };

/* What a key that is made at the first start is called. */
struct first_key {
    const char *name, *prefix, *what;
    const char *command; /* what makes it by hand, after "rein key" */
};

/* Splits "127.0.0.1:8080" or "[::1]:8080". */
static bool split(const char *text, char host[HOST_MAX], uint16_t *port)
{
    bool is_bracketed = text[0] == '[';
    const char *begin = text + is_bracketed;
    const char *end = is_bracketed ? strstr(text, "]:") : strrchr(text, ':');
    if (end == NULL || end - begin >= HOST_MAX || end == begin)
        return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    const char *digits = end + 1 + is_bracketed;
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || len > 5 || digits[len] != '\0' || strtoul(digits, NULL, 10) > UINT16_MAX)
        return false;
    *port = (uint16_t)strtoul(digits, NULL, 10);
    return true;
}

/* Is the host a numeric address? It is then spelled as the system spells it. */
static bool is_address(char host[HOST_MAX], bool is_bracketed, bool *loopback)
{
    struct in_addr four;
    struct in6_addr six;
    if (!is_bracketed && inet_pton(AF_INET, host, &four) == 1) {
        *loopback = ntohl(four.s_addr) >> 24 == 127;
        return true;
    }
    if (!is_bracketed || inet_pton(AF_INET6, host, &six) != 1)
        return false;
    *loopback = IN6_IS_ADDR_LOOPBACK(&six);
    return inet_ntop(AF_INET6, &six, host, HOST_MAX) != NULL;
}

static int read_address(struct config_reader *r, const char *key, struct config_listener *listener)
{
    const char *text = rein_node_text(r->root, key);
    char host[HOST_MAX];
    if (!split(text, host, &listener->port) || !is_address(host, text[0] == '[', &listener->loopback)) {
        rein_problems_node(r->problems, r->root, key,
                           "expects a numeric address and a port, such as 127.0.0.1:8080 or [::1]:8080, not `%.60s`",
                           text);
        listener->loopback = true; /* said enough */
        return 0;
    }
    listener->host = strdup(host);
    return listener->host != NULL ? 0 : REIN_ENOMEM;
}

/* Makes a keys file that is not there yet, and says where its key is to be found. */
static int make_first_key(struct config_reader *r, const char *key, const char *path, const struct first_key *first)
{
    char *secret = NULL;
    bool made;
    if (asprintf(&secret, "%s.secret", path) < 0)
        return REIN_ENOMEM;
    int rv = keys_make_first(path, first->name, first->prefix, secret, &made);
    if (rv == 0 && made)
        log_info("config", "%s did not exist and was made. %s is in %s: read it there, then delete that file", path,
                 first->what, secret);
    else if (rv == REIN_EINVAL)
        rein_problems_node(r->problems, r->root, key, "cannot make a first key: %s", strerror(errno));
    free(secret);
    return rv == REIN_ENOMEM ? rv : 0;
}

/* What to do about a keys file: it is named as the config names it. */
static void say_unreadable(struct config_reader *r, const char *key, int error, const char *command)
{
    const char *name = rein_node_text(r->root, key);
    if (error == ENOENT)
        rein_problems_node(r->absent, r->root, key, "the file `%.200s` does not exist: make it with `rein key %s`",
                           name, command);
    else
        rein_problems_node(error == EACCES ? r->absent : r->problems, r->root, key,
                           "the file `%.200s` cannot be read: %s", name, strerror(error));
}

/* Loads a keys file if the config names one. */
static int read_keys(struct config_reader *r, const char *key, const struct first_key *first, char **path,
                     struct keys **keys)
{
    int rv = config_read_path(r, r->root, key, path);
    if (rv == 0 && *path != NULL && r->with_first_keys)
        rv = make_first_key(r, key, *path, first);
    if (rv != 0 || *path == NULL)
        return rv;
    if (access(*path, R_OK) != 0) {
        say_unreadable(r, key, errno, first->command);
        return 0;
    }
    rv = keys_load(keys, *path, r->problems);
    if (rv == 0 && keys_count(*keys) == 0)
        rein_problems_node(r->problems, r->root, key,
                           "the file contains no keys, so all requests would be refused: add one with `rein key add`");
    return rv == REIN_EPOLICY ? 0 : rv;
}

static void check_open(struct config_reader *r, const struct config_listener *listener, bool has_keys,
                       const char *address_key, const char *missing)
{
    if (!listener->loopback && !has_keys)
        rein_problems_node(r->problems, r->root, address_key,
                           "a listener off loopback needs `%s`: without it everyone who can reach it could use it",
                           missing);
}

/* Can one port not be opened on both? The IPv6 address for all takes the IPv4 ones along. */
static bool is_overlap(const char *a, const char *b)
{
    bool is_both_four = strchr(a, ':') == NULL && strchr(b, ':') == NULL;
    return strcmp(a, b) == 0 || strcmp(a, "::") == 0 || strcmp(b, "::") == 0 ||
           (is_both_four && (strcmp(a, "0.0.0.0") == 0 || strcmp(b, "0.0.0.0") == 0));
}

static void check_twins(struct config_reader *r)
{
    const struct config_listener *a = &r->config->listen, *b = &r->config->admin;
    if (a->host != NULL && b->host != NULL && a->port == b->port && a->port != 0 && is_overlap(a->host, b->host))
        rein_problems_node(r->problems, r->root, "admin.address",
                           "uses the same host and port as `listen.address`: choose another port");
}

/* ---- names and proxies ---- */

static const struct rein_node *first_text(const struct config_reader *r, const char *key, size_t *count)
{
    const struct rein_node *list = rein_node_get(r->root, key);
    bool is_list = list != NULL && list->kind == REIN_NODE_LIST;
    *count = is_list ? list->count : 0;
    return is_list ? list->first : NULL;
}

static int read_hosts(struct config_reader *r)
{
    size_t count, len = 0;
    const struct rein_node *at = first_text(r, "listen.hosts", &count);
    r->config->hosts = calloc(count + 1, sizeof(*r->config->hosts));
    if (r->config->hosts == NULL)
        return REIN_ENOMEM;
    for (; at != NULL && len < count; at = at->next) {
        if (at->kind != REIN_NODE_TEXT)
            continue; /* was said */
        bool has_port = strchr(at->text, ':') != NULL && strchr(at->text, ':') == strrchr(at->text, ':');
        if (*at->text == '\0' || has_port || strpbrk(at->text, "/[]* \t") != NULL)
            rein_problems_node(r->problems, r->root, "listen.hosts",
                               "expects a name without port, such as rein.example.org, not `%.60s`", at->text);
        r->config->hosts[len] = strdup(at->text);
        if (r->config->hosts[len++] == NULL)
            return REIN_ENOMEM;
    }
    return 0;
}

/* As a browser spells an origin: in lower case, without the scheme's own port, path or final slash. It is compared as
 * it stands, so another spelling would never be found. */
static bool is_origin(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", more[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
    size_t scheme = *text != '\0' && strchr(letters, *text) != NULL ? strspn(text, more) : 0;
    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
        return false;
    const char *host = text + scheme + 3;
    bool is_bracketed = *host == '[';
    size_t len = is_bracketed ? strspn(host + 1, "0123456789abcdef:.") + 2
                              : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_");
    if (len < 1 + (is_bracketed ? 2 : 0) || strlen(host) < len || (is_bracketed && host[len - 1] != ']'))
        return false;
    const char *port = host + len;
    if (*port == '\0')
        return true;
    size_t digits = strspn(port + 1, "0123456789");
    bool is_usual = (strncmp(text, "http://", 7) == 0 && strcmp(port, ":80") == 0) ||
                    (strncmp(text, "https://", 8) == 0 && strcmp(port, ":443") == 0);
    return *port == ':' && digits > 0 && digits <= 5 && port[1] != '0' && port[1 + digits] == '\0' && !is_usual;
}

static int read_cors(struct config_reader *r)
{
    size_t count, len = 0;
    const struct rein_node *at = first_text(r, "listen.cors", &count);
    r->config->cors = calloc(count + 1, sizeof(*r->config->cors));
    if (r->config->cors == NULL)
        return REIN_ENOMEM;
    for (; at != NULL && len < count; at = at->next) {
        if (at->kind != REIN_NODE_TEXT)
            continue; /* was said */
        if (!is_origin(at->text))
            rein_problems_node(r->problems, r->root, "listen.cors",
                               "expects an origin as browsers spell it, such as https://chat.example.org or "
                               "http://localhost:3000 (lower case, no path, no usual port, no `*`), not `%.60s`",
                               at->text);
        r->config->cors[len] = strdup(at->text);
        if (r->config->cors[len++] == NULL)
            return REIN_ENOMEM;
    }
    return 0;
}

static int read_proxies(struct config_reader *r)
{
    size_t count, len = 0;
    const struct rein_node *at = first_text(r, "listen.trusted_proxies", &count);
    if (count == 0)
        return 0;
    struct proxies_network *networks = calloc(count, sizeof(*networks));
    if (networks == NULL)
        return REIN_ENOMEM;
    for (; at != NULL && len < count; at = at->next) {
        if (at->kind != REIN_NODE_TEXT)
            continue; /* was said */
        if (!proxies_read_network(at->text, &networks[len]))
            rein_problems_node(r->problems, r->root, "listen.trusted_proxies",
                               "expects a network or an address, such as 10.0.0.0/8 or fd00::/8, with no bits set "
                               "after the prefix, not `%.60s`",
                               at->text);
        else
            len++;
    }
    int rv = proxies_new(&r->config->proxies, networks, len);
    free(networks);
    return rv;
}

/* A short token could be guessed: the login throttles a browser's tries only. */
enum { TOKEN_MIN = 16 };

static int read_admin_token(struct config_reader *r, const struct rein_node *node)
{
    static const char *const rights[] = {"counts", "text", "operate"};
    const char *name = rein_node_text(node, "name"), *word = rein_node_text(node, "rights");
    size_t right = 0;
    char *secret = NULL;
    if (node->kind != REIN_NODE_MAP || name == NULL || word == NULL)
        return 0; /* was said */
    while (right < KEY_MAY_OPERATE && strcmp(rights[right], word) != 0)
        right++;
    if (rein_node_get(node, "token_env") == NULL && rein_node_get(node, "token_file") == NULL)
        rein_problems_node(r->problems, node, "", "needs token_env or token_file");
    int rv = config_read_secret(r, node, "token_env", "token_file", &secret);
    if (rv != 0 || secret == NULL)
        return rv;
    if (strlen(secret) < TOKEN_MIN)
        rein_problems_node(
            r->problems, node, "name",
            "the token of `%.64s` has less than 16 characters: use a longer one, such as that of `rein key token`",
            name);
    rv = keys_put(&r->config->tokens, name, secret, (enum key_right)right);
    explicit_bzero(secret, strlen(secret));
    free(secret);
    if (rv != REIN_ESTATE)
        return rv;
    rein_problems_node(r->problems, node, "name", "another admin token has the name `%.64s` too: rename it", name);
    return 0;
}

static int read_tokens(struct config_reader *r)
{
    const struct rein_node *list = rein_node_get(r->root, "admin.tokens");
    int rv = 0;
    for (const struct rein_node *at = list != NULL && list->kind == REIN_NODE_LIST ? list->first : NULL;
         at != NULL && rv == 0; at = at->next)
        rv = read_admin_token(r, at);
    return rv;
}

int config_read_listeners(struct config_reader *r)
{
    static const struct first_key client = {"first", "rein-", "A key for clients", "add FILE NAME"};
    static const struct first_key operator= {"admin", "rein-admin-", "The admin token", "token FILE"};
    struct config *c = r->config;
    int rv = read_address(r, "listen.address", &c->listen);
    if (rv == 0)
        rv = read_address(r, "admin.address", &c->admin);
    if (rv == 0)
        rv = read_keys(r, "listen.keys_file", &client, &c->keys_file, &c->keys);
    if (rv == 0)
        rv = read_hosts(r);
    if (rv == 0)
        rv = read_cors(r);
    if (rv == 0)
        rv = read_proxies(r);
    if (rv == 0)
        rv = read_keys(r, "admin.token_file", &operator, & c->token_file, &c->tokens);
    if (rv == 0)
        rv = read_tokens(r);
    if (rv != 0)
        return rv;
    check_open(r, &c->listen, c->keys_file != NULL, "listen.address", "listen.keys_file");
    const struct rein_node *tokens = rein_node_get(r->root, "admin.tokens");
    bool has_tokens = c->token_file != NULL || (tokens != NULL && tokens->count > 0);
    check_open(r, &c->admin, has_tokens, "admin.address", "admin.token_file");
    check_twins(r);
    return 0;
}
