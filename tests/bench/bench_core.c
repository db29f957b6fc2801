/* Feeds one fixed stream through librein, while a tool counts instructions, and counts allocations itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_core POLICY_FILE CONFIG_FOLDER EVENTS [named | responses | messages]
 *
 * `named`: each event has an `event:` line before its data. Then nothing is different but the framing. `responses`: the
 * same text as OpenAI's Responses, with such lines; `messages`: as Anthropic's Messages, and padded.
 *
 * It uses the embedding API, and the cache of compiled lexicons. Only the feeding is counted (under callgrind
 * --instr-atstart=no): loading and compiling happen before. Prints what came out, so that a stream that was not passed
 * on cannot look cheap. In steady state no event may allocate, and it fails if one does; the first WARM_UP events of a
 * channel may. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/lexicon_cache.h"
#include "rein/rein.h"
#include "text.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#define SOURCES_MAX 64
#define WARM_UP 500
#define EVENT_MAX 512
#define GROWS_MAX 8 /* a text that may be repeated is kept: its room doubles from time to time */

static unsigned long allocations;

static void *count_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    allocations++;
    return realloc(block, size);
}

static void just_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static void die(const char *what, int rv)
{
    fprintf(stderr, "bench_core: %s: %s\n", what, rein_strerror(rv));
    exit(1);
}

static struct rein_source read_source(const char *path)
{
    struct rein_source source = {strdup(path), NULL, 0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path, REIN_EINVAL);
    size_t len = (size_t)ftell(file);
    char *text = malloc(len + 1);
    rewind(file);
    if (text == NULL || fread(text, 1, len, file) != len)
        die(path, REIN_EINVAL);
    fclose(file);
    source.text = text;
    source.len = len;
    return source;
}

static size_t read_folder(struct rein_source *out, const char *config, const char *name)
{
    char path[4096];
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", config, name);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL && len < SOURCES_MAX;) {
        size_t name_len = strlen(entry->d_name);
        if (name_len < 5 || strcmp(entry->d_name + name_len - 5, ".yaml") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", config, name, entry->d_name);
        out[len++] = read_source(path);
    }
    if (dir != NULL)
        closedir(dir);
    return len;
}

static struct rein_policy *load(const char *path, const char *config)
{
    static struct rein_source templates[SOURCES_MAX], lexicons[SOURCES_MAX], models[SOURCES_MAX];
    struct rein_library library = {.templates = templates,
                                   .templates_len = read_folder(templates, config, "templates"),
                                   .lexicons = lexicons,
                                   .lexicons_len = read_folder(lexicons, config, "lexicons"),
                                   .models = models,
                                   .models_len = read_folder(models, config, "models")};
    struct rein_source source = read_source(path);
    struct rein_problems *problems;
    struct rein_policy *policy;
    if (rein_problems_new(&problems) != 0)
        die("problems", REIN_ENOMEM);
    int rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; rv != 0 && i < rein_problems_count(problems); i++) {
        const struct rein_problem *p = rein_problems_at(problems, i);
        fprintf(stderr, "%s:%u:%u: %s: %s\n", p->file, p->line, p->column, p->key, p->message);
    }
    if (rv != 0)
        die(path, rv);
    rein_problems_free(problems);
    return policy;
}

static bool is_reasoning(unsigned long i, unsigned long events)
{
    return i * 5 < events * 3;
}

/* Not among the first of its channel. */
static bool is_steady(unsigned long i, unsigned long events)
{
    return i >= WARM_UP && is_reasoning(i, events) == is_reasoning(i - WARM_UP, events);
}

enum shape { CHAT, NAMED, RESPONSES, MESSAGES };

static size_t event_write(char out[EVENT_MAX], unsigned long i, bool reasoning, enum shape shape)
{
    char piece[PIECE_MAX];
    size_t len = piece_write(piece, 0, i, i * 50000000);
    const char *type = reasoning ? "response.reasoning_text.delta" : "response.output_text.delta";
    if (shape == RESPONSES)
        return (size_t)snprintf(
            out, EVENT_MAX,
            "event: %s\ndata: "
            "{\"type\":\"%s\",\"content_index\":0,\"delta\":\"%.*s\",\"item_id\":\"%s\",\"output_index\":%d,"
            "\"logprobs\":[],\"sequence_number\":%lu}\n\n",
            type, type, (int)len, piece, reasoning ? "rs_0c2d5f1b7e4a3d4e9b8c61" : "msg_0c2d5f1b7e4a3d4e9b8c61",
            !reasoning, i + 4);
    if (shape == MESSAGES) /* padded, as Anthropic does it */
        return (size_t)snprintf(
            out, EVENT_MAX,
            "event: content_block_delta\ndata: "
            "{\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{\"type\":\"%s_delta\",\"%s\":"
            "\"%.*s\"}%.*s}\n\n",
            !reasoning, reasoning ? "thinking" : "text", reasoning ? "thinking" : "text", (int)len, piece,
            (int)(i * 7 % 16), "               ");
    return (size_t)snprintf(
        out, EVENT_MAX,
        "%sdata: "
        "{\"id\":\"5f1c2b7e-4a3d-4e9b-8c61-000000000001\",\"object\":\"chat.completion.chunk\",\"created\":1735689600,"
        "\"model\":\"deepseek-reasoner\",\"system_fingerprint\":\"fp_8802369eaa\",\"choices\":[{\"index\":0,\"delta\":{"
        "\"%s\":null,\"%s\":\"%.*s\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
        shape == NAMED ? "event: message\n" : "", reasoning ? "content" : "reasoning_content",
        reasoning ? "reasoning_content" : "content", (int)len, piece);
}

/* All events one after the other, and where each begins. */
static char *stream_new(unsigned long events, size_t *starts, enum shape shape)
{
    char *stream = malloc(events * EVENT_MAX);
    if (stream == NULL)
        die("stream", REIN_ENOMEM);
    starts[0] = 0;
    for (unsigned long i = 0; i < events; i++)
        starts[i + 1] = starts[i] + event_write(stream + starts[i], i, is_reasoning(i, events), shape);
    return stream;
}

static struct rein_trace *trace_of(struct rein_policy *policy, struct rein_engine *engine, enum shape shape)
{
    static const char prompt[] = "How should a bakery with two ovens plan its morning?";
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = shape == RESPONSES  ? REIN_OPENAI_RESPONSES
                                                    : shape == MESSAGES ? REIN_ANTHROPIC_MESSAGES
                                                                        : REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .model = "deepseek-reasoner",
                                         .id = "chatcmpl-bench",
                                         .created_s = 1735689600};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF, .prefix = ""};
    struct rein_update update;
    struct rein_trace *trace;
    int rv = rein_trace_new(&trace, &options);
    if (rv == 0)
        rv = rein_trace_prompt(trace, "user", prompt, sizeof prompt - 1);
    if (rv == 0)
        rv = rein_trace_prompt_end(trace, &update);
    if (rv == 0)
        rv = rein_trace_attempt(trace, &attempt);
    if (rv != 0)
        die("trace", rv);
    return trace;
}

int main(int argc, char **argv)
{
    const char *wanted = argc == 5 ? argv[4] : "";
    enum shape shape = strcmp(wanted, "named") == 0       ? NAMED
                       : strcmp(wanted, "responses") == 0 ? RESPONSES
                       : strcmp(wanted, "messages") == 0  ? MESSAGES
                                                          : CHAT;
    if (argc < 4 || argc > 5 || (argc == 5 && shape == CHAT)) {
        fprintf(stderr, "usage: bench_core POLICY_FILE CONFIG_FOLDER EVENTS [named | responses | messages]\n");
        return 2;
    }
    static const struct rein_heap heap = {NULL, count_realloc, just_free};
    rein_heap_set(&heap);
    /* Under valgrind compiling the lexicons takes longer than all that is counted. */
    if (lexicon_cache_use_own() != 0)
        die("cache", REIN_ENOMEM);
    unsigned long events = strtoul(argv[3], NULL, 10), steady = 0;
    size_t *starts = calloc(events + 1, sizeof *starts);
    struct rein_policy *policy = load(argv[1], argv[2]);
    struct rein_engine *engine = NULL;
    if (starts == NULL || rein_engine_new(&engine) != 0)
        die("engine", REIN_ENOMEM);
    char *stream = stream_new(events, starts, shape);
    struct rein_trace *trace = trace_of(policy, engine, shape);
    struct rein_update update = {0};
    size_t out = 0;
    unsigned asks = 0;
    int rv = 0;
    CALLGRIND_START_INSTRUMENTATION;
    for (unsigned long i = 0; i < events && rv == 0; i++) {
        unsigned long so_far = allocations;
        rv = rein_trace_feed(trace, stream + starts[i], starts[i + 1] - starts[i], &update);
        out += update.out_len;
        asks |= update.asks;
        steady += is_steady(i, events) ? allocations - so_far : 0;
    }
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("%lu events, %zu bytes in, %zu out, %zu held, asks %u, %d; %lu allocations in steady state\n", events,
           starts[events], out, update.held, asks, rv, steady);
    /* Benign text in an unfinished stream: whatever is not out must be held, and nothing is asked for. */
    bool whole =
        rv == 0 && asks == 0 && steady <= (shape == RESPONSES ? GROWS_MAX : 0) && out + update.held >= starts[events];
    rein_trace_free(trace);
    rein_engine_free(engine);
    rein_policy_unref(policy);
    free(stream);
    free(starts);
    return whole ? 0 : 1;
}
