/* `rein eval prefix`: the command line, and the order in which things are done.
 * SPDX-License-Identifier: Apache-2.0 */
#include "prefix/eval_prefix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* ---- the command line ---- */

static int say_usage(const char *what, const char *name)
{
    return cli_usage(&cli_eval_prefix, "%s %s", what, name);
}

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static bool add_name(const char **names, size_t *len, size_t max, const char *name)
{
    if (*len == max)
        return false;
    names[(*len)++] = name;
    return true;
}

static bool is_template_name(const char *text)
{
    return *text != '\0' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text);
}

static bool read_text_option(struct eval_prefix_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--url", &o->url},
                 {"--model", &o->model},
                 {"--library", &o->library},
                 {"--out", &o->out},
                 {"--plot", &o->plot}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    return false;
}

static bool read_number_option(struct eval_prefix_options *o, const char *name, const char *value)
{
    uint64_t n;
    if (strcmp(name, "--seed") == 0 && read_number(value, 0, INT32_MAX, &n))
        o->seed = (int64_t)n;
    else if (strcmp(name, "--max-tokens") == 0 && read_number(value, 1, 10000000, &n))
        o->max_tokens = (unsigned)n;
    else if (strcmp(name, "--limit") == 0 && read_number(value, 1, EVAL_PROMPTS_MAX, &n))
        o->limit = n;
    else if (strcmp(name, "--concurrency") == 0 && read_number(value, 1, EVAL_CALLS_MAX, &n))
        o->calls_max = (unsigned)n;
    else if (strcmp(name, "--timeout-s") == 0 && read_number(value, 1, 86400, &n))
        o->timeout_s = (unsigned)n;
    else
        return false;
    return true;
}

/* One option and its value; false: there is no such option, or the value is wrong. */
static bool read_option(struct eval_prefix_options *o, const char *name, const char *value)
{
    if (strcmp(name, "--template") == 0)
        return is_template_name(value) && add_name(o->template_names, &o->template_names_len, EVAL_ARMS_MAX / 2, value);
    if (strcmp(name, "--policy") == 0)
        return add_name(o->policy_files, &o->policy_files_len, EVAL_ARMS_MAX / 2, value);
    if (strcmp(name, "--api-key-env") == 0)
        return (o->api_key = getenv(value)) != NULL;
    if (strcmp(name, "--format") == 0) {
        o->as_json = strcmp(value, "json") == 0;
        return o->as_json || strcmp(value, "table") == 0;
    }
    return read_text_option(o, name, value) || read_number_option(o, name, value);
}

static int read_words(struct eval_prefix_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-') {
            if (!add_name(o->prompt_files, &o->prompt_files_len, EVAL_FILES_MAX, word))
                return say_usage("there are too many files, beginning with", word);
        } else if (strcmp(word, "--keep-answers") == 0) {
            o->keep_answers = true;
        } else if (i + 1 == argc) {
            return say_usage("unknown option, or its value is missing:", word);
        } else if (!read_option(o, word, argv[++i])) {
            return say_usage("unknown option, or its value is wrong:", word);
        }
    }
    return CLI_OK;
}

static int check_words(const struct eval_prefix_options *o)
{
    if (o->url == NULL || o->model == NULL)
        return say_usage("missing:", o->url == NULL ? "--url" : "--model");
    if (strncmp(o->url, "http://", 7) != 0 && strncmp(o->url, "https://", 8) != 0)
        return say_usage("the URL must begin with http:// or https://, not", o->url);
    if (o->template_names_len + o->policy_files_len == 0)
        return say_usage("missing:", "a --template or a --policy");
    if (o->prompt_files_len == 0)
        return say_usage("missing:", "a file of prompts");
    return o->keep_answers && o->out == NULL ? say_usage("--keep-answers needs", "--out") : CLI_OK;
}

/* ---- the run ---- */

static int say_error(int rv)
{
    fprintf(stderr, "rein eval: %s\n", rein_strerror(rv));
    return CLI_FAILED;
}

static int print_figures(const struct eval_inputs *in, const struct eval_grid *grid,
                         const struct eval_prefix_options *options, const struct asking_options *asked,
                         const struct asking_tally *tally)
{
    struct eval_figures figures;
    eval_figures_count(&figures, in, grid);
    int rv = 0;
    if (options->as_json)
        rv = eval_print_json(stdout, &figures, in, options, asked, tally);
    else
        eval_print_table(stdout, &figures, in, options);
    if (rv != 0)
        return say_error(rv);
    rv = options->plot != NULL ? eval_write_plot(&figures, in, options) : 0;
    if (rv != 0)
        fprintf(stderr, "rein eval: %s: %s\n", options->plot, strerror(-rv));
    return rv == 0 ? CLI_OK : CLI_FAILED;
}

static int ask_all(const struct eval_inputs *in, const struct eval_prefix_options *options)
{
    struct eval_grid grid = {0};
    struct asking_results *results = NULL;
    struct asking_options asked = {0};
    struct asking_tally tally = {0};
    int status = CLI_FAILED, rv = eval_grid_new(&grid, in, options);
    if (rv == 0)
        rv = eval_results_open(&results, options, &grid);
    if (rv == 0)
        rv = eval_ask(&tally, &asked, options, in, &grid, results);
    if (rv == 0 && asked.had + tally.asked == asked.all)
        rv = eval_results_sort(results, &grid);
    if (asking_results_close(results) != 0 && rv == 0)
        rv = REIN_EIO;
    if (rv == 0) {
        status = print_figures(in, &grid, options, &asked, &tally);
        bool is_whole = asking_tell_end("rein eval", &asked, &tally, options->out);
        status = status == CLI_OK && !is_whole ? CLI_FAILED : status;
    } else {
        say_error(rv);
    }
    eval_grid_fini(&grid);
    return status;
}

static int load_and_ask(const struct eval_prefix_options *options)
{
    struct eval_inputs in;
    struct rein_problems *problems;
    int status = CLI_CONFIG;
    if (rein_problems_new(&problems) != 0)
        return say_error(REIN_ENOMEM);
    int rv = eval_inputs_load(&in, options, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    if (rv == 0)
        status = ask_all(&in, options);
    else if (rv != REIN_EPOLICY)
        status = say_error(rv);
    eval_inputs_fini(&in);
    return status;
}

static int grid_run(int argc, char **argv)
{
    struct eval_prefix_options options = {.library = "config", .seed = 1, .calls_max = 4, .timeout_s = 600};
    int status = read_words(&options, argc, argv);
    if (status == CLI_OK)
        status = check_words(&options);
    return status == CLI_OK ? load_and_ask(&options) : status;
}

const struct cli_command cli_eval_prefix = {
    .name = "eval prefix",
    .summary = "measure what a prefix changes",
    .help =
        "usage: rein eval prefix --url URL --model NAME [--template NAME]... [--policy FILE]... [OPTIONS] FILE...\n"
        "\n"
        "Sends each prompt of the files to an upstream twice, without and with a safe reasoning prefix, and compares "
        "the\nanswers. Several templates and policies are compared with the same first answers. A line of a file "
        "is\n{\"id\", \"prompt\", \"label\": \"harmful\" or \"benign\"}; a line with an \"answer\" has a reference.\n\n"
        "  --url URL             the upstream's root: http://127.0.0.1:9000\n"
        "  --model NAME          the model to request\n  --api-key-env NAME    the environment variable that contains "
        "the upstream's key\n  --template NAME       a template whose text is the prefix, for every prompt\n"
        "  --policy FILE         a policy whose prefix is used when the policy says so\n  --library FOLDER      the "
        "folder of lexicons/, templates/ and models/ (config)\n  --seed N              the seed of every request (1)\n"
        "  --max-tokens N        the maximum tokens of an answer (the upstream's limit)\n  --limit N             only "
        "the first N prompts of each file\n"
        "  --concurrency N       calls at the same time (4)\n"
        "  --timeout-s N         the longest wait for an answer (600)\n"
        "  --out FILE            keep results here, and continue from those that are there\n  --keep-answers        "
        "also keep the texts of the answers there\n  --format table|json   what is printed (table)\n"
        "  --plot FILE.svg       draw the figures\n"
        "\n"
        "The exit status is also 1 if it was interrupted or some prompts failed; the same command with --out "
        "continues.\n",
    .run = grid_run,
};
