/* From outcomes to rows, and what was kept of what. See distill.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No times and no folders, so that the same outcomes give the same bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/json_lines.h"
#include "base/files.h"
#include "dataset/survival_ask.h"
#include "distill/distill.h"

/* What became of the questions of one style. */
struct style_tally {
    size_t questions, kept, clean, repaired, again, tries;
    struct name_counts whys, findings;
};

struct rowing {
    const struct distill_run *run;
    struct row_writer *writer;
    struct style_tally styles[DISTILL_STYLES_MAX];
    struct survival_asked asked;
    size_t survival[SURVIVAL_KINDS];
    size_t next; /* question */
    uint64_t prompt_tokens, completion_tokens;
    size_t attempts;
    int error; /* of the writer, negated errno */
};

static const char *line_text(const json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}

static uint64_t count_of(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

/* ---- one line ---- */

static int count_tries(struct rowing *r, struct style_tally *s, const json_t *tries)
{
    size_t i, k;
    const json_t *one, *finding;
    int rv = 0;
    json_array_foreach(tries, i, one)
    {
        s->tries++;
        r->attempts += (size_t)count_of(one, "attempts");
        r->prompt_tokens += count_of(one, "prompt_tokens");
        r->completion_tokens += count_of(one, "completion_tokens");
        json_array_foreach(json_object_get(one, "findings"), k, finding)
        {
            if (rv == 0)
                rv = name_counts_add(&s->findings, line_text(finding, "id"));
        }
    }
    return rv;
}

static int count_line(struct rowing *r, struct style_tally *s, const json_t *line)
{
    const char *why = line_text(line, "why");
    bool kept = json_is_true(json_object_get(line, "kept"));
    s->questions++;
    s->kept += kept;
    s->clean += kept && strcmp(why, "clean") == 0;
    s->repaired += kept && strcmp(why, "repaired") == 0;
    s->again += kept && strcmp(why, "asked_again") == 0;
    int rv = kept ? 0 : name_counts_add(&s->whys, why);
    return rv == 0 ? count_tries(r, s, json_object_get(line, "tries")) : rv;
}

static int count_survival(struct rowing *r, json_t *line)
{
    struct training_row row;
    const char *why;
    int rv = training_row_read(&row, line, &why);
    if (rv != 0)
        return rv;
    r->survival[survival_asked_of(&r->asked, &row, ROW_MESSAGES, r->run->options->family)]++;
    training_row_fini(&row);
    return 0;
}

/* A row is a trace as `rein mix` and `rein eval` read it, and says where it is from. */
static json_t *row_of_line(const json_t *line)
{
    static const char *const copied[] = {"prompt", "reasoning", "answer", "id",  "category",      "style",
                                         "sample", "model",     "policy", "why", "policy_version"};
    json_t *row = json_object(), *findings = json_array();
    size_t i;
    const json_t *one, *tries = json_object_get(line, "tries");
    for (size_t k = 0; k < sizeof copied / sizeof *copied; k++)
        if (json_object_get(line, copied[k]) != NULL)
            json_object_set(row, copied[k], json_object_get(line, copied[k]));
    json_array_foreach(tries, i, one) json_array_extend(findings, json_object_get(one, "findings"));
    one = json_array_get(tries, json_array_size(tries) - 1);
    json_object_set_new(row, "tries", json_integer((json_int_t)json_array_size(tries)));
    json_object_set(row, "attempts", json_object_get(one, "attempts"));
    json_object_set_new(row, "findings", findings);
    return row;
}

/* The file is sorted: the run's questions come first, in order. */
static int take_outcome(void *ctx, size_t at, json_t *line, const char *why)
{
    struct rowing *r = ctx;
    const struct distill_options *o = r->run->options;
    const char *key = line != NULL ? line_text(line, "key") : NULL;
    (void)at;
    (void)why;
    if (key == NULL || r->next == distill_questions(r->run->in, o) || strcmp(key, r->run->keys[r->next]) != 0)
        return 0; /* of another run */
    int rv = count_line(r, &r->styles[r->next++ / o->samples % r->run->in->styles_len], line);
    if (rv != 0 || !json_is_true(json_object_get(line, "kept")))
        return rv;
    rv = count_survival(r, line);
    if (rv != 0)
        return rv;
    r->error = row_writer_add_object(r->writer, row_of_line(line));
    return r->error == 0 ? 0 : REIN_EIO;
}

/* ---- the report ---- */

static json_t *style_object(const struct style_tally *s, const char *name)
{
    return json_pack("{ss sI sI sI sI sI sI so so}", "style", name, "questions", (json_int_t)s->questions, "kept",
                     (json_int_t)s->kept, "clean", (json_int_t)s->clean, "repaired", (json_int_t)s->repaired,
                     "asked_again", (json_int_t)s->again, "tries", (json_int_t)s->tries, "not_kept",
                     name_counts_object(&s->whys), "findings", name_counts_object(&s->findings));
}

static char *manifest_text(const struct rowing *r, size_t rows, const char *sha256)
{
    const struct distill_options *o = r->run->options;
    const struct distill_inputs *in = r->run->in;
    json_t *styles = json_array(), *survival = json_object();
    for (size_t i = 0; i < in->styles_len; i++)
        json_array_append_new(styles, style_object(&r->styles[i], in->styles[i].name));
    for (int i = 0; i < SURVIVAL_KINDS; i++)
        json_object_set_new(survival, survival_name((enum survival)i), json_integer((json_int_t)r->survival[i]));
    json_t *tree = json_pack(
        "{si ss ss ss sI si si sI so s{ss ss} s{sI sI sI} s{sI sI sI} so s{ss sI ss so}}", "version", 1, "made_by",
        "rein distill", "rein", rein_version(), "model", o->model, "seed", (json_int_t)o->seed, "samples",
        (int)o->samples, "tries", (int)o->tries, "max_tokens", (json_int_t)o->max_tokens, "temperature",
        o->temperature >= 0 ? json_real(o->temperature) : json_null(), "policy", "name", in->policy_name, "version",
        in->policy_version, "prompts", "used", (json_int_t)in->prompts_len, "same", (json_int_t)in->same, "unusable",
        (json_int_t)in->unusable, "spent", "upstream_calls", (json_int_t)r->attempts, "prompt_tokens",
        (json_int_t)r->prompt_tokens, "completion_tokens", (json_int_t)r->completion_tokens, "styles", styles, "rows",
        "file", row_file_name(o->out), "count", (json_int_t)rows, "sha256", sha256, "reasoning", survival);
    char *text = tree != NULL ? json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(tree);
    return text;
}

static void print_outcomes(const struct rowing *r, size_t rows)
{
    const struct distill_options *o = r->run->options;
    printf("%-12s  %9s  %8s  %8s  %8s  %11s  %s\n", "style", "questions", "kept", "clean", "repaired", "asked again",
           "not kept, why");
    for (size_t i = 0; i < r->run->in->styles_len; i++) {
        const struct style_tally *s = &r->styles[i];
        printf("%-12s  %9zu  %8zu  %8zu  %8zu  %11zu ", r->run->in->styles[i].name, s->questions, s->kept, s->clean,
               s->repaired, s->again);
        for (size_t k = 0; k < s->whys.len; k++)
            printf(" %s %zu", s->whys.names[k].name, s->whys.names[k].n);
        putchar('\n');
    }
    printf("%s: %zu rows; %zu calls of the upstream, %llu tokens of prompts and %llu of completions (those of stopped "
           "attempts are not counted)\n",
           o->out, rows, r->attempts, (unsigned long long)r->prompt_tokens, (unsigned long long)r->completion_tokens);
    survival_warn(r->survival, ROW_MESSAGES, o->family);
}

static int write_manifest(const struct rowing *r, size_t rows, const char *sha256)
{
    char *path = NULL, *text = manifest_text(r, rows, sha256);
    int rv = text != NULL && asprintf(&path, "%s.manifest.json", r->run->options->out) >= 0
                 ? files_replace(path, text, strlen(text))
                 : -ENOMEM;
    free(path);
    free(text);
    return rv;
}

static int say_rows_error(const char *path, int rv)
{
    fprintf(stderr, "rein distill: %s: %s\n", path, strerror(-rv));
    return CLI_FAILED;
}

static int rows_write(struct rowing *r, const char *outcomes)
{
    const struct distill_options *o = r->run->options;
    char sha256[SHA256_HEX];
    size_t kept = 0;
    int rv = row_writer_open(&r->writer, o->out, ROW_TRACE);
    if (rv != 0)
        return say_rows_error(o->out, rv);
    rv = json_lines_read(outcomes, take_outcome, r, NULL);
    if (rv != 0) {
        row_writer_drop(r->writer);
        return say_rows_error(r->error != 0 ? o->out : outcomes, r->error != 0       ? r->error
                                                                 : rv == REIN_ENOMEM ? -ENOMEM
                                                                                     : -EIO);
    }
    for (size_t i = 0; i < r->run->in->styles_len; i++)
        kept += r->styles[i].kept;
    rv = row_writer_close(r->writer, sha256);
    if (rv == 0)
        rv = write_manifest(r, kept, sha256);
    if (rv != 0)
        return say_rows_error(o->out, rv);
    print_outcomes(r, kept);
    return CLI_OK;
}

int distill_rows(const struct distill_run *run, const char *outcomes)
{
    struct rowing *r = calloc(1, sizeof *r);
    if (r == NULL)
        return CLI_FAILED;
    r->run = run;
    if (run->options->template_of != NULL)
        survival_ask(&r->asked, "rein distill", run->options->template_of);
    int status = rows_write(r, outcomes);
    for (size_t i = 0; i < run->in->styles_len; i++) {
        name_counts_fini(&r->styles[i].whys);
        name_counts_fini(&r->styles[i].findings);
    }
    free(r);
    return status;
}
