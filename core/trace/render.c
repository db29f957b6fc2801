/* See render.h. An event that needs no change takes the short way: its bytes are copied.
 *
 * Otherwise the changes are collected as splices (a range of the payload and what is there instead), put in order
 * and written between the untouched bytes. SPDX-License-Identifier: Apache-2.0 */
#include "trace/render.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"

struct splice {
    struct range raw;
    size_t text_at, text_len; /* in the gate's scratch */
};

/* What an event still carries after editing. */
struct rest {
    size_t text;                    /* bytes of text left */
    bool is_changed;                /* some text or member was removed */
    bool has_more;                  /* an end, a beginning or other things worth sending */
    bool changed[REIN_CHOICES_MAX]; /* some text of the choice was removed */
};

static int add_splice(struct gate *g, struct range raw, size_t text_at)
{
    struct splice s = {raw, text_at, bytes_len(&g->scratch) - text_at};
    return bytes_append(&g->splices, (const char *)&s, sizeof s);
}

static int add_text_splice(struct gate *g, struct range raw, struct span text)
{
    size_t at = bytes_len(&g->scratch);
    int rv = bytes_append_span(&g->scratch, text);
    return rv == 0 ? add_splice(g, raw, at) : rv;
}

static bool has_edit(const struct text *t, uint64_t start, uint64_t end)
{
    size_t len = bytes_len(&t->edits);
    const struct edit *first = len > 0 ? text_edits(t, start, &len) : NULL;
    return first != NULL && first->start < end;
}

/* What happens to a piece when it is released. */
enum touch {
    TOUCH_NONE, /* goes out unchanged */
    TOUCH_LED,  /* so too, after a lead */
    TOUCH_EDIT, /* something is removed from it */
};

static enum touch touch_of(const struct gate_piece *p)
{
    enum touch touch = TOUCH_NONE;
    if (p->half_in != 0 || p->ends_half || p->unseen)
        return TOUCH_EDIT;
    for (uint64_t at = p->start; at < p->end;) {
        struct lane_part part = lane_part_at(p->lane, at, p->end);
        if (part.text == NULL && at >= p->lane->decided)
            return TOUCH_EDIT;
        uint64_t end = part.text_start + part.len;
        if (part.text != NULL && (part.text->limit < end || has_edit(part.text, part.text_start, end)))
            return TOUCH_EDIT;
        if (part.text != NULL && part.text_start == 0 && part.text->lead.len > 0)
            touch = TOUCH_LED;
        at += part.len;
    }
    return touch;
}

static void count_released(struct gate *g, struct text *t, uint64_t start, uint64_t end)
{
    g->flow[t->channel].released += end - start;
    if (end > t->cleared)
        g->unjudged += end - (start > t->cleared ? start : t->cleared);
}

/* Decodes a passing piece once, after the recorded reasoning; its shown parts are then moved to the front. */
static int record_piece(struct gate *g, const struct gate_piece *p, struct span payload)
{
    uint16_t half = p->half_in;
    int rv = bytes_reserve(&g->shown, p->raw.len + 3);
    if (rv != 0) {
        g->shown_lost = true;
        return rv == REIN_ENOMEM ? rv : 0;
    }
    (void)json_unescape((struct span){payload.data + p->raw.at, p->raw.len}, &half, g->shown.data + g->shown.end);
    return 0;
}

/* Counts a piece that goes out untouched. */
static int pass_piece(struct gate *g, const struct gate_piece *p, struct span payload)
{
    bool is_decoded = false;
    size_t decoded_at = g->shown.end;
    for (uint64_t at = p->start; at < p->end;) {
        struct lane_part part = lane_part_at(p->lane, at, p->end);
        if (part.text != NULL) {
            count_released(g, part.text, part.text_start, part.text_start + part.len);
            text_released(part.text, part.text_start + part.len);
        }
        if (part.text != NULL && part.text == g->recorded && !g->shown_lost) {
            int rv = is_decoded ? 0 : record_piece(g, p, payload);
            if (rv != 0)
                return rv;
            decoded_at = is_decoded ? decoded_at : g->shown.end; /* making room may have moved it */
            is_decoded = !g->shown_lost;
            if (is_decoded) {
                char *from = g->shown.data + decoded_at + (at - p->start);
                memmove(g->shown.data + g->shown.end, from, part.len);
                g->shown.end += part.len;
            }
        }
        at += part.len;
    }
    return 0;
}

/* Writes what the client sees of a text, and keeps it for a restart to continue from. */
static int write_shown(struct gate *g, const struct text *t, struct span text)
{
    if (t == g->recorded && !g->shown_lost && bytes_append_span(&g->shown, text) != 0)
        g->shown_lost = true;
    return g->writes_json ? bytes_append_span(&g->scratch, text) : json_escape(&g->scratch, text);
}

static int show(struct gate *g, struct text *t, struct span text, uint64_t start)
{
    count_released(g, t, start, start + text.len);
    return write_shown(g, t, text);
}

/* The beginning of the reasoning, from which the model continued. */
static int show_lead(struct gate *g, const struct text *t)
{
    g->shown_lead += t == g->recorded ? t->lead.len : 0;
    return write_shown(g, t, t->lead);
}

void render_replacement(const struct rein_policy *policy, const struct edit *e, char number[REPLACEMENT_NUMBER],
                        struct span parts[REPLACEMENT_PARTS])
{
    const struct policy_rule *rule = &policy->rules[e->rule];
    const char *words = e->form == EDIT_TEXT ? rule->replacement : rule->replacement_json;
    int len = e->number > 0 ? snprintf(number, REPLACEMENT_NUMBER, " (%" PRIu32 ")", e->number) : 0;
    parts[0] = parts[3] = e->form == EDIT_SCALAR ? SPAN("\"") : SPAN("");
    parts[1] = (struct span){words, strlen(words)};
    parts[2] = (struct span){number, (size_t)len};
}

/* A masked value, in the place of what stands for it. */
static int show_value(struct gate *g, const struct text *t, const struct edit *e)
{
    const struct mask_value *value = &g->masks->values[e->number];
    return write_shown(g, t, e->form == EDIT_STRING ? value->json : value->text);
}

static int show_replacement(struct gate *g, const struct text *t, const struct edit *e)
{
    struct span parts[REPLACEMENT_PARTS];
    char number[REPLACEMENT_NUMBER];
    int rv = 0;
    if (e->restores)
        return show_value(g, t, e);
    render_replacement(g->policy, e, number, parts);
    for (size_t i = 0; i < REPLACEMENT_PARTS && rv == 0; i++)
        rv = write_shown(g, t, parts[i]);
    return rv;
}

/* Writes text bytes [start, start + text.len) without redacted spans and without what lies beyond the limit. */
static int render_part(struct gate *g, struct text *t, struct span text, uint64_t start)
{
    uint64_t end = start + text.len, stop = t->limit < end ? (t->limit > start ? t->limit : start) : end;
    uint64_t at = start;
    int rv = start == 0 && stop > 0 && t->lead.len > 0 ? show_lead(g, t) : 0;
    size_t edits_len;
    const struct edit *e = text_edits(t, start, &edits_len);
    for (; edits_len > 0 && e->start < stop && rv == 0; e++, edits_len--) {
        if (e->restores && e->end > t->limit)
            continue; /* what is cut is not put back */
        if (e->start > at)
            rv = show(g, t, (struct span){text.data + (at - start), (size_t)(e->start - at)}, at);
        if (rv == 0 && e->start >= start)
            rv = show_replacement(g, t, e);
        if (rv != 0)
            return rv;
        uint64_t from = e->start > at ? e->start : at, to = e->end < stop ? e->end : stop;
        if (e->restores)
            count_released(g, t, from, to);
        else
            g->flow[t->channel].redacted += to - from;
        at = to;
    }
    g->flow[t->channel].redacted += end - stop;
    if (rv == 0 && at < stop)
        rv = show(g, t, (struct span){text.data + (at - start), (size_t)(stop - at)}, at);
    if (rv == 0)
        text_released(t, end);
    return rv;
}

static int render_decoded(struct gate *g, const struct gate_piece *p, struct span text)
{
    assert(text.len == p->end - p->start);
    for (uint64_t at = p->start; at < p->end;) {
        struct lane_part part = lane_part_at(p->lane, at, p->end);
        struct span bytes = {text.data + (at - p->start), part.len};
        int rv = 0;
        if (part.text != NULL)
            rv = render_part(g, part.text, bytes, part.text_start);
        else if (at < p->lane->decided)
            rv = json_escape(&g->scratch, bytes);
        if (rv != 0)
            return rv;
        at += part.len;
    }
    return 0;
}

/* Members that stand for the texts of their own part of the event do not go out with other texts. */
static void break_signatures(struct gate_part *parts, uint32_t len, uint32_t at)
{
    for (uint32_t i = 0; i < len; i++)
        if (parts[i].is_signed && at >= parts[i].object.at && at < parts[i].object.at + parts[i].object.len)
            parts[i].spells_more = true;
}

/* An object that is all there is of its text. What is left of it has to be an object: all of it, with what was redacted
 * in its strings and numbers, or an empty one. */
static int edit_object(struct gate *g, const struct gate_piece *p, struct span payload)
{
    struct text *text = p->lane->answer;
    size_t edits_len = 0;
    bool is_whole = !p->unseen && p->start == 0 && text->limit >= p->end;
    const struct edit *e = is_whole ? text_edits(text, 0, &edits_len) : NULL;
    for (size_t i = 0; i < edits_len; i++)
        is_whole = is_whole && e[i].form != EDIT_TEXT;
    if (!is_whole) {
        g->flow[text->channel].redacted += p->unseen ? 0 : p->end - p->start;
        if (!p->unseen)
            text_released(text, p->end);
        return bytes_append_span(&g->scratch, SPAN("{}"));
    }
    g->writes_json = true;
    int rv = render_decoded(g, p, (struct span){payload.data + p->raw.at, p->raw.len});
    g->writes_json = false;
    return rv;
}

/* Replaces a piece by what may be shown of it. */
static int edit_piece(struct gate *g, const struct gate_piece *p, struct span payload, struct rest *rest)
{
    size_t at = bytes_len(&g->scratch);
    if (p->is_bare) {
        int rv = edit_object(g, p, payload);
        if (rv != 0)
            return rv;
    } else if (!p->unseen) {
        uint16_t half = p->half_in;
        char *decoded = heap_new(p->raw.len + 4, 1);
        if (decoded == NULL)
            return REIN_ENOMEM;
        size_t len = json_unescape((struct span){payload.data + p->raw.at, p->raw.len}, &half, decoded);
        int rv = render_decoded(g, p, (struct span){decoded, len});
        heap_free(decoded);
        if (rv != 0)
            return rv;
    }
    rest->text += bytes_len(&g->scratch) - at;
    return add_splice(g, p->raw, at);
}

/* Where a text is repeated, the client gets what it was shown of the text. */
static int edit_echo(struct gate *g, const struct gate_piece *p, struct rest *rest)
{
    size_t at = bytes_len(&g->scratch);
    rest->text += p->raw.len;
    if (!p->lane->is_edited)
        return 0;
    rest->is_changed = rest->changed[p->lane->place.choice] = true;
    int rv = lane_shown(p->lane, &g->scratch);
    return rv == 0 ? add_splice(g, p->raw, at) : rv;
}

/* A piece of which something is removed, or before which something goes. */
static int edit_stream(struct gate *g, const struct gate_piece *p, enum touch touch, struct span payload,
                       struct rest *rest)
{
    size_t at = bytes_len(&g->scratch);
    bool is_kept = p->lane->is_kept && !p->unseen;
    int rv = is_kept ? lane_edit(p->lane, p->start) : 0;
    rest->is_changed |= touch == TOUCH_EDIT;
    rest->changed[p->lane->place.choice] |= touch == TOUCH_EDIT;
    if (rv == 0)
        rv = edit_piece(g, p, payload, rest);
    struct span shown = bytes_span(&g->scratch);
    return rv == 0 && is_kept ? lane_show(p->lane, (struct span){shown.data + at, shown.len - at}) : rv;
}

static int edit_pieces(struct gate *g, const struct gate_event *e, const struct gate_piece *pieces, struct span payload,
                       struct rest *rest)
{
    struct gate_part *parts = (struct gate_part *)(void *)bytes_span(&g->parts).data;
    int rv = 0;
    for (uint32_t i = 0; i < e->pieces && rv == 0; i++) {
        enum touch touch = pieces[i].is_echo ? TOUCH_EDIT : touch_of(&pieces[i]);
        if (touch == TOUCH_NONE) {
            rv = pass_piece(g, &pieces[i], payload);
            rest->text += pieces[i].raw.len;
            pieces[i].lane->shown_to = pieces[i].end;
            if (rv == 0 && pieces[i].lane->is_edited)
                rv = lane_show(pieces[i].lane, (struct span){payload.data + pieces[i].raw.at, pieces[i].raw.len});
            continue;
        }
        bool was_changed = rest->is_changed;
        rest->is_changed = false;
        rv = pieces[i].is_echo ? edit_echo(g, &pieces[i], rest) : edit_stream(g, &pieces[i], touch, payload, rest);
        if (rest->is_changed)
            break_signatures(parts, e->parts, pieces[i].raw.at);
        rest->is_changed |= was_changed;
    }
    for (const struct gate_patch *patch = e->patches; patch != NULL && rv == 0; patch = patch->next) {
        break_signatures(parts, e->parts, patch->raw.at);
        rv = add_text_splice(g, patch->raw, (struct span){patch->text, patch->len});
        rest->has_more = true;
    }
    return rv;
}

/* Replaces a mark by what the dialect has for it. */
static int rewrite_mark(struct gate *g, enum event_mark mark, struct range range, struct span with)
{
    if (range.len == 0)
        return 0;
    size_t at = bytes_len(&g->scratch);
    int rv = g->dialect->rewrite(g->dialect_state, mark, with, &g->scratch);
    return rv == 0 ? add_splice(g, range, at) : rv;
}

/* An end that is not the answer's own any more. */
static int replace_end(struct gate *g, const char *reason, struct range range)
{
    return rewrite_mark(g, EVENT_ENDS, range, (struct span){reason, reason != NULL ? strlen(reason) : 0});
}

/* Is the byte that the part awaited not released? */
static bool is_taken_out(const struct gate_part *part)
{
    struct lane_part byte = lane_part_at(part->next, part->next_at, part->next_at + 1);
    return byte.text != NULL &&
           (byte.text->limit <= byte.text_start || has_edit(byte.text, byte.text_start, byte.text_start + 1));
}

/* What begins or ends an answer, and members that spell text. */
static int edit_choice(struct gate *g, const struct gate_part *part, struct rest *rest)
{
    struct gate_choice *choice = &g->choice[part->choice];
    int rv = 0;
    if (part->begins.len > 0 && choice->begun && g->rewrites_id) {
        rv = rewrite_mark(g, EVENT_BEGINS, part->begins, SPAN(""));
        rest->is_changed = true;
    } else if (part->begins.len > 0 && !choice->begun) {
        choice->begun = true;
        rest->has_more = true;
    }
    if (rv == 0 && part->has_end && (choice->ended || part->is_late)) {
        rv = replace_end(g, choice->end_reason, part->ends);
        rest->is_changed = true;
    } else if (part->has_end) {
        choice->ended = true;
        rest->has_more = true;
    }
    bool hides =
        (rest->changed[part->choice] && !part->is_signed) || part->spells_more || (part->awaits && is_taken_out(part));
    for (size_t i = 0; i < EVENT_SPELLED_MAX && rv == 0 && hides; i++)
        rv = rewrite_mark(g, EVENT_SPELLS, part->spelled[i], SPAN(""));
    return rv;
}

static int edit_id(struct gate *g, const struct gate_event *e)
{
    return g->rewrites_id ? rewrite_mark(g, EVENT_HAS_ID, e->id, bytes_span(&g->id)) : 0;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = ((const struct splice *)a)->raw.at, y = ((const struct splice *)b)->raw.at;
    return x < y ? -1 : x > y;
}

/* Writes the payload's bytes from `at` to `end` with their splices. A splice inside one that was already written is
 * skipped. */
static int write_spliced(struct gate *g, struct span payload, size_t at, size_t end, struct bytes *out)
{
    struct span all = bytes_span(&g->splices);
    size_t n = all.len / sizeof(struct splice);
    struct splice *splices = (struct splice *)(void *)all.data;
    if (n > 1)
        qsort(splices, n, sizeof *splices, by_place);
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0; i++) {
        if (splices[i].raw.at < at)
            continue;
        if (splices[i].raw.at >= end)
            break;
        rv = bytes_append(out, payload.data + at, splices[i].raw.at - at);
        if (rv == 0 && splices[i].text_len > 0)
            rv = bytes_append(out, bytes_at(&g->scratch, splices[i].text_at), splices[i].text_len);
        at = splices[i].raw.at + splices[i].raw.len;
    }
    return rv == 0 && at < end ? bytes_append(out, payload.data + at, end - at) : rv;
}

/* Keeps some bytes of the event, as it goes out, in the dialect's memory; what does not fit is not kept. */
static int keep_bytes(struct gate *g, const struct dialect_passing *p)
{
    struct bytes *kept = &g->memory.kept;
    size_t entry;
    int rv = memory_begin(&g->memory, p->keep_as, &entry);
    if (rv == 0)
        rv = write_spliced(g, p->payload, p->keep.at, (size_t)p->keep.at + p->keep.len, kept);
    if (rv == 0)
        memory_end(&g->memory, entry);
    else if (rv == REIN_ELIMIT)
        kept->end = kept->start + entry;
    return rv == REIN_ELIMIT ? 0 : rv;
}

/* Nothing is left that is worth sending. */
static bool is_emptied(const struct gate_event *e, const struct rest *rest)
{
    return rest->is_changed && rest->text == 0 && !rest->has_more && !(e->flags & GATE_BARE);
}

/* Lets the dialect see the event off. */
static int pass_event(struct gate *g, struct gate_event *e, struct span payload, const struct rest *rest, bool is_late,
                      struct bytes *out, enum dialect_way *way)
{
    struct dialect_passing p = {.state = g->dialect_state,
                                .memory = &g->memory,
                                .note = &e->note,
                                .payload = payload,
                                .is_body = (e->flags & GATE_BARE) != 0,
                                .is_late = is_late,
                                .reason = g->choice[0].end_reason, /* dialects that ask have one */
                                .is_changed = rest->is_changed,
                                .has_text = rest->text > 0,
                                .is_emptied = is_emptied(e, rest),
                                .is_restarted = g->rewrites_id,
                                .is_patched = e->patches != NULL,
                                .hides_request = g->hides_request,
                                .before = out};
    int rv = g->dialect->pass(&p);
    assert(p.fixes_len <= DIALECT_FIXES_MAX);
    *way = p.is_emptied && p.way != DIALECT_CANCELS ? DIALECT_DROPPED : p.way;
    for (unsigned i = 0; i < p.fixes_len && rv == 0; i++)
        rv = add_text_splice(g, p.fixes[i].raw, p.fixes[i].text);
    if (p.is_reframed)
        e->flags |= GATE_REWRITE;
    return rv == 0 && p.keep.len > 0 ? keep_bytes(g, &p) : rv;
}

static int write_edited(struct gate *g, const struct gate_event *e, struct span stored, struct span payload,
                        struct bytes *out)
{
    if (e->payload.at >= e->raw_len || (e->flags & GATE_REWRITE)) { /* its payload alone is kept */
        const struct framing *framing = g->dialect->framing;
        size_t payload_at;
        int rv = framing->open(out, &payload_at);
        if (rv == 0)
            rv = write_spliced(g, payload, 0, payload.len, out);
        return rv == 0 ? framing->close(out, payload_at) : rv;
    }
    size_t behind = (size_t)e->payload.at + e->payload.len;
    int rv = bytes_append(out, stored.data, e->payload.at);
    if (rv == 0)
        rv = write_spliced(g, payload, 0, payload.len, out);
    return rv == 0 ? bytes_append(out, stored.data + behind, e->raw_len - behind) : rv;
}

/* A body is handed over; the bytes of other events are copied. */
static int write_untouched(struct gate *g, const struct gate_event *e, struct span stored, struct bytes *out)
{
    if (!(e->flags & GATE_BARE) || bytes_len(out) > 0)
        return bytes_append(out, stored.data, e->raw_len);
    bytes_swap(out, &g->body);
    return 0;
}

static int write_event(struct gate *g, const struct gate_event *e, struct span stored, struct span payload,
                       struct bytes *out)
{
    bool is_edited = bytes_len(&g->splices) > 0 || (e->flags & GATE_REWRITE);
    int rv = is_edited ? write_edited(g, e, stored, payload, out) : write_untouched(g, e, stored, out);
    return rv == 0 && (e->flags & GATE_UNTERMINATED) ? bytes_append_span(out, g->dialect->framing->end) : rv;
}

/* What waited goes out; `all` false: without what the others wait behind. */
static int let_go(struct gate *g, bool all, struct bytes *out)
{
    size_t from = all ? 0 : g->waiting_first, len = bytes_len(&g->waiting);
    int rv = len > from ? bytes_append(out, bytes_at(&g->waiting, from), len - from) : 0;
    bytes_clear(&g->waiting);
    return rv;
}

/* Writes the event to where its dialect wants it. */
static int write_on_its_way(struct gate *g, const struct gate_event *e, struct span stored, struct span payload,
                            enum dialect_way way, struct bytes *out)
{
    if (way == DIALECT_DROPPED)
        return 0;
    bool is_behind = (way == DIALECT_FOLLOWS || way == DIALECT_JOINS) && bytes_len(&g->waiting) > 0;
    int rv = is_behind || bytes_len(&g->waiting) == 0 ? 0 : let_go(g, way != DIALECT_CANCELS, out);
    if (rv != 0 || way == DIALECT_CANCELS)
        return rv;
    rv = write_event(g, e, stored, payload, is_behind || way == DIALECT_WAITS ? &g->waiting : out);
    if (way == DIALECT_WAITS || (way == DIALECT_JOINS && is_behind))
        g->waiting_first = bytes_len(&g->waiting);
    return rv;
}

static int write_said(struct gate *g, const struct gate_event *e, struct span said, struct bytes *out)
{
    int rv = bytes_len(&g->waiting) > 0 ? let_go(g, false, out) : 0;
    if (rv != 0 || g->dialect->speak == NULL || (e->flags & GATE_WRITTEN))
        return rv != 0 ? rv : bytes_append_span(out, said);
    return g->dialect->speak(g->dialect_state, &g->memory, said, out);
}

int render_event(struct gate *g, struct gate_event *e, const struct gate_piece *pieces, struct bytes *out)
{
    struct span stored = bytes_span(e->flags & GATE_BARE ? &g->body : &g->raw);
    struct span payload = {stored.data + e->payload.at, e->payload.len};
    struct rest rest = {.has_more = (e->flags & GATE_CARRIES) != 0};
    bytes_clear(&g->scratch);
    bytes_clear(&g->splices);
    if (e->flags & GATE_SAID)
        return write_said(g, e, (struct span){stored.data, e->raw_len}, out);
    int rv = edit_pieces(g, e, pieces, payload, &rest);
    bool text_changed = rest.is_changed;
    const struct gate_part *parts = (const struct gate_part *)(const void *)bytes_span(&g->parts).data;
    for (uint32_t i = 0; i < e->parts && rv == 0; i++)
        rv = edit_choice(g, &parts[i], &rest);
    if (rv == 0 && (text_changed || (e->flags & GATE_SPELLS)))
        rv = rewrite_mark(g, EVENT_SPELLS, e->spelled_aside, SPAN(""));
    bool goes = !is_emptied(e, &rest);
    if (rv == 0 && goes)
        rv = edit_id(g, e);
    enum dialect_way way = !goes ? DIALECT_DROPPED : e->payload.len > 0 ? DIALECT_GOES : DIALECT_FOLLOWS;
    if (rv == 0 && g->dialect->pass != NULL && e->payload.len > 0 && (goes || g->dialect->sees_emptied))
        rv = pass_event(g, e, payload, &rest, e->parts > 0 && parts[0].is_late, out, &way);
    return rv == 0 ? write_on_its_way(g, e, stored, payload, way, out) : rv;
}
