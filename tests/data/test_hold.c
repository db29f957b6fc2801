/* How much text waits: benign traces, the default rules on every channel, `release: stream`, five bytes an event.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Prints, by channel, the median, 99th percentile and maximum of the bytes held after each event, and fails if the
 * median is not 0 or the 99th percentile reaches 24. Without REIN_DATA there is nothing to measure: skipped. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "config/lexicon_cache.h"
#include "dialect/event.h"
#include "rein/rein.h"
#include "tracekit.h"

enum { PIECE = 5, HELD_MAX = 4096, SKIPPED = 77, P99_MAX = 24 };

static const char head[] = "version: 1\nname: hold\nreasoning: { show: stream, release: stream }\n";

/* With patterns, so that sentences are waited for. */
static const char sentence_yaml[] = "version: 1\nname: hold\nreasoning: { show: stream, release: sentence }\n"
                                    "patterns: { weak_vacillation: { action: record } }\n";

static const char *const files[] = {"cot_stress_benign", "thought_anchors_history"};
static const char *const channels[] = {"reasoning_content", "content", "arguments"};
enum { CHANNELS = sizeof(channels) / sizeof(*channels) };

struct held {
    unsigned long count[HELD_MAX], events, max;
};

static unsigned long at_share(const struct held *h, double share)
{
    unsigned long seen = 0, wanted = (unsigned long)((double)h->events * share);
    for (unsigned long n = 0; n < HELD_MAX; n++) {
        seen += h->count[n];
        if (seen > wanted)
            return n;
    }
    return HELD_MAX;
}

static void note(struct held *h, size_t held)
{
    h->count[held < HELD_MAX ? held : HELD_MAX - 1]++;
    h->events++;
    h->max = held > h->max ? held : h->max;
}

static void append(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static size_t piece_end(const char *text, size_t len, size_t at)
{
    size_t end = at + PIECE < len ? at + PIECE : len;
    while (end < len && ((unsigned char)text[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static void feed_text(struct rein_trace *trace, size_t channel, const char *text, size_t len, struct held *held)
{
    bool tool = channel == 2;
    for (size_t at = 0, end; at < len; at = end) {
        end = piece_end(text, len, at);
        struct bytes event;
        bytes_init(&event, 1 << 16);
        append(&event, tool
                           ? "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\""
                           : "data: {\"choices\":[{\"index\":0,\"delta\":{\"");
        append(&event, channels[channel]);
        append(&event, "\":\"");
        assert_int_equal(json_escape(&event, (struct span){text + at, end - at}), 0);
        append(&event, tool ? "\"}}]}}]}\n\n" : "\"}}]}\n\n");
        struct rein_update u;
        struct span bytes = bytes_span(&event);
        assert_int_equal(rein_trace_feed(trace, bytes.data, bytes.len, &u), 0);
        for (unsigned asks = u.asks; asks & REIN_ASK_COMMIT; asks = u.asks)
            assert_int_equal(rein_trace_committed(trace, &u), 0);
        note(held, u.held_text);
        bytes_fini(&event);
    }
}

/* One trace on one channel: reasoning as reasoning, the rest also as an answer and as a tool's arguments. */
static void run_trace(struct rein_policy *policy, struct rein_engine *engine, size_t channel, const char *text,
                      size_t len, struct held *held)
{
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .dialect = REIN_OPENAI_CHAT, .streamed = true, .choices = 1};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF};
    struct rein_trace *trace = NULL;
    struct rein_update u;
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &attempt), 0);
    feed_text(trace, channel, text, len, held);
    rein_trace_free(trace);
}

static void run_file(const char *folder, const char *name, struct rein_policy *policy, struct held held[CHANNELS])
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/traces/%s.jsonl", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct rein_engine *engine = NULL;
    assert_int_equal(rein_engine_new(&engine), 0);
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *reasoning = json_object_get(row, "reasoning");
        for (size_t channel = 0; channel < CHANNELS && json_is_string(reasoning); channel++)
            run_trace(policy, engine, channel, json_string_value(reasoning), json_string_length(reasoning),
                      &held[channel]);
        json_decref(row);
    }
    free(line);
    fclose(file);
    rein_engine_free(engine);
}

static size_t read_config(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, room - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

/* The shipped policy's rules, and nothing else of it. */
static struct rein_policy *policy_of_default_rules(void)
{
    static char text[1 << 16];
    char yaml[4096];
    read_config(REIN_SOURCE_DIR "/config/policies/default.yaml", text, sizeof(text));
    const char *rules = strstr(text, "\nrules:\n");
    assert_non_null(rules);
    const char *end = strstr(rules + 1, "\n\n");
    assert_non_null(end);
    snprintf(yaml, sizeof(yaml), "%s%.*s\n", head, (int)(end - rules), rules);
    return kit_policy(yaml);
}

static struct rein_policy *policy_with_lexicon(const char *text)
{
    static char lexicon[1 << 20];
    size_t len = read_config(REIN_SOURCE_DIR "/config/lexicons/english.yaml", lexicon, sizeof(lexicon));
    struct rein_source source = {"english.yaml", lexicon, len};
    struct rein_source policy_source = {"policy.yaml", text, strlen(text)};
    struct rein_library library = {.lexicons = &source, .lexicons_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_policy_load(&policy, &policy_source, &library, problems), 0);
    rein_problems_free(problems);
    return policy;
}

/* Not held to a bar: what waiting for whole sentences costs, on the reasoning alone. */
static void sentences_wait_longer(void **state)
{
    (void)state;
    static struct held held[CHANNELS];
    struct rein_policy *policy = policy_with_lexicon(sentence_yaml);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        run_file(getenv("REIN_DATA"), files[i], policy, held);
    const struct held *h = &held[0];
    print_message("release: sentence  %lu events: held median %lu, 99%% %lu, 99.9%% %lu, most %lu bytes\n", h->events,
                  at_share(h, 0.5), at_share(h, 0.99), at_share(h, 0.999), h->max);
    assert_in_range(h->max, 1, 1200); /* a sentence has a ceiling */
    rein_policy_unref(policy);
}

static void little_waits(void **state)
{
    (void)state;
    static struct held held[CHANNELS];
    struct rein_policy *policy = policy_of_default_rules();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        run_file(getenv("REIN_DATA"), files[i], policy, held);
    for (size_t channel = 0; channel < CHANNELS; channel++) {
        const struct held *h = &held[channel];
        print_message("%-18s %lu events: held median %lu, 99%% %lu, 99.9%% %lu, most %lu bytes\n", channels[channel],
                      h->events, at_share(h, 0.5), at_share(h, 0.99), at_share(h, 0.999), h->max);
        assert_int_equal(at_share(h, 0.5), 0);
        assert_in_range(at_share(h, 0.99), 0, P99_MAX - 1);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(little_waits), cmocka_unit_test(sentences_wait_longer)};
    if (getenv("REIN_DATA") == NULL) {
        printf("not run: REIN_DATA names no folder\n");
        return SKIPPED;
    }
    if (lexicon_cache_use_own() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
