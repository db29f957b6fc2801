/* How often judges are asked: real traces under the shipped policy, with a panel that asks only where the learned score
 * is unsure. SPDX-License-Identifier: Apache-2.0
 *
 * A panel with `when: uncertain` asks at no more than a fifth of the places at which one with `when: always` does, each
 * after every sentence. Nothing judges: each question is answered at once with a risk of 0. Without REIN_DATA there is
 * nothing to measure: skipped. */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "dice.h"
#include "rein/rein.h"
#include "releasekit.h"

enum { SKIPPED = 77, TEXT_MAX = 1 << 16, ROWS_MAX = 1000 };

static struct rein_engine *engine;
static struct rein_policy *policy;
static const struct rein_judge_name judges[] = {{"guard", "1", 1u << REIN_REASONING | 1u << REIN_ANSWER}};

/* The shipped policy acts on nothing here, so that every trace is judged to its end. */
static int set_up(void **state)
{
    (void)state;
    static char text[TEXT_MAX], yaml[TEXT_MAX];
    FILE *file = fopen(REIN_SOURCE_DIR "/config/policies/default.yaml", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    snprintf(yaml, sizeof yaml,
             "%s\njudges:\n  - { id: always, ask: guard, when: always, every: { sentences: 1 }, action: record, "
             "shadow: true }\n"
             "  - { id: unsure, ask: guard, when: uncertain, every: { sentences: 1 }, action: record, shadow: true }\n",
             text);
    struct rein_problems *problems;
    struct policy_files_folder templates = {0}, lexicons = {0}, models = {0};
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(policy_files_read(&templates, REIN_SOURCE_DIR "/config/templates", true, problems), 0);
    assert_int_equal(policy_files_read(&lexicons, REIN_SOURCE_DIR "/config/lexicons", true, problems), 0);
    assert_int_equal(policy_files_read(&models, REIN_SOURCE_DIR "/config/models", true, problems), 0);
    struct rein_library library = {.templates = templates.sources,
                                   .templates_len = templates.len,
                                   .lexicons = lexicons.sources,
                                   .lexicons_len = lexicons.len,
                                   .models = models.sources,
                                   .models_len = models.len,
                                   .judges = judges,
                                   .judges_len = 1};
    struct rein_source source = {"default.yaml", yaml, strlen(yaml)};
    int rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    policy_files_fini(&templates);
    policy_files_fini(&lexicons);
    policy_files_fini(&models);
    assert_int_equal(rv, 0);
    return rein_engine_new(&engine);
}

static int tear_down(void **state)
{
    (void)state;
    rein_policy_unref(policy);
    rein_engine_free(engine);
    return 0;
}

/* Answers all that is asked, and commits. */
static void settle(struct rein_trace *trace, struct rein_update *u)
{
    for (;;) {
        size_t len;
        unsigned asks = u->asks;
        if (asks & REIN_ASK_JUDGE) {
            const struct rein_question *questions = rein_trace_questions(trace, &len);
            uint32_t first = questions[0].id;
            struct rein_answer answer = {.outcome = REIN_JUDGE_OPINED};
            for (size_t i = 0; i < len; i++)
                assert_int_equal(rein_trace_answer(trace, first + (uint32_t)i, &answer, u), 0);
        } else if (asks & REIN_ASK_COMMIT) {
            assert_int_equal(rein_trace_committed(trace, u), 0);
        } else {
            return;
        }
    }
}

struct share {
    unsigned long long always, unsure;
};

static struct span text_of(json_t *row, const char *key)
{
    json_t *text = json_object_get(row, key);
    return json_is_string(text) ? (struct span){json_string_value(text), json_string_length(text)} : SPAN("");
}

static void count_row(json_t *row, struct share *share)
{
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .dialect = REIN_OPENAI_CHAT, .streamed = true, .choices = 1};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF};
    struct rein_trace *trace;
    struct rein_update u;
    struct bytes stream;
    struct dice dice = {1};
    bytes_init(&stream, 1 << 24);
    struct span prompt = text_of(row, "prompt");
    release_stream(&stream, &dice, text_of(row, "reasoning"), text_of(row, "answer"), 200, false);
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", prompt.data, prompt.len), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    settle(trace, &u);
    if (rein_trace_attempt(trace, &attempt) == 0) {
        assert_int_equal(rein_trace_feed(trace, bytes_span(&stream).data, bytes_len(&stream), &u), 0);
        settle(trace, &u);
    }
    const struct rein_decision *d = rein_trace_decision(trace);
    for (size_t i = 0; i < d->asked_len; i++)
        *(strcmp(d->asked[i].panel, "always") == 0 ? &share->always : &share->unsure) += 1;
    rein_trace_free(trace);
    bytes_fini(&stream);
}

static void count_file(const char *name, struct share *all)
{
    char path[4096], *line = NULL;
    size_t room = 0, rows = 0;
    struct share share = {0, 0};
    snprintf(path, sizeof path, "%s/traces/%s", getenv("REIN_DATA"), name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (rows < ROWS_MAX && getline(&line, &room, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        if (json_is_string(json_object_get(row, "reasoning"))) {
            count_row(row, &share);
            rows++;
        }
        json_decref(row);
    }
    free(line);
    fclose(file);
    print_message("%-32s %5zu traces, %6llu places, asked at %6llu (%.1f%%)\n", name, rows, share.always, share.unsure,
                  100.0 * (double)share.unsure / (double)(share.always > 0 ? share.always : 1));
    all->always += share.always;
    all->unsure += share.unsure;
}

static int is_rows(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".jsonl") == 0;
}

static void test_share(void **state)
{
    (void)state;
    char folder[4096];
    struct dirent **names;
    struct share all = {0, 0};
    snprintf(folder, sizeof folder, "%s/traces", getenv("REIN_DATA"));
    int len = scandir(folder, &names, is_rows, alphasort);
    assert_true(len > 0);
    for (int i = 0; i < len; i++) {
        count_file(names[i]->d_name, &all);
        free(names[i]);
    }
    free(names);
    print_message("all: asked at %.1f%% of the places\n", 100.0 * (double)all.unsure / (double)all.always);
    assert_true(all.unsure * 5 <= all.always);
}

int main(void)
{
    const char *data = getenv("REIN_DATA");
    if (data == NULL || *data == '\0')
        return SKIPPED;
    if (lexicon_cache_use_own() < 0)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_share)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
