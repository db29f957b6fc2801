/* The command `rein export`, step by step; see export.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "cli/cli.h"
#include "dataset/kept_read.h"
#include "dataset/pair_row.h"
#include "dataset/prompt_index.h"
#include "dataset/survival_ask.h"
#include "store/driver.h"

/* A page is one short transaction: a long one would keep the log of a running server from being moved away. */
enum { PAGE = 256, QUERY_MS = 60000 };

struct exporting {
    const struct export_options *options;
    struct store_reader *reader;
    struct prompt_index *index;
    struct remask *remask;       /* NULL: nothing is masked again */
    struct survival_asked asked; /* what an upstream said of its chat template */
    struct row_writer *train, *test;
    struct export_report report;
    bool full; /* there are as many rows as are wanted */
};

/* ---- one decision ---- */

static size_t rows_of(const struct exporting *e)
{
    return e->report.train.rows + e->report.test.rows;
}

static int pair_or_row_write(struct row_writer *writer, const struct export_options *o, const struct export_row *row)
{
    return o->pairs ? row_writer_add_object(
                          writer, pair_row_object(&row->row, &row->rejected, row->rejected_is_open, o->format))
                    : row_writer_add(writer, &row->row, "safety");
}

/* As in a mix: by the prompt and the seed alone. */
static bool is_for_test(const struct export_options *o, const struct prompt_print *print)
{
    uint64_t salt = prompt_mix(o->seed), order = prompt_mix(print->words ^ salt);
    return (double)(prompt_mix(order ^ salt) >> 11) * 0x1p-53 < o->test;
}

/* Returns an outcome or a negative error. */
static int export_write_row(struct exporting *e, const json_t *decision, const struct export_row *row)
{
    const struct export_options *o = e->options;
    struct prompt_print print = prompt_print_of(row->row.prompt);
    enum prompt_match match;
    int rv = prompt_index_add(e->index, &print, &match);
    if (rv != 0)
        return rv;
    if (match != PROMPT_NEW)
        return match == PROMPT_SAME ? EXPORT_SAME : EXPORT_NEAR;
    bool is_test = is_for_test(o, &print);
    struct export_file *file = is_test ? &e->report.test : &e->report.train;
    rv = pair_or_row_write(is_test ? e->test : e->train, o, row);
    if (rv != 0)
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EIO;
    file->rows++;
    file->survival[survival_asked_of(&e->asked, &row->row, o->format, o->family)]++;
    rv = export_report_add(&e->report, decision, row);
    return rv == 0 ? EXPORT_ROW : rv;
}

/* The policy that masks again also says how prefilled reasoning began, if it is the one that served. */
static void know_prefixes(struct export_options *own, const struct exporting *e, const json_t *decision)
{
    const struct rein_policy_settings *policy = e->remask != NULL ? remask_settings(e->remask) : NULL;
    const char *version = json_string_value(json_object_get(decision, "policy_version"));
    *own = *e->options;
    if (policy == NULL || version == NULL || strcmp(version, policy->version) != 0)
        return;
    own->first_prefix = policy->prefix.text;
    own->restart_prefix = policy->steer.corrective;
}

/* A decision of a page: its parts are read only if it may be wanted. */
static int export_decision(struct exporting *e, const json_t *listed)
{
    const struct export_options *o = e->options;
    json_t *decision = NULL;
    struct export_options own;
    struct export_row row;
    int rv = EXPORT_UNWANTED;
    know_prefixes(&own, e, listed);
    if (export_is_wanted(o, listed)) {
        rv = kept_read(e->reader, json_string_value(json_object_get(listed, "id")), &decision);
        if (rv == 0 && (decision == NULL || !export_parts_are_wanted(o, decision)))
            rv = EXPORT_UNWANTED; /* or purged in between */
        else if (rv == 0 && (rv = export_row_make(&row, &own, decision, e->remask)) == EXPORT_ROW) {
            rv = export_write_row(e, decision, &row);
            export_row_fini(&row);
        }
    }
    json_decref(decision);
    if (rv < 0)
        return rv;
    e->report.outcomes[rv]++;
    e->full = o->limit > 0 && rows_of(e) >= o->limit;
    return 0;
}

/* ---- all of them ---- */

static int export_page(struct exporting *e, struct store_filter *filter, bool *has_more)
{
    json_t *page = NULL;
    const json_t *decision;
    size_t i;
    struct store_cursor next;
    int rv = store_read_decisions(e->reader, filter, &page, has_more, &next);
    if (rv != 0)
        return rv;
    json_array_foreach(page, i, decision)
    {
        if (rv == 0 && !e->full)
            rv = export_decision(e, decision);
    }
    json_decref(page);
    filter->has_after = true;
    filter->after = next;
    return rv;
}

static int export_all(struct exporting *e)
{
    struct store_filter filter = export_filter(e->options);
    bool has_more = true;
    int rv = 0;
    filter.limit = PAGE;
    while (rv == 0 && has_more && !e->full)
        rv = export_page(e, &filter, &has_more);
    return rv;
}

/* ---- the files ---- */

static int say_file_error(const char *path, int rv)
{
    fprintf(stderr, "rein export: %s: %s\n", path,
            rv == -EINVAL ? "the dataset_info.json beside it is not a JSON object; move it away" : strerror(-rv));
    return CLI_FAILED;
}

static int files_begin(struct exporting *e)
{
    const struct export_options *o = e->options;
    e->report.train.path = strdup(o->out);
    int rv = e->report.train.path != NULL ? row_writer_open(&e->train, e->report.train.path, o->format) : -ENOMEM;
    if (rv == 0 && o->test > 0) {
        e->report.test.path = row_test_path(o->out);
        rv = e->report.test.path != NULL ? row_writer_open(&e->test, e->report.test.path, o->format) : -ENOMEM;
    }
    return rv == 0 ? CLI_OK : say_file_error(o->out, rv);
}

static int file_end(struct row_writer **writer, struct export_file *file, const struct export_options *o)
{
    if (*writer == NULL)
        return 0;
    int rv = row_writer_close(*writer, file->sha256);
    *writer = NULL;
    return rv == 0 ? row_writer_describe(file->path, o->format, o->pairs) : rv;
}

static int files_end(struct exporting *e)
{
    int rv = file_end(&e->train, &e->report.train, e->options);
    if (rv == 0)
        rv = file_end(&e->test, &e->report.test, e->options);
    if (rv == 0)
        rv = export_report_write(&e->report, e->options);
    return rv == 0 ? CLI_OK : say_file_error(e->options->out, rv);
}

/* ---- the command ---- */

static int reader_begin(struct exporting *e)
{
    int rv = store_driver_find(NULL)->open_reader(&e->reader, e->options->db, QUERY_MS);
    if (rv == 0)
        rv = prompt_index_new(&e->index);
    if (rv != 0)
        fprintf(stderr, "rein export: %s: %s\n", e->options->db,
                rv == REIN_EIO ? "is no database that Rein can read" : rein_strerror(rv));
    return rv == 0 ? CLI_OK : CLI_FAILED;
}

static int remask_begin(struct exporting *e)
{
    struct rein_problems *problems;
    if (e->options->policy == NULL)
        return CLI_OK;
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int rv = remask_new(&e->remask, e->options->policy, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    if (rv == 0)
        e->report.policy_version = remask_settings(e->remask)->version;
    else if (rv != REIN_EPOLICY)
        fprintf(stderr, "rein export: %s: %s\n", e->options->policy, rein_strerror(rv));
    return rv == 0 ? CLI_OK : CLI_CONFIG;
}

static int export_run(struct exporting *e)
{
    int status = remask_begin(e);
    if (status == CLI_OK)
        status = reader_begin(e);
    if (status == CLI_OK && e->options->template_of != NULL)
        survival_ask(&e->asked, "rein export", e->options->template_of);
    if (status == CLI_OK)
        status = files_begin(e);
    if (status != CLI_OK)
        return status;
    int rv = export_all(e);
    if (rv != 0) {
        fprintf(stderr, "rein export: %s: %s; nothing was written%s\n", e->options->db, rein_strerror(rv),
                rv == REIN_EIO ? ". If an older Rein made it, let a server of this version start on it once" : "");
        return CLI_FAILED;
    }
    return files_end(e);
}

static int export_main(int argc, char **argv)
{
    struct export_options options;
    int status = export_options_read(&options, argc, argv);
    struct exporting *e = status == CLI_OK ? calloc(1, sizeof *e) : NULL;
    if (e == NULL)
        return status != CLI_OK ? status : CLI_FAILED;
    e->options = &options;
    status = export_run(e);
    row_writer_drop(e->train);
    row_writer_drop(e->test);
    store_reader_close(e->reader);
    prompt_index_free(e->index);
    export_report_fini(&e->report);
    remask_free(e->remask);
    free(e);
    return status;
}

const struct cli_command cli_export = {
    .name = "export",
    .summary = "make training rows of kept decisions",
    .help =
        "usage: rein export --db FILE [OPTIONS] --out FILE\n\n"
        "Makes training rows of decisions whose texts were kept (log.text: full in their policy). A row is a "
        "question,\n"
        "the reasoning and the answer that were accepted. Answers in which something was found are left out. Of\n"
        "decisions with the same prompt, or nearly the same, the newest is used. Secrets and personal data are "
        "masked.\n\n"
        "  --db FILE                 the database of a server; it may be running\n\n"
        "which decisions; an option that is given several times asks for any of its values:\n"
        "  --verdict WORD            allow, redact, steer, refuse, cut\n"
        "  --action WORD             the strongest action: record, redact, cut_reasoning, steer, cut_response, refuse\n"
        "  --pattern NAME            with such a finding, of a pattern, a rule or a panel\n"
        "  --without-pattern NAME    without one\n"
        "  --score NAME=FROM..TO     a pattern's highest score, trace_risk, prompt_risk or model_complies ...\n"
        "  --judge NAME              with a finding that is due to this judge\n"
        "  --risk JUDGE=FROM..TO     the highest risk that this judge gave to the reasoning or the answer\n"
        "  --route, --model NAME     of this route; for this model\n"
        "  --policy-version HASH     judged by this version of a policy\n"
        "  --since, --until TIME     2026-11-30 or 2026-11-30T14:05:00Z, UTC; --until is not included\n"
        "  --limit N                 at most N rows\n\n"
        "what becomes of them:\n"
        "  --with-findings           also answers in which something was found, or a judge gave no opinion\n"
        "  --without-system          conversations with a system message become rows without it; else they are left "
        "out\n"
        "  --pairs                   the stopped attempt against the accepted one: prompt, chosen, rejected\n"
        "  --policy FILE             masks again what the rules of this policy mark as secret or personal; and says "
        "how\n"
        "                            prefilled reasoning began, if it is the version that served\n"
        "  --test SHARE              keeps a share of the prompts, at most 0.5, out of FILE, in FILE.test\n"
        "  --seed N                  which prompts those are (42)\n"
        "  --format NAME             messages (default), prompt-completion (default of --pairs), sharegpt, alpaca,\n"
        "                            lrm-study, trace\n"
        "  --for r1|qwen3|unknown    the family to be trained: warns if its chat template loses the reasoning\n"
        "  --template-of URL         asks the llama-server at URL what its chat template does, instead of --for\n"
        "  --licence TEXT            under which the rows may be used; written into the card\n"
        "  -o, --out FILE            FILE.manifest.json and FILE.card.md say what it was made of\n\n"
        "The same database and options give the same bytes.\n",
    .run = export_main,
};
