/* Feeds one stream of a shape whose cost could be quadratic, while a tool counts instructions (linear.sh).
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_linear SHAPE SIZE
 *     bench_linear              prints the shapes
 *
 * SIZE is about the bytes of text. Twice the size has to take about twice the instructions. Only the feeding is counted
 * (callgrind --instr-atstart=no). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rein/rein.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

enum { EVENT_TEXT = 48 }; /* bytes of text in one of many events */

#define HEAD "version: 1\nname: linear\nlimits: { stream_bytes: 16777216 }\n"
#define RULES                                                                                                          \
    "rules:\n  - { id: q, literal: q, match: raw, action: redact, replacement: \"\" }\n"                               \
    "  - { id: long, regex: 'HOLD.*DLOH', max_bytes: 4000, match: raw, action: redact }\n"

static const char plain[] = HEAD "reasoning: { show: stream, release: stream }\n" RULES;
static const char late[] = HEAD "reasoning: { show: stream, release: end }\n" RULES;
static const char hidden[] = HEAD "reasoning: { show: hide, release: stream }\n" RULES;
static const char steers[] = HEAD "reasoning: { show: stream, release: stream }\n"
                                  "steer: { max_attempts: 2, fallback: refuse }\n" RULES
                                  "  - { id: s, literal: never-said, match: raw, action: steer }\n";

struct shape {
    const char *name, *policy;
    const char *field; /* of the delta, NULL: the choice's own, unknown */
    const char *text;  /* over and over */
    bool is_one;       /* one event, or one for each EVENT_TEXT bytes */
    unsigned tools;    /* so many take turns */
};

static const struct shape shapes[] = {
    {"marks", plain, "content", "<|channel|>analysis<|message|>a<|end|>", true, 0},
    {"marks_in_events", plain, "content", "<|channel|>analysis<|message|>a<|end|>", false, 0},
    {"marks_held", late, "content", "<|channel|>analysis<|message|>a<|channel|>commentary ", false, 0},
    {"marks_hidden", hidden, "content", "<|channel|>analysis<|message|>a<|channel|>final<|message|>b", true, 0},
    {"marks_recorded", steers, "content", "<|channel|>analysis<|message|>a<|end|>", true, 0},
    {"closers", plain, "content", "</think>a", true, 0},
    {"near_tags", plain, "content", "<|chan<|<thin", true, 0},
    {"redactions", plain, "content", "qa", true, 0},
    {"redactions_in_events", plain, "content", "qa", false, 0},
    {"redactions_held", late, "reasoning_content", "qa", false, 0},
    {"redactions_of_a_field", plain, NULL, "qa", true, 0},
    {"events_held", late, "reasoning_content", "nothing to see ", false, 0},
    {"near_matches", plain, "content", "HOLD", true, 0},
    {"escapes", plain, "content", "\\n\\u0041", true, 0},
    {"tools", plain, "arguments", "nothing to see ", false, 120},
    {"redactions_of_tools", plain, "arguments", "qa", false, 120},
};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };

static void die(const char *what)
{
    fprintf(stderr, "bench_linear: %s\n", what);
    exit(1);
}

static struct rein_policy *load(const char *yaml)
{
    struct rein_source source = {"policy", yaml, strlen(yaml)};
    static const char corrective[] = "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n";
    struct rein_source template = {"template", corrective, sizeof corrective - 1};
    struct rein_library library = {.templates = &template, .templates_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    if (rein_problems_new(&problems) != 0)
        die("no memory");
    if (rein_policy_load(&policy, &source, &library, problems) != 0)
        die(rein_problems_count(problems) > 0 ? rein_problems_at(problems, 0)->message : "the policy does not load");
    rein_problems_free(problems);
    return policy;
}

/* Writes an event with as many whole texts as make `size` bytes. */
static char *put_event(char *to, const struct shape *shape, size_t nth, size_t size)
{
    if (shape->field == NULL)
        to += sprintf(to, "data: {\"choices\":[{\"index\":0,\"note\":\"");
    else if (shape->tools > 0)
        to += sprintf(
            to, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%zu,\"function\":{\"%s\":\"",
            nth % shape->tools, shape->field);
    else
        to += sprintf(to, "data: {\"choices\":[{\"index\":0,\"delta\":{\"%s\":\"", shape->field);
    for (size_t len = strlen(shape->text), done = 0; done == 0 || done + len <= size; done += len)
        to = (char *)memcpy(to, shape->text, len) + len;
    return to + sprintf(to, "%s",
                        shape->field == NULL ? "\"}]}\n\n"
                        : shape->tools > 0   ? "\"}}]}}]}\n\n"
                                             : "\"}}]}\n\n");
}

static struct rein_trace *trace_of(const struct shape *shape)
{
    struct rein_engine *engine = NULL;
    struct rein_trace *trace = NULL;
    struct rein_update update;
    if (rein_engine_new(&engine) != 0)
        die("no memory");
    struct rein_trace_options options = {.policy = load(shape->policy),
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .model = "m",
                                         .id = "linear"};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_PREFILL, .prefix = ""};
    if (rein_trace_new(&trace, &options) != 0 || rein_trace_prompt_end(trace, &update) != 0 ||
        rein_trace_attempt(trace, &attempt) != 0)
        die("no trace");
    return trace;
}

/* Commits as often as that is asked for. */
static void take(struct rein_trace *trace, int rv, struct rein_update *update, size_t *out)
{
    for (; rv == 0; rv = rein_trace_committed(trace, update)) {
        *out += update->out_len;
        if (!(update->asks & REIN_ASK_COMMIT))
            return;
    }
    die(rein_strerror(rv));
}

int main(int argc, char **argv)
{
    const struct shape *shape = NULL;
    for (size_t i = 0; i < SHAPES; i++) {
        if (argc == 1)
            puts(shapes[i].name);
        else if (strcmp(argv[1], shapes[i].name) == 0)
            shape = &shapes[i];
    }
    if (argc != 3 || shape == NULL)
        return argc == 1 ? 0 : 2;
    size_t size = strtoul(argv[2], NULL, 10), events = shape->is_one ? 1 : size / EVENT_TEXT, out = 0;
    char *stream = malloc(size * 8 + 4096), *end = stream;
    if (stream == NULL)
        die("no memory");
    for (size_t i = 0; i < events; i++)
        end = put_event(end, shape, i, shape->is_one ? size : EVENT_TEXT);
    end +=
        sprintf(end, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    struct rein_trace *trace = trace_of(shape);
    struct rein_update update;
    CALLGRIND_START_INSTRUMENTATION;
    for (char *at = stream; at < end;) {
        size_t len = end - at < 4096 ? (size_t)(end - at) : 4096;
        take(trace, rein_trace_feed(trace, at, len, &update), &update, &out);
        at += len;
    }
    CALLGRIND_STOP_INSTRUMENTATION;
    const struct rein_decision *decision = rein_trace_decision(trace);
    printf("%s: %zu bytes in, %zu out, ending %d\n", shape->name, (size_t)(end - stream), out, decision->ending);
    bool is_whole = decision->ending == REIN_COMPLETE && decision->bytes_unjudged == 0;
    rein_trace_free(trace);
    free(stream);
    return is_whole ? 0 : 1;
}
