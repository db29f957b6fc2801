/* See matcher.h. Bytes go to two views: one for the rules that examine raw text, one for those that examine folded
 * text. The views go in step, byte by byte of the original text, so that what is decided depends on the text alone;
 * text in which no rule begins is skipped. SPDX-License-Identifier: Apache-2.0 */
#include "rules/matcher.h"

#include <assert.h>

#include "base/heap.h"
#include "base/unicode.h"
#include "rules/match_filter.h"
#include "rules/match_run.h"
#include "rules/ruleset.h"
#include "rules/word_run.h"

/* Words are looked for in so many bytes before all other rules are, which may decide something earlier: then the words
 * go back. */
enum { UNKNOWN = -1, AHEAD_MAX = 256 };

/* What only few policies need: the words, and the matches that are not meant. */
struct matcher_words {
    struct word_view views[VIEWS]; /* its set is NULL where there are none */
    struct match_filter filter;
    struct match_list fresh; /* decided, not filtered yet */
};

struct matcher_view {
    const struct prefilter_view *prefilter;
    uint64_t *active; /* set of rules that have runs; after the tracks */
    size_t actives;
    uint64_t at;     /* offset of the next character */
    uint64_t before; /* end of the character before it, of those that fold to something */
    enum dfa_context context;
    uint64_t tail; /* the last eight bytes that were no gap */
};

/* One block, with all that depends on the number of rules. */
struct matcher {
    const struct ruleset *rules;
    const struct prefilter *prefilter;
    struct matcher_view views[VIEWS];
    struct run_pool pool;
    uint64_t fed;
    uint64_t kept, held;         /* matcher_keep and matcher_hold: what `fed` bytes leave open */
    struct matcher_words *words; /* NULL: there are none, and all matches are meant */
    const uint64_t *muted;       /* set of rules that find nothing; borrowed, NULL: none */
    struct track tracks[];       /* one per rule */
};

/* The text of one feed and where its matches go. */
struct feed {
    struct matcher *m;
    struct span text;
    uint64_t base;
    struct match_list *out;
};

void match_list_fini(struct match_list *list)
{
    heap_free(list->items);
    *list = (struct match_list){0};
}

int match_list_add(struct match_list *list, struct match match)
{
    struct match *items = heap_one_more(list->items, list->len, &list->cap, 8, sizeof(*items));
    if (items == NULL)
        return REIN_ENOMEM;
    list->items = items;
    list->items[list->len++] = match;
    return 0;
}

static bool has_words_on(const struct ruleset *rules, enum rein_channel channel)
{
    return (rules->words[VIEW_RAW].on[channel] | rules->words[VIEW_FOLDED].on[channel]) != 0;
}

static bool may_word_begin(const struct word_view *view, unsigned list, uint64_t start);
static void note_open(struct matcher *m);
enum open_of { OPEN_OF_ALL, OPEN_OF_WITHHOLDING, OPEN_OF_MASKING }; /* whose open matches are wanted */
static uint64_t first_open(const struct matcher *m, enum open_of of);

static void word_view_init(struct matcher *m, size_t i, enum rein_channel channel)
{
    const struct ruleset_words *words = &m->rules->words[i];
    if (words->on[channel] != 0)
        m->words->views[i] = (struct word_view){.set = &words->set,
                                                .active = words->on[channel],
                                                .hints = words->hints,
                                                .gated = words->gated,
                                                .gate = may_word_begin,
                                                .gate_ctx = m,
                                                .limits = words->limits,
                                                .limit = words->limit};
}

static int make_words(struct matcher *m, enum rein_channel channel)
{
    if (!has_words_on(m->rules, channel) && !m->rules->has_filters)
        return 0;
    m->words = heap_new(1, sizeof *m->words);
    for (size_t i = 0; i < VIEWS && m->words != NULL; i++)
        word_view_init(m, i, channel);
    return m->words != NULL ? 0 : REIN_ENOMEM;
}

int matcher_new(struct matcher **out, const struct ruleset *rules, enum rein_channel channel)
{
    *out = NULL;
    const struct prefilter *prefilter = &rules->prefilters[channel];
    if (prefilter->pairs == NULL && !has_words_on(rules, channel))
        return 0;
    size_t words = prefilter->views[VIEW_RAW].words + prefilter->views[VIEW_FOLDED].words;
    struct matcher *m = heap_new(1, sizeof(*m) + rules->len * sizeof(*m->tracks) + words * sizeof(uint64_t));
    if (m == NULL)
        return REIN_ENOMEM;
    m->rules = rules;
    m->prefilter = prefilter;
    uint64_t *active = (uint64_t *)(void *)(m->tracks + rules->len);
    for (size_t i = 0; i < VIEWS; i++) {
        m->views[i].prefilter = &prefilter->views[i];
        m->views[i].active = active;
        active += prefilter->views[i].words;
    }
    int rv = make_words(m, channel);
    if (rv != 0) {
        matcher_free(m);
        return rv;
    }
    *out = m;
    return 0;
}

void matcher_mute(struct matcher *m, const uint64_t *rules)
{
    if (m == NULL)
        return;
    m->muted = rules;
    for (size_t i = 0; i < VIEWS && m->words != NULL && rules != NULL; i++)
        for (uint64_t left = m->words->views[i].active; left != 0; left &= left - 1) {
            uint16_t rule = m->rules->words[i].rules[__builtin_ctzll(left)];
            if (rules[rule / 64] >> rule % 64 & 1)
                m->words->views[i].active &= ~(left & -left);
        }
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->rules->len; i++)
        track_fini(&m->tracks[i]);
    run_pool_fini(&m->pool);
    for (size_t i = 0; i < VIEWS && m->words != NULL; i++)
        word_view_fini(&m->words->views[i]);
    if (m->words != NULL) {
        match_filter_fini(&m->words->filter);
        match_list_fini(&m->words->fresh);
    }
    heap_free(m->words);
    heap_free(m);
}

void matcher_reset(struct matcher *m)
{
    if (m == NULL)
        return;
    m->fed = 0;
    for (size_t i = 0; i < VIEWS && m->words != NULL; i++)
        m->words->views[i].hinted.len = 0;
    if (m->words != NULL)
        match_filter_clear(&m->words->filter);
    matcher_begin(m);
}

void matcher_begin(struct matcher *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->rules->len; i++)
        track_clear(&m->pool, &m->tracks[i]);
    for (size_t i = 0; i < VIEWS; i++) {
        struct matcher_view *view = &m->views[i];
        memset(view->active, 0, view->prefilter->words * sizeof(*view->active));
        *view =
            (struct matcher_view){.prefilter = view->prefilter, .active = view->active, .at = m->fed, .before = m->fed};
        if (m->words != NULL)
            word_view_begin(&m->words->views[i], m->fed);
    }
    note_open(m);
}

/* ---- one byte of one view ---------------------------------------------------------------------------------------- */

static void set_active(struct matcher_view *view, size_t rule, bool active)
{
    uint64_t bit = UINT64_C(1) << rule % 64, *word = &view->active[rule / 64];
    view->actives += (size_t)active - (size_t)((*word & bit) != 0);
    *word = active ? *word | bit : *word & ~bit;
}

typedef int (*track_verb)(struct run_pool *pool, struct track *track, const struct rule *rule, uint16_t number,
                          const struct step *step, struct match_list *out);

/* Does one thing to the tracks of all rules that have runs. */
static int each_active(struct feed *f, struct matcher_view *view, const struct step *step, track_verb verb)
{
    for (size_t w = 0; w < view->prefilter->words; w++)
        for (uint64_t left = view->active[w]; left != 0; left &= left - 1) {
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            struct track *track = &f->m->tracks[rule];
            int rv = verb(&f->m->pool, track, &f->m->rules->rules[rule], (uint16_t)rule, step, f->out);
            if (rv != 0)
                return rv;
            if (track->head == 0)
                set_active(view, rule, false);
        }
    return 0;
}

/* Has the rule one of its words before this place? */
static bool has_word_before(const struct matcher *m, const struct rule *rule, uint64_t start)
{
    const struct word_matches *hints = &m->words->views[VIEW_FOLDED].hinted;
    return match_filter_has_word_before(hints, m->rules->rules[rule->filter->near].word_list, rule->filter->before,
                                        start);
}

static bool may_word_begin(const struct word_view *view, unsigned list, uint64_t start)
{
    const struct matcher *m = view->gate_ctx;
    const struct ruleset_words *words = &m->rules->words[view - m->words->views];
    return has_word_before(m, &m->rules->rules[words->rules[list]], start);
}

static bool may_begin_rule(const struct matcher *m, size_t number, uint64_t start)
{
    const struct rule *rule = &m->rules->rules[number];
    if (m->muted != NULL && (m->muted[number / 64] >> number % 64 & 1))
        return false;
    return !rule->is_gated || has_word_before(m, rule, start);
}

/* Begins the rules that this byte may begin; those that the next byte, if it is known, would end at once are spared. */
static int begin_rules(struct feed *f, struct matcher_view *view, const struct step *step, int next)
{
    const struct prefilter_view *prefilter = view->prefilter;
    const uint64_t *first = prefilter->first + ((size_t)view->context * 256 + step->byte) * prefilter->words;
    const uint64_t *second = next != UNKNOWN ? prefilter->second + (size_t)next * prefilter->words : NULL;
    for (size_t w = 0; w < prefilter->words; w++)
        for (uint64_t left = second != NULL ? first[w] & second[w] : first[w]; left != 0; left &= left - 1) {
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            struct track *track = &f->m->tracks[rule];
            if (!may_begin_rule(f->m, rule, step->start))
                continue;
            int rv =
                track_begin(&f->m->pool, track, &f->m->rules->rules[rule], (uint16_t)rule, view->context, step, f->out);
            if (rv != 0)
                return rv;
            set_active(view, rule, track->head != 0);
        }
    return 0;
}

/* Takes a view over one byte of the character [view->at, end). */
static int view_step(struct feed *f, struct matcher_view *view, unsigned char byte, uint64_t end, bool inside, int next)
{
    struct step step = {byte, view->at, end, view->before, inside, f->text, f->base, view->tail};
    int rv = view->actives > 0 ? each_active(f, view, &step, track_step) : 0;
    if (rv == 0)
        rv = begin_rules(f, view, &step, next);
    view->context = dfa_is_word(byte) ? DFA_AFTER_WORD : DFA_AFTER_OTHER;
    view->before = end;
    view->tail = view->tail << 8 | byte;
    return rv;
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */

static unsigned char fold_ascii(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* One character that is not ASCII; len < 0: one byte that is not a character. */
static int step_character(struct feed *f, struct matcher_view *view, char byte, int len, uint32_t codepoint)
{
    char folded[FOLD_MAX] = {byte};
    size_t folded_len = len > 0 ? fold_codepoint(codepoint, folded) : 1;
    uint64_t end = view->at + (len > 0 ? (uint64_t)len : 1);
    int rv = 0;
    if (folded_len == 0 && view->actives > 0) {
        struct step step = {.start = view->at, .end = end, .before = view->before, .text = f->text, .base = f->base};
        rv = each_active(f, view, &step, track_idle);
    }
    for (size_t i = 0; i < folded_len && rv == 0; i++) {
        bool inside = i + 1 < folded_len;
        rv = view_step(f, view, (unsigned char)folded[i], end, inside, inside ? (unsigned char)folded[i + 1] : UNKNOWN);
    }
    view->at = end;
    return rv;
}

/* Takes the folded view over all characters that are known when the text up to `end` is; `next` is the byte after it.
 * `ended`: no byte will follow, so a sequence that is cut short stands as it is. */
static int advance_folded(struct feed *f, uint64_t end, int next, bool ended)
{
    struct matcher_view *view = &f->m->views[VIEW_FOLDED];
    int rv = 0;
    while (view->at < end && rv == 0) {
        struct span rest = {f->text.data + (view->at - f->base), (size_t)(end - view->at)};
        unsigned char first = (unsigned char)rest.data[0];
        if (first < 0x80 && !is_unseen_ascii(rest.data[0])) {
            bool known = rest.len == 1 && next != UNKNOWN && next < 0x80 && !is_unseen_ascii((char)next);
            rv = view_step(f, view, fold_ascii(first), view->at + 1, false,
                           known ? fold_ascii((unsigned char)next) : UNKNOWN);
            view->at++;
            continue;
        }
        uint32_t codepoint = 0;
        int len = utf8_next(rest, &codepoint);
        if (len == 0 && !ended)
            return 0;
        rv = step_character(f, view, rest.data[0], len > 0 ? len : -1, codepoint);
    }
    return rv;
}

/* ---- feeding ----------------------------------------------------------------------------------------------------- */

/* Nothing is open, and both views are at the same place after the same kind of byte. */
static bool can_skip(const struct matcher *m)
{
    const struct matcher_view *raw = &m->views[VIEW_RAW], *folded = &m->views[VIEW_FOLDED];
    const struct matcher_view *any = raw->prefilter->words > 0 ? raw : folded;
    bool together = raw->prefilter->words == 0 || folded->prefilter->words == 0 || raw->context == folded->context;
    return together && raw->actives + folded->actives == 0 && any->context != DFA_TEXT_BEGINS &&
           (folded->prefilter->words == 0 || folded->at == m->fed);
}

/* May a rule be alive after the first byte, or if a second one is known, after that? */
static bool may_begin(const struct prefilter *prefilter, bool word, const unsigned char *p, const unsigned char *end)
{
    return p + 1 < end ? prefilter_pair(prefilter->pairs, word, p[0], p[1]) : prefilter_single(prefilter, word, p[0]);
}

/* The last eight bytes before `p`, where `tail` was those before `began`. */
static uint64_t tail_behind(uint64_t tail, const unsigned char *began, const unsigned char *p)
{
    if (p - began >= 8) /* written out, so that it becomes one load */
        return (uint64_t)p[-8] << 56 | (uint64_t)p[-7] << 48 | (uint64_t)p[-6] << 40 | (uint64_t)p[-5] << 32 |
               (uint64_t)p[-4] << 24 | (uint64_t)p[-3] << 16 | (uint64_t)p[-2] << 8 | p[-1];
    for (const unsigned char *at = began; at < p; at++)
        tail = tail << 8 | *at;
    return tail;
}

/* Skips bytes after which no rule is alive, the next byte considered where it is known. */
static void skip(struct matcher *m, const unsigned char *p, const unsigned char *end)
{
    const struct matcher_view *any = &m->views[m->views[VIEW_RAW].prefilter->words > 0 ? VIEW_RAW : VIEW_FOLDED];
    const unsigned char *began = p;
    bool word = any->context == DFA_AFTER_WORD;
    for (; p < end; p++) {
        p += byte_set_skip(&m->prefilter->begins, (struct span){(const char *)p, (size_t)(end - p)});
        word = p > began ? dfa_is_word(p[-1]) : word;
        if (p == end || may_begin(m->prefilter, word, p, end))
            break;
    }
    if (p == began)
        return;
    word = dfa_is_word(p[-1]);
    m->fed += (uint64_t)(p - began);
    uint64_t tail = tail_behind(any->tail, began, p);
    for (size_t i = 0; i < VIEWS; i++) {
        m->views[i].tail = tail;
        m->views[i].at = m->views[i].before = m->fed;
        m->views[i].context = word ? DFA_AFTER_WORD : DFA_AFTER_OTHER;
    }
}

/* Takes all views over the byte at `fed`. */
static int advance(struct feed *f)
{
    struct matcher *m = f->m;
    size_t i = (size_t)(m->fed - f->base);
    unsigned char byte = (unsigned char)f->text.data[i];
    int next = i + 1 < f->text.len ? (unsigned char)f->text.data[i + 1] : UNKNOWN, rv = 0;
    struct matcher_view *raw = &m->views[VIEW_RAW];
    m->fed++;
    if (raw->prefilter->words > 0)
        rv = view_step(f, raw, byte, m->fed, false, next);
    raw->at = m->fed;
    if (rv == 0 && m->views[VIEW_FOLDED].prefilter->words > 0)
        rv = advance_folded(f, m->fed, next, false);
    return rv;
}

/* Takes the rules that have automata up to `upto`, or to where they decide something. */
static int feed_automata(struct feed *f, uint64_t upto)
{
    struct matcher *m = f->m;
    size_t before = f->out->len;
    const unsigned char *data = (const unsigned char *)f->text.data;
    int rv = 0;
    if (m->prefilter->pairs == NULL) {
        m->fed = upto;
        return 0;
    }
    while (m->fed < upto && rv == 0 && f->out->len == before) {
        if (can_skip(m))
            skip(m, data + (m->fed - f->base), data + (upto - f->base));
        if (m->fed < upto)
            rv = advance(f);
    }
    return rv;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static int feed_view(struct feed *f, struct word_view *view, uint64_t upto)
{
    return view->set != NULL ? word_view_feed(view, f->text, f->base, upto, false) : 0;
}

static int restore_view(struct feed *f, struct word_view *view, uint64_t upto)
{
    if (view->set == NULL || view->place.at <= upto)
        return 0;
    int rv = word_view_restore(view);
    return rv == 0 ? feed_view(f, view, upto) : rv;
}

/* Takes all words up to `upto`, or to where the first of them decides something; *stop says where. */
static int feed_words(struct feed *f, uint64_t upto, uint64_t *stop)
{
    int rv = 0;
    *stop = upto;
    for (size_t i = VIEWS; i-- > 0 && rv == 0;) { /* folded ones first: they find the words that others want near */
        struct word_view *view = &f->m->words->views[i];
        rv = view->set != NULL ? word_view_save(view) : 0;
        if (rv == 0)
            rv = feed_view(f, view, *stop);
        if (view->decided.len > 0 && view->place.at < *stop)
            *stop = view->place.at;
    }
    for (size_t i = 0; i < VIEWS && rv == 0; i++)
        rv = restore_view(f, &f->m->words->views[i], *stop);
    return rv;
}

/* What the words have decided, behind what the automata have. */
static int take_words(struct matcher *m, struct match_list *out)
{
    int rv = 0;
    for (size_t i = 0; i < VIEWS; i++) {
        struct word_view *view = &m->words->views[i];
        for (size_t k = 0; k < view->decided.len && rv == 0; k++) {
            const struct word_match *w = &view->decided.items[k];
            rv = match_list_add(out, (struct match){m->rules->words[i].rules[w->list], w->start, w->end});
        }
        word_view_settle(view);
    }
    return rv;
}

/* May a match of a hidden rule still come that begins at `start` or before? */
static bool is_rule_open(const void *ctx, uint16_t number, uint64_t start)
{
    const struct matcher *m = ctx;
    const struct rule *rule = &m->rules->rules[number];
    if (!rule_has_words(rule))
        return m->tracks[number].head != 0 && m->pool.runs[m->tracks[number].head].start <= start;
    const struct word_view *view = &m->words->views[rule->folded ? VIEW_FOLDED : VIEW_RAW];
    return view->set != NULL && word_view_open(view, UINT64_C(1) << rule->word_list) <= start;
}

/* Passes on the matches that are meant. */
static int filter_matches(struct feed *f, struct match_list *out, bool ended)
{
    struct matcher *m = f->m;
    struct matcher_words *words = m->words;
    const struct word_view *hints = &words->views[VIEW_FOLDED];
    if (words->fresh.len == 0 && words->filter.waiting_len == 0)
        return 0;
    struct filter_view view = {.rules = m->rules,
                               .hints = &hints->hinted,
                               .at = hints->set != NULL ? hints->place.at : m->fed,
                               .ended = ended,
                               .is_open = is_rule_open,
                               .ctx = m,
                               .text = f->text,
                               .base = f->base};
    int rv = match_filter_take(&words->filter, &view, &words->fresh, out);
    words->fresh.len = 0;
    return rv;
}

/* Forgets words and exceptions that no match to come can be near to, or lie in. */
static void forget_words(struct matcher *m)
{
    enum { MANY = 16 };
    struct word_matches *hints = &m->words->views[VIEW_FOLDED].hinted;
    if (hints->len < MANY && m->words->filter.exceptions.len < MANY)
        return;
    uint64_t first = first_open(m, OPEN_OF_ALL);
    size_t kept = 0;
    for (size_t i = 0; i < hints->len; i++)
        if (hints->items[i].start + m->rules->near_max >= first)
            hints->items[kept++] = hints->items[i];
    hints->len = kept;
    match_filter_forget(&m->words->filter, first);
}

/* One stretch of text: words first, and then all others up to where these decide something. */
static int feed_both(struct feed *f, uint64_t end, struct match_list *out)
{
    struct matcher *m = f->m;
    uint64_t upto = end - m->fed > AHEAD_MAX ? m->fed + AHEAD_MAX : end, stop;
    if (m->words->filter.waiting_len > 0)
        upto = m->fed + 1; /* what waits is looked at behind each byte */
    int rv = feed_words(f, upto, &stop);
    if (rv == 0)
        rv = feed_automata(f, stop);
    for (size_t i = 0; i < VIEWS && rv == 0 && m->fed < stop; i++)
        rv = restore_view(f, &m->words->views[i], m->fed);
    if (rv == 0)
        rv = take_words(m, f->out);
    if (rv == 0)
        rv = filter_matches(f, out, false);
    forget_words(m);
    return rv;
}

int matcher_feed(struct matcher *m, struct span text, uint64_t base, uint64_t from, struct match_list *out,
                 size_t *consumed)
{
    *consumed = (size_t)(base + text.len - from);
    if (m == NULL)
        return 0;
    assert(from == m->fed && base <= matcher_keep(m) && from - base <= text.len);
    struct feed f = {m, text, base, m->words != NULL ? &m->words->fresh : out};
    uint64_t end = base + text.len;
    int rv = 0;
    if (m->words == NULL)
        rv = feed_automata(&f, end);
    for (size_t before = out->len; m->words != NULL && m->fed < end && rv == 0 && out->len == before;)
        rv = feed_both(&f, end, out);
    note_open(m);
    *consumed = (size_t)(m->fed - from);
    return rv;
}

static int end_words(struct feed *f)
{
    int rv = 0;
    for (size_t i = VIEWS; i-- > 0 && rv == 0;) {
        struct word_view *view = &f->m->words->views[i];
        while (view->set != NULL && view->place.at < f->m->fed && rv == 0) { /* it stops where it decides something */
            rv = word_view_feed(view, f->text, f->base, f->m->fed, true);
            if (rv == 0)
                rv = take_words(f->m, f->out);
        }
        if (rv == 0 && view->set != NULL)
            rv = word_view_end(view);
    }
    return rv == 0 ? take_words(f->m, f->out) : rv;
}

int matcher_end(struct matcher *m, struct span text, uint64_t base, struct match_list *out)
{
    if (m == NULL)
        return 0;
    assert(base <= matcher_keep(m) && base + text.len == m->fed);
    struct feed f = {m, text, base, m->words != NULL ? &m->words->fresh : out};
    int rv = m->views[VIEW_FOLDED].prefilter->words > 0 ? advance_folded(&f, m->fed, UNKNOWN, true) : 0;
    for (size_t i = 0; i < VIEWS && rv == 0; i++) {
        struct step step = {.start = m->fed, .end = m->fed, .before = m->views[i].before, .text = text, .base = base};
        rv = each_active(&f, &m->views[i], &step, track_end);
    }
    if (rv == 0 && m->words != NULL)
        rv = end_words(&f);
    if (rv == 0 && m->words != NULL)
        rv = filter_matches(&f, out, true);
    note_open(m);
    return rv;
}

static int copy_words(struct matcher *to, const struct matcher *from)
{
    int rv = 0;
    for (size_t i = 0; i < VIEWS && rv == 0; i++) {
        rv = word_view_copy(&to->words->views[i], &from->words->views[i]);
        to->words->views[i].gate_ctx = to;
    }
    return rv == 0 ? match_filter_copy(&to->words->filter, &from->words->filter) : rv;
}

static int copy_runs(struct matcher *to, const struct matcher *from)
{
    int rv = run_pool_copy(&to->pool, &from->pool);
    for (size_t i = 0; i < from->rules->len && rv == 0; i++)
        rv = track_copy(&to->tracks[i], &from->tracks[i]);
    for (size_t i = 0; i < VIEWS && rv == 0; i++) {
        uint64_t *active = to->views[i].active;
        to->views[i] = from->views[i];
        to->views[i].active = active;
        if (from->views[i].prefilter->words > 0)
            memcpy(active, from->views[i].active, from->views[i].prefilter->words * sizeof *active);
    }
    to->fed = from->fed;
    to->kept = from->kept;
    to->held = from->held;
    to->muted = from->muted;
    return rv == 0 && from->words != NULL ? copy_words(to, from) : rv;
}

int matcher_end_for_now(const struct matcher *m, struct span text, uint64_t base, struct match_list *out)
{
    if (m == NULL)
        return 0;
    struct matcher *copy;
    int rv = matcher_new(&copy, m->rules, (enum rein_channel)(m->prefilter - m->rules->prefilters));
    if (rv == 0)
        rv = copy_runs(copy, m);
    if (rv == 0)
        rv = matcher_end(copy, text, base, out);
    matcher_free(copy);
    return rv;
}

/* Can no match begin anywhere? So it is in most short texts. */
static bool is_plain(const struct ruleset *rules, enum rein_channel channel, struct span text)
{
    const struct prefilter *prefilter = &rules->prefilters[channel];
    for (size_t i = 0; i < VIEWS; i++)
        if (word_view_may_match(&rules->words[i].set, rules->words[i].on[channel], text))
            return false;
    return prefilter->pairs == NULL || byte_set_skip(&prefilter->begins, text) == text.len;
}

int matcher_scan(const struct ruleset *rules, enum rein_channel channel, struct span text, struct match_list *out)
{
    if (is_plain(rules, channel, text))
        return 0;
    struct matcher *m;
    int rv = matcher_new(&m, rules, channel);
    for (size_t at = 0, step; at < text.len && rv == 0; at += step)
        rv = matcher_feed(m, text, 0, at, out, &step);
    if (rv == 0)
        rv = matcher_end(m, text, 0, out);
    matcher_free(m);
    return rv;
}

/* ---- what is still open ------------------------------------------------------------------------------------------ */

static bool is_wanted(const struct rule *rule, enum open_of of)
{
    return of == OPEN_OF_ALL || (of == OPEN_OF_WITHHOLDING ? rule->withholds : rule->masked);
}

static uint64_t lane_first(const struct matcher *m, const struct matcher_view *view, enum open_of of, uint64_t first)
{
    bool may_be_wanted = of != OPEN_OF_WITHHOLDING || view->prefilter->withholds;
    if (view->prefilter->words > 0 && view->at < first && may_be_wanted)
        first = view->at; /* a sequence cut short, of which nothing is known yet */
    if (view->actives == 0)
        return first;
    for (size_t w = 0; w < view->prefilter->words; w++)
        for (uint64_t left = view->active[w]; left != 0; left &= left - 1) {
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            uint64_t start = m->pool.runs[m->tracks[rule].head].start;
            if (start < first && is_wanted(&m->rules->rules[rule], of))
                first = start;
        }
    return first;
}

static uint64_t words_first(const struct matcher *m, enum open_of of, uint64_t first)
{
    for (size_t i = 0; i < VIEWS; i++) {
        const struct word_view *view = &m->words->views[i];
        const struct ruleset_words *words = &m->rules->words[i];
        uint64_t lists = of == OPEN_OF_ALL ? UINT64_MAX : of == OPEN_OF_WITHHOLDING ? words->withholds : words->masked;
        if (view->set == NULL || (lists & view->active) == 0 || (word_view_is_idle(view) && view->place.at >= first))
            continue;
        uint64_t open = word_view_open(view, lists);
        first = open < first ? open : first;
    }
    for (size_t i = 0; i < m->words->filter.waiting_len; i++) {
        const struct match *w = &m->words->filter.waiting[i].match;
        if (w->start < first && is_wanted(&m->rules->rules[w->rule], of))
            first = w->start;
    }
    return first;
}

static uint64_t first_open(const struct matcher *m, enum open_of of)
{
    const struct matcher_view *folded = &m->views[VIEW_FOLDED];
    uint64_t first = m->fed;
    if (m->views[VIEW_RAW].actives + folded->actives > 0 || (folded->prefilter->words > 0 && folded->at != m->fed)) {
        first = lane_first(m, &m->views[VIEW_RAW], of, first);
        first = lane_first(m, folded, of, first);
    }
    return m->words != NULL ? words_first(m, of, first) : first;
}

/* Once for each stretch that was fed, because what is open is asked for several times. Where nothing at all is, nothing
 * is withheld. */
static void note_open(struct matcher *m)
{
    m->kept = first_open(m, OPEN_OF_ALL);
    bool is_held = m->kept == m->fed || m->rules->all_withhold;
    m->held = is_held ? m->kept : first_open(m, OPEN_OF_WITHHOLDING);
    assert(m->kept <= m->held && m->held <= m->fed);
}

uint64_t matcher_hold(const struct matcher *m)
{
    return m != NULL ? m->held : UINT64_MAX;
}

uint64_t matcher_keep(const struct matcher *m)
{
    return m != NULL ? m->kept : UINT64_MAX;
}

uint64_t matcher_secret(const struct matcher *m)
{
    return m != NULL ? first_open(m, OPEN_OF_MASKING) : UINT64_MAX;
}

bool matcher_withholds(const struct matcher *m)
{
    if (m == NULL)
        return false;
    for (size_t i = 0; i < VIEWS && m->words != NULL; i++)
        if ((m->words->views[i].active & m->rules->words[i].withholds) != 0)
            return true;
    return m->prefilter->views[VIEW_RAW].withholds || m->prefilter->views[VIEW_FOLDED].withholds;
}

uint64_t matcher_steps(const struct matcher *m)
{
    return m != NULL ? m->pool.steps : 0;
}
