/* `rein eval attack`: the command line, and the order in which things are done.
 * SPDX-License-Identifier: Apache-2.0 */
#include "attack/attack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/log.h"
#include "cli/cli.h"

/* ---- the command line ---- */

static int say_attack_usage(const char *what, const char *name)
{
    return cli_usage(&cli_eval_attack, "%s %s", what, name);
}

static bool read_whole(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static bool add_value(struct attack_names *names, const char *value)
{
    if (names->len == ATTACK_NAMES_MAX || *value == '\0')
        return false;
    names->at[names->len++] = value;
    return true;
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(value, *words) == 0)
            return true;
    return false;
}

static bool is_template(const char *text)
{
    return *text != '\0' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text);
}

static bool add_attack_file(struct attack_options *o, enum attack_kind kind, const char *value)
{
    if (o->files_len == ATTACK_SETS_MAX || *value == '\0')
        return false;
    o->files[o->files_len].given = value;
    o->files[o->files_len++].kind = kind;
    return true;
}

/* Options that may be repeated. 1: taken; 0: the value is wrong; -1: it is another option. */
static int read_repeated(struct attack_options *o, const char *name, const char *value)
{
    static const char *const delivers[] = {"auto", "prefill", "instruct", "off", NULL}, *const whens[] = {
                                                                                            "always", "risky", "never",
                                                                                            NULL};
    if (strcmp(name, "--attack") == 0)
        return add_attack_file(o, ATTACK_HARMFUL, value);
    if (strcmp(name, "--benign") == 0)
        return add_attack_file(o, ATTACK_BENIGN, value);
    if (strcmp(name, "--math") == 0)
        return add_attack_file(o, ATTACK_MATH, value);
    if (strcmp(name, "--url") == 0)
        return (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0) && add_value(&o->urls, value);
    if (strcmp(name, "--upstream") == 0)
        return add_value(&o->upstreams, value);
    if (strcmp(name, "--model") == 0)
        return add_value(&o->models, value);
    if (strcmp(name, "--policy") == 0)
        return add_value(&o->policies, value);
    if (strcmp(name, "--template") == 0)
        return is_template(value) && add_value(&o->templates, value);
    if (strcmp(name, "--deliver") == 0)
        return is_one_of(value, delivers) && add_value(&o->delivers, value);
    if (strcmp(name, "--when") == 0)
        return is_one_of(value, whens) && add_value(&o->whens, value);
    return -1;
}

static int read_words_of(struct attack_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--config", &o->config},
                 {"--kind", &o->kind},
                 {"--api-key-env", &o->api_key_env},
                 {"--judge", &o->judge},
                 {"--judge-url", &o->judged_by.url},
                 {"--judge-model", &o->judged_by.model},
                 {"--judge-key-env", &o->judged_by.api_key_env},
                 {"--library", &o->library},
                 {"--out", &o->out},
                 {"--plot", &o->plot},
                 {"--csv", &o->csv}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    if (strcmp(name, "--format") == 0) {
        o->as_json = strcmp(value, "json") == 0;
        return o->as_json || strcmp(value, "table") == 0;
    }
    return -1;
}

static bool read_numbers_of(struct attack_options *o, const char *name, const char *value)
{
    uint64_t n;
    char *end;
    if (strcmp(name, "--risk-from") == 0) {
        o->risk_from = strtod(value, &end);
        return *value != '\0' && *end == '\0' && o->risk_from > 0 && o->risk_from <= 1;
    }
    if (strcmp(name, "--seed") == 0 && read_whole(value, 0, INT32_MAX, &n))
        o->seed = (int64_t)n;
    else if (strcmp(name, "--max-tokens") == 0 && read_whole(value, 1, 10000000, &n))
        o->max_tokens = (unsigned)n;
    else if (strcmp(name, "--limit") == 0 && read_whole(value, 1, ATTACK_ROWS_MAX, &n))
        o->limit = n;
    else if (strcmp(name, "--concurrency") == 0 && read_whole(value, 1, ASKING_JOBS_MAX, &n))
        o->calls_max = (unsigned)n;
    else if (strcmp(name, "--per-minute") == 0 && read_whole(value, 1, 1000000, &n))
        o->per_minute = (unsigned)n;
    else if (strcmp(name, "--timeout-s") == 0 && read_whole(value, 1, 3600, &n))
        o->timeout_s = (unsigned)n;
    else
        return false;
    return true;
}

static bool read_attack_option(struct attack_options *o, const char *name, const char *value)
{
    int taken = read_repeated(o, name, value);
    if (taken < 0)
        taken = read_words_of(o, name, value);
    return taken < 0 ? read_numbers_of(o, name, value) : taken == 1;
}

static int read_command(struct attack_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--keep-answers") == 0)
            o->keep_answers = true;
        else if (strcmp(argv[i], "--no-plain") == 0)
            o->no_plain = true;
        else if (i + 1 == argc || argv[i][0] != '-')
            return say_attack_usage("unknown option, or its value is missing:", argv[i]);
        else if (!read_attack_option(o, argv[i], argv[i + 1]))
            return say_attack_usage("unknown option, or its value is wrong:", argv[i]);
        else
            i++;
    return CLI_OK;
}

static int check_command(struct attack_options *o)
{
    size_t upstreams = o->urls.len + o->upstreams.len;
    if (upstreams == 0 || o->models.len == 0)
        return say_attack_usage("missing:", upstreams == 0 ? "--url" : "--model");
    if (o->urls.len > 0 && o->upstreams.len > 0)
        return say_attack_usage("--url and --upstream are two ways to say the same: use", "one of them");
    if (o->upstreams.len > 0 && o->config == NULL)
        return say_attack_usage("--upstream names an upstream of a config: missing:", "--config");
    if (upstreams > ATTACK_UPSTREAMS_MAX)
        return say_attack_usage("there are too many upstreams, beginning with", attack_upstream_of(o, 0));
    if (o->models.len != 1 && o->models.len != upstreams)
        return say_attack_usage("name one --model, or one for each", "upstream");
    if (o->files_len == 0)
        return say_attack_usage("missing:", "--attack, --benign or --math");
    if (o->judge != NULL && o->judged_by.url == NULL && o->config == NULL)
        return say_attack_usage("--judge needs its", "--judge-url, or a --config that has it");
    if (o->judge == NULL && o->judged_by.url != NULL)
        return say_attack_usage("--judge-url needs", "--judge KIND");
    o->judged_by.what = o->judge;
    o->judged_by.config = o->judged_by.url == NULL ? o->config : NULL;
    o->judged_by.calls_max = 2 * o->calls_max;
    o->judged_by.timeout_s = o->timeout_s < 600 ? o->timeout_s : 600;
    return o->keep_answers && o->out == NULL ? say_attack_usage("--keep-answers needs", "--out") : CLI_OK;
}

/* ---- what is said ---- */

static int write_csv(const json_t *figures, const char *path)
{
    char *text = NULL;
    size_t len;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL)
        return -ENOMEM;
    attack_print_csv(memory, figures);
    int rv = fclose(memory) == EOF ? -ENOMEM : files_replace(path, text, len);
    free(text);
    return rv;
}

static int show_figures(const json_t *figures, const struct attack_options *o)
{
    if (o->as_json) {
        json_dumpf(figures, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        fputc('\n', stdout);
    } else {
        attack_print_table(stdout, figures);
    }
    int csv = o->csv != NULL ? write_csv(figures, o->csv) : 0;
    if (csv < 0)
        fprintf(stderr, "%s: %s: %s\n", ATTACK_PROGRAM, o->csv, strerror(-csv));
    int plot = o->plot != NULL ? attack_write_plot(figures, o->plot) : 0;
    if (plot < 0)
        fprintf(stderr, "%s: %s: %s\n", ATTACK_PROGRAM, o->plot, strerror(-plot));
    return csv < 0 || plot < 0 ? CLI_FAILED : CLI_OK;
}

static int finish_attack(const struct attack_inputs *in, const struct attack_options *o, const struct attack_grid *grid,
                         const struct asking_options *asked, const struct asking_tally *tally)
{
    json_t *figures = attack_figures(in, o, grid);
    int status = figures != NULL ? show_figures(figures, o) : CLI_FAILED;
    json_decref(figures);
    bool is_whole = asking_tell_end(ATTACK_PROGRAM, asked, tally, o->out);
    return is_whole ? status : CLI_FAILED;
}

/* ---- the run ---- */

static int say_attack_error(int rv)
{
    if (rv != REIN_EPOLICY) /* that was said */
        fprintf(stderr, "%s: %s\n", ATTACK_PROGRAM, rein_strerror(rv));
    return rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
}

static int ask_attacks(const struct attack_inputs *in, const struct attack_options *o)
{
    struct attack_grid grid = {0};
    struct asking_results *results = NULL;
    struct asking_options asked = {0};
    struct asking_tally tally = {0};
    int rv = attack_grid_new(&grid, in, o);
    if (rv == 0)
        rv = attack_results_open(&results, o, &grid);
    if (rv == 0)
        rv = attack_ask(&tally, &asked, o, in, &grid, results);
    if (rv == 0 && asked.had + tally.asked == asked.all)
        rv = asking_results_sort(results, (const char(*)[ASKING_KEY_SIZE])grid.keys, grid.len);
    if (asking_results_close(results) != 0 && rv == 0)
        rv = REIN_EIO;
    int status = rv == 0 ? finish_attack(in, o, &grid, &asked, &tally) : say_attack_error(rv);
    attack_grid_fini(&grid);
    return status;
}

static int attack_run_command(int argc, char **argv)
{
    struct attack_options o = {
        .library = "config", .seed = 1, .calls_max = 4, .timeout_s = 600, .risk_from = 0.5, .kind = NULL};
    struct attack_inputs in;
    log_set_level(LOG_WARN);
    int status = read_command(&o, argc, argv);
    if (status == CLI_OK)
        status = check_command(&o);
    if (status != CLI_OK)
        return status;
    int rv = attack_inputs_load(&in, &o);
    status = rv == 0 ? ask_attacks(&in, &o) : say_attack_error(rv);
    attack_inputs_fini(&in);
    return status;
}

const struct cli_command cli_eval_attack = {
    .name = "eval attack",
    .summary = "attack success, over-refusal and exact answers, under several policies",
    .help =
        "usage: rein eval attack --url URL --model NAME [--attack FILE]... [--benign FILE]... [--math FILE]... "
        "[OPTIONS]\n\n"
        "Asks an upstream the rows of the files through guards of its own: plainly, and under each policy. A judge "
        "decides\nwhether attacks succeed. A line of a file is {\"query\", \"final_query\"[, \"category\"]}: the "
        "request, and "
        "the text that\nasks for it; of mathematics {\"problem\", \"answer\"}.\n\n"
        "  --attack, --benign, --math [NAME=]FILE   what is asked; a file is a set of its own\n"
        "  --url URL             the upstream's root; several are compared\n"
        "  --kind KIND           its type, as in a config: vllm, llamacpp, ... (openai)\n"
        "  --api-key-env NAME    the environment variable that holds its key\n"
        "  --config FILE         a config, for its judges and limits, and with --upstream NAME in place of "
        "--url\n                        for its upstream\n"
        "  --model NAME          the model; one, or one for each upstream\n"
        "  --policy FILE         a policy to measure; several are compared\n"
        "  --template NAME       a policy that delivers this prefix; with each --deliver and --when one of them\n"
        "  --deliver HOW         auto, prefill, instruct (auto)\n  --when WHEN           always, risky (always)\n"
        "  --no-plain            leave out the plain upstream; the first policy is then what others are compared with\n"
        "  --library FOLDER      the folder of lexicons/, templates/ and models/ (config)\n"
        "  --judge NAME          a judge of the config; or with --judge-url a kind or the file of a description\n"
        "  --judge-url URL       its server's root\n  --judge-model NAME    its model\n"
        "  --judge-key-env NAME  the environment variable that holds its key\n"
        "  --risk-from N         the risk from which an opinion means unsafe (0.5)\n"
        "  --seed N              the seed of every request (1)\n"
        "  --max-tokens N        the most tokens of an answer (the upstream's limit)\n"
        "  --limit N             only the first N rows of each file\n  --concurrency N       questions at the same "
        "time (4)\n"
        "  --per-minute N        calls that begin in a minute (no limit)\n"
        "  --timeout-s N         the longest wait for an answer (600)\n"
        "  --out FILE            keep results here, and continue from those that are there\n"
        "  --keep-answers        also keep reasoning and answers there\n  --format table|json   what is printed "
        "(table)\n"
        "  --csv FILE, --plot FILE.svg   write the figures; draw attack success against over-refusal\n\n"
        "The exit status is also 1 if it was interrupted or some questions failed; the same command with --out "
        "continues.\n",
    .run = attack_run_command,
};
