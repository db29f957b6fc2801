/* The command line of `rein distill`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asking/asking.h"
#include "distill/distill.h"

static bool read_between(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static bool take_number(struct distill_options *o, const char *option, const char *value)
{
    const struct {
        const char *option;
        uint64_t min, max;
        unsigned *to;
    } numbers[] = {{"--samples", 1, DISTILL_SAMPLES_MAX, &o->samples}, {"--tries", 1, DISTILL_TRIES_MAX, &o->tries},
                   {"--concurrency", 1, ASKING_JOBS_MAX, &o->jobs},    {"--per-minute", 1, 1000000, &o->per_minute},
                   {"--timeout-s", 1, 86400, &o->timeout_s},           {"--max-tokens", 1, 10000000, &o->max_tokens}};
    uint64_t n;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(option, numbers[i].option) == 0) {
            if (!read_between(value, numbers[i].min, numbers[i].max, &n))
                return false;
            *numbers[i].to = (unsigned)n;
            return true;
        }
    if (strcmp(option, "--seed") == 0 && read_between(value, 0, INT32_MAX, &n))
        o->seed = (int64_t)n;
    else if (strcmp(option, "--limit") == 0 && read_between(value, 1, DISTILL_PROMPTS_MAX, &n))
        o->limit = (size_t)n;
    else
        return false;
    return true;
}

static bool take_text(struct distill_options *o, const char *option, const char *value)
{
    const struct {
        const char *option;
        const char **to;
    } texts[] = {{"--url", &o->url},
                 {"--kind", &o->kind},
                 {"--model", &o->model},
                 {"--policy", &o->policy},
                 {"--config", &o->config},
                 {"--upstream", &o->upstream},
                 {"--library", &o->library},
                 {"--out", &o->out},
                 {"-o", &o->out},
                 {"--template-of", &o->template_of},
                 {"--api-key-env", &o->api_key_env}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(option, texts[i].option) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    return false;
}

static bool is_style_name(const char *text)
{
    return *text != '\0' && strlen(text) <= STYLE_NAME_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text);
}

/* One option and its value; false: there is no such option, or the value is wrong. */
static bool take_distill_option(struct distill_options *o, const char *option, const char *value)
{
    char *end;
    if (strcmp(option, "--style") == 0) {
        for (size_t i = 0; i < o->styles_len; i++)
            if (strcmp(o->styles[i], value) == 0)
                return false;
        if (o->styles_len == DISTILL_STYLES_MAX || !is_style_name(value))
            return false;
        o->styles[o->styles_len++] = value;
        return true;
    }
    if (strcmp(option, "--temperature") == 0) {
        o->temperature = strtod(value, &end);
        return *value >= '0' && *value <= '9' && *end == '\0' && o->temperature <= 2;
    }
    if (strcmp(option, "--for") == 0)
        return survival_family_find(&o->family, value);
    return take_text(o, option, value) || take_number(o, option, value);
}

static int check_distill_options(const struct distill_options *o)
{
    const char *const urls[] = {o->url, o->template_of};
    if (o->model == NULL || o->policy == NULL || o->out == NULL)
        return cli_usage(&cli_distill, "missing: %s",
                         o->model == NULL    ? "--model"
                         : o->policy == NULL ? "--policy"
                                             : "--out");
    if ((o->url == NULL) == (o->upstream == NULL))
        return cli_usage(&cli_distill, "name the upstream: with --url, or with --config and --upstream");
    if (o->upstream != NULL && (o->config == NULL || o->api_key_env != NULL))
        return cli_usage(&cli_distill, "--upstream is one of --config, which also says where its key is");
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        if (urls[i] != NULL && strncmp(urls[i], "http://", 7) != 0 && strncmp(urls[i], "https://", 8) != 0)
            return cli_usage(&cli_distill, "the URL must begin with http:// or https://, not %s", urls[i]);
    if (o->api_key_env != NULL && getenv(o->api_key_env) == NULL)
        return cli_usage(&cli_distill, "the environment has no variable %s", o->api_key_env);
    return o->files_len > 0 ? CLI_OK : cli_usage(&cli_distill, "missing: a file of prompts");
}

int distill_options_read(struct distill_options *o, int argc, char **argv)
{
    *o = (struct distill_options){.kind = "openai",
                                  .library = "config",
                                  .samples = 1,
                                  .tries = 3,
                                  .jobs = 4,
                                  .timeout_s = 600,
                                  .temperature = -1,
                                  .seed = 1};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && o->files_len < DISTILL_FILES_MAX)
            o->files[o->files_len++] = argv[i];
        else if (i + 1 == argc || !take_distill_option(o, argv[i], argv[i + 1]))
            return cli_usage(&cli_distill, "unknown option, or its value is missing or wrong: %s", argv[i]);
        else
            i++;
    }
    if (o->styles_len == 0)
        o->styles[o->styles_len++] = "improved";
    return check_distill_options(o);
}
