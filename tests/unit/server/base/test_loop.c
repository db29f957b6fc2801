/* The loop: the pump's order, kicks, deferred and posted work, and the phases.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/loop.h"

enum { POSTS = 2000, THREADS = 3 };

struct fixture {
    struct loop *loop;
    struct loop_task task;
    char order[64];
    int turns, left, posted, seen[THREADS], is_out_of_order;
};

static void note(struct fixture *f, char c)
{
    size_t len = strlen(f->order);
    if (len + 1 < sizeof f->order)
        f->order[len] = c;
}

static struct fixture *start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(loop_new(&f->loop), 0);
    return f;
}

static void stop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

/* ---- the pump ------------------------------------------------------------------------------------------------------
 */

static void step_a(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(loop_phase(f->loop), LOOP_PUMP);
    note(f, 'a');
    if (++f->turns == 3)
        loop_stop(f->loop);
    else
        loop_kick(f->loop); /* or this test would wait for ever */
}

static void step_b(void *ctx)
{
    note(ctx, 'b');
}

static void test_steps_run_in_order_each_turn(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(loop_add_pump(f.loop, step_a, &f), 0);
    assert_int_equal(loop_add_pump(f.loop, step_b, &f), 0);
    loop_run(f.loop);
    assert_string_equal(f.order, "ababab");
    loop_remove_pump(f.loop, step_b, &f);
    f.turns = 2;
    loop_run(f.loop);
    assert_string_equal(f.order, "abababa");
    loop_free(f.loop);
}

static void test_steps_have_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (int i = 0; i < LOOP_STEPS_MAX; i++)
        assert_int_equal(loop_add_pump(f.loop, step_b, &f), 0);
    assert_int_equal(loop_add_pump(f.loop, step_b, &f), REIN_ELIMIT);
    loop_free(f.loop);
}

/* ---- deferred work -------------------------------------------------------------------------------------------------
 */

static void again(void *ctx)
{
    struct fixture *f = ctx;
    note(f, 'd');
    if (--f->left > 0)
        loop_defer(f->loop, &f->task);
    else
        loop_stop(f->loop);
}

static void defer_once(void *ctx)
{
    struct fixture *f = ctx;
    if (f->turns++ == 0) {
        f->task = (struct loop_task){.fn = again, .ctx = f};
        loop_defer(f->loop, &f->task);
    }
    note(f, 'p');
}

/* Deferred work runs after all steps of its turn; what it defers runs in the next one. */
static void test_found_m7_deferred_work_cannot_fail(void **state)
{
    (void)state;
    struct fixture f;
    start(&f)->left = 3;
    assert_int_equal(loop_add_pump(f.loop, defer_once, &f), 0);
    loop_run(f.loop);
    assert_string_equal(f.order, "pdpdpd");
    loop_free(f.loop);
}

/* ---- posts ---------------------------------------------------------------------------------------------------------
 */

struct post {
    struct fixture *f;
    int thread, number;
};
static struct post posts[THREADS][POSTS];

static void take_post(void *ctx)
{
    struct post *post = ctx;
    struct fixture *f = post->f;
    f->is_out_of_order |= f->seen[post->thread]++ != post->number;
    if (++f->posted == THREADS * POSTS)
        loop_stop(f->loop);
}

static void *post_all(void *ctx)
{
    struct post *own = ctx;
    for (int i = 0; i < POSTS; i++)
        if (loop_post(own->f->loop, take_post, &own[i]) < 0)
            return own;
    return NULL;
}

static void test_posts_of_a_thread_keep_their_order(void **state)
{
    (void)state;
    struct fixture f;
    pthread_t threads[THREADS];
    start(&f);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < POSTS; i++)
            posts[t][i] = (struct post){&f, t, i};
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, posts[t]), 0);
    }
    loop_run(f.loop);
    for (int t = 0; t < THREADS; t++) {
        void *failed;
        pthread_join(threads[t], &failed);
        assert_null(failed);
        assert_int_equal(f.seen[t], POSTS);
    }
    assert_int_equal(f.is_out_of_order, 0);
    loop_free(f.loop);
}

static void test_posts_have_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (int i = 0; i < LOOP_POSTS_MAX; i++)
        assert_int_equal(loop_post(f.loop, stop, &f), 0);
    assert_int_equal(loop_post(f.loop, stop, &f), REIN_ELIMIT);
    loop_run(f.loop);
    assert_int_equal(loop_post(f.loop, stop, &f), 0);
    loop_free(f.loop);
}

/* ---- orders --------------------------------------------------------------------------------------------------------
 */

static struct loop_order order_a, order_b;

static void take_a(void *ctx)
{
    struct fixture *f = ctx;
    note(f, 'a');
    if (--f->left > 0)
        loop_give(f->loop, &order_a);
    else
        loop_give(f->loop, &order_b);
}

static void take_b(void *ctx)
{
    note(ctx, 'b');
    stop(ctx);
}

/* What is given with all posts taken up, and given twice, still runs, and once each time. */
static void test_found_m9_an_order_cannot_get_lost(void **state)
{
    (void)state;
    struct fixture f;
    start(&f)->left = 3;
    order_a = (struct loop_order){.fn = take_a, .ctx = &f};
    order_b = (struct loop_order){.fn = take_b, .ctx = &f};
    for (int i = 0; i < LOOP_POSTS_MAX; i++)
        assert_int_equal(loop_post(f.loop, step_b, &f), 0);
    assert_int_equal(loop_post(f.loop, step_b, &f), REIN_ELIMIT);
    memset(f.order, 0, sizeof f.order);
    for (int i = 0; i < 5; i++)
        loop_give(f.loop, &order_a);
    loop_run(f.loop);
    assert_int_equal(strspn(f.order, "b"), sizeof f.order - 1); /* the posts, as many as there is room to note */
    memset(f.order, 0, sizeof f.order);
    f.left = 3;
    for (int i = 0; i < 5; i++)
        loop_give(f.loop, &order_a);
    loop_run(f.loop);
    assert_string_equal(f.order, "aaab");
    assert_false(order_a.is_given || order_b.is_given);
    loop_free(f.loop);
}

/* ---- phases, timers ------------------------------------------------------------------------------------------------
 */

static void test_phases(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(loop_phase(f.loop), LOOP_FREE);
    enum loop_phase back = loop_enter(f.loop, LOOP_HTTP);
    assert_int_equal(loop_phase(f.loop), LOOP_HTTP);
    loop_leave(f.loop, back);
    assert_int_equal(loop_phase(f.loop), LOOP_FREE);
    loop_free(f.loop);
}

static void on_time(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    stop(timer->data);
}

static void count(void *ctx)
{
    ((struct fixture *)ctx)->turns++;
}

/* Waiting is waiting: without kicks the pump runs once for each thing that happens. */
static void test_a_quiet_loop_sleeps(void **state)
{
    (void)state;
    struct fixture f;
    uv_timer_t timer;
    start(&f);
    assert_int_equal(loop_add_pump(f.loop, count, &f), 0);
    uv_timer_init(loop_uv(f.loop), &timer);
    timer.data = &f;
    uint64_t before = loop_now_ms(f.loop);
    uv_timer_start(&timer, on_time, 30, 0);
    loop_run(f.loop);
    assert_in_range(loop_now_ms(f.loop) - before, 30, UINT64_MAX);
    assert_in_range(f.turns, 1, 5);
    loop_free(f.loop);
}

static void *run_loop(void *ctx)
{
    loop_run(((struct fixture *)ctx)->loop);
    return NULL;
}

static void *post_stop(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(loop_post(f->loop, stop, f), 0);
    return NULL;
}

/* What is posted ends the loop, which is freed while the one who posted may still be on his way out. */
static void test_found_m1_a_post_may_end_the_loop(void **state)
{
    enum { ROUNDS = 500 };
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct fixture f;
        pthread_t runner, poster;
        start(&f);
        assert_int_equal(pthread_create(&runner, NULL, run_loop, &f), 0);
        assert_int_equal(pthread_create(&poster, NULL, post_stop, &f), 0);
        pthread_join(runner, NULL);
        loop_free(f.loop);
        pthread_join(poster, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_m1_a_post_may_end_the_loop),
        cmocka_unit_test(test_steps_run_in_order_each_turn),
        cmocka_unit_test(test_steps_have_a_ceiling),
        cmocka_unit_test(test_found_m7_deferred_work_cannot_fail),
        cmocka_unit_test(test_posts_of_a_thread_keep_their_order),
        cmocka_unit_test(test_posts_have_a_ceiling),
        cmocka_unit_test(test_found_m9_an_order_cannot_get_lost),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_a_quiet_loop_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
