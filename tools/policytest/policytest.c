/* `rein test`: tries a policy on cases, without a server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/policytest.h"

#include <stdio.h>
#include <string.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "policytest/case_result.h"
#include "policytest/case_run.h"
#include "policytest/cases.h"

struct tester {
    struct policy_files_places places;
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct cases *cases;
    size_t passed, failed;
};

/* ---- reading ---- */

/* Judges are services: without a server, nobody can ask them. */
static int refuse_judges(const struct rein_source *source, struct rein_problems *problems)
{
    struct rein_doc *doc;
    int rv = rein_doc_read(&doc, source, problems);
    if (rv != 0)
        return rv;
    const struct rein_node *judges = rein_node_get(rein_doc_root(doc), "judges");
    if (judges != NULL && judges->count > 0) {
        rein_problems_node(problems, judges, NULL,
                           "this policy asks judges, which `rein test` cannot do; test a copy of it without this key");
        rv = REIN_EPOLICY;
    }
    rein_doc_free(doc);
    return rv;
}

static int read_policy(struct tester *t, const struct rein_source *source, struct rein_problems *problems)
{
    struct policy_files_library files = {0};
    int rv = refuse_judges(source, problems);
    if (rv == 0)
        rv = policy_files_find(&files, source->name, &t->places, problems);
    struct rein_library library = policy_files_lend(&files);
    if (rv == 0)
        rv = rein_policy_load(&t->policy, source, &library, problems);
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
        rv = read_policy(t, &inputs.sources[0], problems);
    policy_files_fini(&inputs);
    return rv;
}

/* ---- running ---- */

static void say_failed(struct tester *t, const struct case_script *script, const char *how, const char *said)
{
    printf("%s:%u: %s: %s%s\n", script->node->file, script->node->line, script->name, how, said);
    t->failed++;
}

static void judge_case(struct tester *t, const struct case_script *script, const struct case_result *streamed,
                       const struct case_result *body)
{
    char of_stream[CASE_SAID_MAX] = "", of_body[CASE_SAID_MAX] = "";
    bool stream_fits = case_result_fits(streamed, script, of_stream);
    bool body_fits = case_result_fits(body, script, of_body);
    if (!stream_fits && !body_fits && strcmp(of_stream, of_body) == 0)
        say_failed(t, script, "", of_stream);
    else if (!stream_fits)
        say_failed(t, script, "streamed: ", of_stream);
    else if (!body_fits)
        say_failed(t, script, "as one body: ", of_body);
    else if (!case_result_same(streamed, body, of_stream))
        say_failed(t, script, "as one body not as streamed: ", of_stream);
    else
        t->passed++;
}

static int run_case(struct tester *t, const struct case_script *script)
{
    struct case_result streamed, body;
    int rv = case_run(&streamed, t->policy, t->engine, script, true);
    if (rv != 0)
        return rv;
    rv = case_run(&body, t->policy, t->engine, script, false);
    if (rv == 0) {
        judge_case(t, script, &streamed, &body);
        case_result_fini(&body);
    }
    case_result_fini(&streamed);
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
    return rv == REIN_EPOLICY ? CLI_CONFIG : rv != 0 || t->failed > 0 ? CLI_FAILED : CLI_OK;
}

static int policytest_run(int argc, char **argv)
{
    struct tester t = {0};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "--templates") != 0 && strcmp(argv[at], "--lexicons") != 0 &&
            strcmp(argv[at], "--models") != 0)
            return cli_usage(&cli_test, "unknown option %s", argv[at]);
        if (at + 1 >= argc)
            return cli_usage(&cli_test, "%s needs a value", argv[at]);
        if (strcmp(argv[at], "--templates") == 0)
            t.places.templates = argv[at + 1];
        else if (strcmp(argv[at], "--lexicons") == 0)
            t.places.lexicons = argv[at + 1];
        else
            t.places.models = argv[at + 1];
    }
    if (argc - at != 2)
        return cli_usage(&cli_test, "name one policy and one file of cases");
    return test_all(&t, argv[at], argv[at + 1]);
}

const struct cli_command cli_test = {
    .name = "test",
    .summary = "try a policy on cases, without a server",
    .help =
        "usage: rein test [--templates DIR] [--lexicons DIR] [--models DIR] POLICY CASES\n"
        "\n"
        "Runs each case of a file through the policy, streamed in small pieces and as one body, and compares what a "
        "client\ngets with what the case expects. `rein check --reference cases` describes the file. A policy that "
        "asks judges cannot\nbe tested this way.\n\n"
        "  --templates DIR   the templates that the policy refers to (default: next to its folder)\n"
        "  --lexicons DIR    its lexicons\n"
        "  --models DIR      its models\n"
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
