/* See match_filter.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/match_filter.h"

#include "base/heap.h"
#include "rules/ruleset.h"

size_t filter_value(struct span text, char out[FILTER_VALUE_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        bool counts = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
        if (counts && len == FILTER_VALUE_MAX)
            return 0;
        if (counts)
            out[len++] = (char)(is_upper ? c + ('a' - 'A') : c);
    }
    return len;
}

void match_filter_fini(struct match_filter *filter)
{
    heap_free(filter->waiting);
    match_list_fini(&filter->exceptions);
    *filter = (struct match_filter){0};
}

void match_filter_clear(struct match_filter *filter)
{
    filter->waiting_len = 0;
    filter->exceptions.len = 0;
}

static int filter_wait(struct match_filter *filter, struct waiting_match match)
{
    struct waiting_match *waiting =
        heap_one_more(filter->waiting, filter->waiting_len, &filter->waiting_cap, 4, sizeof *waiting);
    if (waiting == NULL)
        return REIN_ENOMEM;
    filter->waiting = waiting;
    filter->waiting[filter->waiting_len++] = match;
    return 0;
}

int match_filter_copy(struct match_filter *to, const struct match_filter *from)
{
    int rv = 0;
    for (size_t i = 0; i < from->waiting_len && rv == 0; i++)
        rv = filter_wait(to, from->waiting[i]);
    for (size_t i = 0; i < from->exceptions.len && rv == 0; i++)
        rv = match_list_add(&to->exceptions, from->exceptions.items[i]);
    return rv;
}

void match_filter_forget(struct match_filter *filter, uint64_t offset)
{
    struct match_list *list = &filter->exceptions;
    size_t kept = 0;
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i].end > offset)
            list->items[kept++] = list->items[i];
    list->len = kept;
}

/* A word is known by the character behind it at the latest; if that is the first one of the match, it has to be known
 * by its first byte, because the match begins there. */
bool match_filter_has_word_before(const struct word_matches *hints, unsigned list, size_t before, uint64_t start)
{
    for (size_t i = hints->len; i-- > 0;) {
        const struct word_match *hint = &hints->items[i];
        if (hint->end + before < start)
            return false; /* in the order of their ends: all others are further away */
        if (hint->list == list && hint->end <= start && hint->start + before >= start && hint->known <= start + 1)
            return true;
    }
    return false;
}

static bool has_word_behind(const struct word_matches *hints, unsigned list, size_t behind, uint64_t end)
{
    for (size_t i = hints->len; i-- > 0 && hints->items[i].end > end;) {
        const struct word_match *hint = &hints->items[i];
        if (hint->list == list && hint->start >= end && hint->end <= end + behind)
            return true;
    }
    return false;
}

static bool is_excepted(const struct match_filter *filter, const struct rule_filter *f, const struct match *m)
{
    for (size_t i = 0; i < filter->exceptions.len; i++) {
        const struct match *e = &filter->exceptions.items[i];
        bool is_ours = e->rule >= f->first_exception && e->rule - f->first_exception < f->exceptions_len;
        if (is_ours && e->start <= m->start && m->end <= e->end)
            return true;
    }
    return false;
}

static bool may_be_excepted(const struct filter_view *view, const struct rule_filter *f, const struct match *m)
{
    for (uint16_t i = 0; i < f->exceptions_len && !view->ended; i++)
        if (view->is_open(view->ctx, (uint16_t)(f->first_exception + i), m->start))
            return true;
    return false;
}

static bool is_value(const struct filter_view *view, const struct rule_filter *f, const struct match *m)
{
    char value[FILTER_VALUE_MAX];
    if (f->values_len == 0)
        return false;
    struct span text = {view->text.data + (m->start - view->base), (size_t)(m->end - m->start)};
    size_t len = filter_value(text, value);
    for (size_t i = 0; i < f->values_len && len > 0; i++)
        if (strlen(f->values[i]) == len && memcmp(f->values[i], value, len) == 0)
            return true;
    return false;
}

/* What becomes of a match. */
enum filter_says { FILTER_DROP, FILTER_WAIT, FILTER_TAKE };

static enum filter_says look_for_word(const struct filter_view *view, const struct rule_filter *f,
                                      struct waiting_match *w)
{
    if (f->near < 0 || w->is_near)
        return FILTER_TAKE;
    unsigned list = view->rules->rules[f->near].word_list;
    w->is_near = match_filter_has_word_before(view->hints, list, f->before, w->match.start) ||
                 has_word_behind(view->hints, list, f->behind, w->match.end);
    if (w->is_near)
        return FILTER_TAKE;
    bool is_late = view->ended || f->behind == 0 || view->at > w->match.end + f->behind;
    return is_late ? FILTER_DROP : FILTER_WAIT;
}

static enum filter_says filter_ask(const struct match_filter *filter, const struct filter_view *view,
                                   struct waiting_match *w)
{
    const struct rule_filter *f = view->rules->rules[w->match.rule].filter;
    if (f == NULL)
        return FILTER_TAKE;
    if (is_excepted(filter, f, &w->match) || is_value(view, f, &w->match))
        return FILTER_DROP;
    enum filter_says says = look_for_word(view, f, w);
    return says == FILTER_TAKE && may_be_excepted(view, f, &w->match) ? FILTER_WAIT : says;
}

/* Those that wait and are known now. */
static int ask_waiting(struct match_filter *filter, const struct filter_view *view, struct match_list *out)
{
    size_t kept = 0;
    int rv = 0;
    for (size_t i = 0; i < filter->waiting_len && rv == 0; i++) {
        struct waiting_match *w = &filter->waiting[i];
        enum filter_says says = filter_ask(filter, view, w);
        if (says == FILTER_TAKE)
            rv = match_list_add(out, w->match);
        else if (says == FILTER_WAIT)
            filter->waiting[kept++] = *w;
    }
    filter->waiting_len = kept;
    return rv;
}

int match_filter_take(struct match_filter *filter, const struct filter_view *view, const struct match_list *fresh,
                      struct match_list *out)
{
    int rv = 0;
    for (size_t i = 0; i < fresh->len && rv == 0; i++)
        if (fresh->items[i].rule >= ruleset_count(view->rules))
            rv = match_list_add(&filter->exceptions, fresh->items[i]);
    if (rv == 0)
        rv = ask_waiting(filter, view, out);
    for (size_t i = 0; i < fresh->len && rv == 0; i++) {
        struct waiting_match w = {.match = fresh->items[i]};
        if (w.match.rule >= ruleset_count(view->rules))
            continue;
        enum filter_says says = filter_ask(filter, view, &w);
        if (says == FILTER_TAKE)
            rv = match_list_add(out, w.match);
        else if (says == FILTER_WAIT)
            rv = filter_wait(filter, w);
    }
    return rv;
}
