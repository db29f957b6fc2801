/* Fuzzes matching: the same rules over any text, cut in any way, find the same, and hold what they later claim.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: a byte that says how long the pieces are, the text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "builtin/builtin.h"
#include "matching.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { TEXT_MAX = 8192, HOLD = 4096 };

static void add(struct ruleset *rules, struct rule_spec spec)
{
    const char *why = "";
    spec.channels = 1 << REIN_ANSWER;
    spec.withholds = true;
    if (ruleset_add(rules, &spec, &why) != 0) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
}

/* Lists of words, alone and as what stands near a match or is not meant by it, in text as it is and folded. */
static void add_words(struct ruleset *rules)
{
    static const char *const phrases[] = {"fire", "fire door", "door", "key", "the blue fire door"},
                             *const cues[] = {"pin", "key is", "fire"}, *const regexes[] = {"0{2,6}", "[0-9]{2}a"},
                             *const values[] = {"12-34"}, *const numbers[] = {"77", "door 77"};
    for (int folded = 0; folded < 2; folded++) {
        struct rule_words cue = {cues, 3};
        add(rules, (struct rule_spec){.words = {phrases, 5}, .folded = folded});
        add(rules, (struct rule_spec){.regex = "[0-9]{2,8}", .near = cue, .near_before = 20, .folded = folded});
        add(rules, (struct rule_spec){.words = {phrases, 5}, .near = cue, .near_behind = 9, .folded = folded});
        struct rule_spec spec = {.regex = "[0-9][0-9 -]{0,6}", .near = cue, .near_before = 12, .near_behind = 12};
        spec.folded = folded;
        spec.except.words = (struct rule_words){numbers, 2};
        spec.except.regexes = regexes;
        spec.except.regexes_len = 2;
        spec.except.values = values;
        spec.except.values_len = 1;
        add(rules, spec);
    }
}

/* Made once; immutable after that. */
static struct ruleset *rules_once(void)
{
    static struct ruleset *rules;
    static const char *const words[] = {"open sesame", "swordfish", "the blue door", "fire"};
    if (rules != NULL)
        return rules;
    if (ruleset_new(&rules, HOLD) != 0)
        abort();
    for (size_t i = 0; builtin_at(i) != NULL; i++)
        add(rules, (struct rule_spec){.builtin = builtin_at(i)->name});
    add(rules, (struct rule_spec){.builtin = "card_number", .folded = true});
    add(rules, (struct rule_spec){.literals = words, .literals_len = 4, .folded = true});
    add(rules, (struct rule_spec){.regex = "(a+)+$", .max_bytes = 100});
    add(rules, (struct rule_spec){.regex = "\\bkey\\b.*=", .max_bytes = 40, .folded = true});
    add(rules, (struct rule_spec){.regex = "(a|b)*c", .max_bytes = 300});
    add_words(rules);
    if (ruleset_finish(rules) != 0)
        abort();
    return rules;
}

struct watch {
    uint64_t hold;
    size_t found;
};

/* What is reported now was held before. */
static void check_hold(void *ctx, const struct matcher *m, size_t fed, const struct match_list *found)
{
    struct watch *w = ctx;
    uint64_t hold = matcher_hold(m);
    if (hold < w->hold || hold > fed || fed - hold > HOLD)
        abort();
    for (; w->found < found->len; w->found++)
        if (found->items[w->found].start < w->hold)
            abort();
    w->hold = hold;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 || len > TEXT_MAX)
        return 0;
    const struct ruleset *rules = rules_once();
    struct span text = {(const char *)data + 1, len - 1};
    struct match_list whole = {0}, pieces = {0};
    struct watch watch = {0};
    size_t *cuts = malloc(len * sizeof(*cuts)), cuts_len = 0;
    for (size_t at = 0; at < text.len;) {
        at += 1 + (data[0] + at * 7) % 13;
        cuts[cuts_len++] = at < text.len ? at : text.len;
    }
    if (matcher_scan(rules, REIN_ANSWER, text, &whole) != 0 ||
        match_in_pieces(rules, text, data[0] == 0 ? NULL : cuts, cuts_len, &pieces, check_hold, &watch) != 0)
        abort();
    if (whole.len != pieces.len)
        abort();
    for (size_t i = 0; i < whole.len; i++)
        if (whole.items[i].rule != pieces.items[i].rule || whole.items[i].start != pieces.items[i].start ||
            whole.items[i].end != pieces.items[i].end)
            abort();
    free(cuts);
    match_list_fini(&whole);
    match_list_fini(&pieces);
    return 0;
}
