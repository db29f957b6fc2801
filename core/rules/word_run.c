/* See word_run.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/word_run.h"

#include <assert.h>

#include "base/heap.h"
#include "base/unicode.h"

static int word_matches_add(struct word_matches *list, struct word_match match)
{
    struct word_match *items = heap_one_more(list->items, list->len, &list->cap, 4, sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    list->items = items;
    list->items[list->len++] = match;
    return 0;
}

static int word_matches_copy(struct word_matches *to, const struct word_matches *from)
{
    to->len = 0;
    int rv = 0;
    for (size_t i = 0; i < from->len && rv == 0; i++)
        rv = word_matches_add(to, from->items[i]);
    return rv;
}

static void place_fini(struct word_place *place)
{
    heap_free(place->runs);
    heap_free(place->candidates.items);
}

void word_view_fini(struct word_view *view)
{
    place_fini(&view->place);
    place_fini(&view->saved);
    heap_free(view->decided.items);
    heap_free(view->hinted.items);
    *view = (struct word_view){0};
}

void word_view_begin(struct word_view *view, uint64_t at)
{
    struct word_place *place = &view->place;
    place->runs_len = place->candidates.len = 0;
    place->at = place->before = at;
    place->after = CHAR_OTHER;
    view->decided.len = 0;
    for (size_t i = 0; view->set != NULL && i < view->set->lists_len; i++)
        view->floors[i] = at;
}

/* Always true between two calls: runs and candidates are in the order of their starts, and begin before `at`. */
static bool place_is_sound(const struct word_place *place)
{
    const struct word_matches *c = &place->candidates;
    return place->runs_len <= place->runs_cap && place->before <= place->at &&
           (place->runs_len == 0 || place->runs[place->runs_len - 1].start < place->at) &&
           (c->len == 0 || c->items[c->len - 1].end <= place->at);
}

static int place_copy(struct word_place *to, const struct word_place *from)
{
    int rv = word_matches_copy(&to->candidates, &from->candidates);
    if (rv == 0 && from->runs_len > to->runs_cap) {
        struct word_run *runs = heap_resize(to->runs, from->runs_len * sizeof *runs);
        if (runs == NULL)
            return REIN_ENOMEM;
        to->runs = runs;
        to->runs_cap = from->runs_len;
    }
    if (rv != 0)
        return rv;
    if (from->runs_len > 0)
        memcpy(to->runs, from->runs, from->runs_len * sizeof *to->runs);
    to->runs_len = from->runs_len;
    to->at = from->at;
    to->before = from->before;
    to->after = from->after;
    return 0;
}

int word_view_copy(struct word_view *to, const struct word_view *from)
{
    *to = *from;
    to->place = to->saved = (struct word_place){0};
    to->decided = to->hinted = (struct word_matches){0};
    int rv = place_copy(&to->place, &from->place);
    return rv == 0 ? word_matches_copy(&to->hinted, &from->hinted) : rv;
}

int word_view_save(struct word_view *view)
{
    return place_copy(&view->saved, &view->place);
}

int word_view_restore(struct word_view *view)
{
    view->decided.len = 0;
    while (view->hinted.len > 0 && view->hinted.items[view->hinted.len - 1].known > view->saved.at)
        view->hinted.len--;
    return place_copy(&view->place, &view->saved);
}

/* ---- candidates -------------------------------------------------------------------------------------------------- */

static bool word_fits(const struct word_view *view, unsigned list, uint64_t start, uint64_t end)
{
    return end - start <= view->limits[list];
}

/* Does a match of the list that begins at `start` count, next to its candidates? */
static bool may_start(const struct word_view *view, unsigned list, uint64_t start)
{
    if (start < view->floors[list])
        return false;
    for (size_t i = 0; i < view->place.candidates.len; i++) {
        const struct word_match *c = &view->place.candidates.items[i];
        if (c->list == list && c->start < start && start < c->end)
            return false;
    }
    return (view->gated >> list & 1) == 0 || view->gate(view, list, start);
}

/* The candidates that a match [start, end) displaces go: shorter ones, and those that begin inside it. */
static void displace(struct word_matches *candidates, unsigned list, uint64_t start)
{
    size_t kept = 0;
    for (size_t i = 0; i < candidates->len; i++)
        if (candidates->items[i].list != list || candidates->items[i].start < start)
            candidates->items[kept++] = candidates->items[i];
    candidates->len = kept;
}

static int propose(struct word_view *view, uint64_t lists, uint64_t start, uint64_t end)
{
    int rv = 0;
    for (uint64_t left = lists & view->active; left != 0 && rv == 0; left &= left - 1) {
        unsigned list = (unsigned)__builtin_ctzll(left);
        struct word_match match = {start, end, view->place.at, (uint8_t)list, false};
        if (!word_fits(view, list, start, end))
            continue;
        if (view->hints >> list & 1) {
            rv = word_matches_add(&view->hinted, match);
        } else if (may_start(view, list, start)) {
            displace(&view->place.candidates, list, start);
            rv = word_matches_add(&view->place.candidates, match);
        }
    }
    return rv;
}

/* The lists that a run may still find a match for. */
static uint64_t run_reaches(const struct word_view *view, const struct word_run *run)
{
    const struct word_node *node = &view->set->nodes[run->node];
    bool is_pending = view->place.after == CHAR_WORD; /* the next character says whether the word ends here */
    return (node->reaches | (is_pending ? node->accepts : 0)) & view->active;
}

/* May a run still find a match of the list, which it reaches? */
static bool run_may_match(const struct word_view *view, const struct word_run *run, unsigned list)
{
    bool is_pending = view->place.after == CHAR_WORD && (view->set->nodes[run->node].accepts >> list & 1);
    bool needs_more = !is_pending && !view->place.inside;
    return word_fits(view, list, run->start, view->place.at + needs_more) && may_start(view, list, run->start);
}

/* May a run, or a candidate before it that is not decided, displace the candidate with this number? */
static bool is_threatened(const struct word_view *view, size_t number)
{
    const struct word_match *items = view->place.candidates.items, *c = &items[number];
    for (size_t i = 0; i < number; i++)
        if (items[i].list == c->list && !items[i].is_decided)
            return true;
    for (size_t i = 0; i < view->place.runs_len && view->place.runs[i].start <= c->start; i++) {
        const struct word_run *run = &view->place.runs[i];
        if ((run_reaches(view, run) >> c->list & 1) && run_may_match(view, run, c->list))
            return true;
    }
    return false;
}

/* Candidates that nothing can displace any more are decided. Those of a list lie in the order of their starts. */
static int decide(struct word_view *view)
{
    struct word_matches *candidates = &view->place.candidates;
    size_t kept = 0;
    int rv = 0;
    for (size_t i = 0; i < candidates->len && rv == 0; i++)
        if (!is_threatened(view, i)) {
            candidates->items[i].is_decided = true;
            rv = word_matches_add(&view->decided, candidates->items[i]);
        }
    for (size_t i = 0; i < candidates->len; i++)
        if (!candidates->items[i].is_decided)
            candidates->items[kept++] = candidates->items[i];
    candidates->len = kept;
    return rv;
}

void word_view_settle(struct word_view *view)
{
    for (size_t i = 0; i < view->decided.len; i++)
        view->floors[view->decided.items[i].list] = view->decided.items[i].end;
    view->decided.len = 0;
}

/* ---- one character ----------------------------------------------------------------------------------------------- */

struct word_char {
    enum char_kind kind;
    struct span bytes;
    uint64_t start, end; /* of the original character */
    bool inside;         /* what else the character folds to follows */
};

/* Words that end before a character that begins no word or follows none. */
static int propose_ended(struct word_view *view)
{
    int rv = 0;
    for (size_t i = 0; i < view->place.runs_len && rv == 0; i++) {
        uint64_t accepts = view->set->nodes[view->place.runs[i].node].accepts;
        if (accepts != 0)
            rv = propose(view, accepts, view->place.runs[i].start, view->place.before);
    }
    return rv;
}

static uint32_t step_node(const struct word_view *view, uint32_t node, const struct word_char *c)
{
    if (c->kind == CHAR_SPACE)
        return view->place.after == CHAR_SPACE ? node : word_set_next(view->set, node, ' ');
    for (size_t i = 0; i < c->bytes.len && node != 0; i++)
        node = word_set_next(view->set, node, (unsigned char)c->bytes.data[i]);
    return node;
}

/* Of a run that takes the character. */
static bool is_alive(const struct word_view *view, uint32_t node, uint64_t start, uint64_t end, bool inside)
{
    if (node == 0)
        return false;
    const struct word_node *at = &view->set->nodes[node];
    bool needs_more = at->accepts == 0 && !inside;
    return ((at->accepts | at->reaches) & view->active) != 0 && end + needs_more - start <= view->limit;
}

static int add_run(struct word_view *view, uint64_t start, uint32_t node)
{
    struct word_place *place = &view->place;
    struct word_run *runs = heap_one_more(place->runs, place->runs_len, &place->runs_cap, 4, sizeof *runs);
    if (runs == NULL)
        return REIN_ENOMEM;
    place->runs = runs;
    place->runs[place->runs_len++] = (struct word_run){start, node};
    return 0;
}

static bool begins_word(const struct word_view *view, const struct word_char *c)
{
    return c->kind != CHAR_SPACE && (c->kind != CHAR_WORD || view->place.after != CHAR_WORD);
}

/* Runs at whose node no longer entry begins are over once their own is known. */
static void weed_runs(struct word_view *view)
{
    struct word_place *place = &view->place;
    size_t kept = 0;
    for (size_t i = 0; i < place->runs_len; i++)
        if (run_reaches(view, &place->runs[i]) != 0)
            place->runs[kept++] = place->runs[i];
    place->runs_len = kept;
}

static int word_step(struct word_view *view, const struct word_char *c)
{
    struct word_place *place = &view->place;
    bool ends_word = place->after == CHAR_WORD && c->kind != CHAR_WORD;
    bool begins = begins_word(view, c), had_any = place->candidates.len > 0 || place->runs_len > 0;
    int rv = ends_word ? propose_ended(view) : 0;
    size_t kept = 0;
    for (size_t i = 0; i < place->runs_len; i++) {
        uint32_t node = step_node(view, place->runs[i].node, c);
        if (is_alive(view, node, place->runs[i].start, c->end, c->inside))
            place->runs[kept++] = (struct word_run){place->runs[i].start, node};
    }
    place->runs_len = kept;
    uint32_t node = begins && rv == 0 ? step_node(view, WORD_ROOT, c) : 0;
    if (is_alive(view, node, c->start, c->end, c->inside)) {
        rv = add_run(view, c->start, node);
        had_any = true;
    }
    place->before = c->end;
    place->after = (uint8_t)c->kind;
    place->inside = c->inside;
    if (!had_any || rv != 0)
        return rv;
    if (c->kind == CHAR_OTHER) /* entries that end here end, whatever follows */
        rv = propose_ended(view);
    weed_runs(view);
    return rv == 0 && place->candidates.len > 0 ? decide(view) : rv;
}

/* Those of the lists that leave a match no room up to `end`. */
static uint64_t without_room(const struct word_view *view, uint64_t lists, uint64_t start, uint64_t end)
{
    uint64_t full = 0;
    for (uint64_t left = lists & view->active; left != 0; left &= left - 1)
        if (!word_fits(view, (unsigned)__builtin_ctzll(left), start, end))
            full |= left & -left;
    return full;
}

/* A character that is not seen, up to `end`: it takes room. A run that has none left is over, and the end of its word
 * counts as one. */
static int word_idle(struct word_view *view, uint64_t end)
{
    struct word_place *place = &view->place;
    size_t kept = 0;
    int rv = 0;
    for (size_t i = 0; i < place->runs_len && rv == 0; i++) {
        const struct word_run run = place->runs[i];
        uint64_t accepts = view->set->nodes[run.node].accepts;
        uint64_t full = place->after == CHAR_WORD ? without_room(view, accepts, run.start, end) : 0;
        if (full != 0)
            rv = propose(view, full, run.start, place->before);
        if (is_alive(view, run.node, run.start, end, false))
            place->runs[kept++] = run;
    }
    place->runs_len = kept;
    return rv == 0 && place->candidates.len > 0 ? decide(view) : rv;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* One character that is not seen ASCII; len < 0: one byte that is not a character. */
static int word_wide(struct word_view *view, char byte, int len, uint32_t codepoint)
{
    struct word_place *place = &view->place;
    uint64_t start = place->at, end = start + (len > 0 ? (uint64_t)len : 1);
    char seen[FOLD_MAX];
    size_t seen_len = 0;
    int rv = 0;
    if (len > 0)
        seen_len = view->set->folded ? fold_codepoint(codepoint, seen) : utf8_encode(codepoint, seen);
    place->at = end;
    if (len < 0) {
        struct word_char none = {CHAR_OTHER, {&byte, 1}, start, end, false};
        rv = word_step(view, &none);
        place->runs_len = 0;
        return rv == 0 && place->candidates.len > 0 ? decide(view) : rv;
    }
    if (seen_len == 0)
        return word_idle(view, end);
    for (size_t at = 0; at < seen_len && rv == 0;) {
        uint32_t one = 0;
        int step = utf8_next((struct span){seen + at, seen_len - at}, &one);
        assert(step > 0);
        struct word_char c = {char_kind_of(one), {seen + at, (size_t)step}, start, end, at + (size_t)step < seen_len};
        rv = word_step(view, &c);
        at += (size_t)step;
    }
    return rv;
}

static int word_next_char(struct word_view *view, struct span rest, bool ended, bool *is_short)
{
    const struct word_set *set = view->set;
    unsigned char first = (unsigned char)rest.data[0];
    if (first < 0x80 && set->kind[first] != UINT8_MAX) {
        char byte = (char)set->fold[first];
        struct word_char c = {set->kind[first], {&byte, 1}, view->place.at, view->place.at + 1, false};
        view->place.at++;
        return word_step(view, &c);
    }
    uint32_t codepoint = 0;
    int len = utf8_next(rest, &codepoint);
    *is_short = len == 0 && !ended;
    return *is_short ? 0 : word_wide(view, rest.data[0], len > 0 ? len : -1, codepoint);
}

static inline bool is_reached(const struct word_set *set, uint32_t node, uint64_t active)
{
    return node != 0 && ((set->nodes[node].accepts | set->nodes[node].reaches) & active) != 0;
}

/* Does no entry that is searched begin here, whatever follows the text? *node: where the walk is at the end of the
 * text; 0: the place has to be looked at closely. */
static bool is_no_entry(const struct word_set *set, uint64_t active, const unsigned char *p, const unsigned char *end,
                        uint32_t *node)
{
    uint32_t at = WORD_ROOT;
    for (; p < end && *p < 0x80 && set->kind[*p] != UINT8_MAX; p++) {
        at = word_set_next(set, at, set->kind[*p] == CHAR_SPACE ? ' ' : set->fold[*p]);
        if (!is_reached(set, at, active))
            return true;
        if (set->nodes[at].accepts != 0 || set->kind[*p] != CHAR_WORD)
            break; /* it may be one: look closely */
    }
    *node = p == end ? at : 0;
    return false;
}

/* The first byte from `p` on at which an entry may begin, or that is not ASCII; *after: the kind of what is before;
 * *node: see is_no_entry. */
static const unsigned char *skip_words(const struct word_set *set, uint64_t active, const unsigned char *p,
                                       const unsigned char *end, uint8_t *after, uint32_t *node)
{
    uint8_t kind = *after;
    *node = 0;
    for (; p < end; p++) {
        if (*p >= 0x80 || set->kind[*p] == UINT8_MAX)
            break;
        bool is_inside = kind == CHAR_WORD && set->kind[*p] == CHAR_WORD;
        if (!is_inside && set->begins[*p] && !is_no_entry(set, active, p, end, node))
            break;
        kind = set->kind[*p];
    }
    *after = kind;
    return p;
}

/* While nothing is open: skips what begins no entry. A run begins at a word of which the text has no more. */
static int feed_idle(struct word_view *view, const unsigned char *data, uint64_t upto)
{
    struct word_place *place = &view->place;
    const unsigned char *end = data + (upto - place->at);
    uint32_t node;
    const unsigned char *to = skip_words(view->set, view->active, data, end, &place->after, &node);
    uint64_t start = place->at + (uint64_t)(to - data);
    place->before = to > data ? start : place->before;
    place->at = start;
    if (node == 0 || upto - start >= view->limit)
        return 0;
    place->at = place->before = upto;
    place->after = CHAR_WORD;
    return add_run(view, start, node);
}

/* One run alone takes the letters of its word, and ends with the word if no entry goes on. Stops where more is to be
 * looked at. */
static void feed_one(struct word_view *view, const unsigned char *p, uint64_t upto)
{
    const struct word_set *set = view->set;
    struct word_place *place = &view->place;
    struct word_run *run = &place->runs[0];
    uint64_t end = upto - run->start < view->limit ? upto : run->start + view->limit - 1;
    for (; place->at < end && place->after == CHAR_WORD && *p < 0x80 && set->kind[*p] != UINT8_MAX; p++) {
        bool is_letter = set->kind[*p] == CHAR_WORD;
        if (!is_letter && (set->kind[*p] != CHAR_SPACE || set->nodes[run->node].accepts != 0))
            return;
        uint32_t node = word_set_next(set, run->node, is_letter ? set->fold[*p] : ' ');
        bool goes_on = is_reached(set, node, view->active);
        if (!is_letter && goes_on)
            return;
        place->before = ++place->at;
        place->after = set->kind[*p];
        run->node = node;
        if (!goes_on) {
            place->runs_len = 0;
            return;
        }
    }
}

int word_view_feed(struct word_view *view, struct span text, uint64_t base, uint64_t upto, bool ended)
{
    struct word_place *place = &view->place;
    const unsigned char *data = (const unsigned char *)text.data;
    bool is_short = false;
    int rv = 0;
    assert(place_is_sound(place) && base <= place->at && upto - base <= text.len);
    while (place->at < upto && rv == 0 && !is_short && view->decided.len == 0) {
        const unsigned char *at = data + (place->at - base);
        if (word_view_is_idle(view))
            rv = feed_idle(view, at, upto);
        else if (place->runs_len == 1 && place->candidates.len == 0)
            feed_one(view, at, upto);
        if (rv != 0 || place->at == upto || (word_view_is_idle(view) && place->at > base + (uint64_t)(at - data)))
            continue; /* it went on, and is not sure to have to look closely */
        struct span rest = {text.data + (place->at - base), (size_t)(upto - place->at)};
        rv = word_next_char(view, rest, ended, &is_short);
    }
    assert(rv != 0 || place_is_sound(place));
    return rv;
}

int word_view_end(struct word_view *view)
{
    struct word_place *place = &view->place;
    int rv = place->after == CHAR_WORD ? propose_ended(view) : 0;
    place->runs_len = 0;
    return rv == 0 ? decide(view) : rv;
}

bool word_view_may_match(const struct word_set *set, uint64_t active, struct span text)
{
    const unsigned char *data = (const unsigned char *)text.data, *end = data + text.len;
    uint8_t after = CHAR_OTHER;
    uint32_t node;
    return active != 0 && skip_words(set, active, data, end, &after, &node) < end;
}

uint64_t word_view_open(const struct word_view *view, uint64_t lists)
{
    const struct word_place *place = &view->place;
    uint64_t first = place->at;
    for (size_t i = 0; i < place->candidates.len; i++)
        if ((lists >> place->candidates.items[i].list & 1) && place->candidates.items[i].start < first)
            first = place->candidates.items[i].start;
    for (size_t i = 0; i < place->runs_len && place->runs[i].start < first; i++) {
        const struct word_run *run = &place->runs[i];
        for (uint64_t left = run_reaches(view, run) & lists; left != 0 && run->start < first; left &= left - 1) {
            unsigned list = (unsigned)__builtin_ctzll(left);
            if (run_may_match(view, run, list))
                first = run->start;
        }
    }
    return first;
}
