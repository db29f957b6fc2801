/* The server's configuration: config/rein.yaml, read once and again on SIGHUP.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A config is immutable once loaded; workers hold a reference to the snapshot that a request began with. */
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "config/config_apis.h"
#include "config/config_settings.h"
#include "judges/judge_service.h"
#include "rein/rein.h"
#include "upstream/reach.h"

struct config_listener {
    char *host; /* numeric */
    uint16_t port;
    bool loopback;
};

/* How a conversation becomes a prompt, for upstreams that take a raw prompt. `{content}` stands for a
 * message's text. */
struct config_template {
    char *begin, *system, *user, *assistant; /* before all, and for each role */
    char *generate;                          /* what the model's own turn begins with; NULL: there is no template */
};

struct config_upstream {
    char *name, *kind, *url, *path_prefix; /* url without trailing slash; path_prefix "/v1" by default */
    unsigned apis;                         /* a set of enum config_api: those that it serves */
    char *authorization; /* "Bearer " and the key of api_key_env or api_key_file; NULL: none. Never logged */
    char *open, *close;  /* delimiters of inline reasoning, NULL: those of all known families */
    bool opened;         /* the template opens the reasoning: inline text begins with it */
    struct config_template template;
    struct reach reach;
    bool in_flight; /* a steered response is corrected in flight, if possible */
};

/* A loaded policy. */
struct config_policy {
    struct rein_policy *policy;
    const char *name; /* the policy's own */
    char *tag;        /* its name and the beginning of its version, as in the header of answers */
};

/* Names of one kind that a route matches, NULL-terminated; NULL: any. */
struct config_names {
    char **names;
};

/* A judge: owns what its settings point to. */
struct config_judge {
    struct judge_settings settings;
    char *name, *url, *model, *version, *authorization, *secret;
    struct judge_description *description; /* NULL: a kind that is built in */
    bool probe;                            /* a known question shows at the start whether it works */
};

struct config_route {
    char *name;
    char **models; /* patterns with '*' */
    size_t models_len;
    struct config_names keys, groups, tenants;
    unsigned apis; /* a set of enum config_api: those that it matches and its upstream serves */
    const struct config_upstream *upstream;
    const struct config_policy *policy;
};

/* The tables of config_settings.h as fields. */
struct config_limits {
    CONFIG_LIMITS(CONFIG_SIZE)
};
struct config_timeouts {
    CONFIG_TIMEOUTS(CONFIG_UNSIGNED)
};

enum config_store_on_error { CONFIG_STORE_REFUSE, CONFIG_STORE_SERVE };

struct key;
struct keys;
struct proxies;

struct config {
    atomic_uint refs;
    struct config_listener listen, admin;
    char **cors;                  /* origins of web pages that may read answers; ends with NULL; or NULL */
    char **hosts;                 /* further host names of the listener; ends with NULL; or NULL */
    struct proxies *proxies;      /* NULL: none are trusted */
    char *keys_file, *token_file; /* NULL: none; absolute or relative to the working directory */
    struct keys *keys, *tokens;   /* their content (keys.h); NULL: no keys are needed */
    unsigned workers;             /* at least 1: 0 in the file is replaced by the number of cores */
    struct config_upstream *upstreams;
    size_t upstreams_len;
    struct config_judge *judges;
    size_t judges_len;
    struct config_route *routes;
    size_t routes_len;
    struct config_policy *policies; /* each loaded policy once */
    size_t policies_len;
    struct config_limits limits;
    struct config_timeouts timeouts;
    struct {
        const char *scheme; /* of the URL, a constant: which driver of store/ */
        char *path;         /* what follows it: of a file, as it is found from the working directory */
        char *wanted;       /* NULL, or the path in the file if an older file is used instead (config_store.c) */
        enum config_store_on_error on_error;
        CONFIG_STORE_SETTINGS(CONFIG_UNSIGNED)
    } store;
    struct {
        enum log_level level;
        enum log_format format;
        bool requests; /* a line for each */
    } log;
    struct {
        char *endpoint; /* NULL: off */
        char *token;    /* NULL: none */
        bool traces, logs;
    } telemetry;
    char **fixed; /* the values of all keys that take a restart, in the schema's order; ends with NULL */
};

/* Reads the file and all policies, templates, lexicons and keys it refers to. On REIN_EPOLICY all errors are in
 * `problems`. Returns owned (one reference). Any thread, one at a time. */
int config_load(struct config **out, const char *path, struct rein_problems *problems) REIN_MUST_USE;
/* The same for a program that runs with `previous` (NULL: none). What `previous` has compiled is reused if it has not
 * changed. A file is also refused if it changes a key that takes a restart, or if it would open a socket to clients
 * that it did not accept before: not the file's addresses count for that, but those that were opened. */
int config_reload(struct config **out, const char *path, const struct config *previous,
                  struct rein_problems *problems) REIN_MUST_USE;
/* As config_load, but makes keys files that do not exist, with one key each; the log says where the key is. */
int config_load_with_first_keys(struct config **out, const char *path, struct rein_problems *problems) REIN_MUST_USE;
/* As config_load, for a caller that does not serve: files and variables with secrets may be missing. Missing ones are
 * added to `absent`, existing ones are read. With `problems` for both it refuses the same as config_load.
 */
int config_check(struct config **out, const char *path, struct rein_problems *problems,
                 struct rein_problems *absent) REIN_MUST_USE;
/* The same, of a config's `judges` alone: the rest of the document is checked for its form, and not read. */
int config_check_judges(struct config **out, const char *path, struct rein_problems *problems,
                        struct rein_problems *absent) REIN_MUST_USE;
/* What always holds of a config that serves: a listener off loopback has keys. Any thread. */
bool config_is_sound(const struct config *config);
struct config *config_ref(struct config *config); /* any thread */
void config_unref(struct config *config);         /* any thread; NULL is fine */

/* What policies may know of the judges. *out is returned owned: free; its texts are the config's. */
int config_judge_names(const struct config *config, struct rein_judge_name **out) REIN_MUST_USE;

/* A request, as far as routes know it. */
struct config_asked {
    const struct key *key; /* NULL: it came without a key */
    const char *model;     /* NULL: any */
    unsigned apis;         /* a set of enum config_api: one of them is wanted */
};

/* The first route that matches; NULL if none does. */
const struct config_route *config_route_for(const struct config *config, const struct config_asked *asked);
/* The APIs that routes for this caller and model serve; asked->apis is not used. */
unsigned config_apis_of(const struct config *config, const struct config_asked *asked);
/* Why this route does not match: a part of a sentence, such as "its models do not match"; NULL: it does. Static. */
const char *config_route_misses(const struct config_route *route, const struct config_asked *asked);

/* The policy of this name, if the key was granted it; NULL: there is none, or it was not. */
const struct config_policy *config_policy_granted(const struct config *config, const struct key *key, const char *name);

#endif
