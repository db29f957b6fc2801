/* The config's listeners: numeric addresses, and who may come in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "keys.h"
#include "log.h"

enum { HOST_MAX = INET6_ADDRSTRLEN };

/* What a key that is made at the first start is called. */
struct first_key {
    const char *name, *prefix, *what;
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

static bool is_address(const char *host, bool is_bracketed, bool *loopback)
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
    return true;
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
        log_info("config", "%s was not there and was made. %s is in %s: take it from there, then delete that file",
                 path, first->what, secret);
    else if (rv == REIN_EINVAL)
        rein_problems_node(r->problems, r->root, key, "a first key cannot be made: %s", strerror(errno));
    free(secret);
    return rv == REIN_ENOMEM ? rv : 0;
}

/* Loads a keys file if the config names one. */
static int read_keys(struct config_reader *r, const char *key, const struct first_key *first, char **path,
                     struct keys **keys)
{
    int rv = config_read_path(r, r->root, key, path);
    if (rv == 0 && *path != NULL && r->with_secrets && r->with_first_keys)
        rv = make_first_key(r, key, *path, first);
    if (rv != 0 || *path == NULL || !r->with_secrets)
        return rv;
    rv = keys_load(keys, *path, r->problems);
    if (rv == 0 && keys_count(*keys) == 0)
        rein_problems_node(r->problems, r->root, key, "the file holds no keys: nobody could come in");
    return rv == REIN_EPOLICY ? 0 : rv;
}

static void check_open(struct config_reader *r, const struct config_listener *listener, const char *keys_path,
                       const char *address_key, const char *missing)
{
    if (!listener->loopback && keys_path == NULL)
        rein_problems_node(r->problems, r->root, address_key,
                           "a listener off loopback needs `%s`: Rein holds the upstreams' keys and must not be an open "
                           "relay",
                           missing);
}

static void check_twins(struct config_reader *r)
{
    const struct config_listener *a = &r->config->listen, *b = &r->config->admin;
    if (a->host != NULL && b->host != NULL && a->port == b->port && a->port != 0 && strcmp(a->host, b->host) == 0)
        rein_problems_node(r->problems, r->root, "admin.address", "is the address of `listen` too");
}

int config_read_listeners(struct config_reader *r)
{
    static const struct first_key client = {"first", "rein-", "A key for clients"};
    static const struct first_key operator= {"admin", "rein-admin-", "The admin token"};
    struct config *c = r->config;
    int rv = read_address(r, "listen.address", &c->listen);
    if (rv == 0)
        rv = read_address(r, "admin.address", &c->admin);
    if (rv == 0)
        rv = read_keys(r, "listen.keys_file", &client, &c->keys_file, &c->keys);
    if (rv == 0)
        rv = read_keys(r, "admin.token_file", &operator, & c->token_file, &c->tokens);
    if (rv != 0)
        return rv;
    check_open(r, &c->listen, c->keys_file, "listen.address", "listen.keys_file");
    check_open(r, &c->admin, c->token_file, "admin.address", "admin.token_file");
    check_twins(r);
    return 0;
}
