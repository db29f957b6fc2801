/* The command line of `rein export`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "dataset/export.h"

enum { PAPER_SEED = 42 };

static bool read_whole(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out <= max;
}

static bool read_share(double *out, const char *text)
{
    char *end;
    *out = strtod(text, &end);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out >= 0 && *out <= 0.5;
}

/* "2026-11-30" or "2026-11-30T14:05:00Z"; UTC. */
static bool read_time(int64_t *out, const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (end != NULL && *end == 'T')
        end = strptime(end, "T%H:%M:%SZ", &tm);
    if (end == NULL || *end != '\0')
        return false;
    *out = (int64_t)timegm(&tm) * 1000000;
    return *out > 0;
}

static bool read_bound(double *out, const char *text, size_t len, double missing)
{
    char *end;
    *out = len > 0 ? strtod(text, &end) : missing;
    return len == 0 || (end == text + len && isfinite(*out));
}

/* "NAME=0.5..", "NAME=..0.2", "NAME=0.2..0.8" */
static bool add_range(struct export_range *ranges, size_t *len, const char *text)
{
    const char *equals = strchr(text, '='), *dots = equals != NULL ? strstr(equals, "..") : NULL;
    struct export_range range = {0};
    if (dots == NULL || *len == EXPORT_RANGES_MAX || equals == text || (size_t)(equals - text) >= sizeof range.name)
        return false;
    memcpy(range.name, text, (size_t)(equals - text));
    if (!read_bound(&range.from, equals + 1, (size_t)(dots - equals - 1), -INFINITY) ||
        !read_bound(&range.to, dots + 2, strlen(dots + 2), INFINITY) || range.from > range.to)
        return false;
    ranges[(*len)++] = range;
    return true;
}

static bool read_names(struct export_options *o, const char *option, const char *value)
{
    const struct {
        const char *option;
        struct export_names *names;
    } lists[] = {{"--verdict", &o->verdicts}, {"--action", &o->actions},         {"--route", &o->routes},
                 {"--model", &o->models},     {"--pattern", &o->patterns},       {"--without-pattern", &o->without},
                 {"--judge", &o->judges},     {"--policy-version", &o->versions}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(option, lists[i].option) == 0) {
            if (lists[i].names->len == EXPORT_NAMES_MAX || *value == '\0')
                return false;
            lists[i].names->names[lists[i].names->len++] = value;
            return true;
        }
    return false;
}

static bool read_text(struct export_options *o, const char *option, const char *value)
{
    const struct {
        const char *option;
        const char **to;
    } texts[] = {{"--db", &o->db},         {"--out", &o->out},         {"-o", &o->out},
                 {"--policy", &o->policy}, {"--licence", &o->licence}, {"--template-of", &o->template_of}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(option, texts[i].option) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    return false;
}

/* One option and its value; false: there is no such option, or the value is wrong. */
static bool take_export_option(struct export_options *o, const char *option, const char *value)
{
    uint64_t n;
    if (strcmp(option, "--since") == 0)
        return read_time(&o->from_us, value);
    if (strcmp(option, "--until") == 0)
        return read_time(&o->to_us, value);
    if (strcmp(option, "--score") == 0)
        return add_range(o->scores, &o->scores_len, value);
    if (strcmp(option, "--risk") == 0)
        return add_range(o->risks, &o->risks_len, value);
    if (strcmp(option, "--test") == 0)
        return read_share(&o->test, value);
    if (strcmp(option, "--seed") == 0)
        return read_whole(value, UINT64_MAX, &o->seed);
    if (strcmp(option, "--format") == 0)
        return row_format_find(&o->format, value);
    if (strcmp(option, "--for") == 0)
        return survival_family_find(&o->family, value);
    if (strcmp(option, "--limit") == 0 && read_whole(value, PROMPT_INDEX_MAX, &n) && n > 0) {
        o->limit = (size_t)n;
        return true;
    }
    return read_names(o, option, value) || read_text(o, option, value);
}

static bool take_export_flag(struct export_options *o, const char *option)
{
    const struct {
        const char *option;
        bool *to;
    } flags[] = {
        {"--pairs", &o->pairs}, {"--with-findings", &o->with_findings}, {"--without-system", &o->without_system}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(option, flags[i].option) == 0)
            return *flags[i].to = true;
    return false;
}

static int check_options(const struct export_options *o)
{
    if (o->db == NULL)
        return cli_usage(&cli_export, "name the database, with --db");
    if (o->out == NULL)
        return cli_usage(&cli_export, "name the file to write, with --out");
    if (o->pairs && (o->format == ROW_LRM_STUDY || o->format == ROW_TRACE))
        return cli_usage(&cli_export, "the format %s has no pairs; use prompt-completion, messages, sharegpt or alpaca",
                         row_format_name(o->format));
    if (o->template_of != NULL && strncmp(o->template_of, "http://", 7) != 0 &&
        strncmp(o->template_of, "https://", 8) != 0)
        return cli_usage(&cli_export, "--template-of is a URL that begins with http:// or https://, not %s",
                         o->template_of);
    return CLI_OK;
}

int export_options_read(struct export_options *o, int argc, char **argv)
{
    *o = (struct export_options){.seed = PAPER_SEED, .format = ROW_FORMATS};
    for (int i = 1; i < argc; i++) {
        if (take_export_flag(o, argv[i]))
            continue;
        if (i + 1 == argc || !take_export_option(o, argv[i], argv[i + 1]))
            return cli_usage(&cli_export, "unknown option, or its value is missing or wrong: %s", argv[i]);
        i++;
    }
    if (o->format == ROW_FORMATS)
        o->format = o->pairs ? ROW_PROMPT_COMPLETION : ROW_MESSAGES;
    return check_options(o);
}
