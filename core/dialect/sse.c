/* Finds server-sent events in bytes: one line after another, an event at each blank one.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      buf.data            line_start      scanned          buf.len
 *         |  lines already read |  no line end  |  not examined  |
 *
 * LF is searched with memchr, and CR only before the LF that was found: a usual line costs two vectorised searches.
 * `lf_free` remembers how far the search for LF got, so that a stream whose lines end in CR stays linear too. An event
 * that has the usual form is taken at once. */
#include "dialect/sse.h"

#include <assert.h>
#include <string.h>

#include "json/walk.h"

#define BYTE_ORDER_MARK SPAN("\xEF\xBB\xBF")

/* The LF of a CRLF whose CR already ended its line is part of that line's end. */
static void skip_late_lf(struct framer *f, struct span buf)
{
    if (!f->after_cr || f->line_start == buf.len)
        return;
    f->after_cr = false;
    if (buf.data[f->line_start] == '\n')
        f->line_start++;
    if (f->scanned < f->line_start)
        f->scanned = f->line_start;
}

/* Finds the present line's end, or remembers how far there is none. */
static bool find_line_end(struct framer *f, struct span buf, size_t *end)
{
    if (f->lf_free < f->scanned)
        f->lf_free = f->scanned;
    if (f->lf_free == f->scanned && f->lf_free < buf.len && buf.data[f->lf_free] == '\n') { /* mostly a blank line */
        *end = f->scanned;
        return true;
    }
    const char *lf = memchr(buf.data + f->lf_free, '\n', buf.len - f->lf_free);
    f->lf_free = lf != NULL ? (size_t)(lf - buf.data) : buf.len;
    const char *cr = memchr(buf.data + f->scanned, '\r', f->lf_free - f->scanned);
    if (cr == NULL && lf == NULL) {
        f->scanned = buf.len;
        return false;
    }
    *end = cr != NULL ? (size_t)(cr - buf.data) : f->lf_free;
    f->scanned = *end;
    return true;
}

/* True if the blank line's CR at `end` may be followed by an LF that has not come yet (see the header). */
static bool is_undecided_cr(const struct framer *f, struct span buf, size_t end, bool at_end)
{
    bool after_bare_cr = f->line_start > 0 && buf.data[f->line_start - 1] == '\r';
    return buf.data[end] == '\r' && end + 1 == buf.len && !at_end && !after_bare_cr;
}

/* Steps over the line end at `end`; the next line starts behind it. */
static void step_over_line_end(struct framer *f, struct span buf, size_t end, bool is_blank)
{
    bool after_bare_cr = f->line_start > 0 && buf.data[f->line_start - 1] == '\r';
    bool has_cr = buf.data[end] == '\r';
    bool takes_lf = has_cr && !(is_blank && after_bare_cr) && end + 1 < buf.len && buf.data[end + 1] == '\n';
    f->line_start = f->scanned = end + 1 + (takes_lf ? 1 : 0);
    f->after_cr = has_cr && !takes_lf;
    f->started = true;
}

static bool begins_with_head(const struct framer *f, struct span buf)
{
    return buf.len >= f->head_len && memcmp(buf.data, f->head, f->head_len) == 0;
}

/* Steps over the lines of the known head, which are extras. Not over the data line: the payload ends with it. */
static void skip_head(struct framer *f, struct span buf)
{
    if (f->after_cr || !begins_with_head(f, buf))
        return;
    f->line_start = f->scanned = f->head_lines;
    f->extras = f->head_repeats = true;
}

/* A head of nothing but the beginning of the data line. One that is known has more to say. */
static void note_plain_head(struct framer *f, struct span buf)
{
    static const char plain[] = "data: ";
    size_t len = sizeof plain - 1;
    if (f->head_len > 0 || f->payload_at != len || memcmp(buf.data, plain, len) != 0)
        return;
    memcpy(f->head, plain, len);
    f->head_len = (uint8_t)len;
}

/* Is the head of this event, which has extras, the known one? If not, it is from now on. A head is whole lines and the
 * beginning of a data line; one with CR, or behind one, is left out, because
 * its lines need another look. */
__attribute__((noinline)) static bool head_is_known(struct framer *f, struct span buf)
{
    struct span head = {buf.data, f->payload_at};
    if (f->head_len == head.len && (f->head_repeats || begins_with_head(f, buf)))
        return true;
    f->head_len = f->head_lines = 0;
    const char *lines_end = head.len <= HEAD_MAX ? memrchr(head.data, '\n', head.len) : NULL;
    if (lines_end == NULL || *head.data == '\n' || memchr(head.data, '\r', head.len) != NULL)
        return false;
    memcpy(f->head, head.data, head.len);
    f->head_len = (uint8_t)head.len;
    f->head_lines = (uint8_t)(lines_end + 1 - head.data);
    return false;
}

static int add_data_line(struct framer *f, struct span buf, size_t at, size_t len)
{
    f->data_lines++;
    if (f->data_lines == 1) {
        f->payload_at = at;
        f->payload_len = len;
        if (f->extras)
            f->head_repeats = head_is_known(f, buf);
        else
            note_plain_head(f, buf);
        return 0;
    }
    int rv = 0;
    if (f->data_lines == 2) {
        bytes_clear(&f->joined);
        rv = bytes_append(&f->joined, buf.data + f->payload_at, f->payload_len);
    }
    if (rv == 0)
        rv = bytes_append(&f->joined, "\n", 1);
    return rv == 0 ? bytes_append(&f->joined, buf.data + at, len) : rv;
}

/* Reads one line that is not blank: from `at` to `end`. */
static int read_line(struct framer *f, struct span buf, size_t at, size_t end)
{
    static const size_t name_len = sizeof("data") - 1;
    const char *line = buf.data + at;
    size_t len = end - at;
    if (len < name_len || memcmp(line, "data", name_len) != 0 || (len > name_len && line[name_len] != ':')) {
        f->extras = true;
        return 0;
    }
    size_t skip = name_len;
    if (len > skip)
        skip++; /* the colon */
    if (len > skip && line[skip] == ' ')
        skip++;
    return add_data_line(f, buf, at + skip, len - skip);
}

/* The stream's first line may begin with a byte order mark, which is not part of it. */
static size_t skip_mark(const struct framer *f, struct span buf, size_t end)
{
    size_t at = f->line_start;
    if (f->started)
        return at;
    struct span mark = BYTE_ORDER_MARK;
    bool marked = end - at >= mark.len && memcmp(buf.data + at, mark.data, mark.len) == 0;
    return marked ? at + mark.len : at;
}

/* Hands out the event that ends at `end`, and makes ready for the next one. */
static int take_frame(struct framer *f, struct span buf, size_t end, bool unterminated, struct frame *out)
{
    if (end > f->limit)
        return REIN_ELIMIT;
    *out = (struct frame){
        .kind = f->data_lines == 0   ? FRAME_COMMENT
                : f->data_lines == 1 ? FRAME_DATA
                                     : FRAME_MULTI,
        .raw = {buf.data, end},
        .payload = {buf.data + f->payload_at, f->payload_len},
        .has_extras = f->extras && f->data_lines > 0,
        .head_repeats = f->head_repeats,
        .unterminated = unterminated,
    };
    if (out->kind == FRAME_MULTI)
        out->payload = bytes_span(&f->joined);
    if (out->kind == FRAME_COMMENT)
        out->payload = (struct span){buf.data, 0};
    f->lf_free = f->lf_free > end ? f->lf_free - end : 0;
    f->line_start = f->scanned = 0;
    f->data_lines = 0;
    f->payload_at = f->payload_len = 0;
    f->extras = f->head_repeats = false;
    return 1;
}

/* No more bytes will come: the last line ends here, and the event with it. */
static int take_rest(struct framer *f, struct span buf, struct frame *out)
{
    if (buf.len == 0)
        return 0;
    size_t at = skip_mark(f, buf, buf.len);
    int rv = at < buf.len ? read_line(f, buf, at, buf.len) : 0;
    return rv == 0 ? take_frame(f, buf, buf.len, true, out) : rv;
}

/* Most events are one data line behind the known head, and the blank line, all of which end in LF and are there: then
 * nothing has to be remembered. Whatever else there is takes the way line by line. */
static bool take_usual(struct framer *f, struct span buf, struct frame *out)
{
    if (f->scanned > 0 || f->after_cr || f->head_len == 0 || !begins_with_head(f, buf) ||
        buf.data[f->head_len - 1] != ' ')
        return false;
    const char *payload = buf.data + f->head_len, *end = buf.data + buf.len;
    const char *lf = memchr(payload, '\n', (size_t)(end - payload));
    if (lf == NULL || lf + 1 == end || lf[1] != '\n' || memchr(payload, '\r', (size_t)(lf - payload)) != NULL)
        return false;
    size_t len = (size_t)(lf + 2 - buf.data);
    if (len > f->limit)
        return false;
    bool has_extras = f->head_lines > 0;
    *out = (struct frame){.kind = FRAME_DATA,
                          .raw = {buf.data, len},
                          .payload = {payload, (size_t)(lf - payload)},
                          .has_extras = has_extras,
                          .head_repeats = has_extras};
    f->lf_free = 0;
    return true;
}

static int sse_next(struct framer *f, struct span buf, bool at_end, struct frame *out)
{
    assert(framer_is_sound(f) && buf.len >= f->scanned);
    if (take_usual(f, buf, out))
        return 1;
    if (f->head_lines > 0 && f->scanned == 0)
        skip_head(f, buf);
    while (buf.len > 0) {
        skip_late_lf(f, buf);
        size_t end;
        if (!find_line_end(f, buf, &end))
            break;
        size_t at = skip_mark(f, buf, end);
        bool is_blank = at == end;
        if (is_blank && is_undecided_cr(f, buf, end, at_end))
            break;
        int rv = is_blank ? 0 : read_line(f, buf, at, end);
        if (rv != 0)
            return rv;
        step_over_line_end(f, buf, end, is_blank);
        if (is_blank)
            return take_frame(f, buf, f->line_start, false, out);
    }
    if (buf.len > f->limit)
        return REIN_ELIMIT;
    return at_end ? take_rest(f, buf, out) : 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static int sse_open(struct bytes *out, size_t *payload_at)
{
    int rv = bytes_append_span(out, SPAN("data: "));
    *payload_at = bytes_len(out);
    return rv;
}

static int sse_close(struct bytes *out, size_t payload_at)
{
    for (size_t i = payload_at; i < bytes_len(out); i++)
        if (*bytes_at(out, i) == '\n' || *bytes_at(out, i) == '\r')
            *bytes_at(out, i) = ' ';
    return bytes_append_span(out, framing_sse.end);
}

/* Where the value begins whose key, with its quotes, ended before `at`; NULL: it was no key, or the value is no string.
 */
static const char *string_value(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    return at < end && *at == '"' && at[-1] != '"' ? at + 1 : NULL;
}

/* The value of the member `type` of the payload, a JSON object; nothing if it is not a plain word. */
static struct span type_of(struct span payload)
{
    const char *at = payload.data, *end = at + payload.len, *quote;
    for (unsigned depth = 0; at < end; at++) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        if (*at != '"')
            continue;
        quote = walk_string_end(at + 1, end);
        if (quote == NULL)
            break;
        bool is_type = depth == 1 && span_is((struct span){at + 1, (size_t)(quote - at - 1)}, SPAN("type"));
        const char *value = is_type ? string_value(quote + 1, end) : NULL;
        if (value == NULL) {
            at = quote;
            continue;
        }
        size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz_.");
        return (struct span){value, value[len] == '"' ? len : 0};
    }
    return SPAN("");
}

static int sse_close_named(struct bytes *out, size_t payload_at)
{
    static const char before[] = "event: ", behind[] = "\ndata: ";
    char name[64];
    int rv = sse_close(out, payload_at);
    struct span type = type_of((struct span){bytes_at(out, payload_at), bytes_len(out) - payload_at});
    if (rv != 0 || type.len == 0 || type.len > sizeof name)
        return rv;
    memcpy(name, type.data, type.len);
    size_t at = payload_at - (sizeof behind - 2), room = sizeof before - 1 + type.len + 1;
    rv = bytes_reserve(out, room);
    if (rv != 0)
        return rv;
    out->end += room;
    char *to = bytes_at(out, at);
    memmove(to + room, to, bytes_len(out) - room - at);
    memcpy(to, before, sizeof before - 1);
    memcpy(to + sizeof before - 1, name, type.len);
    to[room - 1] = '\n';
    return 0;
}

const struct framing framing_sse_named = {
    .next = sse_next,
    .open = sse_open,
    .close = sse_close_named,
    .end = {"\n\n", 2},
};

const struct framing framing_sse = {
    .next = sse_next,
    .open = sse_open,
    .close = sse_close,
    .end = {"\n\n", 2},
};
