/* See desk.h: the command line of the desk's commands.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "desk/desk.h"

/* Options that are parameters of the admin API: `--policy-version` is `policy_version`. */
static const struct {
    const char *option, *parameter;
    unsigned of;
} parameters[] = {
    {"--route", "route", DESK_FILTERS | DESK_VIEW},
    {"--model", "model", DESK_FILTERS | DESK_VIEW},
    {"--key", "key", DESK_FILTERS | DESK_VIEW},
    {"--policy-version", "policy_version", DESK_FILTERS | DESK_VIEW},
    {"--verdict", "verdict", DESK_FILTERS},
    {"--ending", "ending", DESK_FILTERS},
    {"--request-id", "request_id", DESK_FILTERS},
    {"--pattern", "pattern", DESK_FILTERS},
    {"--rule", "rule", DESK_FILTERS},
    {"--judge", "judge", DESK_FILTERS},
    {"--shadow", "shadow", DESK_FILTERS},
    {"--prompt-risk-min", "prompt_risk_min", DESK_FILTERS},
    {"--prompt-risk-max", "prompt_risk_max", DESK_FILTERS},
    {"--trace-risk-min", "trace_risk_min", DESK_FILTERS},
    {"--trace-risk-max", "trace_risk_max", DESK_FILTERS},
    {"--limit", "limit", DESK_FILTERS},
    {"--cursor", "cursor", DESK_FILTERS},
    {"--from", "from", DESK_TIME},
    {"--to", "to", DESK_TIME},
    {"--since", "from", DESK_TIME},
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

static int add_query(const struct cli_command *command, struct desk_options *o, const char *name, const char *value)
{
    if (strlen(value) > DESK_VALUE_MAX)
        return cli_usage(command, "the value of %s is too long", name);
    for (size_t i = 0; i < o->queries_len; i++)
        if (strcmp(o->queries[i].name, name) == 0)
            return cli_usage(command, "%s was given twice", name);
    if (o->queries_len == DESK_QUERIES_MAX)
        return cli_usage(command, "there are too many filters");
    strcpy(o->values[o->queries_len], value);
    o->queries[o->queries_len] = (struct front_header){name, o->values[o->queries_len]};
    o->queries_len++;
    return CLI_OK;
}

/* "90s", "5m", "2h", "7d" before now, as Unix seconds. */
static int add_since(const struct cli_command *command, struct desk_options *o, const char *text)
{
    static const char units[] = "smhd";
    static const long long seconds[] = {1, 60, 3600, 86400};
    char value[32];
    size_t digits = strspn(text, "0123456789");
    const char *unit = digits > 0 && digits < 8 && text[digits] != '\0' ? strchr(units, text[digits]) : NULL;
    if (unit == NULL || text[digits + 1] != '\0')
        return cli_usage(command, "--since expects a span such as 90s, 5m, 2h or 7d, not '%s'", text);
    snprintf(value, sizeof value, "%lld", (long long)time(NULL) - atoll(text) * seconds[unit - units]);
    return add_query(command, o, "from", value);
}

static int read_parameter(const struct cli_command *command, struct desk_options *o, const char *option,
                          const char *value, unsigned takes, bool *known)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (strcmp(parameters[i].option, option) != 0 || (parameters[i].of & takes) == 0)
            continue;
        *known = true;
        if (value == NULL)
            return cli_usage(command, "the value of %s is missing", option);
        return strcmp(option, "--since") == 0 ? add_since(command, o, value)
                                              : add_query(command, o, parameters[i].parameter, value);
    }
    *known = false;
    return CLI_OK;
}

static bool read_switch(struct desk_options *o, const char *option, unsigned takes)
{
    const struct {
        const char *option;
        bool *to;
        unsigned of;
    } switches[] = {{"--json", &o->json, ~0u},
                    {"--follow", &o->follow, DESK_FOLLOW},
                    {"--all", &o->all, DESK_FOLLOW},
                    {"--texts", &o->texts, DESK_ONE}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (strcmp(switches[i].option, option) == 0 && (switches[i].of & takes) != 0)
            return *switches[i].to = true;
    return false;
}

static int desk_read_option(const struct cli_command *command, struct desk_options *o, char **argv, int argc, int *i,
                            unsigned takes)
{
    const char *option = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;
    bool known;
    if (read_switch(o, option, takes))
        return CLI_OK;
    if (*option != '-' && (takes & DESK_ONE) != 0 && o->id == NULL) {
        o->id = option;
        return CLI_OK;
    }
    ++*i;
    if (strcmp(option, "--url") == 0 || strcmp(option, "--db") == 0) {
        if (value == NULL)
            return cli_usage(command, "the value of %s is missing", option);
        *(strcmp(option, "--url") == 0 ? &o->url : &o->db) = value;
        return CLI_OK;
    }
    int rv = read_parameter(command, o, option, value, takes, &known);
    return known ? rv : cli_usage(command, "unexpected argument '%s'", option);
}

int desk_read_options(const struct cli_command *command, int argc, char **argv, unsigned takes,
                      struct desk_options *out)
{
    int rv = CLI_OK;
    *out = (struct desk_options){.url = NULL};
    for (int i = 1; i < argc && rv == CLI_OK; i++)
        rv = desk_read_option(command, out, argv, argc, &i, takes);
    if (rv != CLI_OK)
        return rv;
    if (out->url != NULL && out->db != NULL)
        return cli_usage(command, "use --url or --db, not both");
    if ((takes & DESK_ONE) != 0 && out->id == NULL)
        return cli_usage(command, "the id is missing");
    if (out->follow && out->all)
        return cli_usage(command, "use --follow or --all, not both");
    const char *url = getenv("REIN_ADMIN_URL");
    if (out->url == NULL && out->db == NULL)
        out->url = url != NULL && *url != '\0' ? url : "http://127.0.0.1:8081";
    out->token = getenv("REIN_ADMIN_TOKEN");
    return CLI_OK;
}
