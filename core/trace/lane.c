/* See lane.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/lane.h"

#include <assert.h>

#include "json/text.h"

enum {
    RUNS_MAX_BYTES = 1 << 20, /* alternations of tags and text that may wait at a time */
    SLICE = 64,               /* what splitter_feed takes at once with PARTS of room */
    PARTS = 32,
    WATCH_MAX = 65536, /* a longer piece says nothing of the habit */
    PLAIN_MAX = 4096,  /* and what may be passed on at once without feeding: a text's window grows by as much */
};

void lane_init(struct lane *lane, struct place place, struct text *text)
{
    *lane = (struct lane){.place = place, .answer = text};
}

void lane_init_split(struct lane *lane, struct place place, struct text *reasoning, struct text *answer,
                     const char *open, const char *close, bool opened)
{
    *lane = (struct lane){.place = place, .splits = true, .reasoning = reasoning, .answer = answer};
    splitter_init(&lane->splitter, open, close, opened);
    bytes_init_in(&lane->runs, lane->first_runs, sizeof lane->first_runs, RUNS_MAX_BYTES);
}

void lane_fini(struct lane *lane)
{
    bytes_fini(&lane->runs);
    bytes_fini(&lane->said);
    bytes_fini(&lane->shown);
    bytes_fini(&lane->last);
}

static struct lane_run *run_at(const struct lane *lane, size_t i)
{
    return (struct lane_run *)(void *)bytes_at(&lane->runs, i * sizeof(struct lane_run));
}

static size_t run_count(const struct lane *lane)
{
    return bytes_len(&lane->runs) / sizeof(struct lane_run);
}

static uint64_t run_start(const struct lane *lane, size_t i)
{
    return i > 0 ? run_at(lane, i - 1)->end : lane->runs_start;
}

static bool runs_are_sound(const struct lane *lane)
{
    for (size_t i = 0; i < run_count(lane); i++) {
        const struct lane_run *run = run_at(lane, i);
        bool is_text = run->text == NULL || run->text == lane->reasoning || run->text == lane->answer;
        if (!is_text || run->end <= run_start(lane, i) ||
            (run->text != NULL && run->text_end < run->end - run_start(lane, i)))
            return false;
    }
    return true;
}

static bool kept_is_sound(const struct lane *lane)
{
    bool has_all = lane->is_lost || lane->has_stopped || bytes_len(&lane->said) == lane->received;
    return has_all && (lane->is_edited || bytes_len(&lane->shown) == 0);
}

bool lane_is_sound(const struct lane *lane, bool deep)
{
    if (lane->is_kept && !kept_is_sound(lane))
        return false;
    if (!lane->splits)
        return lane->decided == lane->received && bytes_len(&lane->runs) == 0;
    size_t len = bytes_len(&lane->runs);
    uint64_t end =
        len > 0 ? ((struct lane_run *)(void *)(lane->runs.data + lane->runs.end) - 1)->end : lane->runs_start;
    bool waits = lane->received - lane->decided == lane->splitter.tail_len;
    return lane->decided <= lane->received && (waits || lane->has_stopped) && end == lane->decided &&
           lane->runs_start <= lane->decided && lane->runs_passable * sizeof(struct lane_run) <= len &&
           (!deep || runs_are_sound(lane));
}

/* Gives the next `len` source bytes to `text`, or joins them to the last run of the same text. */
static int add_run(struct lane *lane, struct text *text, size_t len)
{
    size_t n = run_count(lane);
    struct lane_run *last = n > 0 ? run_at(lane, n - 1) : NULL;
    struct lane_run run = {text, lane->decided + len, text != NULL ? text->received + len : 0};
    int rv = 0;
    if (last != NULL && last->text == text) {
        last->end += len;
        last->text_end += text != NULL ? len : 0;
    } else {
        rv = bytes_append(&lane->runs, (const char *)&run, sizeof run);
    }
    lane->decided += rv == 0 ? len : 0;
    return rv;
}

void lane_keep(struct lane *lane, size_t *room)
{
    assert(lane->received == 0);
    lane->is_kept = true;
    lane->room = room;
    bytes_init(&lane->said, SIZE_MAX / 2); /* bounded by the room */
    bytes_init(&lane->shown, SIZE_MAX / 2);
}

/* Keeps bytes that came or were shown, unless there is no room for them. */
static int lane_store(struct lane *lane, struct bytes *to, struct span bytes)
{
    lane->is_lost |= bytes.len > *lane->room;
    if (lane->is_lost)
        return 0;
    *lane->room -= bytes.len;
    return bytes_append_span(to, bytes);
}

/* Parts cover bytes from `tail` (undecided by earlier calls) and then from `bytes`. */
static int pass_on(struct lane *lane, const struct part *parts, size_t n, struct span joined, lane_sink sink, void *ctx)
{
    for (size_t i = 0; i < n && !lane->has_stopped; i++) {
        struct text *text = parts[i].kind == PART_TAG         ? NULL
                            : parts[i].kind == PART_REASONING ? lane->reasoning
                                                              : lane->answer;
        assert(parts[i].len <= joined.len);
        int rv = add_run(lane, text, parts[i].len);
        if (rv == 0 && text != NULL)
            rv = sink(ctx, text, (struct span){joined.data, parts[i].len});
        if (rv != 0)
            return rv;
        joined.data += parts[i].len;
        joined.len -= parts[i].len;
    }
    return 0;
}

static int feed_slice(struct lane *lane, struct span slice, lane_sink sink, void *ctx)
{
    char joined[sizeof lane->splitter.tail + SLICE];
    struct part parts[PARTS];
    size_t tail = lane->splitter.tail_len;
    memcpy(joined, lane->splitter.tail, tail);
    memcpy(joined + tail, slice.data, slice.len);
    size_t n = splitter_feed(&lane->splitter, slice, parts, PARTS);
    lane->received += slice.len;
    return pass_on(lane, parts, n, (struct span){joined, tail + slice.len}, sink, ctx);
}

/* Takes as much from the beginning of `bytes` as possible at once. */
static int feed_split(struct lane *lane, struct span *bytes, lane_sink sink, void *ctx)
{
    size_t len = bytes->len < PLAIN_MAX ? bytes->len : PLAIN_MAX;
    struct part plain = splitter_plain(&lane->splitter, (struct span){bytes->data, len});
    len = plain.len > 0 ? plain.len : len < SLICE ? len : SLICE;
    struct span taken = {bytes->data, len};
    bytes->data += len;
    bytes->len -= len;
    if (plain.len == 0)
        return feed_slice(lane, taken, sink, ctx);
    lane->received += len;
    return pass_on(lane, &plain, 1, taken, sink, ctx);
}

int lane_feed(struct lane *lane, struct span bytes, lane_sink sink, void *ctx)
{
    assert(lane_is_sound(lane, false));
    int rv = lane->is_kept ? lane_store(lane, &lane->said, bytes) : 0;
    if (!lane->splits && rv == 0) {
        lane->received += bytes.len;
        lane->decided = lane->received;
        return sink(ctx, lane->answer, bytes);
    }
    while (bytes.len > 0 && rv == 0 && !lane->has_stopped)
        rv = feed_split(lane, &bytes, sink, ctx);
    lane->received += bytes.len; /* unseen after a stop */
    assert(rv != 0 || lane_is_sound(lane, false));
    return rv;
}

int lane_end(struct lane *lane, lane_sink sink, void *ctx)
{
    assert(lane_is_sound(lane, true));
    lane->is_over = true;
    if (!lane->splits || lane->has_stopped)
        return 0;
    char tail[sizeof lane->splitter.tail];
    struct part parts[PARTS];
    struct span joined = {tail, lane->splitter.tail_len};
    memcpy(tail, lane->splitter.tail, joined.len);
    size_t n = splitter_end(&lane->splitter, parts, PARTS);
    int rv = pass_on(lane, parts, n, joined, sink, ctx);
    assert(rv != 0 || lane_is_sound(lane, true));
    return rv;
}

/* The first byte of a run that may not pass; the run's end if all may. */
static uint64_t run_passable(const struct lane_run *run, uint64_t start)
{
    uint64_t passable = run->text != NULL ? text_passable(run->text) : UINT64_MAX;
    if (run->text == NULL || passable >= run->text_end)
        return run->end;
    uint64_t first = run->text_end - (run->end - start);
    return passable > first ? start + (passable - first) : start;
}

uint64_t lane_runs_passable(struct lane *lane)
{
    if (lane->has_stopped)
        return UINT64_MAX;
    size_t n = run_count(lane);
    uint64_t passable = run_start(lane, lane->runs_passable);
    for (size_t i = lane->runs_passable; i < n && passable == run_start(lane, i); i++) {
        const struct lane_run *run = run_at(lane, i);
        passable = run_passable(run, passable);
        lane->runs_passable += passable == run->end && i + 1 < n; /* the last one may grow */
    }
    return passable;
}

/* The first run that ends after `at`; the number of runs if there is none. */
static size_t find_run(const struct lane *lane, uint64_t at)
{
    if (bytes_len(&lane->runs) > 0 && at < run_at(lane, 0)->end)
        return 0;
    size_t low = 0, high = run_count(lane);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run_at(lane, middle)->end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lane_part lane_run_part_at(const struct lane *lane, uint64_t at, uint64_t end)
{
    size_t i = find_run(lane, at);
    if (i == run_count(lane))
        return (struct lane_part){NULL, 0, (size_t)(end - at)};
    const struct lane_run *run = run_at(lane, i);
    uint64_t stop = run->end < end ? run->end : end;
    return (struct lane_part){run->text, run->text_end - (run->end - at), (size_t)(stop - at)};
}

void lane_runs_released(struct lane *lane, uint64_t offset)
{
    while (bytes_len(&lane->runs) > 0 && run_at(lane, 0)->end <= offset) {
        lane->runs_start = run_at(lane, 0)->end;
        lane->runs_passable -= lane->runs_passable > 0;
        bytes_consume(&lane->runs, sizeof(struct lane_run));
    }
}

/* ---- texts that may be repeated -----------------------------------------------------------------------------------
 */

bool lane_repeats(const struct lane *lane, struct span text)
{
    return lane->is_kept && !lane->is_lost && span_is(bytes_span(&lane->said), text);
}

bool lane_begins(const struct lane *lane, struct span text)
{
    struct span said = bytes_span(&lane->said);
    return lane->is_kept && !lane->is_lost && said.len > 0 && text.len >= said.len &&
           memcmp(text.data, said.data, said.len) == 0;
}

/* A few characters may begin two pieces by chance, and even three in a row. */
int lane_watch(struct lane *lane, struct span piece)
{
    struct span last = bytes_span(&lane->last);
    bool begins = piece.len >= last.len && memcmp(piece.data, last.data, last.len) == 0;
    if (piece.len == 0)
        return 0;
    lane->repeated += begins && last.len > 0 && piece.len > last.len;
    bool repeats = begins && piece.len > last.len && (last.len >= 8 || (last.len >= 4 && lane->repeated >= 2));
    if (repeats || !begins || piece.len > WATCH_MAX) {
        lane->habit = repeats ? LANE_HABIT_REPEATS : LANE_HABIT_GOES_ON;
        bytes_fini(&lane->last);
        return 0;
    }
    bytes_clear(&lane->last);
    lane->last.limit = WATCH_MAX;
    return bytes_append_span(&lane->last, piece);
}

int lane_edit(struct lane *lane, uint64_t start)
{
    if (!lane->is_kept || lane->is_edited)
        return 0;
    lane->is_edited = true;
    if (lane->is_lost)
        return 0;
    assert(start <= bytes_len(&lane->said));
    int rv = json_escape(&lane->shown, (struct span){bytes_span(&lane->said).data, (size_t)start});
    size_t len = bytes_len(&lane->shown);
    lane->is_lost |= len > *lane->room;
    *lane->room -= len < *lane->room ? len : *lane->room;
    return rv;
}

int lane_show(struct lane *lane, struct span raw)
{
    return lane->is_edited && !lane->is_lost ? lane_store(lane, &lane->shown, raw) : 0;
}

int lane_shown(const struct lane *lane, struct bytes *out)
{
    if (lane->is_edited)
        return lane->is_lost ? 0 : bytes_append_span(out, bytes_span(&lane->shown));
    size_t said = bytes_len(&lane->said);
    size_t len = lane->shown_to < said ? (size_t)lane->shown_to : said;
    return json_escape(out, (struct span){bytes_span(&lane->said).data, len});
}
