/* See leaf_view.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/leaf_view.h"

#include <assert.h>

#include "base/heap.h"
#include "json/number.h"

int leaf_view_new(struct leaf_view **out, const struct ruleset *rules, enum rein_channel channel, uint64_t at,
                  size_t window_max)
{
    struct leaf_view *view = heap_new(1, sizeof *view);
    if (view == NULL)
        return REIN_ENOMEM;
    int rv = matcher_new(&view->matcher, rules, channel);
    if (rv != 0) {
        heap_free(view);
        return rv;
    }
    view->rules = rules;
    view->channel = channel;
    view->withholds = matcher_withholds(view->matcher);
    view->at = view->unit_at = at;
    bytes_init(&view->window, window_max);
    bytes_init(&view->runs, window_max * sizeof(struct leaf_run));
    *out = view;
    return 0;
}

int leaf_view_restore(struct leaf_view *view, const struct mask_set *set)
{
    assert(view->received == 0 && view->restore == NULL);
    view->restore = heap_new(1, sizeof *view->restore);
    if (view->restore == NULL)
        return REIN_ENOMEM;
    restore_init(view->restore, set);
    bytes_init(&view->restored, view->window.limit * sizeof(struct restored));
    return 0;
}

void leaf_view_free(struct leaf_view *view)
{
    if (view == NULL)
        return;
    heap_free(view->restore);
    bytes_fini(&view->restored);
    matcher_free(view->matcher);
    bytes_fini(&view->window);
    bytes_fini(&view->runs);
    match_list_fini(&view->matches);
    match_list_fini(&view->plain);
    heap_free(view);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static struct leaf_run *leaf_run_at(const struct leaf_view *view, size_t i)
{
    return (struct leaf_run *)(void *)bytes_at(&view->runs, i * sizeof(struct leaf_run));
}

static size_t leaf_run_count(const struct leaf_view *view)
{
    return bytes_len(&view->runs) / sizeof(struct leaf_run);
}

/* Where the run ends; what is incomplete belongs to none. */
static uint64_t leaf_run_end(const struct leaf_view *view, size_t i)
{
    return i + 1 < leaf_run_count(view) ? leaf_run_at(view, i + 1)->at : view->unit_at;
}

bool leaf_view_is_sound(const struct leaf_view *view)
{
    size_t n = leaf_run_count(view);
    return (!view->in_scalar || (view->in_leaf && view->base <= view->leaf_at)) && view->leaf_at <= view->received &&
           view->unit_at <= view->at && view->at - view->unit_at == view->reader.unit_len &&
           bytes_len(&view->window) == view->received - view->base &&
           (n == 0 || leaf_run_at(view, n - 1)->at <= view->unit_at);
}

static int add_leaf_run(struct leaf_view *view, enum leaf_part part, uint64_t at, bool is_late)
{
    size_t n = leaf_run_count(view);
    if (n > 0 && leaf_run_at(view, n - 1)->part == part && part != LEAF_ESCAPE)
        return 0; /* goes on */
    struct leaf_run run = {
        .at = at, .leaf_at = view->received, .leaf = view->leaf, .key = view->key, .part = (uint8_t)part};
    run.is_late = is_late;
    return bytes_append(&view->runs, (const char *)&run, sizeof run);
}

/* The last run that begins at the source offset or before; the first one if there is none. */
static size_t find_leaf_run(const struct leaf_view *view, uint64_t at)
{
    size_t low = 0, high = leaf_run_count(view);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (leaf_run_at(view, middle)->at <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The run of a leaf byte: the last one that begins there or before. */
static size_t find_leaf_byte(const struct leaf_view *view, uint64_t leaf_at)
{
    size_t low = 0, high = leaf_run_count(view);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (leaf_run_at(view, middle)->leaf_at <= leaf_at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint64_t source_start(const struct leaf_view *view, uint64_t leaf_at)
{
    const struct leaf_run *run = leaf_run_at(view, find_leaf_byte(view, leaf_at));
    return run->part != LEAF_ESCAPE ? run->at + (leaf_at - run->leaf_at) : run->at;
}

void leaf_view_source(const struct leaf_view *view, const struct match *m, uint64_t *start, uint64_t *end)
{
    size_t i = find_leaf_byte(view, m->end - 1);
    const struct leaf_run *run = leaf_run_at(view, i);
    *start = source_start(view, m->start);
    *end = run->part != LEAF_ESCAPE ? run->at + (m->end - run->leaf_at) : leaf_run_end(view, i);
}

struct span leaf_view_text(const struct leaf_view *view, const struct match *m)
{
    assert(view->base <= m->start && m->end <= view->received);
    return (struct span){bytes_at(&view->window, (size_t)(m->start - view->base)), (size_t)(m->end - m->start)};
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void begin_leaf(struct leaf_view *view, const struct leaf_step *step)
{
    matcher_begin(view->matcher);
    view->leaf_at = view->received;
    view->leaf++;
    view->in_leaf = true;
    view->in_scalar = step->part == LEAF_SCALAR;
    view->key = step->is_key ? ++view->keys : 0;
    if (view->restore != NULL)
        restore_begin(view->restore, step->is_key);
}

/* Looks for placeholders in the leaf bytes that were judged. */
static int restore_leaf(struct leaf_view *view)
{
    struct restore *r = view->restore;
    int rv = 0;
    while (rv == 0 && r->at < view->received) {
        struct restored found;
        struct span rest = {bytes_at(&view->window, (size_t)(r->at - view->base)), (size_t)(view->received - r->at)};
        size_t read = restore_feed(r, rest, &found);
        assert(read > 0);
        rv = found.end != 0 ? bytes_append(&view->restored, (const char *)&found, sizeof found) : 0;
    }
    return rv;
}

/* A number as a program prints it after reading it, if that differs: a match in it is one of the whole number. */
static int match_plain_number(struct leaf_view *view)
{
    size_t len = (size_t)(view->received - view->leaf_at);
    struct span number = {bytes_at(&view->window, (size_t)(view->leaf_at - view->base)), len};
    char plain[NUMBER_PLAIN_MAX];
    if (!number_is_real(number))
        return 0;
    struct span text = {plain, number_plain(number, plain)};
    if (text.len == 0 || span_is(text, number))
        return 0;
    int rv = matcher_scan(view->rules, view->channel, text, &view->plain);
    for (size_t i = 0; i < view->plain.len && rv == 0; i++)
        rv = match_list_add(&view->matches, (struct match){view->plain.items[i].rule, view->leaf_at, view->received});
    view->plain.len = 0;
    return rv;
}

void leaf_view_settle(struct leaf_view *view)
{
    if (view->in_scalar && view->is_redacted) {
        size_t i = find_leaf_byte(view, view->leaf_at);
        const struct leaf_run *run = leaf_run_at(view, i);
        struct edit whole = {.start = run->at, .end = leaf_run_end(view, i), .form = EDIT_SCALAR};
        whole.rule = view->redacted.rule;
        view->due = run->is_broken ? view->redacted : whole;
    }
    view->is_redacted = false;
}

static int end_leaf(struct leaf_view *view, const struct leaf_step *step)
{
    struct span window = bytes_span(&view->window);
    int rv = matcher_end(view->matcher, window, view->base, &view->matches);
    if (rv == 0 && step->is_number)
        rv = match_plain_number(view);
    if (view->in_scalar && step->part == LEAF_NONE)
        leaf_run_at(view, find_leaf_byte(view, view->leaf_at))->is_broken = true;
    leaf_view_settle(view);
    view->in_leaf = view->in_scalar = false;
    return rv;
}

/* Gives bytes to the present leaf; *taken says how many were judged, fewer if one of them decided something and `stops`
 * says that the others can wait. */
static int add_leaf_bytes(struct leaf_view *view, struct span bytes, bool stops, size_t *taken)
{
    uint64_t from = view->received, end;
    int rv = bytes_append_span(&view->window, bytes);
    if (rv != 0)
        return rv;
    for (end = from + bytes.len; view->received < end && rv == 0;) {
        size_t consumed;
        rv = matcher_feed(view->matcher, bytes_span(&view->window), view->base, view->received, &view->matches,
                          &consumed);
        view->received += consumed;
        if (rv == 0 && view->restore != NULL)
            rv = restore_leaf(view);
        if (stops && view->matches.len > 0)
            break;
    }
    view->window.end -= (size_t)(end - view->received);
    *taken = (size_t)(view->received - from);
    return rv;
}

static int take_escape(struct leaf_view *view, const struct leaf_step *step)
{
    size_t taken;
    int rv = add_leaf_run(view, LEAF_ESCAPE, view->unit_at, step->is_late);
    if (rv == 0)
        rv = add_leaf_bytes(view, (struct span){step->text, step->text_len}, false, &taken);
    view->unit_at += step->unit;
    return rv;
}

/* One step of the reader. */
static int take_leaf_step(struct leaf_view *view, const struct leaf_step *step, struct span source)
{
    size_t len = step->len, before = view->matches.len;
    int rv = step->ends ? end_leaf(view, step) : 0;
    if (rv != 0)
        return rv;
    const bool end_decides = view->matches.len > before; /* when the byte behind the leaf was looked at */
    const uint64_t looked_at = view->at + 1;
    if (step->part == LEAF_ESCAPE) {
        view->at += len;
        view->decided = end_decides ? looked_at : view->at;
        return step->unit > 0 ? take_escape(view, step) : 0;
    }
    if (step->begins && step->part == LEAF_SCALAR)
        begin_leaf(view, step);
    if (len > 0)
        rv = add_leaf_run(view, step->part, view->at, false);
    if (rv == 0 && (step->part == LEAF_STRING || step->part == LEAF_SCALAR))
        rv = add_leaf_bytes(view, (struct span){source.data, len}, step->part == LEAF_STRING, &len);
    view->at += len;
    view->decided = end_decides ? looked_at : view->at;
    view->unit_at = view->at;
    if (step->begins && step->part == LEAF_OUTSIDE)
        begin_leaf(view, step);
    return rv;
}

static bool has_result(const struct leaf_view *view)
{
    return view->matches.len > 0 || view->due.end > 0;
}

int leaf_view_feed(struct leaf_view *view, struct span source)
{
    assert(leaf_view_is_sound(view) && !has_result(view));
    int rv = 0;
    for (size_t done = 0; done < source.len && rv == 0 && !has_result(view);) {
        struct leaf_step step;
        struct span rest = {source.data + done, source.len - done};
        uint64_t before = view->at;
        leaf_next(&view->reader, rest, &step);
        rv = take_leaf_step(view, &step, rest);
        done += (size_t)(view->at - before);
    }
    assert(rv != 0 || leaf_view_is_sound(view));
    return rv;
}

int leaf_view_end(struct leaf_view *view)
{
    struct leaf_step step;
    int rv = 0;
    while (rv == 0 && !has_result(view) && leaf_end(&view->reader, &step))
        rv = take_leaf_step(view, &step, SPAN(""));
    return rv;
}

/* ---- findings ---------------------------------------------------------------------------------------------------- */

/* Does an escape, with what decides it, reach beyond the offset? */
static bool is_cut_before(const struct leaf_view *view, size_t i, uint64_t end)
{
    const struct leaf_run *run = leaf_run_at(view, i);
    if (end > view->unit_at)
        return true;
    uint64_t run_end = leaf_run_end(view, i);
    return run->part == LEAF_ESCAPE && (end < run_end || run->is_late);
}

bool leaf_view_take_restored(struct leaf_view *view, struct edit *edit)
{
    if (bytes_len(&view->restored) == 0)
        return false;
    struct restored found;
    memcpy(&found, bytes_at(&view->restored, 0), sizeof found);
    bytes_consume(&view->restored, sizeof found);
    const struct match match = {.start = found.start, .end = found.end};
    *edit = (struct edit){.form = EDIT_STRING, .restores = true, .number = found.value};
    leaf_view_source(view, &match, &edit->start, &edit->end);
    return true;
}

enum leaf_part leaf_view_part(const struct leaf_view *view, uint64_t at)
{
    return leaf_run_count(view) > 0 ? (enum leaf_part)leaf_run_at(view, find_leaf_run(view, at))->part : LEAF_OUTSIDE;
}

bool leaf_view_is_illusion(const struct leaf_view *view, uint64_t start, uint64_t end)
{
    if (leaf_run_count(view) == 0 || start < leaf_run_at(view, 0)->at)
        return false;
    if (start >= view->unit_at)
        return true; /* in an escape that is not complete */
    size_t first = find_leaf_run(view, start), last = find_leaf_run(view, end - 1);
    const struct leaf_run *begin = leaf_run_at(view, first);
    if (first == last && begin->part == LEAF_SCALAR)
        return true;
    for (size_t i = first; i <= last; i++)
        if (leaf_run_at(view, i)->part != LEAF_STRING && leaf_run_at(view, i)->part != LEAF_ESCAPE)
            return false;
    return (begin->part == LEAF_ESCAPE && start > begin->at) || is_cut_before(view, last, end);
}

uint64_t leaf_view_clip(const struct leaf_view *view, uint64_t end)
{
    if (leaf_run_count(view) == 0 || end <= leaf_run_at(view, 0)->at)
        return end;
    size_t i = find_leaf_run(view, end - 1);
    if (!is_cut_before(view, i, end))
        return end;
    if (end > view->unit_at)
        end = view->unit_at;
    else
        end = leaf_run_at(view, i--)->at;
    for (; i < leaf_run_count(view) && leaf_run_end(view, i) == end && leaf_run_at(view, i)->is_late; i--)
        end = leaf_run_at(view, i)->at; /* it might have been one with the next */
    return end;
}

bool leaf_view_is_news(struct leaf_view *view, uint16_t rule, uint64_t start, uint64_t end)
{
    bool is_news = true;
    for (size_t i = 0; i < LEAF_NEWS && is_news; i++) {
        const struct match *m = &view->news[i];
        is_news = m->rule != rule || m->end <= start || m->start >= end;
    }
    if (is_news)
        view->news[view->news_next++ % LEAF_NEWS] = (struct match){rule, start, end};
    return is_news;
}

/* The inside of one string, as far as it is to be removed: whole escapes. */
static struct edit string_edit(struct leaf_view *view, size_t i, uint64_t start, uint64_t end)
{
    const struct leaf_run *run = leaf_run_at(view, i);
    struct edit edit = {.start = run->part == LEAF_ESCAPE ? run->at : start, .form = EDIT_STRING};
    uint32_t key = run->key;
    for (edit.end = edit.start; i < leaf_run_count(view) && edit.end < end; i++) {
        run = leaf_run_at(view, i);
        if (run->part != LEAF_STRING && run->part != LEAF_ESCAPE)
            break;
        uint64_t run_end = leaf_run_end(view, i);
        edit.end = run->part == LEAF_ESCAPE || run_end < end ? run_end : end;
    }
    view->first_key = view->first_key == 0 ? key : view->first_key;
    edit.number = key != view->first_key ? key : 0;
    return edit;
}

/* Of the present scalar: it goes as a whole when it ends, or else as far as this says. */
static void redact_later(struct leaf_view *view, struct edit edit)
{
    if (view->is_redacted) {
        edit.rule = view->redacted.rule;
        edit.start = edit.start < view->redacted.start ? edit.start : view->redacted.start;
        edit.end = edit.end > view->redacted.end ? edit.end : view->redacted.end;
    }
    view->is_redacted = true;
    view->redacted = edit;
}

static struct edit scalar_edit(const struct leaf_view *view, size_t i, uint64_t start, uint64_t end, bool is_whole)
{
    uint64_t run_start = leaf_run_at(view, i)->at, run_end = leaf_run_end(view, i);
    if (is_whole)
        return (struct edit){.start = run_start, .end = run_end, .form = EDIT_SCALAR};
    return (struct edit){.start = start > run_start ? start : run_start, .end = end < run_end ? end : run_end};
}

bool leaf_view_edit(struct leaf_view *view, uint64_t *start, uint64_t end, uint16_t rule, struct edit *edit)
{
    size_t n = leaf_run_count(view), last = n > 0 ? find_leaf_run(view, end - 1) : 0;
    if (n > 0 && leaf_run_at(view, last)->part == LEAF_NONE) { /* it reaches into what is no JSON */
        *edit = (struct edit){.start = *start, .end = end, .rule = rule};
        *start = end;
        return true;
    }
    for (size_t i = n > 0 ? find_leaf_run(view, *start) : 0; i <= last && i < n; i++) {
        const struct leaf_run *run = leaf_run_at(view, i);
        bool is_scalar = run->part == LEAF_SCALAR;
        bool is_present = is_scalar && view->in_scalar && run->leaf == view->leaf;
        if (leaf_run_end(view, i) <= *start || run->part == LEAF_OUTSIDE)
            continue;
        *edit = is_scalar ? scalar_edit(view, i, *start, end, !is_present && !run->is_broken)
                          : string_edit(view, i, run->at > *start ? run->at : *start, end);
        edit->rule = rule;
        if (!is_present) {
            *start = edit->end;
            return true;
        }
        redact_later(view, *edit);
    }
    return false;
}

/* ---- what is still open ------------------------------------------------------------------------------------------ */

/* The source byte from which on all has to stay, so that nothing from `at` on is removed in part. */
static uint64_t undivided(const struct leaf_view *view, uint64_t at)
{
    if (leaf_run_count(view) == 0 || at >= view->unit_at)
        return at;
    const struct leaf_run *run = leaf_run_at(view, find_leaf_run(view, at));
    bool is_one = run->part == LEAF_ESCAPE || run->part == LEAF_SCALAR;
    return is_one && run->at < at ? run->at : at;
}

/* The first source byte of the present leaf that the leaf offset `open` (of the matcher) or the scalar keeps open. */
static uint64_t first_open_source(const struct leaf_view *view, uint64_t open)
{
    if (view->in_scalar)
        return source_start(view, view->leaf_at);
    return open < view->received ? source_start(view, open) : view->unit_at;
}

/* Where a placeholder may have begun in the present leaf; a leaf offset. */
static uint64_t first_restorable(const struct leaf_view *view)
{
    return view->restore != NULL ? restore_hold(view->restore) : view->received;
}

uint64_t leaf_view_unclaimed(const struct leaf_view *view, uint64_t unclaimed)
{
    if (!view->withholds && view->restore == NULL)
        return unclaimed;
    uint64_t first = view->withholds ? first_open_source(view, matcher_hold(view->matcher)) : view->unit_at;
    uint64_t back = first_restorable(view);
    if (back < view->received && source_start(view, back) < first)
        first = source_start(view, back);
    return undivided(view, unclaimed < first ? unclaimed : first);
}

void leaf_view_trim(struct leaf_view *view, uint64_t keep)
{
    uint64_t leaf_keep = view->in_scalar ? view->leaf_at : view->received, back = first_restorable(view);
    if (!view->in_scalar && view->matcher != NULL)
        leaf_keep = matcher_keep(view->matcher);
    leaf_keep = leaf_keep < back ? leaf_keep : back;
    uint64_t first = first_open_source(view, leaf_keep);
    size_t gone = leaf_run_count(view) > 0 ? find_leaf_run(view, keep < first ? keep : first) : 0;
    bytes_consume(&view->window, (size_t)(leaf_keep - view->base));
    view->base = leaf_keep;
    if (gone > 0)
        bytes_consume(&view->runs, gone * sizeof(struct leaf_run));
    assert(leaf_view_is_sound(view));
}
