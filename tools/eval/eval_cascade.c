/* Reads rows and policies for `rein eval --judge`, and does things in their order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_cascade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asking/json_lines.h"
#include "base/log.h"
#include "cli/cli.h"
#include "eval/eval_library.h"
#include "eval/eval_shape.h"

enum { CASCADE_ROWS_MAX = 1000000 };
static const char program[] = "rein eval";

/* ---- rows ---- */

static bool member_is(const json_t *row, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL && strcmp(text, value) == 0;
}

/* As in the report without judges: labels count on harmful requests, ordinary requests are benign. */
static bool find_truth(enum eval_truth *truth, const json_t *row)
{
    const char *reasoning = json_string_value(json_object_get(row, "reasoning"));
    const char *kind = json_is_string(json_object_get(row, "prompt_kind")) ? "prompt_kind" : "label";
    if (reasoning == NULL || *reasoning == '\0')
        return false;
    if (member_is(row, kind, "benign") || member_is(row, kind, "math"))
        *truth = EVAL_BENIGN;
    else if (member_is(row, "label_answer", "unsafe"))
        *truth = EVAL_UNSAFE;
    else if (member_is(row, "label_answer", "safe"))
        *truth = EVAL_SAFE;
    else
        return false;
    return true;
}

struct cascade_reading {
    struct eval_cascade *cascade;
    size_t file;
};

static int add_cascade_row(struct eval_cascade *c, const struct eval_cascade_row *row)
{
    if (c->len == c->cap) {
        size_t cap = c->cap > 0 ? 2 * c->cap : 256;
        struct eval_cascade_row *rows = cap <= CASCADE_ROWS_MAX ? realloc(c->rows, cap * sizeof *rows) : NULL;
        if (rows == NULL)
            return cap > CASCADE_ROWS_MAX ? REIN_ELIMIT : REIN_ENOMEM;
        c->rows = rows;
        c->cap = cap;
    }
    c->rows[c->len++] = *row;
    return 0;
}

/* Everything that the result depends on. */
static void make_cascade_key(struct eval_cascade *c, struct eval_cascade_row *row)
{
    static const char *const members[] = {"prompt", "reasoning", "answer"};
    char line[24];
    uint64_t hash = asking_hash(ASKING_HASH_BEGIN, c->options->files[row->file]);
    snprintf(line, sizeof line, "%zu", row->line);
    hash = asking_hash(hash, line);
    for (size_t i = 0; i < EVAL_VARIANTS; i++)
        hash = asking_hash(hash, rein_policy_settings(c->variants.policies[i])->version);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *text = json_string_value(json_object_get(row->source, members[i]));
        hash = asking_hash(hash, text != NULL ? text : "");
    }
    asking_key(row->key, hash);
}

static int on_cascade_line(void *ctx, size_t line, json_t *object, const char *why)
{
    struct cascade_reading *r = ctx;
    struct eval_cascade *c = r->cascade;
    char wrong[EVAL_WHY_MAX];
    struct eval_cascade_row row = {.source = object, .file = r->file, .line = line};
    if (why == NULL && !eval_shape_is_row(object, wrong))
        why = wrong;
    if (why != NULL) {
        fprintf(stderr, "%s:%zu: rejected: %s\n", c->options->files[r->file], line, why);
        c->rejected++;
        return 0;
    }
    if (!find_truth(&row.truth, object)) {
        c->unlabelled++;
        return 0;
    }
    make_cascade_key(c, &row);
    int rv = add_cascade_row(c, &row);
    if (rv == 0)
        json_incref(object);
    return rv;
}

static int read_cascade_rows(struct eval_cascade *c)
{
    int rv = 0;
    for (size_t i = 0; i < c->options->files_len && rv == 0; i++) {
        struct cascade_reading r = {c, i};
        rv = json_lines_read(c->options->files[i], on_cascade_line, &r, NULL);
        if (rv == REIN_EIO)
            fprintf(stderr, "%s: %s\n", c->options->files[i], strerror(errno));
    }
    if (rv == 0 && c->len == 0)
        fprintf(stderr, "%s: there is no row with reasoning and a label\n", program);
    return rv == 0 && c->len == 0 ? REIN_EINVAL : rv;
}

/* ---- policies and judges ---- */

/* What the panel for `--judge` asks about: what it can judge of reasoning and answer. */
static unsigned channels_of(const struct judge_settings *s)
{
    static const struct {
        enum judge_subject subject;
        enum rein_channel channel;
    } channels[] = {{JUDGE_REASONING, REIN_REASONING}, {JUDGE_ANSWER, REIN_ANSWER}};
    unsigned set = 0;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        if (s->kind->judges(s->description, channels[i].subject))
            set |= 1u << channels[i].channel;
    return set;
}

static int make_panel(struct eval_panel *panel, const struct eval_cascade *c, struct rein_problems *problems)
{
    const struct eval_cascade_options *o = c->options;
    *panel = (struct eval_panel){
        .judge = o->config != NULL ? o->judge : JUDGES_DESCRIBED, .when = o->when, .sentences = o->sentences};
    for (size_t i = 0; i < c->judges->judges_len; i++)
        if (strcmp(c->judges->judges[i].name, panel->judge) == 0)
            panel->channels = channels_of(&c->judges->judges[i].settings);
    if (panel->channels != 0)
        return 0;
    rein_problems_add(problems, o->config != NULL ? o->config : "--judge", 0, 0, "judges",
                      "there is no judge `%s` that judges reasoning or answers", panel->judge);
    return REIN_EPOLICY;
}

static int load_variants(struct eval_cascade *c, struct policy_files_library *files, struct rein_problems *problems)
{
    struct rein_judge_name *names = NULL;
    struct eval_panel panel;
    int rv = config_judge_names(c->judges, &names);
    if (rv == 0 && c->options->judge != NULL)
        rv = make_panel(&panel, c, problems);
    if (rv == 0)
        rv = eval_library_read(files, c->options->library, problems);
    struct rein_library library = policy_files_lend(files);
    library.judges = names;
    library.judges_len = c->judges->judges_len;
    if (rv == 0)
        rv = eval_variants_load(&c->variants, c->options->policy, c->options->judge != NULL ? &panel : NULL, &library,
                                problems);
    free(names);
    return rv;
}

static int load_cascade(struct eval_cascade *c)
{
    struct policy_files_library files = {0};
    struct rein_problems *problems;
    struct judges_source source = c->options->described;
    source.config = c->options->config;
    source.what = c->options->judge;
    source.calls_max = c->options->calls_max;
    source.timeout_s = c->options->timeout_s;
    int rv = judges_load(&c->judges, program, &source);
    if (rv == 0)
        rv = rein_engine_new(&c->engine);
    if (rv == 0)
        rv = rein_problems_new(&problems);
    if (rv != 0)
        return rv;
    rv = load_variants(c, &files, problems);
    rv = rv == 0 ? rein_problems_result(problems) : rv;
    cli_print_problems(problems);
    rein_problems_free(problems);
    policy_files_library_fini(&files);
    return rv;
}

/* ---- results ---- */

static unsigned count_in(const json_t *line, const char *key)
{
    return (unsigned)json_integer_value(json_object_get(line, key));
}

static void take_line(struct eval_cascade_row *row, const json_t *line)
{
    row->is_done = true;
    row->acted[EVAL_WORDS] = json_is_true(json_object_get(line, "words"));
    row->acted[EVAL_SCORE] = json_is_true(json_object_get(line, "score"));
    row->acted[EVAL_CASCADE] = json_is_true(json_object_get(line, "cascade"));
    row->questions = count_in(line, "questions");
    row->unparsed = count_in(line, "unparsed");
    row->tokens = count_in(line, "tokens");
    row->asked = count_in(line, "asked");
    row->places = count_in(line, "places");
}

/* Which row a key stands for: no line is kept in memory. */
struct cascade_lines {
    struct eval_cascade *cascade;
    json_t *rows; /* by key */
};

static int take_cascade_line(void *ctx, const char *key, json_t *line)
{
    struct cascade_lines *lines = ctx;
    const json_t *row = json_object_get(lines->rows, key);
    if (row != NULL)
        take_line(&lines->cascade->rows[json_integer_value(row)], line);
    return 0;
}

static int open_cascade_results(struct asking_results **results, struct eval_cascade *c)
{
    struct cascade_lines lines = {c, json_object()};
    int rv = lines.rows != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < c->len && rv == 0; i++)
        if (json_object_set_new(lines.rows, c->rows[i].key, json_integer((json_int_t)i)) < 0)
            rv = REIN_ENOMEM;
    if (rv == 0)
        rv = asking_results_open(results, program, c->options->out, take_cascade_line, &lines);
    json_decref(lines.rows);
    return rv;
}

static int sort_cascade_results(struct asking_results *results, const struct eval_cascade *c)
{
    char(*keys)[ASKING_KEY_SIZE] = calloc(c->len + 1, sizeof *keys);
    for (size_t i = 0; keys != NULL && i < c->len; i++)
        memcpy(keys[i], c->rows[i].key, ASKING_KEY_SIZE);
    int rv = keys != NULL ? asking_results_sort(results, (const char(*)[ASKING_KEY_SIZE])keys, c->len) : REIN_ENOMEM;
    free(keys);
    return rv;
}

/* ---- the command ---- */

static int show_cascade(const struct eval_cascade *c)
{
    json_t *report = eval_cascade_report(c);
    if (report == NULL)
        return CLI_FAILED;
    if (c->options->as_json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        fputc('\n', stdout);
    } else {
        eval_cascade_print(stdout, report);
    }
    json_decref(report);
    if (c->asked_now > 0)
        fprintf(stderr,
                "%s: %zu questions in this run, answered after %.0f ms on average; the run's own work adds to "
                "that\n",
                program, c->asked_now, (double)c->took_ms / (double)c->asked_now);
    return CLI_OK;
}

static int ask_and_show(struct eval_cascade *c)
{
    struct asking_results *results = NULL;
    struct asking_options asked = {0};
    struct asking_tally tally = {0};
    int rv = open_cascade_results(&results, c);
    if (rv == 0)
        rv = eval_cascade_ask(c, results, &asked, &tally);
    if (rv == 0 && asked.had + tally.asked == asked.all)
        rv = sort_cascade_results(results, c);
    if (asking_results_close(results) != 0 && rv == 0)
        rv = REIN_EIO;
    if (rv != 0) {
        fprintf(stderr, "%s: %s\n", program, rein_strerror(rv));
        return CLI_FAILED;
    }
    int status = show_cascade(c);
    return asking_tell_end(program, &asked, &tally, c->options->out) ? status : CLI_FAILED;
}

int eval_cascade_run(const struct eval_cascade_options *options)
{
    struct eval_cascade c = {.options = options};
    log_set_level(LOG_WARN);
    int rv = load_cascade(&c), status = rv == 0 ? CLI_OK : rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
    if (status == CLI_OK && read_cascade_rows(&c) != 0)
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = ask_and_show(&c);
    for (size_t i = 0; i < c.len; i++)
        json_decref(c.rows[i].source);
    free(c.rows);
    eval_variants_fini(&c.variants);
    config_unref(c.judges);
    rein_engine_free(c.engine);
    return status;
}
