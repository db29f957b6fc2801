/* Property: lists of words find what a plain search for whole words does, with the words near them and the exceptions
 * of a rule; the result is the same for every partition, and nothing is released that a match claims.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_words [CASES [FIRST-SEED]]          default 4000 from 1; REIN_LONG=1: 200000
 *
 * The plain search takes a text apart into characters as rules see them, and tries every entry at every place. Where a
 * rule has neither words near it nor exceptions, the hold is compared, too: continuations of the text are tried, and
 * what some of them claim and others do not is what has to be held, no more and no less. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"
#include "dice.h"
#include "rules/matcher.h"
#include "rules/word_set.h"

enum { RULES = 2, ENTRIES = 5, ENTRY_MAX = 32, TEXT_MAX = 96, SEEN_MAX = 256, FOUND_MAX = 128, HOLD = 1 << 16 };
enum { MORE_MAX = 200 };

/* ---- the plain search -------------------------------------------------------------------------------------------- */

struct seen {
    enum char_kind kind;
    char bytes[4];
    size_t len; /* 0: a byte that nothing matches */
    size_t start, end;
};
struct seen_text {
    struct seen at[SEEN_MAX];
    size_t len, bytes;
};

static void see(struct seen_text *out, const char *text, size_t len, bool folded)
{
    out->len = 0;
    out->bytes = len;
    for (size_t at = 0; at < len;) {
        uint32_t c, one;
        char seen[FOLD_MAX];
        int step = utf8_next((struct span){text + at, len - at}, &c);
        size_t next = at + (step > 0 ? (size_t)step : 1), n = 0;
        if (step <= 0)
            out->at[out->len++] = (struct seen){.kind = CHAR_OTHER, .start = at, .end = next};
        else
            n = folded ? fold_codepoint(c, seen) : utf8_encode(c, seen);
        for (size_t i = 0; i < n;) {
            int one_len = utf8_next((struct span){seen + i, n - i}, &one);
            struct seen *s = &out->at[out->len++];
            *s = (struct seen){.kind = char_kind_of(one), .len = (size_t)one_len, .start = at, .end = next};
            memcpy(s->bytes, seen + i, s->len);
            i += s->len;
        }
        at = next;
    }
}

struct words {
    char entry[ENTRIES][ENTRY_MAX];
    size_t len;
};

struct found {
    size_t start, end;
};
struct all_found {
    struct found at[FOUND_MAX];
    size_t len;
};

/* The number of the character behind the entry, if it stands at character `i`; 0: it does not. */
static size_t stands_at(const struct seen_text *t, size_t i, const char *entry, bool folded)
{
    struct seen_text e;
    see(&e, entry, strlen(entry), folded);
    size_t k = 0;
    while (k < e.len && e.at[k].kind == CHAR_SPACE)
        k++;
    if (i > 0 && t->at[i].kind == CHAR_WORD && t->at[i - 1].kind == CHAR_WORD)
        return 0;
    while (k < e.len) {
        bool is_space = e.at[k].kind == CHAR_SPACE;
        size_t next = k;
        while (next < e.len && e.at[next].kind == CHAR_SPACE)
            next++;
        if (is_space && next == e.len)
            break;
        if (i == t->len)
            return 0;
        if (is_space) {
            size_t from = i;
            while (i < t->len && t->at[i].kind == CHAR_SPACE)
                i++;
            if (i == from)
                return 0;
            k = next;
        } else {
            if (t->at[i].len == 0 || t->at[i].len != e.at[k].len || t->at[i].kind == CHAR_SPACE ||
                memcmp(t->at[i].bytes, e.at[k].bytes, e.at[k].len) != 0)
                return 0;
            i++;
            k++;
        }
    }
    bool is_cut = i < t->len && t->at[i].kind == CHAR_WORD && t->at[i - 1].kind == CHAR_WORD;
    return is_cut ? 0 : i;
}

typedef bool (*may_begin)(const void *ctx, const struct seen_text *t, size_t i);

/* Leftmost, longest, not overlapping. */
static void search(const struct seen_text *t, const struct words *words, bool folded, size_t limit, may_begin gate,
                   const void *ctx, struct all_found *out)
{
    size_t floor = 0;
    out->len = 0;
    for (size_t i = 0; i < t->len; i++) {
        size_t best = 0;
        if (t->at[i].start < floor || t->at[i].kind == CHAR_SPACE || (gate != NULL && !gate(ctx, t, i)))
            continue;
        for (size_t k = 0; k < words->len; k++) {
            size_t behind = stands_at(t, i, words->entry[k], folded);
            size_t end = behind > 0 ? t->at[behind - 1].end : 0;
            if (behind > 0 && end - t->at[i].start <= limit && end > best)
                best = end;
        }
        if (best > 0) {
            out->at[out->len++] = (struct found){t->at[i].start, best};
            floor = best;
        }
    }
}

/* ---- a case ------------------------------------------------------------------------------------------------------ */

struct rule_case {
    struct words words, near, except;
    size_t before, behind, limit;
    bool folded, withholds;
};

struct word_case {
    uint64_t seed;
    struct dice dice;
    struct rule_case rule[RULES];
    size_t rules_len;
    bool has_unseen, has_regex;
    struct ruleset *rules;
    char text[TEXT_MAX + 16];
    size_t len;
};

static _Noreturn void give_up(const struct word_case *c, const char *what, size_t a, size_t b)
{
    fprintf(stderr, "seed %" PRIu64 ": %s (%zu, %zu)\n", c->seed, what, a, b);
    for (size_t i = 0; i < c->rules_len; i++) {
        const struct rule_case *r = &c->rule[i];
        fprintf(stderr, "  rule %zu (%s, limit %zu, before %zu, behind %zu):", i, r->folded ? "folded" : "raw",
                r->limit, r->before, r->behind);
        const struct words *lists[] = {&r->words, &r->near, &r->except};
        for (size_t k = 0; k < 3; k++)
            for (size_t n = 0; n < lists[k]->len; n++)
                fprintf(stderr, " %s'%s'", n > 0 ? "" : k == 1 ? "near " : k == 2 ? "except " : "", lists[k]->entry[n]);
        fputc('\n', stderr);
    }
    fprintf(stderr, "  text: '%.*s'\n", (int)c->len, c->text);
    exit(1);
}

static const char *const parts[] = {
    "ab",           "abc",          "a",        "b",        "Ab", "c", "\xC3\xA9", "\xC3\x9F",
    "\xEF\xAC\x81", "\xE7\x88\x86", "\xD0\xB0", "\xD0\xB4", " ",  " ", " ",        "  ",
    "\t\n",         "\xC2\xA0",     "-",        ".",        "_",  "#", "1"};
static const char *const unseen[] = {"\xE2\x80\x8B", "\x01", "\xC2\xAD", "\xFF"};

static const char *part(struct dice *dice)
{
    return parts[dice_below(dice, sizeof parts / sizeof *parts)];
}

static void make_words(struct dice *dice, struct words *words)
{
    words->len = 1 + dice_below(dice, ENTRIES);
    for (size_t i = 0; i < words->len; i++) {
        char *entry = words->entry[i];
        strcpy(entry, parts[dice_below(dice, 12)]);
        for (size_t n = dice_below(dice, 4); n > 0 && strlen(entry) < ENTRY_MAX - 6; n--)
            strcat(entry, part(dice));
    }
}

static void make_rule(struct word_case *c, struct rule_case *r)
{
    make_words(&c->dice, &r->words);
    r->folded = dice_chance(&c->dice, 70);
    r->withholds = dice_chance(&c->dice, 70);
    r->limit = !c->has_unseen && dice_chance(&c->dice, 20) ? 1 + dice_below(&c->dice, 12) : 1024;
    if (dice_chance(&c->dice, 30)) {
        make_words(&c->dice, &r->near);
        r->before = dice_below(&c->dice, 12);
        r->behind = dice_chance(&c->dice, 50) ? 1 + dice_below(&c->dice, 12) : 0;
    }
    if (dice_chance(&c->dice, 30))
        make_words(&c->dice, &r->except);
}

static struct rule_words lend(const struct words *words, const char *room[ENTRIES])
{
    for (size_t i = 0; i < words->len; i++)
        room[i] = words->entry[i];
    return (struct rule_words){room, words->len};
}

static void add_rule(struct word_case *c, const struct rule_case *r)
{
    const char *words[ENTRIES], *near[ENTRIES], *except[ENTRIES], *why;
    struct rule_spec spec = {.id = "x",
                             .channels = 1u << REIN_ANSWER,
                             .words = lend(&r->words, words),
                             .near = lend(&r->near, near),
                             .near_before = r->before,
                             .near_behind = r->behind,
                             .except = {.words = lend(&r->except, except)},
                             .folded = r->folded,
                             .withholds = r->withholds,
                             .max_bytes = r->limit};
    if (ruleset_add(c->rules, &spec, &why) != 0) {
        fprintf(stderr, "%s\n", why);
        give_up(c, "a rule is refused", 0, 0);
    }
}

static void make_case(struct word_case *c, uint64_t seed)
{
    *c = (struct word_case){.seed = seed, .dice = dice_of(seed)};
    c->has_unseen = dice_chance(&c->dice, 40);
    c->rules_len = 1 + dice_below(&c->dice, RULES);
    if (ruleset_new(&c->rules, HOLD) != 0)
        abort();
    for (size_t i = 0; i < c->rules_len; i++) {
        make_rule(c, &c->rule[i]);
        add_rule(c, &c->rule[i]);
    }
    if (dice_chance(&c->dice, 30)) { /* next to one that has an automaton */
        const char *why;
        struct rule_spec spec = {.id = "y", .channels = 1u << REIN_ANSWER, .regex = "b[ab.]{0,4}c?"};
        if (ruleset_add(c->rules, &spec, &why) != 0)
            abort();
    }
    if (ruleset_finish(c->rules) != 0)
        abort();
    for (size_t wanted = dice_below(&c->dice, TEXT_MAX - 40); c->len < wanted;) {
        const char *one = c->has_unseen && dice_chance(&c->dice, 8) ? unseen[dice_below(&c->dice, 4)] : part(&c->dice);
        struct rule_case *r = &c->rule[dice_below(&c->dice, c->rules_len)];
        struct words *lists[] = {&r->words, &r->near, &r->except};
        struct words *list = lists[dice_below(&c->dice, 3)];
        if (list->len > 0 && dice_chance(&c->dice, 25))
            one = list->entry[dice_below(&c->dice, list->len)];
        if (c->len + strlen(one) <= TEXT_MAX)
            memcpy(c->text + c->len, one, strlen(one));
        c->len += c->len + strlen(one) <= TEXT_MAX ? strlen(one) : 0;
        if (c->len + ENTRY_MAX > TEXT_MAX)
            break;
    }
}

/* ---- what has to be found ---------------------------------------------------------------------------------------- */

/* Where the first character ends that does so behind `at`, seen or not; SIZE_MAX: none does. */
static size_t first_end_behind(const char *text, size_t len, size_t at)
{
    for (size_t i = 0; i < len;) {
        uint32_t c;
        int step = utf8_next((struct span){text + i, len - i}, &c);
        i += step > 0 ? (size_t)step : 1;
        if (i > at)
            return i;
    }
    return SIZE_MAX;
}

/* Every occurrence, whatever else stands there. */
static bool has_near(const struct rule_case *r, const struct seen_text *t, const char *text, size_t start, size_t end)
{
    size_t last = first_end_behind(text, t->bytes, end + r->behind); /* behind it no word is waited for */
    for (size_t i = 0; i < t->len; i++)
        for (size_t k = 0; k < r->near.len; k++) {
            size_t behind = t->at[i].kind != CHAR_SPACE ? stands_at(t, i, r->near.entry[k], true) : 0;
            if (behind == 0)
                continue;
            size_t a = t->at[i].start, b = t->at[behind - 1].end;
            /* a word right before the match is known by the first byte of the match */
            bool is_known = t->at[behind - 1].kind != CHAR_WORD || (behind < t->len && t->at[behind].end <= start + 1);
            if (b <= start && a + r->before >= start && is_known)
                return true;
            size_t known = t->at[behind - 1].kind != CHAR_WORD ? b : behind < t->len ? t->at[behind].end : SIZE_MAX;
            if (end > 0 && a >= end && b <= end + r->behind && known <= last)
                return true;
        }
    return false;
}

static bool may_begin_at(const void *ctx, const struct seen_text *t, size_t i)
{
    struct seen_text *folded = malloc(sizeof *folded);
    const struct word_case *c = ((const void *const *)ctx)[0];
    const struct rule_case *r = ((const void *const *)ctx)[1];
    const char *text = ((const void *const *)ctx)[2];
    (void)c;
    see(folded, text, t->bytes, true);
    bool has = has_near(r, folded, text, t->at[i].start, 0);
    free(folded);
    return has;
}

static void expect(const struct word_case *c, const struct rule_case *r, const char *text, size_t len,
                   struct all_found *out)
{
    static struct seen_text t, folded;
    static struct all_found excepted;
    const void *ctx[] = {c, r, text};
    bool is_gated = r->near.len > 0 && r->behind == 0;
    see(&t, text, len, r->folded);
    see(&folded, text, len, true);
    search(&t, &r->words, r->folded, r->limit, is_gated ? may_begin_at : NULL, ctx, out);
    search(&folded, &r->except, true, SIZE_MAX, NULL, NULL, &excepted);
    size_t kept = 0;
    for (size_t i = 0; i < out->len; i++) {
        bool is_meant = r->near.len == 0 || has_near(r, &folded, text, out->at[i].start, out->at[i].end);
        for (size_t k = 0; k < excepted.len; k++)
            is_meant &= !(excepted.at[k].start <= out->at[i].start && out->at[i].end <= excepted.at[k].end);
        if (is_meant)
            out->at[kept++] = out->at[i];
    }
    out->len = kept;
}

/* ---- what is found ----------------------------------------------------------------------------------------------- */

struct decided {
    struct match match;
    uint64_t at; /* bytes consumed when it was decided; UINT64_MAX: at the end */
};
struct all_decided {
    struct decided at[FOUND_MAX * 3];
    size_t len;
};

static void take(struct all_decided *out, struct match_list *list, uint64_t at)
{
    for (size_t i = 0; i < list->len; i++)
        out->at[out->len++] = (struct decided){list->items[i], at};
    list->len = 0;
}

/* Feeds the text in pieces; `cut` is asked after each. */
static void run(struct word_case *c, bool whole, struct all_decided *out,
                void (*cut)(struct word_case *c, const struct matcher *m, size_t at))
{
    struct matcher *m;
    struct match_list list = {0};
    uint64_t hold = 0;
    out->len = 0;
    if (matcher_new(&m, c->rules, REIN_ANSWER) != 0)
        abort();
    for (size_t at = 0, to; at < c->len; at = to) {
        to = whole ? c->len : at + 1 + dice_below(&c->dice, dice_chance(&c->dice, 50) ? 3 : 12);
        to = to < c->len ? to : c->len;
        for (size_t fed = at, consumed; fed < to; fed += consumed) {
            /* no more of the window than has to be kept */
            size_t base = (size_t)matcher_keep(m);
            char *copy = malloc(to - base + 1);
            memcpy(copy, c->text + base, to - base);
            if (matcher_feed(m, (struct span){copy, to - base}, base, fed, &list, &consumed) != 0)
                abort();
            free(copy);
            for (size_t i = 0; i < list.len; i++)
                if (list.items[i].rule < c->rules_len && c->rule[list.items[i].rule].withholds &&
                    list.items[i].start < hold)
                    give_up(c, "a match begins in what was released", (size_t)list.items[i].start, (size_t)hold);
            take(out, &list, fed + consumed);
        }
        if (matcher_hold(m) < hold)
            give_up(c, "the hold moves back", (size_t)matcher_hold(m), (size_t)hold);
        hold = matcher_hold(m);
        if (cut != NULL)
            cut(c, m, to);
    }
    size_t base = (size_t)matcher_keep(m);
    if (matcher_end(m, (struct span){c->text + base, c->len - base}, base, &list) != 0)
        abort();
    take(out, &list, UINT64_MAX);
    match_list_fini(&list);
    matcher_free(m);
}

/* ---- the hold ---------------------------------------------------------------------------------------------------- */

static bool is_among(const struct all_found *all, struct found f)
{
    for (size_t i = 0; i < all->len; i++)
        if (all->at[i].start == f.start && all->at[i].end == f.end)
            return true;
    return false;
}

/* The continuations of a text that tell the matches of a rule apart. */
static size_t continuations(const struct rule_case *r, char out[MORE_MAX][ENTRY_MAX + 4])
{
    size_t n = 0;
    strcpy(out[n++], "");
    strcpy(out[n++], " ");
    strcpy(out[n++], "z");
    for (size_t i = 0; i < r->words.len; i++)
        for (const char *at = r->words.entry[i]; *at != '\0' && n + 3 < MORE_MAX; at++)
            if (((unsigned char)*at & 0xC0) != 0x80) {
                snprintf(out[n++], ENTRY_MAX + 4, "%s", at);
                snprintf(out[n++], ENTRY_MAX + 4, " %s", at);
                snprintf(out[n++], ENTRY_MAX + 4, "%sz", at);
            }
    return n;
}

static size_t expected_hold(const struct word_case *c, const struct rule_case *r, size_t len)
{
    static char more[MORE_MAX][ENTRY_MAX + 4];
    static struct all_found found[MORE_MAX];
    char text[TEXT_MAX + ENTRY_MAX + 32];
    size_t n = continuations(r, more), hold = len;
    for (size_t i = 0; i < n; i++) {
        memcpy(text, c->text, len);
        memcpy(text + len, more[i], strlen(more[i]));
        expect(c, r, text, len + strlen(more[i]), &found[i]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < found[i].len; k++) {
            bool is_decided = true;
            for (size_t o = 0; o < n && is_decided; o++)
                is_decided = is_among(&found[o], found[i].at[k]);
            if (!is_decided && found[i].at[k].start < hold)
                hold = found[i].at[k].start;
        }
    return hold;
}

static void check_hold(struct word_case *c, const struct matcher *m, size_t at)
{
    size_t wanted = at;
    if (at < c->len && ((unsigned char)c->text[at] & 0xC0) == 0x80)
        return; /* in the midst of a character */
    for (size_t i = 0; i < c->rules_len; i++) {
        const struct rule_case *r = &c->rule[i];
        if (r->near.len + r->except.len > 0 || r->limit < 1024 || c->has_unseen)
            return;
        size_t hold = r->withholds ? expected_hold(c, r, at) : at;
        wanted = hold < wanted ? hold : wanted;
    }
    if (matcher_hold(m) != wanted)
        give_up(c, "held / to be held", (size_t)matcher_hold(m), wanted);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static bool is_same(const struct decided *a, const struct decided *b)
{
    return a->match.rule == b->match.rule && a->match.start == b->match.start && a->match.end == b->match.end &&
           a->at == b->at;
}

static void check_case(uint64_t seed)
{
    static struct word_case c;
    static struct all_decided whole, pieces;
    static struct all_found wanted;
    make_case(&c, seed);
    run(&c, true, &whole, NULL);
    for (size_t i = 0; i < c.rules_len; i++) {
        size_t n = 0;
        expect(&c, &c.rule[i], c.text, c.len, &wanted);
        for (size_t k = 0; k < whole.len; k++) { /* one that waits for what is behind it may come later */
            const struct match *m = &whole.at[k].match;
            if (m->rule != i)
                continue;
            n++;
            if (!is_among(&wanted, (struct found){m->start, m->end}))
                give_up(&c, "found, but not to be found", (size_t)m->start, (size_t)m->end);
        }
        if (n != wanted.len)
            give_up(&c, "found / to be found", n, wanted.len);
    }
    for (unsigned i = 0; i < 3; i++) {
        run(&c, false, &pieces, i == 0 && seed % 4 == 0 ? check_hold : NULL);
        for (size_t k = 0; k < pieces.len || k < whole.len; k++)
            if (k == pieces.len || k == whole.len || !is_same(&pieces.at[k], &whole.at[k]))
                give_up(&c, "another partition, another result", k, whole.len);
    }
    ruleset_free(c.rules);
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("REIN_LONG");
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : is_long != NULL && *is_long == '1' ? 200000 : 4000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + cases; seed++)
        check_case(seed);
    printf("%" PRIu64 " cases\n", cases);
    return 0;
}
