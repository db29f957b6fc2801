/* `rein test`: tries a policy on cases, without a server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/policytest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "policytest/case_judges.h"
#include "policytest/case_result.h"
#include "policytest/case_run.h"
#include "policytest/cases.h"

struct tester {
    struct policy_files_places places;
    const char *config_path; /* NULL: none */
    struct config *config;   /* its judges alone; NULL: none */
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct cases *cases;
    size_t passed, failed;
};

/* ---- reading ---- */

/* What the judges' servers want, such as keys, may be missing here. */
static int read_config(struct tester *t, struct rein_problems *problems)
{
    struct rein_problems *absent = NULL;
    if (t->config_path == NULL)
        return 0;
    int rv = rein_problems_new(&absent);
    if (rv == 0)
        rv = config_check_judges(&t->config, t->config_path, problems, absent);
    rein_problems_free(absent);
    return rv;
}

/* Without a config, any judge can be asked about anything: only the cases say what they answer. */
static int load_policy(struct tester *t, const struct rein_source *source, struct rein_library *library,
                       struct rein_problems *problems)
{
    struct rein_judge_name *names = NULL;
    struct rein_doc *doc = NULL;
    int rv = t->config != NULL ? config_judge_names(t->config, &names) : 0;
    library->judges = names;
    library->judges_len = t->config != NULL ? t->config->judges_len : 0;
    library->any_judge = t->config == NULL;
    if (rv == 0)
        rv = rein_policy_load(&t->policy, source, library, problems);
    if (rv == 0)
        rv = rein_policy_read(&doc, source, library, problems);
    if (rv == 0) {
        case_judges_check(t->cases, rein_doc_root(doc), t->config, problems);
        rv = rein_problems_result(problems);
    }
    rein_doc_free(doc);
    free(names);
    return rv;
}

static int read_policy(struct tester *t, const struct rein_source *source, struct rein_problems *problems)
{
    struct policy_files_library files = {0};
    int rv = policy_files_find(&files, source->name, &t->places, problems);
    struct rein_library library = policy_files_lend(&files);
    if (rv == 0)
        rv = load_policy(t, source, &library, problems);
    policy_files_library_fini(&files);
    return rv;
}

static int read_inputs(struct tester *t, const char *policy, const char *cases, struct rein_problems *problems)
{
    struct policy_files_folder inputs = {0};
    int rv = policy_files_read_file(&inputs, policy, problems);
    if (rv == 0)
        rv = policy_files_read_file(&inputs, cases, problems);
    if (rv == 0)
        rv = rein_problems_result(problems);
    if (rv == 0)
        rv = cases_read(&t->cases, &inputs.sources[1], problems);
    if (rv == 0)
        rv = read_config(t, problems);
    if (rv == 0)
        rv = read_policy(t, &inputs.sources[0], problems);
    policy_files_fini(&inputs);
    return rv;
}

/* ---- running ---- */

/* Each case runs by each API, streamed and as one body. */
enum { CASE_WAYS = 2 * CASE_WIRES };

struct case_ways {
    struct case_result results[CASE_WAYS]; /* those of an API next to each other, the stream first */
    char said[CASE_WAYS][CASE_SAID_MAX];   /* "": as expected */
    size_t len;
};

static void say_failed(struct tester *t, const struct case_script *script, const char *how, const char *said)
{
    printf("%s:%u: %s: %s%s\n", script->node->file, script->node->line, script->name, how, said);
    t->failed++;
}

static const char *form_of(const struct case_result *result)
{
    return result->streamed ? "streamed" : "as one body";
}

/* In which ways is it said, too? Those of the same form; all. */
static bool is_said(const struct case_ways *ways, size_t way, bool any_form)
{
    for (size_t i = 0; i < ways->len; i++)
        if ((any_form || ways->results[i].streamed == ways->results[way].streamed) &&
            strcmp(ways->said[i], ways->said[way]) != 0)
            return false;
    return true;
}

static void say_way(struct tester *t, const struct case_script *script, const struct case_ways *ways, size_t way)
{
    char how[64] = "";
    const struct case_result *result = &ways->results[way];
    if (is_said(ways, way, false) && !is_said(ways, way, true))
        snprintf(how, sizeof how, "%s: ", form_of(result));
    else if (!is_said(ways, way, true))
        snprintf(how, sizeof how, "%s, %s: ", result->wire->wire->name, form_of(result));
    say_failed(t, script, how, ways->said[way]);
}

/* Is a result not that of the way before it? */
static bool say_unlike(struct tester *t, const struct case_script *script, const struct case_ways *ways)
{
    char said[CASE_SAID_MAX], how[128];
    for (size_t i = 1; i < ways->len; i++) {
        const struct case_result *one = &ways->results[i - 1], *other = &ways->results[i];
        if (case_result_same(one, other, said))
            continue;
        snprintf(how, sizeof how, "%s, %s, not as %s, %s: ", other->wire->wire->name, form_of(other),
                 one->wire->wire->name, form_of(one));
        say_failed(t, script, how, said);
        return true;
    }
    return false;
}

static void judge_case(struct tester *t, const struct case_script *script, struct case_ways *ways)
{
    size_t failed = ways->len;
    for (size_t i = ways->len; i-- > 0;)
        if (!case_result_fits(&ways->results[i], script, ways->said[i]))
            failed = i;
    if (failed < ways->len)
        say_way(t, script, ways, failed);
    else if (!say_unlike(t, script, ways))
        t->passed++;
}

static int run_case(struct tester *t, const struct case_script *script)
{
    const struct case_under under = {t->policy, t->engine, t->config};
    struct case_ways ways = {.len = 0};
    int rv = 0;
    for (size_t i = 0; i < CASE_WAYS && rv == 0; i++) {
        const struct case_wire *wire = &case_wires[i / 2];
        if (!case_wire_fits(wire->wire, script))
            continue;
        rv = case_run(&ways.results[ways.len], &under, script, wire, i % 2 == 0);
        ways.len += rv == 0;
    }
    if (rv == 0)
        judge_case(t, script, &ways);
    for (size_t i = 0; i < ways.len; i++)
        case_result_fini(&ways.results[i]);
    return rv;
}

static int test_all(struct tester *t, const char *policy, const char *cases)
{
    struct rein_problems *problems = NULL;
    int rv = lexicon_cache_use_own();
    if (rv == 0)
        rv = rein_problems_new(&problems);
    if (rv == 0)
        rv = read_inputs(t, policy, cases, problems);
    if (problems != NULL)
        cli_print_problems(problems);
    rein_problems_free(problems);
    if (rv == 0)
        rv = rein_engine_new(&t->engine);
    for (size_t i = 0; rv == 0 && i < cases_len(t->cases); i++)
        rv = run_case(t, cases_at(t->cases, i));
    if (rv == 0)
        printf("%zu passed, %zu failed\n", t->passed, t->failed);
    else if (rv != REIN_EPOLICY)
        fprintf(stderr, "rein test: %s\n", rein_strerror(rv));
    cases_free(t->cases);
    rein_engine_free(t->engine);
    rein_policy_unref(t->policy);
    config_unref(t->config);
    return rv == REIN_EPOLICY ? CLI_CONFIG : rv != 0 || t->failed > 0 ? CLI_FAILED : CLI_OK;
}

static int policytest_run(int argc, char **argv)
{
    struct tester t = {0};
    const struct {
        const char *option, **value;
    } options[] = {{"--templates", &t.places.templates},
                   {"--lexicons", &t.places.lexicons},
                   {"--models", &t.places.models},
                   {"--lists", &t.places.lists},
                   {"--config", &t.config_path}};
    const size_t options_len = sizeof options / sizeof *options;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at += 2) {
        size_t i = 0;
        while (i < options_len && strcmp(argv[at], options[i].option) != 0)
            i++;
        if (i == options_len)
            return cli_usage(&cli_test, "unknown option %s", argv[at]);
        if (at + 1 >= argc)
            return cli_usage(&cli_test, "%s needs a value", argv[at]);
        *options[i].value = argv[at + 1];
    }
    if (argc - at != 2)
        return cli_usage(&cli_test, "name one policy and one file of cases");
    return test_all(&t, argv[at], argv[at + 1]);
}

const struct cli_command cli_test = {
    .name = "test",
    .summary = "try a policy on cases, without a server",
    .help =
        "usage: rein test [--config FILE] [--templates DIR] [--lexicons DIR] [--models DIR] [--lists DIR] POLICY "
        "CASES\n"
        "\n"
        "Runs each case of a file through the policy, in each API, streamed in small pieces and as one body, and "
        "compares "
        "what a\nclient gets with what the case expects. `rein check --reference cases` describes the file. Judges are "
        "not called: the\ncases say what they answer.\n\n"
        "  --config FILE     the server's config, whose judges the policy asks: it says how their replies are read\n"
        "  --templates DIR   the templates that the policy refers to (default: next to its folder)\n"
        "  --lexicons DIR    its lexicons\n"
        "  --models DIR      its models\n"
        "  --lists DIR       its lists of words\n"
        "\n"
        "Each failed case is a line on stdout: file:line: case: what was expected and what came. The last line "
        "counts.\nExit status: 0 all cases passed, 1 a case failed, or any other error; 2 wrong usage, 3 the policy "
        "or the cases have errors.\n",
    .run = policytest_run,
};

static int cases_check(const struct rein_source *source, struct rein_problems *problems)
{
    struct cases *cases;
    int rv = cases_read(&cases, source, problems);
    if (rv == 0) {
        printf("%s: %zu cases\n", source->name, cases_len(cases));
        cases_free(cases);
    }
    return rv;
}

const struct cli_document_kind cases_document_kind = {.schema = &cases_schema, .check = cases_check};
