/* `rein route`: which route and policy a request would get, and why.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "config/config.h"
#include "config/keys.h"

struct route_options {
    const char *config, *key, *model, *api, *policy;
};

static bool read_route_option(struct route_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } options[] = {{"-c", &o->config},     {"--config", &o->config}, {"--key", &o->key},
                   {"--model", &o->model}, {"--api", &o->api},       {"--policy", &o->policy}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].name, name) == 0) {
            *options[i].to = value;
            return true;
        }
    return false;
}

static bool api_named(const char *name, unsigned *out)
{
    static const char *const names[] = {
#define API_NAME(value, word) word,
        CONFIG_APIS(API_NAME)
#undef API_NAME
    };
    for (unsigned i = 0; i < CONFIG_APIS_LEN; i++)
        if (strcmp(names[i], name) == 0) {
            *out = 1u << i;
            return true;
        }
    return false;
}

/* The key, as requests with it are seen. CLI_OK, or it was said why there is none. */
static int find_key(const struct config *config, const char *name, const struct key **out)
{
    *out = NULL;
    if (name == NULL && config->keys_file != NULL) {
        printf("refused: 401, because requests need a key; name one with --key\n");
        return CLI_FAILED;
    }
    if (name == NULL)
        return CLI_OK;
    *out = config->keys != NULL ? keys_named(config->keys, name) : NULL;
    if (*out == NULL)
        printf("refused: 401, because there is no key `%s`\n", name);
    else if (key_is_expired(*out, (int64_t)time(NULL)))
        printf("refused: 401, because the key `%s` has expired\n", name);
    else
        return CLI_OK;
    return CLI_FAILED;
}

static void print_policy(const struct config *config, const struct config_route *route, const struct key *key,
                         const char *wanted)
{
    const struct config_policy *chosen = wanted != NULL ? config_policy_granted(config, key, wanted) : NULL;
    if (wanted != NULL && chosen == NULL)
        printf("refused: 403, because the key was not granted the policy `%s`\n", wanted);
    else if (chosen != NULL)
        printf("policy %s, chosen by the header x-rein-policy instead of the route's %s\n", chosen->tag,
               route->policy->tag);
    else
        printf("policy %s, the route's\n", route->policy->tag);
}

static int print_route(const struct config *config, const struct route_options *o)
{
    struct config_asked asked = {.model = o->model, .apis = CONFIG_API_CHAT};
    int status = find_key(config, o->key, &asked.key);
    if (status != CLI_OK)
        return status;
    if (o->api != NULL && !api_named(o->api, &asked.apis))
        return cli_usage(&cli_route, "there is no API `%s`", o->api);
    for (size_t i = 0; i < config->routes_len; i++) {
        const struct config_route *route = &config->routes[i];
        const char *misses = config_route_misses(route, &asked);
        if (misses != NULL) {
            printf("not route %s: %s\n", route->name, misses);
            continue;
        }
        printf("route %s, the first that matches; upstream %s\n", route->name, route->upstream->name);
        print_policy(config, route, asked.key, o->policy);
        return o->policy == NULL || config_policy_granted(config, asked.key, o->policy) != NULL ? CLI_OK : CLI_FAILED;
    }
    printf("refused: 404, because no route matches\n");
    return CLI_FAILED;
}

static int route_run(int argc, char **argv)
{
    struct route_options options = {.config = "config/rein.yaml"};
    struct config *config;
    struct rein_problems *problems, *absent;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !read_route_option(&options, argv[i], argv[i + 1]))
            return cli_usage(&cli_route, "unknown option, or its value is missing: %s", argv[i]);
    if (options.model == NULL)
        return cli_usage(&cli_route, "name the model, with --model");
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int rv = rein_problems_new(&absent), status = CLI_FAILED;
    if (rv == 0) {
        rv = config_check(&config, options.config, problems, absent);
        cli_print_problems(problems);
        status = rv == 0 ? print_route(config, &options) : rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
        if (rv == 0)
            config_unref(config);
        rein_problems_free(absent);
    }
    rein_problems_free(problems);
    return status;
}

const struct cli_command cli_route = {
    .name = "route",
    .summary = "say which route and policy a request gets, and why",
    .help =
        "usage: rein route --model NAME [--key NAME] [--api API] [--policy NAME] [-c FILE]\n"
        "\n"
        "Goes through the config's routes as a request does, and says why each one before the first that matches does\n"
        "not.\n\n"
        "  --model NAME      the model that the request names\n"
        "  --key NAME        the name of the client's key\n"
        "  --api API         chat (default), messages or responses\n"
        "  --policy NAME     what the request's header x-rein-policy says\n"
        "  -c, --config FILE the config (config/rein.yaml)\n",
    .run = route_run,
};
