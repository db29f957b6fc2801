/* Release of reasoning on real traces, with the shipped policy.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On benign and mathematical traces, a token an event: how many bytes go out without waiting for their sentence (all
 * but 5% have to), beside `sentence` and `stream`. On all traces, cut at random: `auto` finds, does and shows what
 * `sentence` does, and nothing of a sentence that acts goes out. Without REIN_DATA there is nothing to measure:
 * skipped. */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/lexicon_cache.h"
#include "releasekit.h"

enum { SKIPPED = 77, TOKEN_MAX = 8, STREAM_MAX = 1 << 24, MOST = 40 };

enum { AUTO, SENTENCE, STREAM, WAYS };
static const char *const ways[WAYS] = {"auto", "sentence", "stream"};
static struct rein_policy *policies[WAYS];
static struct rein_engine *engine;

static size_t read_config(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, room - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

/* The shipped policy, but for its prefix and what it says about release. */
static int set_up(void **state)
{
    (void)state;
    static char lexicon[1 << 20], text[1 << 16], yaml[1 << 16];
    size_t len = read_config(REIN_SOURCE_DIR "/config/lexicons/english.yaml", lexicon, sizeof(lexicon));
    struct rein_source source = {"english.yaml", lexicon, len};
    read_config(REIN_SOURCE_DIR "/config/policies/default.yaml", text, sizeof(text));
    const char *prefix = strstr(text, "\nprefix:"), *word = strstr(text, "release: auto");
    assert_true(prefix != NULL && word != NULL && prefix < word);
    const char *behind = strchr(prefix + 1, '\n');
    for (size_t i = 0; i < WAYS; i++) {
        snprintf(yaml, sizeof(yaml), "%.*s%.*srelease: %s%s", (int)(prefix - text), text, (int)(word - behind), behind,
                 ways[i], word + strlen("release: auto"));
        policies[i] = release_policy(yaml, &source, i > 0 ? policies[0] : NULL);
    }
    return rein_engine_new(&engine);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++)
        rein_policy_unref(policies[i]);
    rein_engine_free(engine);
    return 0;
}

/* Calls `use` for each row of the folder's traces. */
static void each_row(const char *name, void (*use)(json_t *row, void *ctx), void *ctx)
{
    char path[4096], *line = NULL;
    size_t room = 0;
    snprintf(path, sizeof(path), "%s/traces/%s", getenv("REIN_DATA"), name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        if (json_is_string(json_object_get(row, "reasoning")))
            use(row, ctx);
        json_decref(row);
    }
    free(line);
    fclose(file);
}

static struct span text_of(json_t *row, const char *key)
{
    json_t *text = json_object_get(row, key);
    return json_is_string(text) ? (struct span){json_string_value(text), json_string_length(text)} : SPAN("");
}

/* ---- how much waits ---------------------------------------------------------------------------------------------- */

static struct rein_trace *trace_of(size_t way, struct span prompt)
{
    struct rein_trace_options options = {
        .policy = policies[way], .engine = engine, .dialect = REIN_OPENAI_CHAT, .streamed = true, .choices = 1};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF};
    struct rein_trace *trace = NULL;
    struct rein_update u;
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", prompt.data, prompt.len), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &attempt), 0);
    return trace;
}

/* Bytes held after the event. */
static size_t held_after(struct rein_trace *trace, struct span event)
{
    struct rein_update u;
    assert_int_equal(rein_trace_feed(trace, event.data, event.len, &u), 0);
    while (u.asks & REIN_ASK_COMMIT)
        assert_int_equal(rein_trace_committed(trace, &u), 0);
    return u.held_text;
}

struct waits {
    unsigned long long bytes, at_once, waited,
        all_wait;               /* waited: longer than the rules want it; all: with `sentence` */
    unsigned long traces, free; /* free: nothing waited at all */
};

/* A token as tokenizers make them: a word with the blank before it, a few bytes of anything else. */
static size_t token_len(struct span text)
{
    size_t len = 1;
    while (len < text.len && len < TOKEN_MAX && text.data[len] != ' ' && text.data[len] != '\n')
        len++;
    return len;
}

static void measure(json_t *row, void *ctx)
{
    struct waits *w = ctx, mine = {0};
    struct rein_trace *traces[WAYS];
    for (size_t i = 0; i < WAYS; i++)
        traces[i] = trace_of(i, text_of(row, "prompt"));
    for (struct span rest = text_of(row, "reasoning"); rest.len > 0;) {
        struct bytes event;
        size_t held[WAYS], len;
        bytes_init(&event, STREAM_MAX);
        len = release_event(&event, "reasoning_content", rest, token_len(rest));
        for (size_t i = 0; i < WAYS; i++)
            held[i] = held_after(traces[i], bytes_span(&event));
        bytes_fini(&event);
        size_t late = held[AUTO] > held[STREAM] ? held[AUTO] - held[STREAM] : 0;
        assert_true(held[AUTO] <= held[SENTENCE] || rein_trace_decision(traces[SENTENCE])->verdict > REIN_RECORD);
        mine.bytes += len;
        mine.at_once += held[AUTO] == 0 ? len : 0;
        mine.waited += late < len ? late : len;
        mine.all_wait += held[SENTENCE] > held[STREAM] ? len : 0;
        rest = (struct span){rest.data + len, rest.len - len};
    }
    for (size_t i = 0; i < WAYS; i++)
        rein_trace_free(traces[i]);
    w->bytes += mine.bytes;
    w->at_once += mine.at_once;
    w->waited += mine.waited;
    w->all_wait += mine.all_wait;
    w->traces++;
    w->free += mine.waited == 0;
}

static void harmless_reasoning_does_not_wait(void **state)
{
    (void)state;
    static const char *const names[] = {"cot_stress_benign.jsonl", "thought_anchors_history.jsonl"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct waits w = {0};
        each_row(names[i], measure, &w);
        double all = (double)w.bytes;
        print_message(
            "%-28s %lu traces, %lu of them never wait for a sentence; of the bytes, %.2f%% go out in the step "
            "in which they come, %.2f%% do not wait for their sentence (release: sentence: %.2f%%)\n",
            names[i], w.traces, w.free, 100 * (double)w.at_once / all, 100 * (all - (double)w.waited) / all,
            100 * (all - (double)w.all_wait) / all);
        assert_true(w.traces > 0);
        assert_true((double)w.waited <= 0.05 * all);
        assert_true((double)w.at_once >= 0.95 * all);
    }
}

/* ---- nothing else changes ---------------------------------------------------------------------------------------- */

struct tally {
    struct dice dice;
    unsigned long rows, acted;
};

/* The sentence that completed a pattern in the middle of the reasoning ends with the finding. */
static void check_shown(json_t *row, struct kit_seen *seen)
{
    size_t shown = strlen(kit_reasoning(seen, 0));
    struct span reasoning = text_of(row, "reasoning");
    for (size_t i = 0; i < seen->decision.findings_len; i++) {
        const struct rein_finding *f = &seen->findings[i];
        bool acts = !f->is_rule && f->action > REIN_RECORD && !f->shadow && f->channel == REIN_REASONING;
        if (acts && seen->decision.first_finding_bytes < reasoning.len)
            assert_true(shown <= f->offset);
    }
}

static void compare(json_t *row, void *ctx)
{
    struct tally *tally = ctx;
    struct kit_seen seen[2];
    char prompt[1 << 16];
    struct span asked = text_of(row, "prompt");
    snprintf(prompt, sizeof(prompt), "%.*s", (int)asked.len, asked.data);
    for (size_t i = 0; i < 2; i++) {
        struct bytes stream;
        bytes_init(&stream, STREAM_MAX);
        release_stream(&stream, &tally->dice, text_of(row, "reasoning"), text_of(row, "answer"), MOST, false);
        struct kit_run run = {.policy = policies[i == 0 ? SENTENCE : AUTO], .prompt = prompt};
        run.upstream = bytes_span(&stream);
        run.chunk = 64 + dice_below(&tally->dice, 4096);
        kit_run(&run, &seen[i]);
        bytes_fini(&stream);
    }
    const char *difference = release_difference(&seen[0], &seen[1]);
    if (difference != NULL)
        fail_msg("%s: %s", json_string_value(json_object_get(row, "id")), difference);
    check_shown(row, &seen[1]);
    tally->rows++;
    tally->acted += seen[1].decision.verdict > REIN_RECORD;
    kit_seen_fini(&seen[0]);
    kit_seen_fini(&seen[1]);
}

static void the_same_is_found_done_and_shown(void **state)
{
    (void)state;
    char path[4096];
    struct tally tally = {.dice = dice_of(7)};
    snprintf(path, sizeof(path), "%s/traces", getenv("REIN_DATA"));
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strstr(entry->d_name, ".jsonl") != NULL)
            each_row(entry->d_name, compare, &tally);
    closedir(folder);
    print_message("%lu traces, %lu acted on: the same as with release: sentence\n", tally.rows, tally.acted);
    assert_true(tally.acted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(harmless_reasoning_does_not_wait),
                                       cmocka_unit_test(the_same_is_found_done_and_shown)};
    if (getenv("REIN_DATA") == NULL) {
        printf("not run: REIN_DATA names no folder\n");
        return SKIPPED;
    }
    if (lexicon_cache_use_own() != 0)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
