/* The config's `tls` and `proxy` of an upstream.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/config_read.h"

enum { PEM_MAX = 4 << 20 };

/* A file that is there and looks like what it should be; what is in it shows when a connection is made. */
static int read_pem(struct config_reader *r, const struct rein_node *node, const char *key, bool is_secret, char **out)
{
    char *text = NULL;
    size_t len = 0;
    int rv = config_read_path(r, node, key, out);
    if (rv != 0 || *out == NULL)
        return rv;
    rv = files_read(&text, &len, *out, PEM_MAX);
    if (rv == -ENOMEM)
        return REIN_ENOMEM;
    bool is_absent = is_secret && (rv == -ENOENT || rv == -EACCES);
    if (rv != 0)
        rein_problems_node(is_absent ? r->absent : r->problems, node, key, "cannot be read: %s", strerror(-rv));
    else if (memmem(text, len, "-----BEGIN ", 11) == NULL)
        rein_problems_node(r->problems, node, key, "is not a PEM file: it contains no -----BEGIN");
    if (rv == 0)
        explicit_bzero(text, len);
    free(text);
    return 0;
}

static int read_tls(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    struct reach *reach = &u->reach;
    int rv = read_pem(r, node, "tls.ca_file", false, &reach->ca_file);
    if (rv == 0)
        rv = read_pem(r, node, "tls.client_cert", false, &reach->client_cert);
    if (rv == 0)
        rv = read_pem(r, node, "tls.client_key", true, &reach->client_key);
    if ((reach->client_cert == NULL) != (reach->client_key == NULL))
        rein_problems_node(r->problems, node, "tls", "client_cert and client_key must be used together");
    bool is_tls = u->url != NULL && strncmp(u->url, "https://", 8) == 0;
    bool is_tls_proxy = reach->proxy != NULL && strncmp(reach->proxy, "https://", 8) == 0;
    if (u->url != NULL && !is_tls && !is_tls_proxy && rein_node_get(node, "tls") != NULL)
        rein_problems_node(r->problems, node, "tls", "needs a url that begins with https://");
    return rv;
}

int config_read_reach(struct config_reader *r, const struct rein_node *node, struct config_upstream *u)
{
    const char *proxy = rein_node_text(node, "proxy");
    const char *why = proxy != NULL ? reach_why_no_proxy(proxy) : NULL;
    bool has_auth = rein_node_get(node, "proxy_auth_env") != NULL || rein_node_get(node, "proxy_auth_file") != NULL;
    if (why != NULL)
        rein_problems_node(r->problems, node, "proxy", "%s", why);
    u->reach.proxy = proxy != NULL ? strdup(proxy) : NULL;
    if (proxy != NULL && u->reach.proxy == NULL)
        return REIN_ENOMEM;
    int rv = config_read_secret(r, node, "proxy_auth_env", "proxy_auth_file", &u->reach.proxy_auth);
    if (has_auth && proxy == NULL)
        rein_problems_node(r->problems, node,
                           rein_node_get(node, "proxy_auth_env") ? "proxy_auth_env" : "proxy_auth_file",
                           "needs a `proxy`, and there is none");
    else if (u->reach.proxy_auth != NULL && (*u->reach.proxy_auth == ':' || strchr(u->reach.proxy_auth, ':') == NULL))
        rein_problems_node(r->problems, node,
                           rein_node_get(node, "proxy_auth_env") ? "proxy_auth_env" : "proxy_auth_file",
                           "must contain user:password");
    return rv == 0 ? read_tls(r, node, u) : rv;
}
