/* What matching costs: nanoseconds per byte of ordinary English in pieces of five bytes, for some sets of rules.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_matcher            a table; build it in release
 *     bench_matcher count SET  feeds the text of one set once, for instruction counts (callgrind, perf stat) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/matcher.h"
#include "text.h"

enum { TEXT_LEN = 1 << 20, PIECE = 5, ROUNDS = 7, LITERALS_MAX = 1000, HOLD = 4096 };

struct set {
    const char *name;
    size_t literals;
    bool folded, email, typical, nested;
};

static const struct set sets[] = {
    {.name = "13 typical rules", .typical = true},
    {.name = "the 13 and e-mail", .typical = true, .email = true},
    {.name = "the 13 and 200 literals", .typical = true, .literals = 200, .folded = true},
    {.name = "200 literals, raw", .literals = 200},
    {.name = "200 literals, folded", .literals = 200, .folded = true},
    {.name = "1000 literals, raw", .literals = 1000},
    {.name = "1000 literals, folded", .literals = 1000, .folded = true},
    {.name = "e-mail alone", .email = true},
    {.name = "(a+)+$ on a's", .nested = true},
};

static void add(struct ruleset *rules, struct rule_spec spec)
{
    const char *why;
    spec.channels = 1 << REIN_ANSWER;
    spec.withholds = true;
    if (ruleset_add(rules, &spec, &why) != 0) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

/* Three words each, from a generator of our own, so that they begin as English does. */
static void add_literals(struct ruleset *rules, size_t count, bool folded)
{
    static char text[LITERALS_MAX][96];
    const char *literals[LITERALS_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        for (size_t k = 0; k < 3; k++) {
            size_t len;
            const char *word = word_at(i * 7919 + k * 104729 + i * i, &len);
            len = len < 24 ? len : 24;
            memcpy(text[i] + at, word, len);
            at += len;
            at += (size_t)snprintf(text[i] + at, 8, k < 2 ? " " : "%02zu", i % 100);
        }
        literals[i] = text[i];
    }
    add(rules, (struct rule_spec){.literals = literals, .literals_len = count, .folded = folded});
}

static void add_typical(struct ruleset *rules)
{
    static const char *const names[] = {"card_number", "ssn", "iban", "jwt", "private_key", "api_key"};
    static const char *const expressions[] = {"AKIA[0-9A-Z]{16}",
                                              "\\bpassword\\s{0,4}[:=]\\s{0,4}\\S{4,64}",
                                              "(?i)internal use only",
                                              "(?i)project [a-z]{3,12} is confidential",
                                              "\\b10\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\b",
                                              "ghp_[A-Za-z0-9]{36}",
                                              "(?i)\\bsystem prompt:"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        add(rules, (struct rule_spec){.builtin = names[i]});
    for (size_t i = 0; i < sizeof(expressions) / sizeof(*expressions); i++)
        add(rules, (struct rule_spec){.regex = expressions[i]});
}

static struct ruleset *make_rules(const struct set *set)
{
    struct ruleset *rules;
    if (ruleset_new(&rules, HOLD) != 0)
        exit(1);
    if (set->typical)
        add_typical(rules);
    if (set->email)
        add(rules, (struct rule_spec){.builtin = "email"});
    if (set->literals > 0)
        add_literals(rules, set->literals, set->folded);
    if (set->nested)
        add(rules, (struct rule_spec){.regex = "(a+)+$", .max_bytes = HOLD});
    if (ruleset_finish(rules) != 0)
        exit(1);
    return rules;
}

static char *make_text(const struct set *set)
{
    char *text = malloc(TEXT_LEN);
    if (set->nested)
        return memset(text, 'a', TEXT_LEN);
    for (size_t at = 0, i = 0; at < TEXT_LEN; i++) {
        size_t len;
        const char *word = word_at(i, &len);
        len = len < TEXT_LEN - at ? len : TEXT_LEN - at;
        memcpy(text + at, word, len);
        at += len;
        if (at < TEXT_LEN)
            text[at++] = ' ';
    }
    return text;
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* Feeds all of the text; held[i] is what is held after piece i. */
__attribute__((noinline)) static void feed_all(struct matcher *m, const char *text, struct match_list *found,
                                               size_t *held)
{
    matcher_reset(m);
    for (size_t at = 0, i = 0; at < TEXT_LEN; i++) {
        size_t end = at + PIECE < TEXT_LEN ? at + PIECE : TEXT_LEN;
        while (at < end) {
            uint64_t base = matcher_keep(m);
            size_t used;
            if (matcher_feed(m, (struct span){text + base, end - (size_t)base}, base, at, found, &used) != 0)
                exit(1);
            at += used;
        }
        held[i] = at - (size_t)matcher_hold(m);
    }
}

static void measure(const struct set *set, bool once)
{
    uint64_t began = now_ns();
    struct ruleset *rules = make_rules(set);
    double load_ms = (double)(now_ns() - began) / 1e6;
    char *text = make_text(set);
    size_t pieces = (TEXT_LEN + PIECE - 1) / PIECE, *held = calloc(pieces, sizeof(*held));
    struct match_list found = {0};
    struct matcher *m;
    if (matcher_new(&m, rules, REIN_ANSWER) != 0)
        exit(1);
    double best = 1e18;
    for (size_t i = 0; i < (once ? 1 : ROUNDS); i++) {
        found.len = 0;
        began = now_ns();
        feed_all(m, text, &found, held);
        double ns = (double)(now_ns() - began) / TEXT_LEN;
        best = ns < best ? ns : best;
    }
    qsort(held, pieces, sizeof(*held), by_size);
    printf("%-26s %8.2f %8zu %6zu %6zu %6zu %6zu %9.1f\n", set->name, best, found.len, held[pieces / 2],
           held[pieces - pieces / 100], held[pieces - pieces / 1000], held[pieces - 1], load_ms);
    matcher_free(m);
    match_list_fini(&found);
    ruleset_free(rules);
    free(text);
    free(held);
}

int main(int argc, char **argv)
{
    size_t count = sizeof(sets) / sizeof(*sets);
    if (argc == 3 && strcmp(argv[1], "count") == 0 && strtoul(argv[2], NULL, 10) < count) {
        measure(&sets[strtoul(argv[2], NULL, 10)], true);
        return 0;
    }
    printf("%-26s %8s %8s %6s %6s %6s %6s %9s\n", "rules", "ns/byte", "matches", "held50", "99", "99.9", "max",
           "load ms");
    for (size_t i = 0; i < count; i++)
        measure(&sets[i], false);
    return 0;
}
