/* Property: for random rules, texts and pieces, the matcher finds exactly what the definition says, and at every cut it
 * holds exactly what a match may still claim.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_matches [CASES [FIRST-SEED]]        default 5000 from 1; REIN_LONG=1: 200000
 *
 * A case is made from its seed alone; a failure prints the seed, and `property_test_matches 1 SEED` plays it again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matching.h"
#include "oracle.h"
#include "wild.h"

enum { RULES = 3, TEXT_MAX = 48, CUTS_MAX = 64, HOLD = 1 << 20 };

struct wild_case {
    uint64_t seed;
    struct dice dice;
    bool folded;
    size_t rules_len;
    char regex[RULES][WILD_REGEX_MAX];
    size_t max_bytes[RULES];
    struct oracle_rule oracle[RULES];
    struct ruleset *rules;
    char text[TEXT_MAX + 8];
    size_t len;
    struct oracle_spans wanted[RULES];
};

static _Noreturn void give_up(const struct wild_case *c, const char *what)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n", c->seed, what);
    for (size_t i = 0; i < c->rules_len; i++)
        fprintf(stderr, "  rule %zu: %s (max_bytes %zu%s)\n", i, c->regex[i], c->max_bytes[i],
                c->folded ? ", folded" : "");
    fprintf(stderr, "  text: '%.*s' (%zu bytes)\n", (int)c->len, c->text, c->len);
    exit(1);
}

/* ---- making a case ----------------------------------------------------------------------------------------------- */

/* The text as rules see it: itself, or folded with the way back. */
static void view(const struct wild_case *c, const char *text, size_t len, struct oracle_text *out)
{
    if (c->folded)
        oracle_text_fold(out, text, len);
    else
        oracle_text_set(out, text, len);
}

static bool make_rule(struct wild_case *c)
{
    size_t i = c->rules_len;
    wild_regex(&c->dice, c->regex[i]);
    c->max_bytes[i] = dice_chance(&c->dice, 70) ? 1 + dice_below(&c->dice, 20) : 0;
    struct rule_spec spec = {.id = "x",
                             .regex = c->regex[i],
                             .channels = 1 << REIN_ANSWER,
                             .folded = c->folded,
                             .max_bytes = c->max_bytes[i],
                             .withholds = true};
    const char *why;
    c->oracle[i].code = c->folded ? oracle_compile_folded(c->regex[i]) : oracle_compile(c->regex[i]);
    if (ruleset_add(c->rules, &spec, &why) != 0) {
        oracle_free(c->oracle[i].code);
        return false; /* may be empty, unbounded, never matches */
    }
    if (c->oracle[i].code == NULL)
        give_up(c, "PCRE2 refuses an expression that we take");
    bool natural = c->max_bytes[i] == 0 && !c->folded;
    enum { CUT_SHORT = 3 }; /* of a sequence, which a folded rule holds on top */
    size_t worst = ruleset_worst_hold(c->rules, (int)i);
    c->oracle[i].max_bytes = natural ? SIZE_MAX : c->folded ? worst - CUT_SHORT : worst;
    c->rules_len++;
    return true;
}

static void make_text(struct wild_case *c)
{
    size_t wanted = dice_below(&c->dice, TEXT_MAX);
    while (c->len < wanted)
        c->len += c->folded ? wild_unfolded(&c->dice, c->text + c->len) : wild_char(&c->dice, c->text + c->len);
}

static bool make_case(struct wild_case *c, uint64_t seed)
{
    *c = (struct wild_case){.seed = seed, .dice = dice_of(seed)};
    c->folded = dice_chance(&c->dice, 25);
    if (ruleset_new(&c->rules, HOLD) != 0)
        give_up(c, "out of memory");
    for (size_t n = 1 + dice_below(&c->dice, RULES); n > 0; n--)
        make_rule(c);
    if (c->rules_len == 0)
        return false;
    if (ruleset_finish(c->rules) != 0)
        give_up(c, "out of memory");
    make_text(c);
    struct oracle_text text;
    view(c, c->text, c->len, &text);
    for (size_t i = 0; i < c->rules_len; i++)
        oracle_matches(&c->oracle[i], &text, &c->wanted[i]);
    return true;
}

static void free_case(struct wild_case *c)
{
    for (size_t i = 0; i < c->rules_len; i++)
        oracle_free(c->oracle[i].code);
    ruleset_free(c->rules);
}

/* ---- matches ----------------------------------------------------------------------------------------------------- */

/* Are the matches of one rule in `found` the first ones of those wanted? Returns how many, -1 if not. */
static int count_agreeing(const struct match_list *found, size_t rule, const struct oracle_spans *wanted)
{
    size_t n = 0;
    for (size_t i = 0; i < found->len; i++) {
        if (found->items[i].rule != rule)
            continue;
        if (n == wanted->len || found->items[i].start != wanted->items[n].start ||
            found->items[i].end != wanted->items[n].end)
            return -1;
        n++;
    }
    return (int)n;
}

static void print_both(const struct wild_case *c, const struct match_list *found)
{
    for (size_t k = 0; k < found->len; k++)
        fprintf(stderr, "  found  rule %u %" PRIu64 "-%" PRIu64 "\n", (unsigned)found->items[k].rule,
                found->items[k].start, found->items[k].end);
    for (size_t i = 0; i < c->rules_len; i++)
        for (size_t k = 0; k < c->wanted[i].len; k++)
            fprintf(stderr, "  wanted rule %zu %" PRIu64 "-%" PRIu64 "\n", i, c->wanted[i].items[k].start,
                    c->wanted[i].items[k].end);
}

static void check_matches(const struct wild_case *c, const struct match_list *found, const struct match_list *first)
{
    for (size_t i = 0; i < c->rules_len; i++)
        if (count_agreeing(found, i, &c->wanted[i]) != (int)c->wanted[i].len) {
            print_both(c, found);
            give_up(c, "other matches than the definition's");
        }
    bool same = first->len == found->len;
    for (size_t i = 0; same && i < found->len; i++)
        same = first->items[i].rule == found->items[i].rule && first->items[i].start == found->items[i].start;
    if (!same)
        give_up(c, "the order of matches depends on the pieces");
}

/* ---- the hold ---------------------------------------------------------------------------------------------------- */

/* Everything that is not reported yet begins at the hold or after it, and the hold never falls. */
struct watch {
    const struct wild_case *c;
    uint64_t last;
    uint64_t held[TEXT_MAX + 8]; /* by bytes known; the same under every chunking */
};

static void check_sound(void *ctx, const struct matcher *m, size_t fed, const struct match_list *found)
{
    struct watch *w = ctx;
    uint64_t hold = matcher_hold(m);
    if (hold < w->last || hold > fed || matcher_keep(m) != hold)
        give_up(w->c, "the hold falls, or lies outside of the text");
    w->last = hold;
    if (w->held[fed] != UINT64_MAX && w->held[fed] != hold)
        give_up(w->c, "the hold depends on the pieces");
    w->held[fed] = hold;
    for (size_t i = 0; i < w->c->rules_len; i++) {
        int n = count_agreeing(found, i, &w->c->wanted[i]);
        if (n < 0)
            print_both(w->c, found);
        if (n < 0)
            give_up(w->c, "a match was reported too early");
        if ((size_t)n < w->c->wanted[i].len && w->c->wanted[i].items[n].start < hold) {
            print_both(w->c, found);
            fprintf(stderr, "  at %zu held from %" PRIu64 "\n", fed, hold);
            give_up(w->c, "a match begins before the hold");
        }
    }
}

/* What becomes of the place `hold` of a text: the end of the match that begins there, 0 for none. */
static uint64_t outcome(const struct wild_case *c, size_t rule, const char *text, size_t len, uint64_t hold)
{
    struct oracle_text seen;
    struct oracle_spans spans;
    view(c, text, len, &seen);
    oracle_matches(&c->oracle[rule], &seen, &spans);
    for (size_t i = 0; i < spans.len; i++)
        if (spans.items[i].start == hold)
            return spans.items[i].end;
    return 0;
}

/* Two ways in which a text may go on, with different outcomes: proof that a place is open. */
struct proof {
    bool met[RULES];
    uint64_t first[RULES];
    bool found;
};

static void look_at(const struct wild_case *c, const char *text, size_t len, uint64_t hold, struct proof *proof)
{
    for (size_t i = 0; i < c->rules_len; i++) {
        uint64_t end = outcome(c, i, text, len, hold);
        proof->found = proof->found || (proof->met[i] && proof->first[i] != end);
        proof->met[i] = true;
        proof->first[i] = end;
    }
}

static bool still_holds(const struct wild_case *c, const char *text, size_t len, uint64_t hold)
{
    struct matcher *m;
    struct match_list found = {0};
    if (matcher_new(&m, c->rules, REIN_ANSWER) != 0 || match_piece(m, (struct span){text, len}, 0, len, &found) != 0)
        give_up(c, "out of memory");
    bool holds = matcher_hold(m) == hold;
    matcher_free(m);
    match_list_fini(&found);
    return holds;
}

/* Is it really open whether, or how far, a match of some rule begins at the hold? Looks for proof on random walks: the
 * matcher only says which way to go on (while it holds); what comes of it is the definition's word. */
static bool is_open(struct wild_case *c, size_t fed, uint64_t hold)
{
    static const char *const letters[] = {"a", "b", "c", " ", "\xC3\xA9", "A", "1", "-", "\n"};
    enum { LETTERS = sizeof(letters) / sizeof(*letters), WALKS = 60, STEPS = 60 };
    struct proof proof = {.found = false};
    for (size_t walk = 0; walk < WALKS && !proof.found; walk++) {
        char text[TEXT_MAX + 8 + 2 * STEPS];
        size_t len = fed;
        memcpy(text, c->text, fed);
        look_at(c, text, len, hold, &proof);
        for (size_t step = 0, way = 0; step < STEPS && way < LETTERS && !proof.found; step++) {
            size_t turn = dice_below(&c->dice, LETTERS);
            for (way = 0; way < LETTERS && !proof.found; way++) {
                const char *letter = letters[(way + turn) % LETTERS];
                memcpy(text + len, letter, strlen(letter));
                look_at(c, text, len + strlen(letter), hold, &proof);
                if (still_holds(c, text, len + strlen(letter), hold)) {
                    len += strlen(letter);
                    break;
                }
            }
        }
    }
    return proof.found;
}

static bool is_boundary(const struct wild_case *c, size_t at)
{
    return at == c->len || ((unsigned char)c->text[at] & 0xC0) != 0x80;
}

/* Nothing is held that need not be. */
static void check_exact(struct wild_case *c, const struct watch *w)
{
    /* A folded rule counts what a match still needs as one byte at least, because one character may bring it all: close
     * to max_bytes it may hold a little longer. */
    bool tight = false;
    for (size_t i = 0; i < c->rules_len; i++)
        tight = tight || (c->folded && c->max_bytes[i] > 0);
    if (c->len == 0 || tight)
        return;
    for (unsigned i = 0; i < 2; i++) {
        size_t fed = 1 + dice_below(&c->dice, c->len);
        if (w->held[fed] < fed && is_boundary(c, fed) && !is_open(c, fed, w->held[fed])) {
            fprintf(stderr, "  at %zu held from %" PRIu64 "\n", fed, w->held[fed]);
            give_up(c, "a byte is held that no match can claim");
        }
    }
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

static size_t make_cuts(struct wild_case *c, size_t cuts[CUTS_MAX])
{
    size_t len = 0;
    for (size_t at = 0; at < c->len && len < CUTS_MAX;) {
        at += 1 + dice_below(&c->dice, 8);
        cuts[len++] = at < c->len ? at : c->len;
    }
    return len;
}

static bool run_case(uint64_t seed)
{
    struct wild_case c;
    if (!make_case(&c, seed)) {
        ruleset_free(c.rules);
        return false;
    }
    struct span text = {c.text, c.len};
    struct watch watch = {.c = &c};
    memset(watch.held, 0xFF, sizeof(watch.held));
    struct match_list whole = {0};
    if (matcher_scan(c.rules, REIN_ANSWER, text, &whole) != 0)
        give_up(&c, "out of memory");
    for (unsigned i = 0; i < 4; i++) {
        size_t cuts[CUTS_MAX], cuts_len = make_cuts(&c, cuts);
        struct match_list found = {0};
        watch.last = 0;
        if (match_in_pieces(c.rules, text, i == 0 ? NULL : cuts, cuts_len, &found, check_sound, &watch) != 0)
            give_up(&c, "out of memory");
        check_matches(&c, &found, &whole);
        match_list_fini(&found);
    }
    match_list_fini(&whole);
    check_exact(&c, &watch);
    free_case(&c);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t cases = getenv("REIN_LONG") != NULL ? 200000 : 5000, first = 1, tried = 0;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (uint64_t done = 0; done < cases && (argc <= 2 || cases > 1 || tried == 0); tried++)
        done += run_case(first + tried);
    printf("%" PRIu64 " cases, seeds %" PRIu64 " to %" PRIu64 "\n", cases, first, first + tried - 1);
    return 0;
}
