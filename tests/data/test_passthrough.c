/* Recorded chats pass through a trace byte for byte when no rule matches, under every chunking.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Recordings whose upstream never said [DONE], or left a last event without its blank line, get that: the input must
 * then be the output's beginning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/dialect.h"
#include "dialect/event.h"
#include "dialect/sse.h"
#include "recordings.h"
#include "tracekit.h"

/* Does the event only repeat finish reasons? */
static bool only_repeats(struct event_reader *reader, struct span payload, unsigned *finished)
{
    const struct event *d = NULL;
    if (event_read(reader, payload, false, &d) != 0)
        return false;
    bool repeats = false, says_more = d->has_error || d->usage.len > 0;
    for (size_t i = 0; i < d->parts_len; i++) {
        unsigned bit = 1u << d->parts[i].choice;
        repeats |= d->parts[i].has_end && (*finished & bit);
        says_more |= d->parts[i].has_end && !(*finished & bit);
        *finished |= d->parts[i].has_end ? bit : 0;
    }
    for (size_t i = 0; i < d->pieces_len; i++)
        says_more |= d->pieces[i].place.kind != PIECE_WHOLE && d->pieces[i].len > 0;
    return repeats && !says_more;
}

/* The recording without what is left out; returns how many events that are. */
static size_t expect(struct span in, struct bytes *out)
{
    struct framer f;
    struct frame frame;
    struct event_reader *reader = NULL;
    unsigned finished = 0;
    size_t left_out = 0;
    framer_init(&f, &framing_sse, 1 << 26);
    assert_int_equal(event_reader_new(&reader, dialect_find(REIN_OPENAI_CHAT), NULL), 0);
    while (framer_next(&f, in, true, &frame) == 1) {
        bool drop = frame.kind == FRAME_DATA && only_repeats(reader, frame.payload, &finished);
        left_out += drop;
        if (!drop)
            assert_int_equal(bytes_append_span(out, frame.raw), 0);
        in.data += frame.raw.len;
        in.len -= frame.raw.len;
    }
    event_reader_free(reader);
    framer_fini(&f);
    return left_out;
}

/* What was added at the end, "" for nothing; fails the test if the recording itself was changed. */
static struct span added(const char *path, struct span expected, struct span out)
{
    size_t same = 0;
    while (same < expected.len && same < out.len && expected.data[same] == out.data[same])
        same++;
    if (same < expected.len)
        print_error("%s: differs at byte %zu of %zu\n", path, same, expected.len);
    assert_int_equal(same, expected.len);
    return (struct span){out.data + same, out.len - same};
}

/* One recording in one chunking. Says what was repaired if `tells`. */
static void pass(struct rein_policy *policy, const char *path, struct span recording, size_t chunk, bool tells)
{
    struct kit_seen seen;
    struct kit_run run = {.policy = policy, .upstream = recording, .choices = 2, .chunk = chunk};
    struct bytes expected;
    bytes_init(&expected, 1 << 26);
    size_t left_out = expect(recording, &expected);
    kit_run(&run, &seen);
    struct span more = added(path, bytes_span(&expected), bytes_span(&seen.out));
    if (tells && left_out > 0)
        print_message("%s: %zu repeated finish reasons left out\n", path, left_out);
    if (tells && more.len > 0)
        print_message("%s: added %.*s\n", path, (int)more.len, more.data);
    assert_int_equal(seen.decision.garbage_events, 0);
    assert_int_equal(seen.decision.bytes_unjudged, 0);
    assert_int_equal(seen.decision.findings_len, 0);
    kit_seen_fini(&seen);
    bytes_fini(&expected);
}

struct passing {
    struct rein_policy *policy;
    size_t chats;
};

static void pass_all(const struct recording *recording, void *ctx)
{
    static const size_t chunks[] = {0, 1, 7, 1000};
    struct passing *passing = ctx;
    for (size_t k = 0; recording->is_chat && k < 4; k++)
        pass(passing->policy, recording->path, recording->bytes, chunks[k], k == 0);
    passing->chats += recording->is_chat;
}

static void test_passthrough(void **state)
{
    (void)state;
    struct passing passing = {
        kit_policy("version: 1\nname: none\nreasoning: { show: stream, release: stream }\n"
                   "limits: { stream_bytes: 4194304 }\n"
                   "rules:\n  - { id: never, literal: qzxj-never-said-7731, match: raw, action: redact }\n"),
        0,
    };
    recordings_each(pass_all, &passing);
    print_message("%zu chats\n", passing.chats);
    assert_true(passing.chats > 0);
    rein_policy_unref(passing.policy);
}

int main(void)
{
    return recordings_main(test_passthrough);
}
