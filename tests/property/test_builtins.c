/* Property: whatever stands around samples of built-ins, and however the text is cut, each built-in finds what its
 * definition says: PCRE2 finds all ends of a match, the check of the built-in is asked for each, in the whole text.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_builtins [CASES [FIRST-SEED]]        default 3000 from 1; REIN_LONG=1: 200000
 *
 * A case is made from its seed alone; a failure prints the seed, and `property_test_builtins 1 SEED` plays it again. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <inttypes.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "builtin/builtin.h"
#include "builtin/noise.h"
#include "matching.h"
#include "oracle.h"

enum { TEXT_MAX = 4096, PARTS_MAX = 4, WORKSPACE = 100000, ENDS_MAX = TEXT_MAX, HOLD = 1 << 20 };

/* Compiled once. */
struct checked {
    const struct builtin *builtin;
    pcre2_code *code;
    struct ruleset *rules;
    size_t limit;
};

struct built_case {
    uint64_t seed;
    const struct checked *of;
    struct sample_dice dice;
    char text[TEXT_MAX];
    size_t len;
    struct match wanted[TEXT_MAX];
    size_t wanted_len;
    uint64_t hold;
};

static _Noreturn void give_up(const struct built_case *c, const char *what)
{
    fprintf(stderr, "seed %" PRIu64 ", %s: %s\n  text: '%.*s' (%zu bytes)\n", c->seed, c->of->builtin->name, what,
            (int)c->len, c->text, c->len);
    exit(1);
}

/* ---- the text ---- */

static void add_text(struct built_case *c, const char *text, size_t len)
{
    if (len > sizeof c->text - c->len)
        len = sizeof c->text - c->len;
    memcpy(c->text + c->len, text, len);
    c->len += len;
}

/* Samples, samples that are cut short, near ones, and noise. */
static void add_part(struct built_case *c)
{
    struct sample sample;
    uint64_t way = sample_roll(&c->dice, 8);
    if (way < 2) {
        char noise[64];
        size_t len = 1 + sample_roll(&c->dice, sizeof noise);
        noise_fill((enum rein_noise)sample_roll(&c->dice, REIN_NOISES), &c->dice, noise, len);
        add_text(c, noise, len);
        return;
    }
    const struct sample_forms *forms = builtin_samples(c->of->builtin, &c->dice);
    if (way == 2)
        sample_make_near(&sample, forms, &c->dice);
    else
        sample_make(&sample, forms, &c->dice);
    add_text(c, sample.text, way == 3 ? sample_roll(&c->dice, sample.len + 1) : sample.len);
}

/* A character that was cut short: the rest of the text would be no valid UTF-8, which PCRE2 does not read. */
static void mend_text(struct built_case *c)
{
    for (size_t i = 0; i < c->len;) {
        unsigned char first = (unsigned char)c->text[i];
        size_t wanted = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4, len = 1;
        while (len < wanted && i + len < c->len && ((unsigned char)c->text[i + len] & 0xC0) == 0x80)
            len++;
        if (len != wanted)
            memset(c->text + i, '?', len);
        i += len;
    }
}

/* ---- the definition ---- */

static struct surroundings look_before(const struct built_case *c, size_t start, uint64_t taken)
{
    struct surroundings around = {.follows = taken > 0 && start - taken <= 1};
    for (size_t i = start < 8 ? 0 : start - 8; i < start; i++)
        around.before = around.before << 8 | (unsigned char)c->text[i];
    return around;
}

/* All ends of matches that begin at `start`, longest first. */
static size_t list_ends(const struct built_case *c, size_t start, size_t ends[ENDS_MAX])
{
    static int workspace[WORKSPACE];
    static pcre2_match_data *data;
    if (data == NULL)
        data = pcre2_match_data_create(ENDS_MAX, NULL);
    int count = pcre2_dfa_match(c->of->code, (PCRE2_SPTR)c->text, c->len, start, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK,
                                data, NULL, workspace, WORKSPACE);
    if (count == PCRE2_ERROR_NOMATCH)
        return 0;
    if (count <= 0)
        give_up(c, "PCRE2 cannot match");
    const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(data);
    for (int i = 0; i < count; i++)
        ends[i] = pairs[2 * i + 1];
    return (size_t)count;
}

static enum builtin_result judge(const struct built_case *c, size_t start, size_t *end, uint64_t taken)
{
    static size_t ends[ENDS_MAX];
    if (((unsigned char)c->text[start] & 0xC0) == 0x80)
        return BUILTIN_NO;
    size_t len = list_ends(c, start, ends);
    const struct builtin *builtin = c->of->builtin;
    for (size_t i = 0; i < len; i++) {
        if (ends[i] - start > c->of->limit)
            continue;
        enum builtin_result result = BUILTIN_YES;
        if (builtin->check != NULL)
            result = builtin->check((struct span){c->text + start, ends[i] - start}, look_before(c, start, taken));
        *end = ends[i];
        if (result != BUILTIN_NO)
            return result;
    }
    return BUILTIN_NO;
}

static void list_wanted(struct built_case *c)
{
    uint64_t taken = 0;
    for (size_t start = 0; start < c->len;) {
        size_t end = 0;
        enum builtin_result result = judge(c, start, &end, taken);
        if (result == BUILTIN_YES)
            c->wanted[c->wanted_len++] = (struct match){.start = start, .end = end};
        start = result == BUILTIN_NO ? start + 1 : end;
        taken = result == BUILTIN_NO ? taken : end;
    }
}

/* ---- the matcher ---- */

/* What is found later began at the hold or behind it, and no more is held than the longest match. */
static void check_hold(void *ctx, const struct matcher *m, size_t fed, const struct match_list *found)
{
    struct built_case *c = ctx;
    uint64_t hold = matcher_hold(m);
    if (hold < c->hold || hold > fed || fed - hold > c->of->limit)
        give_up(c, "the hold falls, or is longer than a match");
    if (found->len < c->wanted_len && c->wanted[found->len].start < hold)
        give_up(c, "a match begins before the hold");
    c->hold = hold;
}

static void check_cut(struct built_case *c, bool by_byte)
{
    static size_t cuts[TEXT_MAX];
    size_t len = 0, widest = 1 + sample_roll(&c->dice, 40);
    for (size_t at = 0; at < c->len;) {
        at += 1 + sample_roll(&c->dice, widest);
        cuts[len++] = at < c->len ? at : c->len;
    }
    struct match_list found = {0};
    c->hold = 0;
    if (match_in_pieces(c->of->rules, (struct span){c->text, c->len}, by_byte ? NULL : cuts, len, &found, check_hold,
                        c) != 0)
        give_up(c, "out of memory");
    bool same = found.len == c->wanted_len;
    for (size_t i = 0; same && i < found.len; i++)
        same = found.items[i].start == c->wanted[i].start && found.items[i].end == c->wanted[i].end;
    for (size_t i = 0; !same && i < found.len; i++)
        fprintf(stderr, "  found  %" PRIu64 "-%" PRIu64 "\n", found.items[i].start, found.items[i].end);
    for (size_t i = 0; !same && i < c->wanted_len; i++)
        fprintf(stderr, "  wanted %" PRIu64 "-%" PRIu64 "\n", c->wanted[i].start, c->wanted[i].end);
    if (!same)
        give_up(c, "other matches than the definition's");
    match_list_fini(&found);
}

static size_t run_case(const struct checked *of, uint64_t seed)
{
    static struct built_case c;
    c = (struct built_case){.seed = seed, .of = of, .dice = {seed}};
    for (size_t parts = 1 + sample_roll(&c.dice, PARTS_MAX); parts > 0; parts--)
        add_part(&c);
    mend_text(&c);
    list_wanted(&c);
    check_cut(&c, true);
    for (unsigned i = 0; i < 3; i++)
        check_cut(&c, false);
    return c.wanted_len;
}

/* ---- all ---- */

static struct checked compile(const struct builtin *builtin)
{
    struct checked of = {.builtin = builtin, .code = oracle_compile(builtin->regex)};
    const char *why;
    const struct rule_spec spec = {
        .id = "x", .channels = 1u << REIN_ANSWER, .builtin = builtin->name, .withholds = true};
    if (of.code == NULL || ruleset_new(&of.rules, HOLD) != 0 || ruleset_add(of.rules, &spec, &why) != 0 ||
        ruleset_finish(of.rules) != 0) {
        fprintf(stderr, "%s cannot be compiled\n", builtin->name);
        exit(1);
    }
    of.limit = ruleset_worst_hold(of.rules, 0);
    return of;
}

int main(int argc, char **argv)
{
    static struct checked all[BUILTINS_MAX];
    uint64_t cases = getenv("REIN_LONG") != NULL ? 200000 : 3000, first = 1;
    size_t len = 0, matches = 0;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (; builtin_at(len) != NULL; len++)
        all[len] = compile(builtin_at(len));
    for (uint64_t i = 0; i < cases; i++)
        matches += run_case(&all[(first + i) % len], first + i);
    printf("%" PRIu64 " cases from seed %" PRIu64 ", %zu matches\n", cases, first, matches);
    for (size_t i = 0; i < len; i++) {
        oracle_free(all[i].code);
        ruleset_free(all[i].rules);
    }
    return matches > cases / 2 || cases == 1 ? 0 : 1;
}
