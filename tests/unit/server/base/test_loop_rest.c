/* When a busy loop rests: after a turn of many small reads, for half its length, and never otherwise.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/loop_rest.h"

static uint64_t end_turn(struct loop_rest *turn, size_t reads, size_t bytes_each, uint64_t length_us)
{
    for (size_t i = 0; i < reads; i++)
        loop_rest_note(turn, bytes_each, 1000 + i);
    return loop_rest_end(turn, 1000 + length_us);
}

/* Behind another such turn. */
static uint64_t rest_after(size_t reads, size_t bytes_each, uint64_t length_us)
{
    struct loop_rest turn = {0};
    assert_int_equal(end_turn(&turn, reads, bytes_each, length_us), 0);
    return end_turn(&turn, reads, bytes_each, length_us);
}

static void one_long_turn_is_a_hiccup(void **state)
{
    (void)state;
    struct loop_rest turn = {0};
    assert_int_equal(end_turn(&turn, 512, 300, 4000), 0);
    assert_int_equal(end_turn(&turn, 4, 300, 40), 0);
    assert_int_equal(end_turn(&turn, 512, 300, 4000), 0);
    assert_int_equal(end_turn(&turn, 512, 300, 4000), 2000);
    assert_int_equal(end_turn(&turn, 512, 300, 4000), 2000); /* as long as it goes on */
    assert_int_equal(end_turn(&turn, 512, LOOP_REST_BYTES, 4000), 0);
    assert_int_equal(end_turn(&turn, 512, 300, 4000), 0);
}

static void many_small_reads_are_followed_by_half_their_length(void **state)
{
    (void)state;
    assert_int_equal(rest_after(LOOP_REST_READS, 300, 600), 300);
    assert_int_equal(rest_after(512, 1200, 4000), 2000);
}

static void a_rest_has_an_end(void **state)
{
    (void)state;
    assert_int_equal(rest_after(512, 300, 2 * LOOP_REST_MAX_US), LOOP_REST_MAX_US);
    assert_int_equal(rest_after(9000, 300, 100 * LOOP_REST_MAX_US), LOOP_REST_MAX_US);
}

static void few_reads_want_no_rest(void **state)
{
    (void)state;
    assert_int_equal(rest_after(0, 0, 5000), 0);
    assert_int_equal(rest_after(1, 300, 5000), 0);
    assert_int_equal(rest_after(LOOP_REST_READS - 1, 300, 5000), 0);
}

static void big_reads_want_no_rest(void **state)
{
    (void)state;
    assert_int_equal(rest_after(512, LOOP_REST_BYTES - 1, 5000), 2500);
    assert_int_equal(rest_after(512, LOOP_REST_BYTES, 5000), 0);
    assert_int_equal(rest_after(512, 16384, 5000), 0);
}

/* ---- in a loop ---- */

enum { WORK_US = 4000, TURNS = 4 };

struct busy {
    struct loop *loop;
    size_t reads;
    int turns;
    uint64_t left_us;    /* when the last turn's callback returned */
    uint64_t between_us; /* the shortest time from there to the next one */
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* A turn's work: reads that take WORK_US together. */
static void work(uv_timer_t *timer)
{
    struct busy *busy = timer->data;
    uint64_t began_us = now_us();
    if (busy->turns > 1 && began_us - busy->left_us < busy->between_us)
        busy->between_us = began_us - busy->left_us;
    for (size_t i = 0; i < busy->reads; i++)
        loop_note_read(busy->loop, 300);
    while (now_us() - began_us < WORK_US)
        ;
    if (++busy->turns == TURNS)
        loop_stop(busy->loop);
    busy->left_us = now_us();
}

/* The shortest time between two turns of so many reads, of timers that are always due. */
static uint64_t between_turns(size_t reads)
{
    struct busy busy = {.reads = reads, .between_us = UINT64_MAX};
    uv_timer_t timer;
    assert_int_equal(loop_new(&busy.loop), 0);
    assert_int_equal(uv_timer_init(loop_uv(busy.loop), &timer), 0);
    timer.data = &busy;
    assert_int_equal(uv_timer_start(&timer, work, 1, 1), 0);
    loop_run(busy.loop);
    uv_close((uv_handle_t *)&timer, NULL);
    loop_free(busy.loop);
    return busy.between_us;
}

static void a_loop_rests_after_a_turn_of_many_small_reads(void **state)
{
    (void)state;
    assert_in_range(between_turns(LOOP_REST_READS), WORK_US / 2, UINT64_MAX);
}

/* How long a turn without a rest takes is the machine's business; that it can be shorter than a rest is ours. */
static void a_loop_goes_on_at_once_after_few(void **state)
{
    (void)state;
    uint64_t shortest_us = UINT64_MAX;
    for (int tries = 0; tries < 200 && shortest_us >= WORK_US / 2; tries++)
        shortest_us = between_turns(LOOP_REST_READS - 1);
    assert_in_range(shortest_us, 0, WORK_US / 2 - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_small_reads_are_followed_by_half_their_length),
        cmocka_unit_test(a_rest_has_an_end),
        cmocka_unit_test(one_long_turn_is_a_hiccup),
        cmocka_unit_test(few_reads_want_no_rest),
        cmocka_unit_test(big_reads_want_no_rest),
        cmocka_unit_test(a_loop_rests_after_a_turn_of_many_small_reads),
        cmocka_unit_test(a_loop_goes_on_at_once_after_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
