/* The command `rein distill`, step by step; see distill.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "distill/distill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key_place {
    char key[ASKING_KEY_SIZE];
    uint32_t question;
};

struct remembering {
    struct distill_run *run;
    struct key_place *places; /* sorted by key */
    size_t len;
};

/* ---- what was done before ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct key_place *)a)->key, ((const struct key_place *)b)->key);
}

static int take_done(void *ctx, const char *key, json_t *line)
{
    struct remembering *r = ctx;
    struct key_place wanted;
    (void)line;
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    const struct key_place *place = bsearch(&wanted, r->places, r->len, sizeof *r->places, by_key);
    if (place != NULL && !r->run->done[place->question]) {
        r->run->done[place->question] = true;
        r->run->had++;
    }
    return 0;
}

static int results_begin(struct distill_run *run, const char *outcomes)
{
    struct remembering r = {.run = run, .len = distill_questions(run->in, run->options)};
    run->keys = calloc(r.len, sizeof *run->keys);
    run->done = calloc(r.len, sizeof *run->done);
    r.places = calloc(r.len, sizeof *r.places);
    int rv = run->keys != NULL && run->done != NULL && r.places != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < r.len && rv == 0; i++) {
        distill_key(run->keys[i], run->in, run->options, i);
        memcpy(r.places[i].key, run->keys[i], ASKING_KEY_SIZE);
        r.places[i].question = (uint32_t)i;
    }
    if (rv == 0) {
        qsort(r.places, r.len, sizeof *r.places, by_key);
        rv = asking_results_open(&run->results, "rein distill", outcomes, take_done, &r);
    }
    free(r.places);
    return rv;
}

/* ---- the run ---- */

static bool is_complete(const struct distill_run *run)
{
    for (size_t i = 0; i < distill_questions(run->in, run->options); i++)
        if (!run->done[i])
            return false;
    return true;
}

static int outcomes_to_rows(struct distill_run *run, const char *outcomes)
{
    int rv = asking_results_sort(run->results, (const char(*)[ASKING_KEY_SIZE])run->keys,
                                 distill_questions(run->in, run->options));
    return rv == 0 ? distill_rows(run, outcomes) : CLI_FAILED;
}

static int run_open(struct distill_run *run, const char *outcomes)
{
    int rv = results_begin(run, outcomes);
    if (rv == REIN_ENOMEM)
        fprintf(stderr, "rein distill: %s\n", rein_strerror(rv));
    int status = rv == 0 ? CLI_OK : CLI_FAILED;
    if (status == CLI_OK && !is_complete(run))
        status = distill_ask(run);
    if (status == CLI_OK)
        status = outcomes_to_rows(run, outcomes);
    if (rv == 0 && asking_results_close(run->results) != 0 && status == CLI_OK)
        status = CLI_FAILED;
    free(run->keys);
    free(run->done);
    return status;
}

static int distill_main(int argc, char **argv)
{
    struct distill_options options;
    struct distill_inputs in = {0};
    struct distill_run run = {.options = &options, .in = &in};
    char *outcomes = NULL;
    int status = distill_options_read(&options, argc, argv);
    if (status != CLI_OK)
        return status;
    if (asprintf(&outcomes, "%s.outcomes.jsonl", options.out) < 0)
        return CLI_FAILED;
    status = distill_inputs_load(&in, &options);
    if (status == CLI_OK)
        status = run_open(&run, outcomes);
    distill_inputs_fini(&in);
    free(outcomes);
    return status;
}

const struct cli_command cli_distill = {
    .name = "distill",
    .summary = "ask an upstream for training rows without risky patterns",
    .help =
        "usage: rein distill --url URL --model NAME --policy FILE [OPTIONS] --out FILE PROMPTS...\n"
        "       rein distill --config FILE --upstream NAME --model NAME --policy FILE [OPTIONS] --out FILE "
        "PROMPTS...\n\n"
        "Puts each prompt to an upstream, in each style, through a guard with the policy. Kept is an answer in which\n"
        "rules, patterns, the learned score and judges find nothing. Where the policy steers, that is the answer "
        "after\n"
        "steering. What is not kept is asked again, with another seed. The prompt of a row is the prompt alone.\n"
        "PROMPTS hold objects with a \"prompt\" or \"query\", one a line or in one array, \"id\" and \"category\" if "
        "wanted.\n\n"
        "  --url URL             the upstream's root\n"
        "  --kind NAME           its kind, as in a config (openai)\n"
        "  --api-key-env NAME    the environment variable that contains its key\n"
        "  --config FILE         a config whose judges and limits apply\n"
        "  --upstream NAME       one of its upstreams, instead of --url; the config says where its key is\n"
        "  --model NAME          the model to request\n"
        "  --policy FILE         what is found and what is done about it; its log.text is full here\n"
        "  --style NAME          a style of the library's folder styles/ (improved); several are possible:\n"
        "                        default, realsafe, improved, short, template, no-cot\n"
        "  --library FOLDER      the folder of styles/, templates/, lexicons/ and models/ (config)\n"
        "  --samples N           answers for each prompt and style (1)\n"
        "  --tries N             how often one is asked for until it is kept (3)\n"
        "  --seed N, --max-tokens N, --temperature X   of the requests\n"
        "  --concurrency N       questions at the same time (4)\n"
        "  --per-minute N        questions that begin in a minute, at most; a restart is a call more\n"
        "  --timeout-s N         the longest wait for an answer (600)\n"
        "  --limit N             only the first N prompts\n"
        "  --for r1|qwen3|unknown, --template-of URL   as for `rein mix`: warns if a chat template loses the "
        "reasoning\n"
        "  -o, --out FILE        the rows, as traces for `rein mix`; FILE.manifest.json counts what was kept.\n"
        "                        FILE.outcomes.jsonl says of each question what became of it, and why\n\n"
        "Ctrl-C stops it; the same command goes on where it stopped, and comes to the same bytes. The rows are "
        "written\n"
        "when all questions have an outcome. The exit status is 1 if some are open.\n",
    .run = distill_main,
};
