/* `rein eval`: labelled traces, run through a policy as streams would be, and counted.
 * SPDX-License-Identifier: Apache-2.0
 *
 * 1. The policy and its library are loaded, and a second policy that only records.
 * 2. Each line of each file is a row: prompt, reasoning, answer, labels. A line that is none is rejected: file, line
 * and reason go to stderr, the count into the report, and it takes part in no figure.
 * 3. With --rows, what was found in each row is written as one line.
 * 4. With --cross, reasoning that refuses is paired with labelled answers of other rows.
 * 5. The report is printed. */
#include "eval/eval.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/cli.h"
#include "eval/eval_cascade.h"
#include "eval/eval_library.h"
#include "eval/eval_report.h"
#include "eval/eval_shape.h"

enum { FILES_MAX = 64, ROWS_MAX = 1000000 };

/* Entries of a lexicon are written from the rows of one half, and judged by those of the other. */
enum half { BOTH_HALVES, HALF_READ, HALF_CHECK };

struct eval {
    const char *policy, *against, *plot, *library, *rows_path;
    const char *files[FILES_MAX];
    size_t files_len;
    bool json, targets;
    size_t cross;
    enum half half;
    struct eval_policies policies;
    json_t **sources; /* the rows as they were read, for crossing */
    struct eval_table rows, pairs;
    size_t cap, rejected;
    FILE *details;                       /* where --rows writes; NULL: nowhere */
    struct eval_cascade_options cascade; /* of --judge or --config */
};

static const char recording[] = "version: 1\nname: recording\nreasoning: { show: stream, release: stream }\n"
                                "patterns:\n"
                                "  lack_of_safety_awareness: { action: record }\n"
                                "  strong_vacillation: { action: record }\n"
                                "  weak_vacillation: { action: record }\n"
                                "  harmful_additions: { action: record }\n"
                                "  inconsistency: { complies: { action: record }, refuses: { action: record } }\n";

static const char learned[] = "  outcome_risk: { reasoning: { action: record }, answer: { action: record } }\nmodel: ";

/* ---- policies ---- */

/* Scores come from the model of the policy that is measured. */
static int load_recorder(struct eval *e, const struct rein_library *library, struct rein_problems *problems)
{
    const char *model = rein_policy_settings(e->policies.measured)->model;
    char *text = NULL;
    int len = asprintf(&text, "%s%s%s\n", recording, *model != '\0' ? learned : "", model);
    if (len < 0)
        return REIN_ENOMEM;
    int rv = rein_policy_load(&e->policies.recording, &(struct rein_source){"recording", text, (size_t)len}, library,
                              problems);
    free(text);
    return rv;
}

static int load_policies(struct eval *e, struct rein_problems *problems)
{
    struct policy_files_library files;
    int rv = eval_library_read(&files, e->library, problems);
    struct rein_library library = policy_files_lend(&files);
    if (rv == 0)
        rv = eval_policy_load(&e->policies.measured, e->policy, &library, NULL, 0, problems);
    if (rv == 0 && e->against != NULL)
        rv = eval_policy_load(&e->policies.against, e->against, &library, NULL, 0, problems);
    if (rv == 0)
        rv = load_recorder(e, &library, problems);
    if (rv == 0)
        rv = rein_engine_new(&e->policies.engine);
    policy_files_library_fini(&files);
    return rv;
}

/* ---- rows ---- */

static int make_room(struct eval *e)
{
    if (e->rows.len < e->cap)
        return 0;
    size_t cap = e->cap > 0 ? e->cap * 2 : 256;
    if (cap > ROWS_MAX)
        return REIN_ELIMIT;
    struct eval_row *rows = realloc(e->rows.rows, cap * sizeof *rows);
    e->rows.rows = rows != NULL ? rows : e->rows.rows;
    json_t **sources = rows != NULL ? realloc(e->sources, cap * sizeof(json_t *)) : NULL;
    if (sources == NULL)
        return REIN_ENOMEM;
    e->sources = sources;
    e->cap = cap;
    return 0;
}

static int reject(struct eval *e, size_t file, size_t number, const char *why)
{
    fprintf(stderr, "%s:%zu: rejected: %s\n", e->files[file], number, why);
    e->rejected++;
    return 0;
}

/* What --rows says about a row: where it stands, its labels, what was found. */
static int write_detail(struct eval *e, const struct eval_row *row, size_t number, const json_t *source, json_t *found)
{
    const json_t *id = json_object_get(source, "id");
    json_t *line = json_pack("{sO* ss sI ss* ss* ss*}", "id", id, "file", e->files[row->file], "line",
                             (json_int_t)number, "model", *row->model != '\0' ? row->model : NULL, "label",
                             *row->label != '\0' ? row->label : NULL, "kind", *row->kind != '\0' ? row->kind : NULL);
    bool written = line != NULL && json_object_update(line, found) == 0 &&
                   json_dumpf(line, e->details, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0 &&
                   fputc('\n', e->details) != EOF;
    json_decref(line);
    if (!written)
        fprintf(stderr, "%s: %s\n", e->rows_path, strerror(errno));
    return written ? 0 : REIN_EIO;
}

/* All rows of a prompt are in one half: a bit of the FNV-1a hash of its bytes. */
static enum half half_of(const json_t *source)
{
    const char *prompt = json_string_value(json_object_get(source, "prompt"));
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char *c = prompt != NULL ? prompt : ""; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    return hash >> 40 & 1 ? HALF_CHECK : HALF_READ;
}

static int take_line(struct eval *e, size_t file, size_t number, const char *line)
{
    json_error_t error;
    char why[EVAL_WHY_MAX];
    json_t *source = json_loads(line, 0, &error), *found = NULL;
    if (source == NULL || !eval_shape_is_row(source, why)) {
        int rv = reject(e, file, number, source == NULL ? error.text : why);
        json_decref(source);
        return rv;
    }
    if (e->half != BOTH_HALVES && half_of(source) != e->half) {
        json_decref(source);
        return 0;
    }
    struct eval_row row = {.file = file};
    int rv = make_room(e);
    if (rv == 0)
        rv = eval_row_run(&e->policies, source, NULL, &row, e->details != NULL ? &found : NULL);
    if (rv == 0 && e->details != NULL)
        rv = write_detail(e, &row, number, source, found);
    json_decref(found);
    if (rv != 0) {
        json_decref(source);
        return rv == REIN_ENOMEM || rv == REIN_EIO || rv == REIN_ELIMIT ? rv
                                                                        : reject(e, file, number, rein_strerror(rv));
    }
    e->sources[e->rows.len] = source;
    e->rows.rows[e->rows.len++] = row;
    return 0;
}

static void show_progress(const struct eval *e, size_t file, FILE *in, long size)
{
    if (!isatty(STDERR_FILENO))
        return;
    double share = size > 0 ? (double)ftell(in) / (double)size : 1;
    char bar[31];
    memset(bar, ' ', 30);
    memset(bar, '=', (size_t)(30 * (share < 1 ? share : 1)));
    bar[30] = '\0';
    fprintf(stderr, "\r[%s] %3.0f%% %s (%zu of %zu)\033[K", bar, 100 * share, e->files[file], file + 1, e->files_len);
}

static int read_file(struct eval *e, size_t file)
{
    FILE *in = fopen(e->files[file], "r");
    if (in == NULL) {
        fprintf(stderr, "%s: %s\n", e->files[file], strerror(errno));
        return REIN_EINVAL;
    }
    fseek(in, 0, SEEK_END);
    long size = ftell(in);
    rewind(in);
    char *line = NULL;
    size_t cap = 0;
    int rv = 0;
    for (size_t number = 1; rv == 0 && getline(&line, &cap, in) > 0; number++) {
        if (line[strspn(line, " \r\n\t")] != '\0')
            rv = take_line(e, file, number, line);
        if (number % 16 == 0)
            show_progress(e, file, in, size);
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    free(line);
    fclose(in);
    return rv;
}

/* ---- crossed pairs ---- */

/* The next row from `at` on, wrapping around, whose reasoning refuses (because its own answer does), or whose answer
 * has the wanted label. SIZE_MAX: none. */
static size_t next_row(const struct eval *e, size_t at, const char *label)
{
    for (size_t i = 0; i < e->rows.len; i++) {
        size_t k = (at + i) % e->rows.len;
        const struct eval_row *r = &e->rows.rows[k];
        const char *reasoning = json_string_value(json_object_get(e->sources[k], "label_reasoning"));
        bool refuses =
            r->has_reasoning && reasoning != NULL && strcmp(reasoning, "safe") == 0 && r->stance == REIN_STANCE_REFUSES;
        if (label == NULL ? refuses : !r->has_reasoning && strcmp(r->label, label) == 0)
            return k;
    }
    return SIZE_MAX;
}

static int cross(struct eval *e)
{
    static const char *const labels[] = {"compliance", "unsafe", "refusal"};
    e->pairs.rows = calloc(e->cross, sizeof *e->pairs.rows);
    if (e->pairs.rows == NULL)
        return REIN_ENOMEM;
    size_t reason = 0, answers[3] = {0};
    for (size_t i = 0; i < e->cross; i++) {
        size_t *answer = &answers[i % 3];
        reason = next_row(e, reason + 1, NULL);
        *answer = next_row(e, *answer + 1, labels[i % 3]);
        if (reason == SIZE_MAX || *answer == SIZE_MAX)
            continue;
        struct eval_row *row = &e->pairs.rows[e->pairs.len];
        const char *text = json_string_value(json_object_get(e->sources[*answer], "answer"));
        int rv = eval_row_run(&e->policies, e->sources[reason], text, row, NULL);
        if (rv != 0)
            return rv;
        snprintf(row->label, sizeof row->label, "%s", labels[i % 3]);
        e->pairs.len++;
    }
    return 0;
}

/* ---- the command ---- */

static int report(struct eval *e)
{
    struct eval_about about = {.policy = rein_policy_settings(e->policies.measured),
                               .against = e->against != NULL ? rein_policy_settings(e->policies.against) : NULL,
                               .rejected = e->rejected};
    json_t *tree = eval_report(&e->rows, &e->pairs, &about);
    if (tree == NULL)
        return CLI_FAILED;
    bool met = true;
    if (e->json)
        json_dumpf(tree, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    else
        eval_print(tree, stdout);
    fputs("\n", stdout);
    if (e->targets)
        met = eval_print_targets(tree, e->json ? stderr : stdout);
    int rv = e->plot != NULL ? eval_plot(&e->rows, tree, e->plot) : 0;
    if (rv != 0)
        fprintf(stderr, "%s: %s\n", e->plot, strerror(-rv));
    json_decref(tree);
    return rv == 0 && met ? CLI_OK : CLI_FAILED;
}

static int open_details(struct eval *e)
{
    e->details = e->rows_path != NULL ? fopen(e->rows_path, "we") : NULL;
    if (e->rows_path != NULL && e->details == NULL) {
        fprintf(stderr, "%s: %s\n", e->rows_path, strerror(errno));
        return REIN_EIO;
    }
    return 0;
}

static int close_details(struct eval *e)
{
    if (e->details == NULL || fclose(e->details) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", e->rows_path, strerror(errno));
    return REIN_EIO;
}

static int evaluate(struct eval *e)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int rv = load_policies(e, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    if (rv != 0)
        return rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
    e->rows.files = e->pairs.files = e->files;
    e->rows.files_len = e->pairs.files_len = e->files_len;
    rv = open_details(e);
    for (size_t i = 0; i < e->files_len && rv == 0; i++)
        rv = read_file(e, i);
    int closed = close_details(e);
    rv = rv == 0 ? closed : rv;
    if (rv == 0 && e->cross > 0 && e->rows.len > 0)
        rv = cross(e);
    if (rv != 0)
        return CLI_FAILED;
    if (e->rejected > 0)
        fprintf(stderr, "rein eval: %zu rows were rejected and take part in no figure\n", e->rejected);
    if (e->rows.len == 0) {
        fputs("rein eval: there is no row to measure\n", stderr);
        return CLI_FAILED;
    }
    return report(e);
}

static bool read_number_of(const char *text, unsigned min, unsigned max, unsigned *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *out = (unsigned)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n >= min && n <= max;
}

/* Options about judges. False: it is none of them, or its value is wrong. */
static bool take_judge_option(struct eval_cascade_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--config", &o->config},
                 {"--judge", &o->judge},
                 {"--judge-url", &o->described.url},
                 {"--judge-model", &o->described.model},
                 {"--judge-key-env", &o->described.api_key_env},
                 {"--out", &o->out}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    if (strcmp(name, "--when") == 0) {
        o->when = value;
        return strcmp(value, "always") == 0 || strcmp(value, "risky") == 0 || strcmp(value, "uncertain") == 0;
    }
    if (strcmp(name, "--every") == 0)
        return read_number_of(value, 1, 1000, &o->sentences);
    if (strcmp(name, "--concurrency") == 0)
        return read_number_of(value, 1, ASKING_JOBS_MAX, &o->calls_max);
    return strcmp(name, "--timeout-s") == 0 && read_number_of(value, 1, 600, &o->timeout_s);
}

static int take_option(struct eval *e, const char *name, const char *value)
{
    if (take_judge_option(&e->cascade, name, value))
        return CLI_OK;
    if (strcmp(name, "-p") == 0 || strcmp(name, "--policy") == 0)
        e->policy = value;
    else if (strcmp(name, "--against") == 0)
        e->against = value;
    else if (strcmp(name, "--rows") == 0)
        e->rows_path = value;
    else if (strcmp(name, "--library") == 0)
        e->library = value;
    else if (strcmp(name, "--plot") == 0)
        e->plot = value;
    else if (strcmp(name, "--cross") == 0)
        e->cross = strtoul(value, NULL, 10) % ROWS_MAX;
    else if (strcmp(name, "--format") == 0 && (strcmp(value, "json") == 0 || strcmp(value, "table") == 0))
        e->json = strcmp(value, "json") == 0;
    else if (strcmp(name, "--half") == 0 && (strcmp(value, "read") == 0 || strcmp(value, "check") == 0))
        e->half = strcmp(value, "read") == 0 ? HALF_READ : HALF_CHECK;
    else
        return cli_usage(&cli_eval, "unknown option, or its value is wrong: %s %s", name, value);
    return CLI_OK;
}

static bool has_judges(const struct eval *e)
{
    return e->cascade.judge != NULL || e->cascade.config != NULL;
}

/* What goes with --judge, and what goes without it. */
static int check_judges(const struct eval *e)
{
    const struct eval_cascade_options *o = &e->cascade;
    bool has_others = e->against != NULL || e->plot != NULL || e->rows_path != NULL || e->cross > 0 || e->targets ||
                      e->half != BOTH_HALVES;
    if (!has_judges(e))
        return o->described.url != NULL || o->out != NULL || o->when != NULL
                   ? cli_usage(&cli_eval, "--judge-url, --when and --out need --judge or --config")
                   : CLI_OK;
    if (has_others)
        return cli_usage(&cli_eval, "--judge and --config go with none of --against, --plot, --rows, --half, --cross, "
                                    "--targets");
    if ((o->config == NULL) != (o->described.url != NULL))
        return cli_usage(&cli_eval, "--judge needs either its --judge-url, or a --config that has it");
    return CLI_OK;
}

static int evaluate_judges(struct eval *e)
{
    e->cascade.policy = e->policy;
    e->cascade.library = e->library;
    e->cascade.files = e->files;
    e->cascade.files_len = e->files_len;
    e->cascade.as_json = e->json;
    return eval_cascade_run(&e->cascade);
}

static int parse(struct eval *e, int argc, char **argv)
{
    int rv = CLI_OK;
    for (int i = 1; i < argc && rv == CLI_OK; i++) {
        if (strcmp(argv[i], "--targets") == 0)
            e->targets = true;
        else if (argv[i][0] == '-' && i + 1 == argc)
            return cli_usage(&cli_eval, "%s needs a value", argv[i]);
        else if (argv[i][0] == '-') {
            rv = take_option(e, argv[i], argv[i + 1]);
            i++;
        } else if (e->files_len == FILES_MAX)
            return cli_usage(&cli_eval, "more than %d files", FILES_MAX);
        else
            e->files[e->files_len++] = argv[i];
    }
    if (rv == CLI_OK && (e->policy == NULL || e->files_len == 0))
        return cli_usage(&cli_eval, "name a policy and at least one file");
    return rv == CLI_OK ? check_judges(e) : rv;
}

int eval_main(int argc, char **argv)
{
    struct eval e = {.cascade = {.sentences = 8, .calls_max = 16, .timeout_s = 60}};
    int rv = parse(&e, argc, argv);
    char *beside = rv == CLI_OK && e.library == NULL ? files_beside(e.policy, "..") : NULL;
    e.library = e.library != NULL ? e.library : beside;
    if (rv == CLI_OK)
        rv = e.library == NULL ? CLI_FAILED : has_judges(&e) ? evaluate_judges(&e) : evaluate(&e);
    for (size_t i = 0; i < e.rows.len; i++)
        json_decref(e.sources[i]);
    free(e.sources);
    free(e.rows.rows);
    free(e.pairs.rows);
    free(beside);
    rein_engine_free(e.policies.engine);
    rein_policy_unref(e.policies.measured);
    rein_policy_unref(e.policies.against);
    rein_policy_unref(e.policies.recording);
    return rv;
}

static const struct cli_command *const subcommands[] = {&cli_eval_prefix, &cli_eval_attack, NULL};

const struct cli_command cli_eval = {
    .name = "eval",
    .summary = "measure a policy on labelled traces",
    .help =
        "usage: rein eval -p POLICY [OPTIONS] FILE...\n"
        "       rein eval prefix ...   measure what a prefix changes in a model's answers\n"
        "       rein eval attack ...   measure attack success and over-refusal\n\nEach line of a FILE is a JSON "
        "object: prompt, reasoning, answer, and optional "
        "labels\n(label_answer: safe, unsafe, refusal, compliance; prompt_kind: harmful, benign, math; steps and\n"
        "step_labels: sentences, and the numbers of those that talk themselves into complying). A prompt alone\n"
        "with a label (harmful, benign) counts where prompts are called risky. Other lines are rejected.\n\n"
        "  -p, --policy FILE     the policy to measure\n"
        "  --against FILE        another policy, run on the same rows and compared pair by pair\n"
        "  --library FOLDER      the folder of lexicons/, templates/ and models/; default: the folder above the "
        "policy's\n"
        "  --format table|json   default: table\n"
        "  --rows FILE           write what was found in each row, one JSON object a line, without its texts\n"
        "  --plot FILE.svg       ranking and calibration of the score, the policy's point, how early actions come\n"
        "  --half read|check     only the rows of one half, by a hash of the prompt: lexicons are written from one "
        "and\n                        judged by the other\n"
        "  --cross N             pair refusing reasoning with N labelled answers of other rows\n"
        "  --targets             check the figures that Rein guarantees; exit status 1 if one is missed\n"
        "\nWith judges, it says what they add to words and score, and how often they are asked:\n\n"
        "  --judge NAME          a judge of the --config; or with --judge-url a kind or the file of a description. A\n"
        "                        panel of it alone takes the place of the policy's\n"
        "  --config FILE         a config with judges; without --judge the policy's own panels ask them\n"
        "  --judge-url URL       its server's root; --judge-model NAME, --judge-key-env NAME\n"
        "  --when WHEN           uncertain, risky or always, of that panel (uncertain if there is a model)\n"
        "  --every N             sentences between its questions (8)\n"
        "  --out FILE            keep results here, and continue from those that are there\n"
        "  --concurrency N, --timeout-s N   rows at the same time (16); the longest wait for an opinion (60)\n\n"
        "Verdicts come from the policy. Scores and findings come from a second run that does not act on "
        "findings,\nwith the default thresholds and the lexicon `english`.\n",
    .run = eval_main,
    .subcommands = subcommands,
};
