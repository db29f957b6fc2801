/* Reading the config: what its steps share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each step returns 0 or REIN_ENOMEM; what is wrong with a file is added to `problems`, and reading continues. */
#ifndef SERVER_CONFIG_CONFIG_READ_H
#define SERVER_CONFIG_CONFIG_READ_H

#include "config/config.h"
#include "rein/doc.h"

struct config_reader {
    struct config *config; /* being built */
    const char *path;
    const struct rein_node *root;
    struct rein_problems *problems;
    const struct config *previous; /* NULL: none */
    bool policies_failed;          /* some policy has errors: one that is not there may be that one */
    struct rein_problems *absent;  /* gets the files and variables with secrets that are not there; `problems` too */
    bool is_for_judges;            /* nothing else is read */
    bool is_to_serve;              /* the process's cache of compiled lexicons is the config's */
    bool with_first_keys;          /* keys files that are not there are made */
};

void config_read_settings(struct config_reader *r);               /* config_settings.c */
int config_read_fixed(struct config_reader *r) REIN_MUST_USE;     /* config_settings.c; after all others */
int config_read_store(struct config_reader *r) REIN_MUST_USE;     /* config_store.c */
int config_read_listeners(struct config_reader *r) REIN_MUST_USE; /* config_listen.c */
int config_read_upstreams(struct config_reader *r) REIN_MUST_USE; /* config_upstream.c */
int config_read_judges(struct config_reader *r) REIN_MUST_USE;    /* config_judges.c */
void config_judges_fini(struct config *config);
int config_read_policies(struct config_reader *r) REIN_MUST_USE; /* config_policies.c */
int config_read_routes(struct config_reader *r) REIN_MUST_USE;   /* config_routes.c; after the two before */

/* config_upstream.c; the root of a server, from `url_env` or `url`. *out is owned, and stays NULL if there is none. */
int config_read_root(struct config_reader *r, const struct rein_node *node, char **out) REIN_MUST_USE;
/* config_reach.c; of one upstream, whose url was read */
int config_read_reach(struct config_reader *r, const struct rein_node *node, struct config_upstream *u) REIN_MUST_USE;
/* config_secret.c; from a variable that `env_key` names or a file that `file_key` names. *out is owned, and stays NULL
 * if there is none. */
int config_read_secret(struct config_reader *r, const struct rein_node *node, const char *env_key, const char *file_key,
                       char **out) REIN_MUST_USE;

/* The text at a path as a path next to the config's file; *out stays NULL if the file says nothing. */
int config_read_path(struct config_reader *r, const struct rein_node *node, const char *key, char **out) REIN_MUST_USE;

#endif
