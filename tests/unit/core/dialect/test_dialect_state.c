/* A dialect's state: what it remembers of a response decides what its events mean, also of those whose bytes are known.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The dialect here announces a block's channel before the block's text:
 *
 *      {"block":1,"kind":"reasoning"}   {"block":1,"text":"..."} */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialect/dialect.h"
#include "dialect/event_fill.h"

enum { BLOCKS = 4 };

struct blocks {
    uint8_t channel[BLOCKS];
    unsigned announced;
};

static int read_block_member(struct event_fill *fill, struct span key, int64_t *block, struct range *kind,
                             struct range *text)
{
    if (span_is(key, SPAN("block")))
        return walk_number(&fill->walk, block);
    return walk_string(&fill->walk, span_is(key, SPAN("kind")) ? kind : text);
}

static int read_block(struct event_fill *fill)
{
    struct blocks *blocks = fill->state;
    struct json_list list = {0};
    struct range key, kind = {0}, text = {0};
    int64_t block = 0;
    int rv;
    while ((rv = walk_next(&fill->walk, &list, '{')) > 0) {
        rv = walk_key(&fill->walk, &list, &key);
        if (rv == 0)
            rv = read_block_member(fill, event_span(fill, key), &block, &kind, &text);
        if (rv != 0)
            return rv;
    }
    if (rv != 0 || block < 0 || block >= BLOCKS)
        return REIN_EFORMAT;
    fill->event.is_unique = true;
    if (kind.len > 0) {
        blocks->channel[block] = span_is(event_span(fill, kind), SPAN("reasoning")) ? REIN_REASONING : REIN_ANSWER;
        blocks->announced++;
        return 0;
    }
    struct place place = {.text = (uint32_t)block, .channel = blocks->channel[block], .kind = PIECE_STREAM};
    return event_add(fill, place, text);
}

static const struct dialect announcing = {
    .name = "announcing", .state_size = sizeof(struct blocks), .read = read_block};

static const struct event *read_payload(struct event_reader *reader, struct span payload)
{
    const struct event *event = NULL;
    assert_int_equal(event_read(reader, payload, false, &event), 0);
    return event;
}

static void check_text(struct event_reader *reader, struct span payload, uint32_t text, enum rein_channel channel)
{
    const struct event *event = read_payload(reader, payload);
    assert_int_equal(event->pieces_len, 1);
    assert_int_equal(event->pieces[0].place.text, text);
    assert_int_equal(event->pieces[0].place.channel, channel);
}

static void test_an_event_means_what_was_announced(void **state)
{
    (void)state;
    struct blocks blocks = {0};
    struct event_reader *reader = NULL;
    assert_int_equal(event_reader_new(&reader, &announcing, &blocks), 0);
    for (unsigned round = 0; round < 3; round++) {
        (void)read_payload(reader, SPAN("{\"block\":1,\"kind\":\"reasoning\"}"));
        check_text(reader, SPAN("{\"block\":1,\"text\":\"so\"}"), 1, REIN_REASONING);
        check_text(reader, SPAN("{\"block\":1,\"text\":\"then\"}"), 1, REIN_REASONING);
        (void)read_payload(reader, SPAN("{\"block\":1,\"kind\":\"answer\"}"));
        check_text(reader, SPAN("{\"block\":1,\"text\":\"so\"}"), 1, REIN_ANSWER);
        assert_int_equal(blocks.announced, 2 * (round + 1));
    }
    event_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_event_means_what_was_announced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
