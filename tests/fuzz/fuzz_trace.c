/* Fuzzes the whole trace: any upstream bytes, cut anywhere, release the same bytes with the same findings, no text of a
 * withheld match, and exactly one end. The texts that are kept of it are the same too, and do not have the secret.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the policy and the request, the second is the seed of the cuts. "@" stands for the secret, "~"
 * for an event around the text that follows, up to the line's end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "rein/rein.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SECRET "zxviolet42"

/* Of chat; the file of another dialect's target says its own before it includes this one. */
#ifndef TRACE_DIALECT
#define TRACE_DIALECT REIN_OPENAI_CHAT
#define TRACE_CHOICES 2
#define TRACE_HEAD "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
#define TRACE_TAIL "\"}}]}\n\n"
#endif

#define POLICY(name, kept, reasoning, action)                                                                          \
    "version: 1\nname: " name "\nlog: { text: " kept ", max_bytes: 1024 }\nreasoning: { " reasoning " }\n"             \
    "rules: [ { id: s, literal: " SECRET ", match: raw, secret: true, action: " action " } ]\n"
static const char *const yamls[] = {
    POLICY("a", "full", "show: stream, release: stream", "redact"),
    POLICY("b", "redacted", "show: stream, release: stream", "refuse"),
    POLICY("c", "full", "show: hide, release: stream", "redact"),
    POLICY("d", "redacted", "show: stream, release: end", "cut_response"),
    POLICY("e", "full", "show: stream, release: stream",
           "redact") "prefix: { template: check, when: always, show: true }\n",
};
enum { POLICIES = sizeof(yamls) / sizeof(yamls[0]), HIDES = 2, SHOWS = POLICIES - 1 };
static const char prefix[] = "Is it \"safe\"?";
static const char template_yaml[] = "version: 1\nname: check\nkind: prefix\ntext: 'Is it \"safe\"?'\n";

struct lane_run {
    struct bytes out, kept;
    unsigned asks;
    uint64_t received, scanned, released, unjudged, reasoning_shown;
    size_t findings;
    enum rein_ending ending;
    enum rein_action verdict;
};

static struct rein_policy *policy_of(unsigned which)
{
    static struct rein_policy *policies[POLICIES];
    if (policies[which] != NULL)
        return policies[which];
    struct rein_problems *problems = NULL;
    struct rein_source source = {"policy.yaml", yamls[which], strlen(yamls[which])};
    struct rein_source template = {"template.yaml", template_yaml, sizeof(template_yaml) - 1};
    struct rein_library library = {.templates = &template, .templates_len = 1};
    if (rein_problems_new(&problems) != 0 || rein_policy_load(&policies[which], &source, &library, problems) != 0) {
        for (size_t i = 0; i < rein_problems_count(problems); i++)
            fprintf(stderr, "%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
        abort();
    }
    rein_problems_free(problems);
    return policies[which];
}

static void fail(const char *what, const struct lane_run *a, const struct lane_run *b)
{
    fprintf(stderr, "%s\n-- whole, ending %d, findings %zu\n%.*s\n", what, (int)a->ending, a->findings,
            (int)bytes_len(&a->out), bytes_span(&a->out).data);
    fprintf(stderr, "-- cut, ending %d, findings %zu\n%.*s\n", (int)b->ending, b->findings, (int)bytes_len(&b->out),
            bytes_span(&b->out).data);
    abort();
}

static void must(int rv)
{
    if (rv == 0)
        return;
    fprintf(stderr, "%s\n", rein_strerror(rv));
    abort();
}

static void take(struct rein_trace *trace, struct lane_run *run, int rv, struct rein_update *u)
{
    must(rv);
    for (;;) {
        run->asks |= u->asks;
        must(bytes_append(&run->out, u->out, u->out_len));
        if (!(u->asks & REIN_ASK_COMMIT))
            return;
        must(rein_trace_committed(trace, u));
    }
}

/* Turns the fuzzer's shorthand into a stream. */
static struct bytes expand(const uint8_t *data, size_t len)
{
    static const char head[] = TRACE_HEAD, tail[] = TRACE_TAIL;
    struct bytes out;
    bool in_event = false;
    bytes_init(&out, SIZE_MAX / 2);
    for (size_t i = 0; i < len; i++) {
        bool ends = in_event && data[i] == '\n';
        if (ends)
            must(bytes_append(&out, tail, sizeof(tail) - 1));
        else if (data[i] == '@')
            must(bytes_append(&out, SECRET, sizeof(SECRET) - 1));
        else if (data[i] == '~' && !in_event)
            must(bytes_append(&out, head, sizeof(head) - 1));
        else
            must(bytes_append(&out, (const char *)data + i, 1));
        in_event = data[i] == '~' || (in_event && !ends);
    }
    return out;
}

static void feed(struct rein_trace *trace, struct lane_run *run, struct span input, unsigned seed)
{
    struct rein_update u;
    for (size_t at = 0; at < input.len && !(run->asks & REIN_ASK_END);) {
        size_t len = input.len - at;
        if (seed != 0) {
            seed = seed * 1103515245u + 12345u;
            size_t chunk = 1 + (seed >> 16) % 40;
            len = chunk < len ? chunk : len;
        }
        int rv = rein_trace_feed(trace, input.data + at, len, &u);
        take(trace, run, rv, &u);
        at += len;
    }
}

/* Masks lie in the text, in order, and hide all that is under them. */
static void check_masks(const struct rein_text *text)
{
    uint64_t end = 0;
    for (size_t i = 0; i < text->masks_len; end = text->masks[i].offset + text->masks[i].len, i++) {
        const struct rein_span *m = &text->masks[i];
        if (m->offset < end || m->len == 0 || m->offset + m->len > text->text_len)
            abort();
        for (uint64_t at = m->offset; at < m->offset + m->len; at++)
            if (text->text[at] != '*')
                abort();
    }
}

static void take_texts(struct rein_trace *trace, struct lane_run *run)
{
    const struct rein_text *texts;
    size_t len, in_all = 0;
    must(rein_trace_texts(trace, &texts, &len));
    for (size_t i = 0; i < len; i++) {
        const struct rein_text *t = &texts[i];
        if (t->n != i || t->text_len > t->len || t->whole != (t->text_len == t->len) || (in_all += t->text_len) > 1024)
            abort();
        check_masks(t);
        must(bytes_append(&run->kept, t->text, t->text_len));
        must(bytes_append(&run->kept, "\n", 1));
    }
}

/* `seed` 0: the whole at once. */
static struct lane_run play(struct span input, unsigned how, unsigned seed)
{
    static struct rein_engine *engine;
    if (engine == NULL)
        must(rein_engine_new(&engine));
    struct lane_run run = {0};
    struct rein_trace *trace = NULL;
    struct rein_update u;
    bytes_init(&run.out, SIZE_MAX / 2);
    bytes_init(&run.kept, SIZE_MAX / 2);
    struct rein_trace_options options = {.policy = policy_of(how % POLICIES),
                                         .engine = engine,
                                         .dialect = TRACE_DIALECT,
                                         .streamed = true,
                                         .choices = how & 16 ? TRACE_CHOICES : 1,
                                         .strip_usage = (how & 32) != 0,
                                         .model = "m",
                                         .id = "own"};
    struct rein_attempt attempt = {.opened = (how & 64) != 0, .prefix = how % POLICIES == SHOWS ? prefix : NULL};
    attempt.delivery = attempt.prefix != NULL ? REIN_DELIVER_PREFILL : REIN_DELIVER_OFF;
    must(rein_trace_new(&trace, &options));
    int rv = rein_trace_prompt_end(trace, &u);
    take(trace, &run, rv, &u);
    must(rein_trace_attempt(trace, &attempt));
    feed(trace, &run, input, seed);
    if (!(run.asks & REIN_ASK_END)) {
        rv = rein_trace_finish(trace, (how & 128) == 0, NULL, &u);
        take(trace, &run, rv, &u);
    }
    const struct rein_decision *d = rein_trace_decision(trace);
    for (int c = 0; c < REIN_CHANNELS; c++) {
        run.received += d->flow[c].received * (uint64_t)(c + 1);
        run.scanned += d->flow[c].scanned * (uint64_t)(c + 1);
        run.released += d->flow[c].released * (uint64_t)(c + 1);
    }
    run.reasoning_shown = d->flow[REIN_REASONING].released;
    run.findings = d->findings_len;
    run.ending = d->ending;
    run.verdict = d->verdict;
    run.unjudged = d->bytes_unjudged;
    take_texts(trace, &run);
    rein_trace_free(trace);
    return run;
}

/* Each way to end writes a blank line, but for an upstream's own end in other line ends. */
static bool ends_an_event(struct span out)
{
    return out.len > 0 && (out.data[out.len - 1] == '\n' || out.data[out.len - 1] == '\r');
}

static void check_both(const struct lane_run *whole, const struct lane_run *cut)
{
    struct span out = bytes_span(&whole->out);
    if (!span_is(out, bytes_span(&cut->out)))
        fail("other bytes", whole, cut);
    if (whole->findings != cut->findings || whole->ending != cut->ending || whole->verdict != cut->verdict)
        fail("another decision", whole, cut);
    if (whole->received != cut->received || whole->scanned != cut->scanned || whole->released != cut->released)
        fail("other counts", whole, cut);
    if (whole->unjudged != 0 || cut->unjudged != 0)
        fail("unjudged bytes", whole, cut);
    if (!(whole->asks & REIN_ASK_END) || !(cut->asks & REIN_ASK_END) || !ends_an_event(out))
        fail("no end", whole, cut);
    if (memmem(out.data, out.len, SECRET, sizeof(SECRET) - 1) != NULL)
        fail("the secret went out", whole, cut);
    struct span kept = bytes_span(&whole->kept);
    if (!span_is(kept, bytes_span(&cut->kept)))
        fail("other texts are kept", whole, cut);
    if (memmem(kept.data, kept.len, SECRET, sizeof(SECRET) - 1) != NULL)
        fail("the secret is kept", whole, cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct bytes input = expand(data + 2, len - 2);
    struct lane_run whole = play(bytes_span(&input), data[0], 0), cut = play(bytes_span(&input), data[0], data[1] + 1u);
    check_both(&whole, &cut);
    if (data[0] % POLICIES == HIDES && whole.reasoning_shown > 0)
        fail("hidden reasoning went out", &whole, &cut);
    bytes_fini(&whole.kept);
    bytes_fini(&cut.kept);
    bytes_fini(&whole.out);
    bytes_fini(&cut.out);
    bytes_fini(&input);
    return 0;
}
