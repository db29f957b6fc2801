/* Recorded streams: every one is framed, read and split, byte for byte the same under every chunking.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads all *.sse below the folder `wire` of $REIN_DATA; streams of other dialects are framed only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "describe.h"
#include "dialect/dialect.h"
#include "dialect/event.h"
#include "dialect/sse.h"
#include "recordings.h"
#include "trace/reasoning_splitter.h"

enum { LIMIT = 1 << 20 };

/* A number that stands for bytes: FNV-1a. */
static void mix(uint64_t *sum, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        *sum = (*sum ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

struct outcome {
    size_t frames, events, unread, bytes, texts;
    uint64_t sum;
};

/* Reads one event with the stream's reader and with a new one. */
static void read_event(struct event_reader *reader, struct span payload, struct outcome *o)
{
    static struct description with, without;
    const struct event *d = NULL;
    int rv = event_read(reader, payload, false, &d);
    o->events++;
    o->unread += rv != 0;
    if (rv != 0)
        return;
    describe(&with, payload, d);
    for (size_t i = 0; i < d->pieces_len; i++)
        o->texts += d->pieces[i].place.kind != PIECE_WHOLE;
    struct event_reader *fresh = NULL;
    assert_int_equal(event_reader_new(&fresh, dialect_find(REIN_OPENAI_CHAT), NULL), 0);
    assert_int_equal(event_read(fresh, payload, false, &d), 0);
    describe(&without, payload, d);
    assert_string_equal(with.text, without.text);
    mix(&o->sum, with.text, with.len);
    event_reader_free(fresh);
}

static void take_frames(struct framer *f, struct event_reader *reader, struct bytes *buf, bool at_end,
                        struct outcome *o)
{
    struct frame frame;
    int rv;
    while ((rv = framer_next(f, bytes_span(buf), at_end, &frame)) == 1) {
        mix(&o->sum, &frame.raw.len, sizeof(frame.raw.len));
        o->frames++;
        o->bytes += frame.raw.len;
        if (frame.kind != FRAME_COMMENT && !dialect_find(REIN_OPENAI_CHAT)->is_terminal(frame.payload))
            read_event(reader, frame.payload, o);
        bytes_consume(buf, frame.raw.len);
    }
    assert_int_equal(rv, 0);
}

static struct outcome replay(struct span recording, size_t chunk)
{
    struct outcome o = {0};
    struct framer f;
    struct bytes buf;
    struct event_reader *reader = NULL;
    framer_init(&f, &framing_sse, LIMIT);
    bytes_init(&buf, 2 * LIMIT);
    assert_int_equal(event_reader_new(&reader, dialect_find(REIN_OPENAI_CHAT), NULL), 0);
    for (size_t at = 0; at < recording.len; at += chunk) {
        size_t len = recording.len - at < chunk ? recording.len - at : chunk;
        assert_int_equal(bytes_append(&buf, recording.data + at, len), 0);
        take_frames(&f, reader, &buf, false, &o);
    }
    take_frames(&f, reader, &buf, true, &o);
    event_reader_free(reader);
    bytes_fini(&buf);
    framer_fini(&f);
    return o;
}

struct totals {
    size_t chats, events;
};

static void replay_all(const struct recording *recording, void *ctx)
{
    static const size_t chunks[] = {1, 7, 1000};
    struct totals *totals = ctx;
    struct outcome whole = replay(recording->bytes, LIMIT);
    assert_int_equal(whole.bytes, recording->bytes.len);
    for (size_t k = 0; k < 3; k++) {
        struct outcome cut = replay(recording->bytes, chunks[k]);
        assert_int_equal(cut.frames, whole.frames);
        assert_int_equal(cut.sum, whole.sum);
    }
    if (!recording->is_chat)
        return;
    if (whole.unread > 0 || whole.texts == 0)
        print_message("%s: %zu events, %zu unread, %zu texts\n", recording->path, whole.events, whole.unread,
                      whole.texts);
    assert_int_equal(whole.unread, 0);
    assert_true(whole.texts > 0);
    totals->chats++;
    totals->events += whole.events;
}

static void test_recordings(void **state)
{
    (void)state;
    struct totals totals = {0};
    size_t len = recordings_each(replay_all, &totals);
    print_message("%zu recordings, of which %zu chats with %zu events\n", len, totals.chats, totals.events);
    assert_true(totals.chats > 0);
}

int main(void)
{
    return recordings_main(test_recordings);
}
