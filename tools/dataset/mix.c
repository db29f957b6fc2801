/* The command `rein mix`, step by step; see mix.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/mix.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "cli/cli.h"
#include "dataset/element_reader.h"
#include "dataset/prompt_index.h"

enum { REPORTED_MAX = 20 }; /* unusable rows that are named one by one */

/* ---- first pass: where the rows are ---- */

struct mix_reading {
    struct mix *mix;
    struct prompt_index *index;
    uint64_t salt; /* of the order */
    size_t input;
    size_t reported;
};

static int place_add(struct mix *m, const struct mix_place *place)
{
    if (m->places_len == m->places_cap) {
        size_t cap = m->places_cap > 0 ? m->places_cap * 2 : 1024;
        if (cap > MIX_ROWS_MAX)
            return REIN_ELIMIT;
        struct mix_place *places = realloc(m->places, cap * sizeof *places);
        if (places == NULL)
            return REIN_ENOMEM;
        m->places = places;
        m->places_cap = cap;
    }
    m->places[m->places_len++] = *place;
    m->there[place->kind]++;
    return 0;
}

static void unusable_say(struct mix_reading *r, const struct element *element, const char *why)
{
    r->mix->tallies[r->input].unusable++;
    if (r->reported++ < REPORTED_MAX)
        fprintf(stderr, "%s:%zu: the row %s; it is left out\n", r->mix->options->inputs[r->input].path, element->line,
                why);
}

/* REIN_EFORMAT: the row is not usable, and `why` says it. */
static int row_parse(struct training_row *row, const char *text, size_t len, const char **why)
{
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    *why = "is not valid JSON";
    int rv = object != NULL ? training_row_read(row, object, why) : REIN_EFORMAT;
    json_decref(object);
    return rv;
}

static int take_element(void *ctx, const struct element *element)
{
    struct mix_reading *r = ctx;
    const struct mix_options *o = r->mix->options;
    struct mix_tally *tally = &r->mix->tallies[r->input];
    struct training_row row = {0};
    const char *why;
    tally->rows++;
    int rv = row_parse(&row, element->text, element->len, &why);
    if (rv == REIN_EFORMAT) {
        unusable_say(r, element, why);
        return 0;
    }
    if (rv != 0)
        return rv;
    struct prompt_print print = prompt_print_of(row.prompt);
    training_row_fini(&row);
    enum prompt_match match;
    rv = prompt_index_add(r->index, &print, &match);
    tally->same += rv == 0 && match == PROMPT_SAME;
    tally->near += rv == 0 && match == PROMPT_NEAR;
    if (rv != 0 || match != PROMPT_NEW)
        return rv;
    struct mix_place place = {.order = prompt_mix(print.words ^ r->salt),
                              .offset = element->offset,
                              .len = (uint32_t)element->len,
                              .input = (uint16_t)r->input,
                              .kind = (uint8_t)o->inputs[r->input].kind};
    /* Another stream of random bits than the order, or the test rows would be the first ones. */
    place.is_test = (double)(prompt_mix(place.order ^ r->salt) >> 11) * 0x1p-53 < o->test;
    return place_add(r->mix, &place);
}

static int input_read(struct mix_reading *r)
{
    const char *path = r->mix->options->inputs[r->input].path;
    size_t line = 0;
    r->reported = 0;
    int rv = element_read_all(path, take_element, r, &line);
    if (rv == REIN_EIO)
        fprintf(stderr, "rein mix: %s: %s\n", path, strerror(errno));
    else if (rv == REIN_EFORMAT)
        fprintf(stderr, "%s:%zu: expects JSON objects, one a line or in one array\n", path, line);
    else if (rv != 0)
        fprintf(stderr, "%s:%zu: %s\n", path, line, rein_strerror(rv));
    if (r->reported > REPORTED_MAX)
        fprintf(stderr, "%s: %zu more rows are left out\n", path, r->reported - REPORTED_MAX);
    int digested = rv == 0 ? row_file_digest(path, r->mix->tallies[r->input].sha256) : 0;
    if (digested != 0)
        fprintf(stderr, "rein mix: %s: %s\n", path, strerror(-digested));
    return rv != 0 ? rv : digested;
}

static int inputs_read(struct mix *m)
{
    struct mix_reading r = {.mix = m, .salt = prompt_mix(m->options->seed)};
    int rv = prompt_index_new(&r.index);
    for (r.input = 0; r.input < m->options->inputs_len && rv == 0; r.input++)
        rv = input_read(&r);
    prompt_index_free(r.index);
    return rv;
}

/* ---- which rows ---- */

static int by_kind(const void *a, const void *b)
{
    const struct mix_place *x = a, *y = b;
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
                              : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
    const struct mix_place *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* The paper's file has the mathematics first. */
static int by_paper(const void *a, const void *b)
{
    static const int rank[MIX_KINDS] = {[MIX_MATH] = 0, [MIX_SAFETY] = 1, [MIX_BENIGN] = 2};
    const struct mix_place *x = a, *y = b;
    return x->kind != y->kind ? rank[x->kind] - rank[y->kind] : by_order(a, b);
}

/* How many rows of each kind. False: there are too few, and it was said. */
static bool counts_of(const struct mix *m, size_t counts[MIX_KINDS])
{
    const struct mix_options *o = m->options;
    double scale = (double)MIX_ROWS_MAX;
    for (int kind = 0; kind < MIX_KINDS; kind++)
        if (o->how == MIX_RATIO && o->share[kind] > 0 && (double)m->there[kind] / (double)o->share[kind] < scale)
            scale = (double)m->there[kind] / (double)o->share[kind];
    for (int kind = 0; kind < MIX_KINDS; kind++) {
        counts[kind] = o->how == MIX_ALL      ? m->there[kind]
                       : o->how == MIX_COUNTS ? (size_t)o->share[kind]
                                              : (size_t)(scale * (double)o->share[kind]);
        if (counts[kind] > m->there[kind]) {
            fprintf(stderr, "rein mix: %zu rows of '%s' are wanted, there are %zu usable ones with different prompts\n",
                    counts[kind], mix_kind_name((enum mix_kind)kind), m->there[kind]);
            return false;
        }
    }
    return true;
}

static bool places_choose(struct mix *m)
{
    size_t counts[MIX_KINDS], kept = 0;
    if (m->places_len == 0 || !counts_of(m, counts)) {
        if (m->places_len == 0)
            fputs("rein mix: there is no usable row\n", stderr);
        return false;
    }
    qsort(m->places, m->places_len, sizeof *m->places, by_kind);
    for (size_t i = 0; i < m->places_len; i++) {
        size_t *left = &counts[m->places[i].kind];
        if (*left > 0) {
            (*left)--;
            m->places[kept++] = m->places[i];
        }
    }
    m->places_len = kept;
    qsort(m->places, kept, sizeof *m->places, m->options->like_paper ? by_paper : by_order);
    return true;
}

/* ---- second pass: the rows themselves ---- */

static int row_read_again(struct training_row *row, FILE *file, const struct mix_place *place)
{
    const char *why;
    char *text = malloc(place->len);
    if (text == NULL)
        return -ENOMEM;
    int rv = fseeko(file, (off_t)place->offset, SEEK_SET) == 0 && fread(text, 1, place->len, file) == place->len
                 ? row_parse(row, text, place->len, &why)
                 : REIN_EFORMAT;
    free(text);
    return rv == REIN_ENOMEM ? -ENOMEM : rv != 0 ? -ESTALE : 0; /* it was read before: the file has changed */
}

static int row_write(struct mix *m, struct row_writer *writer, struct mix_output *to, FILE *file,
                     const struct mix_place *place)
{
    const struct mix_options *o = m->options;
    struct training_row row = {0};
    int rv = row_read_again(&row, file, place);
    if (rv == 0)
        rv = row_writer_add(writer, &row, mix_kind_name((enum mix_kind)place->kind));
    if (rv == 0) {
        to->rows[place->kind]++;
        to->survival[survival_asked_of(&m->asked, &row, o->format, o->family)]++;
    }
    training_row_fini(&row);
    return rv;
}

static int files_open(const struct mix_options *o, FILE *files[MIX_FILES_MAX])
{
    for (size_t i = 0; i < o->inputs_len; i++)
        if ((files[i] = fopen(o->inputs[i].path, "re")) == NULL)
            return -errno;
    return 0;
}

static int output_write(struct mix *m, struct mix_output *to, bool is_test)
{
    FILE *files[MIX_FILES_MAX] = {0};
    struct row_writer *writer = NULL;
    int rv = files_open(m->options, files);
    if (rv == 0)
        rv = row_writer_open(&writer, to->path, m->options->format);
    for (size_t i = 0; i < m->places_len && rv == 0; i++)
        if (m->places[i].is_test == is_test)
            rv = row_write(m, writer, to, files[m->places[i].input], &m->places[i]);
    if (rv == 0)
        rv = row_writer_close(writer, to->sha256);
    else
        row_writer_drop(writer);
    for (size_t i = 0; i < m->options->inputs_len; i++)
        if (files[i] != NULL)
            fclose(files[i]);
    return rv == 0 ? row_writer_describe(to->path, m->options->format, false) : rv;
}

/* 1000 as "1k", 400 as "400". */
static void name_count(char out[24], size_t n)
{
    if (n > 0 && n % 1000 == 0)
        snprintf(out, 24, "%zuk", n / 1000);
    else
        snprintf(out, 24, "%zu", n);
}

static char *paper_path(const struct mix_options *o)
{
    char safety[24], math[24], name[256];
    name_count(safety, (size_t)o->share[MIX_SAFETY]);
    name_count(math, (size_t)o->share[MIX_MATH]);
    snprintf(name, sizeof name, "sft_train_%s_safety%s_math%s.json", o->type, safety, math);
    return files_join(o->out, name);
}

static int outputs_write(struct mix *m)
{
    const struct mix_options *o = m->options;
    m->train.path = o->like_paper ? paper_path(o) : strdup(o->out);
    if (m->train.path == NULL || (o->test > 0 && (m->test.path = row_test_path(m->train.path)) == NULL))
        return -ENOMEM;
    int rv = output_write(m, &m->train, false);
    return rv == 0 && m->test.path != NULL ? output_write(m, &m->test, true) : rv;
}

/* ---- the command ---- */

static int mix_write(struct mix *m)
{
    int rv = outputs_write(m);
    if (rv == 0)
        rv = mix_report(m);
    if (rv == 0)
        return CLI_OK;
    fprintf(stderr, "rein mix: %s: %s\n", m->train.path != NULL ? m->train.path : m->options->out,
            rv == -ESTALE   ? "an input changed while it was read; nothing was written"
            : rv == -EINVAL ? "the dataset_info.json beside it is not a JSON object; move it away"
                            : strerror(-rv));
    return CLI_FAILED;
}

static int mix_main(int argc, char **argv)
{
    struct mix_options options;
    struct mix m = {.options = &options};
    int rv = mix_options_read(&options, argc, argv);
    if (rv != CLI_OK)
        return rv;
    if (options.template_of != NULL)
        survival_ask(&m.asked, "rein mix", options.template_of);
    rv = inputs_read(&m) == 0 && places_choose(&m) ? mix_write(&m) : CLI_FAILED;
    free(m.places);
    free(m.train.path);
    free(m.test.path);
    return rv;
}

const struct cli_command cli_mix = {
    .name = "mix",
    .summary = "mix rows of traces into a training file",
    .help =
        "usage: rein mix --safety FILE --math FILE --benign FILE [OPTIONS] --out FILE\n\n"
        "Makes one training file of rows about safety, of mathematics and of benign prompts. Each input holds JSON\n"
        "objects, one a line or in one array, in any of the formats below. Of rows with the same prompt, or nearly\n"
        "the same, the first is used. Rows that cannot be used are named and left out.\n\n"
        "  --safety, --math, --benign FILE   inputs; each may be given several times\n"
        "  --take safety=N,math=N,benign=N   how many rows of each; default: all\n"
        "  --ratio safety=A,math=B,benign=C  as many rows as there are in this ratio\n"
        "  --seed N                          which rows, and their order; default: 42\n"
        "  --test SHARE                      keep this share of the prompts (0 to 0.5) out of FILE, in FILE.test\n"
        "  --format NAME                     messages (default), prompt-completion, sharegpt, alpaca, lrm-study, "
        "trace\n"
        "  --for r1|qwen3|unknown            the family to be trained: warns if its chat template loses the reasoning\n"
        "  --template-of URL                 asks the llama-server at URL what its chat template does, instead of "
        "--for\n"
        "  --layout lrm-study                the layout of arXiv 2505.15404: 4,000 rows of mathematics, then 1,000\n"
        "                                    of safety; FILE is a folder\n"
        "  --type NAME                       of the reasoning, in that layout's file name; default: improved\n"
        "  -o, --out FILE                    FILE.manifest.json says what went in and what came out\n\n"
        "The same inputs, options and seed give the same bytes.\n",
    .run = mix_main,
};
