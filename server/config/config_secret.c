/* Secrets of the config: never in its own file, but in a variable of the environment or in a file next to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "config/config_read.h"

enum { SECRET_MAX = 8192 };

/* It goes into a header: what no header can hold would end it early. *out gets a copy. */
static int take_secret(struct config_reader *r, const struct rein_node *node, const char *key, char *secret, char **out)
{
    size_t len = strlen(secret);
    while (len > 0 && strchr(" \t\r\n", secret[len - 1]) != NULL)
        secret[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)secret[i] <= ' ' || (unsigned char)secret[i] >= 0x7f) {
            rein_problems_node(r->problems, node, key, "the key in it has characters that are not allowed in a header");
            return 0;
        }
    if (len == 0) {
        rein_problems_node(r->problems, node, key, "the key in it is empty");
        return 0;
    }
    *out = strdup(secret);
    return *out != NULL ? 0 : REIN_ENOMEM;
}

static int read_secret_file(struct config_reader *r, const struct rein_node *node, const char *key, char **out)
{
    char *path = NULL, *secret = NULL;
    size_t len = 0;
    int rv = config_read_path(r, node, key, &path);
    if (rv != 0 || path == NULL)
        return rv;
    rv = files_read(&secret, &len, path, SECRET_MAX);
    free(path);
    if (rv == -ENOMEM)
        return REIN_ENOMEM;
    if (rv != 0) {
        rein_problems_node(rv == -ENOENT || rv == -EACCES ? r->absent : r->problems, node, key, "cannot be read: %s",
                           strerror(-rv));
        return 0;
    }
    rv = take_secret(r, node, key, secret, out);
    explicit_bzero(secret, len);
    free(secret);
    return rv;
}

static int read_secret_variable(struct config_reader *r, const struct rein_node *node, const char *key, char **out)
{
    const char *name = rein_node_text(node, key);
    const char *value = name != NULL ? getenv(name) : NULL;
    if (name == NULL)
        return 0;
    if (value == NULL) {
        rein_problems_node(r->absent, node, key, "the environment variable `%.64s` is not set", name);
        return 0;
    }
    char *secret = strdup(value);
    if (secret == NULL)
        return REIN_ENOMEM;
    int rv = take_secret(r, node, key, secret, out);
    explicit_bzero(secret, strlen(secret));
    free(secret);
    return rv;
}

int config_read_secret(struct config_reader *r, const struct rein_node *node, const char *env_key, const char *file_key,
                       char **out)
{
    if (rein_node_get(node, env_key) != NULL && rein_node_get(node, file_key) != NULL) {
        rein_problems_node(r->problems, node, file_key, "%s is set too: use one of them", env_key);
        return 0;
    }
    int rv = read_secret_variable(r, node, env_key, out);
    return rv == 0 ? read_secret_file(r, node, file_key, out) : rv;
}
