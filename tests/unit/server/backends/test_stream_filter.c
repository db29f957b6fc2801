/* Chains of filters: the output of one is the input of the next, at the end too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/backend.h"

enum { TEXT_MAX = 256 };

/* Passes everything with its mark behind it; drops what begins with a minus; keeps the last byte back. */
struct marker {
    struct stream_filter base;
    char mark, kept, text[TEXT_MAX];
    bool can_correct;
    unsigned *freed;
};

static int marker_feed(struct stream_filter *filter, struct stream_piece *piece)
{
    struct marker *m = (struct marker *)filter;
    size_t n = 0;
    if (*piece->data == '!')
        return REIN_ELIMIT;
    if (m->kept != '\0')
        m->text[n++] = m->kept;
    assert_true(piece->len + 2 < TEXT_MAX);
    memcpy(m->text + n, piece->data, piece->len - 1);
    n += piece->len - 1;
    m->kept = piece->data[piece->len - 1];
    if (n > 0)
        m->text[n++] = m->mark;
    piece->data = m->text;
    piece->len = *m->text == '-' ? 0 : n;
    return 0;
}

static int marker_end(struct stream_filter *filter, bool is_whole, struct stream_piece *piece)
{
    struct marker *m = (struct marker *)filter;
    int rv = piece->len > 0 ? marker_feed(filter, piece) : 0;
    if (rv < 0 || !is_whole || m->kept == '\0')
        return rv;
    if (piece->data != m->text)
        *piece = (struct stream_piece){.data = m->text};
    m->text[piece->len++] = m->kept;
    return 0;
}

static void marker_free(struct stream_filter *filter)
{
    ++*((struct marker *)filter)->freed;
    free(filter);
}

static bool marker_correct(struct stream_filter *filter, struct backend_call *call)
{
    struct marker *m = (struct marker *)filter;
    call->path[0] = m->mark;
    return m->can_correct;
}

static bool marker_is_promised(const struct stream_filter *filter, const json_t *reply)
{
    return ((const struct marker *)filter)->can_correct && reply != NULL;
}

static void marker_add(struct stream_filter **chain, char mark, bool can_correct, unsigned *freed)
{
    static const struct stream_filter_kind plain = {.feed = marker_feed, .end = marker_end, .free = marker_free};
    static const struct stream_filter_kind correcting = {.feed = marker_feed,
                                                         .end = marker_end,
                                                         .free = marker_free,
                                                         .correct = marker_correct,
                                                         .is_promised = marker_is_promised};
    struct marker *m = calloc(1, sizeof *m);
    m->base.kind = can_correct ? &correcting : &plain;
    m->mark = mark;
    m->can_correct = can_correct;
    m->freed = freed;
    stream_filters_add(chain, &m->base);
}

static void expect_feed(struct stream_filter *chain, const char *in, const char *out)
{
    struct stream_piece piece = {.data = in, .len = strlen(in)};
    assert_int_equal(stream_filters_feed(chain, &piece), 0);
    assert_int_equal(piece.len, strlen(out));
    assert_memory_equal(piece.data, out, piece.len);
}

static void an_empty_chain_passes_everything(void **state)
{
    (void)state;
    struct stream_piece piece = {.data = "abc", .len = 3}, last = {0};
    assert_int_equal(stream_filters_feed(NULL, &piece), 0);
    assert_string_equal(piece.data, "abc");
    assert_int_equal(stream_filters_end(NULL, true, &last), 0);
    assert_int_equal(last.len, 0);
    assert_false(stream_filters_correct(NULL, &(struct backend_call){0}));
    assert_false(stream_filters_are_promised(NULL, NULL));
}

static void each_gets_what_the_one_before_leaves(void **state)
{
    (void)state;
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        struct stream_filter *chain = NULL;
        struct stream_piece last = {0};
        unsigned freed = 0;
        marker_add(&chain, '1', false, &freed);
        marker_add(&chain, '2', false, &freed);
        expect_feed(chain, "abc", "ab2");
        expect_feed(chain, "d", "1c2");
        expect_feed(chain, "-", "1d2");
        expect_feed(chain, "x", "");
        assert_int_equal(stream_filters_end(chain, is_whole, &last), 0);
        assert_int_equal(last.len, is_whole ? 3 : 0);
        if (is_whole)
            assert_memory_equal(last.data, "12x", 3);
        stream_filters_free(&chain);
        assert_null(chain);
        assert_int_equal(freed, 2);
    }
}

static void an_error_ends_the_walk(void **state)
{
    (void)state;
    struct stream_filter *chain = NULL;
    struct stream_piece piece = {.data = "!", .len = 1};
    unsigned freed = 0;
    marker_add(&chain, '1', false, &freed);
    assert_int_equal(stream_filters_feed(chain, &piece), REIN_ELIMIT);
    assert_int_equal(stream_filters_end(chain, true, &piece), REIN_ELIMIT);
    stream_filters_free(&chain);
}

static void the_one_that_can_corrects(void **state)
{
    (void)state;
    struct stream_filter *chain = NULL;
    struct backend_call call = {0};
    json_t *reply = json_object();
    unsigned freed = 0;
    marker_add(&chain, '1', false, &freed);
    assert_false(stream_filters_correct(chain, &call));
    marker_add(&chain, '2', true, &freed);
    assert_true(stream_filters_correct(chain, &call));
    assert_string_equal(call.path, "2");
    assert_true(stream_filters_are_promised(chain, reply));
    assert_false(stream_filters_are_promised(chain, NULL));
    json_decref(reply);
    stream_filters_free(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_passes_everything),
        cmocka_unit_test(each_gets_what_the_one_before_leaves),
        cmocka_unit_test(an_error_ends_the_walk),
        cmocka_unit_test(the_one_that_can_corrects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
