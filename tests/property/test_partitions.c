/* Property: whatever the pieces, a trace releases what the whole text at once would, and what the definition says.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_partitions [CASES [FIRST-SEED]]     default 5000 from 1; REIN_LONG=1: 200000
 *
 * A case has random rules, a random text for each channel of each choice, and two partitions: of the texts into events
 * (interleaved over the choices, characters beyond the BMP cut between their escapes) and of the bytes into reads.
 * PCRE2 says on the whole texts what has to be gone. A quarter of the policies match folded text; some show a prefix,
 * which no rule of theirs finds anything in. In a third of the cases a choice's texts take turns at random, so that
 * reasoning, answer and arguments interrupt one another (found_t2_at_random). A failure prints its seed, which plays it
 * again. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dice.h"
#include "oracle.h"
#include "tracekit.h"
#include "wild.h"

#define PREFIX "Z"

enum { RULES = 2, TEXT_MAX = 80, CHANNELS = 3, CHOICES = 4, REUSE = 10, STREAM_MAX = 1 << 20 };

static const char *const actions[] = {"redact", "refuse", "cut_response"};
static const char *const fields[CHANNELS] = {"reasoning_content", "content", "arguments"};

struct wild_policy {
    struct rein_policy *policy;
    size_t rules_len;
    unsigned action; /* of all its rules */
    bool folded;     /* likewise */
    bool shows;      /* the prefix, before the reasoning */
    struct oracle_rule oracle[RULES];
    char regex[RULES][WILD_REGEX_MAX];
    size_t max_bytes[RULES];
};

struct wild_case {
    uint64_t seed;
    struct dice dice;
    const struct wild_policy *policy;
    unsigned choices;
    bool mixed; /* the texts of a choice interrupt one another */
    char text[CHOICES][CHANNELS][TEXT_MAX + 8];
    size_t len[CHOICES][CHANNELS];
    const char *line_end;
};

static _Noreturn void give_up(const struct wild_case *c, const char *what, const char *wanted, const char *seen)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n", c->seed, what);
    for (size_t i = 0; i < c->policy->rules_len; i++)
        fprintf(stderr, "  rule: %s (max_bytes %zu%s), %s\n", c->policy->regex[i], c->policy->max_bytes[i],
                c->policy->folded ? ", folded" : "", actions[c->policy->action]);
    for (unsigned n = 0; n < c->choices; n++)
        for (size_t k = 0; k < CHANNELS; k++)
            fprintf(stderr, "  choice %u %s: '%s'\n", n, fields[k], c->text[n][k]);
    fprintf(stderr, "  wanted: '%s'\n  seen:   '%s'\n", wanted, seen);
    exit(1);
}

/* ---- making a case ----------------------------------------------------------------------------------------------- */

/* Loads the policy of one wild rule; NULL if the rule is refused (it may be empty, or never match). */
static struct rein_policy *try_policy(const char *yaml)
{
    static const char template_yaml[] = "version: 1\nname: check\nkind: prefix\ntext: " PREFIX "\n";
    struct rein_source source = {"policy.yaml", yaml, strlen(yaml)};
    struct rein_source template = {"template.yaml", template_yaml, sizeof(template_yaml) - 1};
    struct rein_library library = {.templates = &template, .templates_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    if (rein_problems_new(&problems) != 0)
        abort();
    if (rein_policy_load(&policy, &source, &library, problems) != 0)
        policy = NULL;
    rein_problems_free(problems);
    return policy;
}

static const char head[] = "version: 1\nname: p\nreasoning: { show: stream, release: stream }\n"
                           "refusal: { message: \"NO\", finish_reason: content_filter }\n"
                           "prefix: { template: check, when: always, show: %s }\nrules:\n";

static int rule_yaml(char *out, size_t room, const struct wild_policy *p, size_t i)
{
    return snprintf(out, room,
                    "  - { id: r%zu, channels: [reasoning, answer, tool], regex: '%s', max_bytes: %zu, match: %s, "
                    "action: %s, replacement: \"#\" }\n",
                    i, p->regex[i], p->max_bytes[i], p->folded ? "folded" : "raw", actions[p->action]);
}

static bool make_policy(struct wild_policy *p, struct dice *dice)
{
    char yaml[4096];
    *p = (struct wild_policy){.action = (unsigned)dice_below(dice, 3), .shows = dice_chance(dice, 30)};
    p->folded = dice_chance(dice, 25);
    const char *show = p->shows ? "true" : "false";
    size_t len = (size_t)snprintf(yaml, sizeof(yaml), head, show);
    size_t wanted = p->action == 0 ? 1 + dice_below(dice, RULES) : 1;
    for (size_t tries = 0; tries < 8 && p->rules_len < wanted; tries++) {
        char alone[2048];
        size_t i = p->rules_len;
        wild_regex(dice, p->regex[i]);
        p->max_bytes[i] = 1 + dice_below(dice, 20);
        size_t at = (size_t)snprintf(alone, sizeof(alone), head, show);
        rule_yaml(alone + at, sizeof(alone) - at, p, i);
        struct rein_policy *policy = try_policy(alone);
        if (policy != NULL)
            p->oracle[i].code = p->folded ? oracle_compile_folded(p->regex[i]) : oracle_compile(p->regex[i]);
        p->oracle[i].max_bytes = p->max_bytes[i];
        rein_policy_unref(policy);
        if (p->oracle[i].code == NULL)
            continue;
        len += (size_t)rule_yaml(yaml + len, sizeof(yaml) - len, p, i);
        p->rules_len++;
    }
    p->policy = p->rules_len > 0 ? try_policy(yaml) : NULL;
    return p->policy != NULL;
}

static void free_policy(struct wild_policy *p)
{
    rein_policy_unref(p->policy);
    for (size_t i = 0; i < RULES; i++)
        if (p->oracle[i].code != NULL)
            oracle_free(p->oracle[i].code);
}

static void make_text(struct wild_case *c, unsigned choice, size_t channel)
{
    static const char *const rare[] = {
        "\xF0\x9F\x98\x80", "\xE6\xBC\xA2", "e\xCC\x81", "\xF0\x9D\x94\xB8", "\"", "\\", "\t"};
    char *text = c->text[choice][channel];
    size_t len = 0, wanted = dice_below(&c->dice, TEXT_MAX - 8);
    while (len < wanted) {
        char one[16] = "";
        if (dice_chance(&c->dice, 20))
            strcpy(one, rare[dice_below(&c->dice, sizeof(rare) / sizeof(*rare))]);
        else
            one[c->policy->folded ? wild_unfolded(&c->dice, one) : wild_char(&c->dice, one)] = '\0';
        if (text[strspn(text, " \t")] == '\0' && *one == '"')
            continue; /* it may be JSON: test_leaves.c */
        len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s", one);
    }
    c->len[choice][channel] = len;
}

static void make_case(struct wild_case *c, uint64_t seed, const struct wild_policy *policy)
{
    static const char *const line_ends[] = {"\n", "\r\n", "\r"};
    *c = (struct wild_case){.seed = seed, .dice = dice_of(seed), .policy = policy};
    c->choices = dice_chance(&c->dice, 30) ? CHOICES : 1;
    c->mixed = !policy->shows && dice_chance(&c->dice, 35); /* a prefix leads no reasoning that follows an answer */
    c->line_end = line_ends[dice_below(&c->dice, 3)];
    for (unsigned n = 0; n < c->choices; n++)
        for (size_t k = 0; k < CHANNELS; k++)
            make_text(c, n, k);
}

/* ---- the stream of a case ---------------------------------------------------------------------------------------- */

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static size_t char_len(const char *p)
{
    unsigned char b = (unsigned char)*p;
    return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

/* Units that a text can be cut between: a character, or half of one that is written as two escapes. */
struct pen {
    const char *at;
    bool second_half;
};

static void put_escape(struct bytes *out, unsigned unit)
{
    char escape[8];
    snprintf(escape, sizeof(escape), "\\u%04x", unit);
    put(out, escape);
}

static unsigned codepoint_of(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return ((b[0] & 7u) << 18 | (b[1] & 63u) << 12 | (b[2] & 63u) << 6 | (b[3] & 63u)) - 0x10000;
}

static void put_unit(struct bytes *out, struct pen *pen, bool escaped)
{
    size_t len = char_len(pen->at);
    if (len == 4 && (escaped || pen->second_half)) {
        unsigned c = codepoint_of(pen->at);
        put_escape(out, pen->second_half ? 0xDC00 + (c & 0x3FF) : 0xD800 + (c >> 10));
        pen->second_half = !pen->second_half;
        pen->at += pen->second_half ? 0 : len;
        return;
    }
    if (len == 1 && (*pen->at == '"' || *pen->at == '\\' || (unsigned char)*pen->at < 0x20))
        put_escape(out, (unsigned char)*pen->at);
    else
        assert_int_equal(bytes_append(out, pen->at, len), 0);
    pen->at += len;
}

static void open_event(struct bytes *out, unsigned choice, size_t channel)
{
    char event[160];
    bool is_tool = channel == 2;
    snprintf(event, sizeof(event), "data: {\"choices\":[{\"index\":%u,\"delta\":{%s\"%s\":\"", choice,
             is_tool ? "\"tool_calls\":[{\"index\":0,\"function\":{" : "", fields[channel]);
    put(out, event);
}

static void close_event(const struct wild_case *c, struct bytes *out, size_t channel)
{
    put(out, channel == 2 ? "\"}}]},\"finish_reason\":null}]}" : "\"},\"finish_reason\":null}]}");
    put(out, c->line_end);
    put(out, c->line_end);
}

/* One event with the next few units of a text; `units` 0: all of it. */
static void put_event(struct wild_case *c, struct bytes *out, unsigned choice, size_t channel, struct pen *pen,
                      size_t units)
{
    open_event(out, choice, channel);
    for (size_t i = 0; (units == 0 || i < units) && *pen->at != '\0'; i++)
        put_unit(out, pen, units != 0 && dice_chance(&c->dice, 50));
    close_event(c, out, channel);
}

static void put_end(const struct wild_case *c, struct bytes *out)
{
    for (unsigned n = 0; n < c->choices; n++) {
        char event[128];
        snprintf(event, sizeof(event),
                 "data: {\"choices\":[{\"index\":%u,\"delta\":{},\"finish_reason\":\"stop\"}]}%s%s", n, c->line_end,
                 c->line_end);
        put(out, event);
    }
    put(out, "data: [DONE]");
    put(out, c->line_end);
    put(out, c->line_end);
}

/* Which of a choice's texts goes on: the first that is not written, or any. CHANNELS: there is none. */
static size_t next_channel(struct wild_case *c, struct pen pens[CHANNELS], bool whole)
{
    size_t left[CHANNELS], count = 0;
    for (size_t k = 0; k < CHANNELS; k++)
        if (*pens[k].at != '\0')
            left[count++] = k;
    if (count == 0)
        return CHANNELS;
    return left[c->mixed && !whole ? dice_below(&c->dice, count) : 0];
}

/* Every choice's channels in their order, or mixed; choices take turns at random. */
static void put_stream(struct wild_case *c, struct bytes *out, bool whole)
{
    struct pen pens[CHOICES][CHANNELS];
    bool over[CHOICES] = {false};
    for (unsigned n = 0; n < c->choices; n++)
        for (size_t k = 0; k < CHANNELS; k++)
            pens[n][k] = (struct pen){c->text[n][k], false};
    for (unsigned open = c->choices; open > 0;) {
        unsigned n = whole ? c->choices - open : (unsigned)dice_below(&c->dice, c->choices);
        size_t k = over[n] ? CHANNELS : next_channel(c, pens[n], whole);
        if (k < CHANNELS)
            put_event(c, out, n, k, &pens[n][k], whole ? 0 : 1 + dice_below(&c->dice, 9));
        if (!over[n] && next_channel(c, pens[n], true) == CHANNELS) {
            over[n] = true;
            open--;
        }
    }
    put_end(c, out);
}

/* ---- what the definition says ------------------------------------------------------------------------------------ */

static void find_spans(const struct wild_case *c, unsigned choice, size_t channel, struct oracle_spans spans[RULES])
{
    struct oracle_text text;
    if (c->policy->folded)
        oracle_text_fold(&text, c->text[choice][channel], c->len[choice][channel]);
    else
        oracle_text_set(&text, c->text[choice][channel], c->len[choice][channel]);
    for (size_t i = 0; i < c->policy->rules_len; i++)
        oracle_matches(&c->policy->oracle[i], &text, &spans[i]);
}

/* The text without the union of the spans; each run of touched bytes that overlap becomes one replacement. */
static void redacted(const struct wild_case *c, unsigned choice, size_t channel, char *out)
{
    struct oracle_spans spans[RULES];
    bool starts[TEXT_MAX + 8] = {false}, covered[TEXT_MAX + 8] = {false}, joined[TEXT_MAX + 8] = {false};
    find_spans(c, choice, channel, spans);
    for (size_t i = 0; i < c->policy->rules_len; i++)
        for (size_t k = 0; k < spans[i].len; k++) {
            starts[spans[i].items[k].start] = true;
            for (uint64_t at = spans[i].items[k].start; at < spans[i].items[k].end; at++) {
                covered[at] = true;
                joined[at] |= at > spans[i].items[k].start;
            }
        }
    size_t len = 0;
    for (size_t at = 0; at < c->len[choice][channel]; at++) {
        if (!covered[at])
            out[len++] = c->text[choice][channel][at];
        else if (starts[at] && !joined[at])
            out[len++] = '#';
    }
    out[len] = '\0';
}

/* What a client sees of a choice when a match ends it: the channels up to the first match, then the refusal. */
static void ended(const struct wild_case *c, unsigned choice, char out[CHANNELS][2 * TEXT_MAX], bool *ends)
{
    *ends = false;
    for (size_t k = 0; k < CHANNELS; k++) {
        struct oracle_spans spans[RULES];
        size_t len = *ends ? 0 : c->len[choice][k];
        find_spans(c, choice, k, spans);
        bool here = !*ends && spans[0].len > 0;
        if (here)
            len = (size_t)spans[0].items[0].start;
        *ends |= here;
        snprintf(out[k], 2 * TEXT_MAX, "%.*s", (int)len, c->text[choice][k]);
    }
    if (*ends && c->policy->action == 1)
        strcat(out[1], "NO");
}

static void wanted_of(const struct wild_case *c, unsigned choice, char out[CHANNELS][2 * TEXT_MAX], bool *ends)
{
    *ends = false;
    if (c->policy->action != 0) {
        ended(c, choice, out, ends);
        return;
    }
    for (size_t k = 0; k < CHANNELS; k++)
        redacted(c, choice, k, out[k]);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static void check_choice(const struct wild_case *c, struct kit_seen *seen, unsigned n)
{
    char wanted[CHANNELS][2 * TEXT_MAX];
    bool ends;
    wanted_of(c, n, wanted, &ends);
    const char *texts[CHANNELS] = {kit_reasoning(seen, n), kit_content(seen, n), kit_arguments(seen, n)};
    if (c->policy->shows && wanted[0][0] != '\0') { /* it leads what is shown, and does not stand alone */
        memmove(wanted[0] + sizeof(PREFIX) - 1, wanted[0], strlen(wanted[0]) + 1);
        memcpy(wanted[0], PREFIX, sizeof(PREFIX) - 1);
    }
    for (size_t k = 0; k < CHANNELS; k++)
        if (strcmp(wanted[k], texts[k]) != 0)
            give_up(c, fields[k], wanted[k], texts[k]);
    if (seen->choices[n].finishes != 1)
        give_up(c, "not one finish_reason", "1", seen->choices[n].finishes > 1 ? "several" : "none");
    const char *finish = ends ? "content_filter" : "stop";
    if (strcmp(seen->choices[n].finish, finish) != 0)
        give_up(c, "finish_reason", finish, seen->choices[n].finish);
}

/* A match ended the choice, or none did: where the texts are mixed, which came first is not told by the whole texts.
 * Each of them is shown up to some place, and never any of its matches. */
static void check_mixed(const struct wild_case *c, struct kit_seen *seen, unsigned n)
{
    const char *texts[CHANNELS] = {kit_reasoning(seen, n), kit_content(seen, n), kit_arguments(seen, n)};
    bool ends = false;
    for (size_t k = 0; k < CHANNELS; k++) {
        struct oracle_spans spans[RULES];
        find_spans(c, n, k, spans);
        ends |= spans[0].len > 0;
    }
    for (size_t k = 0; k < CHANNELS; k++) {
        struct oracle_spans spans[RULES];
        find_spans(c, n, k, spans);
        size_t len = strlen(texts[k]), most = spans[0].len > 0 ? (size_t)spans[0].items[0].start : c->len[n][k];
        bool refused = ends && k == 1 && c->policy->action == 1;
        if (refused && (len < 2 || strcmp(texts[k] + len - 2, "NO") != 0))
            give_up(c, "no refusal", "NO", texts[k]);
        len -= refused ? 2 : 0;
        if (len > most || memcmp(texts[k], c->text[n][k], len) != 0 || (!ends && len < most))
            give_up(c, "mixed texts", c->text[n][k], texts[k]);
    }
    if (seen->choices[n].finishes != 1 || strcmp(seen->choices[n].finish, ends ? "content_filter" : "stop") != 0)
        give_up(c, "finish_reason of mixed texts", ends ? "content_filter" : "stop", seen->choices[n].finish);
}

static void check_stream(const struct wild_case *c, struct kit_seen *seen, bool whole)
{
    for (unsigned n = 0; n < c->choices; n++)
        if (c->mixed && !whole && c->policy->action != 0)
            check_mixed(c, seen, n);
        else
            check_choice(c, seen, n);
    if (seen->done != 1 || seen->after_done > 0 || seen->errors > 0 || seen->unreadable > 0)
        give_up(c, "not one proper end", "", seen->out.data);
    if (seen->decision.bytes_unjudged != 0)
        give_up(c, "bytes released unjudged", "0", "more");
}

static int by_place(const void *a, const void *b)
{
    const struct rein_finding *x = a, *y = b;
    if (x->choice != y->choice)
        return x->choice < y->choice ? -1 : 1;
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return strcmp(x->id, y->id);
}

static void print_findings(const char *name, const struct kit_seen *seen)
{
    for (size_t i = 0; i < seen->decision.findings_len; i++) {
        const struct rein_finding *f = &seen->findings[i];
        fprintf(stderr, "  %s: %s choice %u %s %" PRIu64 "+%" PRIu64 "\n", name, f->id, f->choice,
                rein_channel_name(f->channel), f->offset, f->len);
    }
}

/* The same findings; over several choices their order is that of the events. */
static void check_same(const struct wild_case *c, struct kit_seen *a, struct kit_seen *b)
{
    size_t n = a->decision.findings_len;
    if (n != b->decision.findings_len || a->decision.verdict != b->decision.verdict) {
        print_findings("whole", a);
        print_findings("cut", b);
        give_up(c, "another decision than for the whole texts", "", "");
    }
    if (n == KIT_FINDINGS)
        return; /* no more are kept, and which ones depends on the order of the events */
    qsort(a->findings, n, sizeof(*a->findings), by_place);
    qsort(b->findings, n, sizeof(*b->findings), by_place);
    for (size_t i = 0; i < n; i++)
        if (by_place(&a->findings[i], &b->findings[i]) != 0 || a->findings[i].len != b->findings[i].len)
            give_up(c, "other findings than for the whole texts", a->findings[i].id, b->findings[i].id);
}

static void play(struct wild_case *c, bool whole, struct kit_seen *seen)
{
    struct bytes stream;
    bytes_init(&stream, STREAM_MAX);
    put_stream(c, &stream, whole);
    size_t chunks[] = {0, 1, 1 + dice_below(&c->dice, 400)};
    struct kit_run run = {
        .policy = c->policy->policy, .upstream = bytes_span(&stream), .choices = c->choices, .prefix = PREFIX};
    run.chunk = whole ? 0 : chunks[dice_below(&c->dice, 3)];
    kit_run(&run, seen);
    check_stream(c, seen, whole);
    bytes_fini(&stream);
}

static void run_case(uint64_t seed, const struct wild_policy *policy)
{
    struct wild_case c;
    struct kit_seen whole, cut;
    make_case(&c, seed, policy);
    play(&c, true, &whole);
    play(&c, false, &cut);
    if (!c.mixed || policy->action == 0) /* else other matches may have come first */
        check_same(&c, &whole, &cut);
    kit_seen_fini(&whole);
    kit_seen_fini(&cut);
}

int main(int argc, char **argv)
{
    uint64_t cases = getenv("REIN_LONG") != NULL ? 200000 : 5000, first = 1, done = 0;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (uint64_t group = first / REUSE; done < cases; group++) {
        struct wild_policy policy;
        struct dice dice = dice_of(group + 1);
        if (make_policy(&policy, &dice)) {
            for (uint64_t i = 0; i < REUSE && done < cases; i++) {
                uint64_t seed = group * REUSE + i;
                if (seed < first)
                    continue;
                run_case(seed, &policy);
                done++;
            }
        }
        free_policy(&policy);
    }
    printf("%" PRIu64 " partitions from seed %" PRIu64 ": 0 mismatches\n", done, first);
    return 0;
}
