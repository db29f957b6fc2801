/* `rein backtest`: judges kept decisions again, with another policy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "asking/progress.h"
#include "backtest/backtest_report.h"
#include "backtest/decision_play.h"
#include "backtest/decision_script.h"
#include "cli/cli.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "dataset/kept_read.h"
#include "store/driver.h"
#include "store/policies.h"

/* A page is one short transaction: a long one would keep the log of a running server from being moved away. */
enum { BACKTEST_PAGE = 256, BACKTEST_QUERY_MS = 60000, BACKTEST_VERSIONS = 16 };

struct backtest_options {
    const char *db, *policy;
    struct policy_files_places places;
    size_t limit; /* decisions; 0: all */
    bool json;
};

struct backtest {
    const struct backtest_options *options;
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct store_reader *reader;
    struct asking_progress *progress;
    struct backtest_report report;
    struct play_outcome was, would;
    struct backtest_version {
        char *name; /* owned; NULL: none yet */
        struct policy_match match;
    } versions[BACKTEST_VERSIONS]; /* that decided: those seen last, more or less */
    size_t next_version;
    int64_t last;  /* number of the newest decision */
    size_t passed; /* numbers that are behind */
};

/* ---- reading ---- */

static int load_policy(struct backtest *b, const struct rein_source *source, struct rein_problems *problems)
{
    struct policy_files_library files = {0};
    int rv = policy_files_find(&files, source->name, &b->options->places, problems);
    struct rein_library library = policy_files_lend(&files);
    library.any_judge = true; /* what they said is in the record */
    if (rv == 0)
        rv = rein_policy_load(&b->policy, source, &library, problems);
    policy_files_library_fini(&files);
    return rv;
}

static int read_backtest_policy(struct backtest *b)
{
    struct rein_problems *problems;
    struct policy_files_folder input = {0};
    int rv = lexicon_cache_use_own();
    if (rv == 0)
        rv = rein_problems_new(&problems);
    if (rv != 0)
        return rv;
    rv = policy_files_read_file(&input, b->options->policy, problems);
    if (rv == 0)
        rv = rein_problems_result(problems);
    if (rv == 0)
        rv = load_policy(b, &input.sources[0], problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    policy_files_fini(&input);
    return rv;
}

static int open_database(struct backtest *b)
{
    const struct store_driver *driver = store_driver_find(NULL);
    int64_t first = 0;
    int rv = driver->open_reader(&b->reader, b->options->db, BACKTEST_QUERY_MS);
    if (rv == 0)
        rv = driver->extent(b->reader, &first, &b->last);
    if (rv == 0)
        rv = asking_progress_new(&b->progress, b->last > 0 ? (size_t)(b->last - first + 1) : 0, 0);
    if (rv != 0)
        fprintf(stderr, "rein backtest: %s: %s\n", b->options->db,
                rv == REIN_EIO ? "is no database that Rein can read" : rein_strerror(rv));
    return rv;
}

/* ---- judging ---- */

/* What of the policy reads as the version of the decision did. */
static int match_version(struct backtest *b, const char *name, const struct policy_match **out)
{
    for (size_t i = 0; i < BACKTEST_VERSIONS; i++)
        if (b->versions[i].name != NULL && strcmp(b->versions[i].name, name) == 0) {
            *out = &b->versions[i].match;
            return 0;
        }
    struct backtest_version *version = &b->versions[b->next_version++ % BACKTEST_VERSIONS];
    json_t *row = NULL;
    free(version->name);
    policy_match_fini(&version->match);
    version->name = strdup(name);
    int rv = version->name != NULL ? store_read_policy(b->reader, name, &row) : REIN_ENOMEM;
    if (rv == 0)
        rv = policy_match_read(&version->match, row, b->policy);
    json_decref(row);
    *out = &version->match;
    return rv;
}

static void drop_versions(struct backtest *b)
{
    for (size_t i = 0; i < BACKTEST_VERSIONS; i++) {
        free(b->versions[i].name);
        policy_match_fini(&b->versions[i].match);
    }
}

static int backtest_decision(struct backtest *b, const char *id)
{
    json_t *decision = NULL;
    enum play_reason reason;
    int rv = kept_read_with_readings(b->reader, id, &decision);
    if (rv != 0 || decision == NULL) /* purged in between */
        return rv;
    const struct policy_match *match;
    play_read_record(&b->was, decision);
    rv = match_version(b, script_word(decision, "policy_version"), &match);
    if (rv == 0)
        rv = decision_play(decision, &b->was, b->policy, match, b->engine, &reason, &b->would);
    if (rv == 0)
        report_add(&b->report, id, reason, &b->was, &b->would);
    json_decref(decision);
    return rv;
}

static bool backtest_is_full(const struct backtest *b)
{
    return b->options->limit > 0 && b->report.decisions >= b->options->limit;
}

static int backtest_page(struct backtest *b, struct store_filter *filter, bool *has_more)
{
    json_t *page = NULL;
    const json_t *listed;
    size_t i;
    struct store_cursor next;
    int rv = store_read_decisions(b->reader, filter, &page, has_more, &next);
    if (rv != 0)
        return rv;
    size_t seen = json_array_size(page), before = b->passed;
    json_array_foreach(page, i, listed)
    {
        if (rv != 0 || backtest_is_full(b))
            break;
        if (json_is_true(json_object_get(listed, "final")))
            rv = backtest_decision(b, json_string_value(json_object_get(listed, "id")));
        b->passed = before + i + 1;
        asking_progress_show(b->progress, b->passed, b->report.reasons[PLAY_BROKEN], false);
    }
    json_decref(page);
    if (seen > 0 && b->last >= next.seq)
        b->passed = (size_t)(b->last - next.seq + 1);
    filter->has_after = true;
    filter->after = next;
    return rv;
}

static int backtest_all(struct backtest *b)
{
    struct store_filter filter = {.limit = BACKTEST_PAGE};
    bool has_more = true;
    int rv = 0;
    while (rv == 0 && has_more && !backtest_is_full(b))
        rv = backtest_page(b, &filter, &has_more);
    asking_progress_show(b->progress, b->passed, b->report.reasons[PLAY_BROKEN], true);
    return rv;
}

static int backtest_print(const struct backtest *b)
{
    const struct rein_policy_settings *settings = rein_policy_settings(b->policy);
    if (!b->options->json) {
        report_print(&b->report, settings);
        return 0;
    }
    json_t *report = report_json(&b->report, settings);
    int rv = report != NULL && json_dumpf(report, stdout, JSON_INDENT(2)) == 0 ? 0 : REIN_ENOMEM;
    printf("\n");
    json_decref(report);
    return rv;
}

/* ---- the command ---- */

static bool take_backtest_option(struct backtest_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--db", &o->db},
                 {"--templates", &o->places.templates},
                 {"--lexicons", &o->places.lexicons},
                 {"--models", &o->places.models}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    char *end;
    o->limit = strcmp(name, "--limit") == 0 ? strtoul(value, &end, 10) : 0;
    return o->limit > 0 && *value != '-' && *end == '\0';
}

static int read_backtest_options(struct backtest_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (argv[i][0] != '-' && o->policy == NULL) {
            o->policy = argv[i];
            continue;
        }
        if (i + 1 == argc || argv[i][0] != '-' || !take_backtest_option(o, argv[i], argv[i + 1]))
            return cli_usage(&cli_backtest, "unknown option, or its value is missing or wrong: %s", argv[i]);
        i++;
    }
    if (o->db == NULL)
        return cli_usage(&cli_backtest, "name the database, with --db");
    return o->policy != NULL ? CLI_OK : cli_usage(&cli_backtest, "name a policy's file");
}

static int backtest_run(int argc, char **argv)
{
    struct backtest_options options = {.db = NULL};
    int status = read_backtest_options(&options, argc, argv);
    struct backtest *b = status == CLI_OK ? calloc(1, sizeof *b) : NULL;
    if (b == NULL)
        return status != CLI_OK ? status : CLI_FAILED;
    b->options = &options;
    int rv = read_backtest_policy(b);
    if (rv == 0)
        rv = rein_engine_new(&b->engine);
    int open_rv = rv == 0 ? open_database(b) : 0;
    if (rv == 0 && open_rv == 0) {
        rv = backtest_all(b);
        if (rv == 0)
            rv = backtest_print(b);
    }
    if (rv != 0 && rv != REIN_EPOLICY)
        fprintf(stderr, "rein backtest: %s\n", rein_strerror(rv));
    asking_progress_free(b->progress);
    drop_versions(b);
    store_reader_close(b->reader);
    rein_engine_free(b->engine);
    rein_policy_unref(b->policy);
    free(b);
    return rv == REIN_EPOLICY ? CLI_CONFIG : rv != 0 || open_rv != 0 ? CLI_FAILED : CLI_OK;
}

const struct cli_command cli_backtest = {
    .name = "backtest",
    .summary = "say what another policy would have decided",
    .help =
        "usage: rein backtest --db FILE [OPTIONS] POLICY\n"
        "\n"
        "Judges the kept texts of decisions (log.text: redacted or full) again, with another policy, and says which\n"
        "would have been decided otherwise, by action and by finding. What is masked, and what judges said, is taken\n"
        "from the record. Decisions that cannot be compared are counted, with the reason. Where a response was\n"
        "stopped, nobody knows how it would have gone on: then what is known of it is judged.\n\n"
        "  --db FILE         the database of a server; it may be running\n"
        "  --limit N         the newest N decisions\n"
        "  --templates DIR   the templates that the policy refers to (default: next to its folder)\n"
        "  --lexicons DIR    its lexicons\n"
        "  --models DIR      its models\n"
        "  --json            print a JSON object instead of a table\n\n"
        "Exit status: 0 all were judged, be they the same or not; 1 it failed; 2 wrong usage; 3 the policy has "
        "errors.\n",
    .run = backtest_run,
};
