/* Tables that show where no rule can begin, so that ordinary text is skipped quickly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"
#include "base/unicode.h"
#include "rules/ruleset.h"

enum { PAIR_WORDS = 2 * 256 * 256 / 64, TO_UPPER = 'a' - 'A' };

void prefilter_fini(struct prefilter *prefilter)
{
    for (size_t i = 0; i < VIEWS; i++) {
        heap_free(prefilter->views[i].first);
        heap_free(prefilter->views[i].second);
    }
    heap_free(prefilter->pairs);
    *prefilter = (struct prefilter){0};
}

static void set_pair(uint64_t *pairs, bool word, unsigned a, unsigned b)
{
    pairs[(size_t)word << 10 | a << 2 | b >> 6] |= UINT64_C(1) << (b & 63);
}

static void set_single(struct prefilter *prefilter, bool word, unsigned a)
{
    prefilter->singles[word][a >> 6] |= UINT64_C(1) << (a & 63);
    byte_set_add(&prefilter->begins, (unsigned char)a);
}

/* Raw letters that fold to the same ASCII one survive alike. */
static void set_folded_pair(uint64_t *pairs, bool word, unsigned a, unsigned b)
{
    bool a_cased = a >= 'a' && a <= 'z', b_cased = b >= 'a' && b <= 'z';
    for (unsigned i = 0; i < 4; i++)
        if ((i & 1 ? a_cased : true) && (i & 2 ? b_cased : true))
            set_pair(pairs, word, i & 1 ? a - TO_UPPER : a, i & 2 ? b - TO_UPPER : b);
}

/* What happens to a run in state `first`, which began with byte a, at a second byte. */
static void prefilter_second(struct prefilter *prefilter, const struct rule *rule, size_t number, bool word, unsigned a,
                             uint32_t first)
{
    const struct dfa *dfa = &rule->dfa;
    struct prefilter_view *view = &prefilter->views[rule->folded ? VIEW_FOLDED : VIEW_RAW];
    bool done = (dfa->states[first].flags & (DFA_MATCH | DFA_BEFORE)) != 0;
    for (unsigned b = 0; b < 256; b++) {
        if (!done && dfa->states[dfa_next(dfa, first, (unsigned char)b)].flags == 0)
            continue;
        view->second[b * view->words + number / 64] |= UINT64_C(1) << number % 64;
        if (rule->folded)
            set_folded_pair(prefilter->pairs, word, a, b);
        else
            set_pair(prefilter->pairs, word, a, b);
    }
}

static void prefilter_rule(struct prefilter *prefilter, const struct rule *rule, size_t number)
{
    const struct dfa *dfa = &rule->dfa;
    struct prefilter_view *view = &prefilter->views[rule->folded ? VIEW_FOLDED : VIEW_RAW];
    view->withholds = view->withholds || rule->withholds;
    for (unsigned context = 0; context < DFA_CONTEXTS; context++)
        for (unsigned a = 0; a < 256; a++) {
            uint32_t first = dfa_next(dfa, dfa->start[context], (unsigned char)a);
            if (dfa->states[first].flags == 0)
                continue;
            view->first[(context * 256 + a) * view->words + number / 64] |= UINT64_C(1) << number % 64;
            bool word = context == DFA_AFTER_WORD;
            set_single(prefilter, word, a);
            if (rule->folded && a >= 'a' && a <= 'z')
                set_single(prefilter, word, a - TO_UPPER);
            prefilter_second(prefilter, rule, number, word, a, first);
        }
}

static bool is_for(const struct rule *rule, enum rein_channel channel)
{
    return (rule->channels >> channel & 1) && !rule_has_words(rule);
}

static int prefilter_view_init(struct prefilter_view *view, size_t words)
{
    view->words = words;
    view->first = heap_new((size_t)DFA_CONTEXTS * 256 * words, sizeof(uint64_t));
    view->second = heap_new(256 * words, sizeof(uint64_t));
    return view->first != NULL && view->second != NULL ? 0 : REIN_ENOMEM;
}

/* Folding may make anything of the byte: it is part of a character that is not ASCII, or folds to nothing. */
static bool is_open_end(unsigned byte)
{
    return byte >= 0x80 || is_unseen_ascii((char)byte);
}

/* Folded rules may begin, and continue, with any such byte. */
static void stop_at_open_ends(struct prefilter *prefilter)
{
    for (unsigned word = 0; word < 2; word++)
        for (unsigned a = 0; a < 256; a++) {
            if (is_open_end(a))
                set_single(prefilter, word != 0, a);
            else if (!prefilter_single(prefilter, word != 0, (unsigned char)a))
                continue;
            for (unsigned b = 0; b < 256; b++)
                if (is_open_end(a) || is_open_end(b))
                    set_pair(prefilter->pairs, word != 0, a, b);
        }
}

int prefilter_init(struct prefilter *prefilter, const struct ruleset *set, enum rein_channel channel)
{
    *prefilter = (struct prefilter){0};
    bool wanted[VIEWS] = {false};
    for (size_t i = 0; i < set->len; i++)
        if (is_for(&set->rules[i], channel))
            wanted[set->rules[i].folded ? VIEW_FOLDED : VIEW_RAW] = true;
    if (!wanted[VIEW_RAW] && !wanted[VIEW_FOLDED])
        return 0;
    prefilter->pairs = heap_new(PAIR_WORDS, sizeof(uint64_t));
    int rv = prefilter->pairs != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < VIEWS && rv == 0; i++)
        rv = wanted[i] ? prefilter_view_init(&prefilter->views[i], set->len / 64 + 1) : 0;
    if (rv != 0) {
        prefilter_fini(prefilter);
        return rv;
    }
    for (size_t i = 0; i < set->len; i++)
        if (is_for(&set->rules[i], channel))
            prefilter_rule(prefilter, &set->rules[i], i);
    if (wanted[VIEW_FOLDED])
        stop_at_open_ends(prefilter);
    return 0;
}
