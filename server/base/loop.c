/* See loop.h: a libuv loop whose turn is timers, then the pump, then perhaps a rest, then waiting for events.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The pump hangs on a prepare handle: libuv computes how long to block after the prepare callbacks, so timers and idle
 * handles that the pump starts still count. An active idle handle is what keeps the next wait from blocking; a timer of
 * 0 ms would do that too, but one that is started again from its own callback starves I/O in libuv 1.44. */
#include "base/loop.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/loop_rest.h"

struct task {
    loop_fn fn;
    void *ctx;
};

struct task_list {
    struct task *items;
    size_t len, cap;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t pump;
    uv_idle_t idle;
    uv_async_t wake;
    enum loop_phase phase;
    struct loop_rest turn;
    struct task steps[LOOP_STEPS_MAX];
    size_t steps_len;
    STAILQ_HEAD(, loop_task) deferred;
    pthread_mutex_t lock; /* guards posts */
    struct task_list posts;
    struct loop_order *first, **last; /* with the lock: orders that were given; a list by `next` */
    struct task_list taken;           /* the loop's thread: posts that run now */
};

static int push(struct task_list *list, loop_fn fn, void *ctx)
{
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 32;
        struct task *items = realloc(list->items, cap * sizeof *items);
        if (!items)
            return REIN_ENOMEM;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->len++] = (struct task){fn, ctx};
    return 0;
}

static void swap(struct task_list *a, struct task_list *b)
{
    struct task_list keep = *a;
    *a = *b;
    *b = keep;
}

static void run_all(struct task_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        list->items[i].fn(list->items[i].ctx);
    list->len = 0;
}

/* A running task may defer others, and itself; those wait for the next turn. */
static void run_deferred(struct loop *loop)
{
    STAILQ_HEAD(, loop_task) now = STAILQ_HEAD_INITIALIZER(now);
    STAILQ_CONCAT(&now, &loop->deferred);
    struct loop_task *task;
    while ((task = STAILQ_FIRST(&now))) {
        STAILQ_REMOVE_HEAD(&now, deferred);
        task->fn(task->ctx);
    }
}

enum loop_phase loop_enter(struct loop *loop, enum loop_phase phase)
{
    enum loop_phase back = loop->phase;
    assert(back == LOOP_FREE || back == LOOP_PUMP);
    assert(phase != LOOP_FREE && phase != back);
    loop->phase = phase;
    return back;
}

void loop_leave(struct loop *loop, enum loop_phase back)
{
    loop->phase = back;
}

enum loop_phase loop_phase(const struct loop *loop)
{
    return loop->phase;
}

static void rest(uint64_t us)
{
    struct timespec length = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&length, NULL);
}

/* Everything that arrived is processed. If work is left, there is no rest. */
static void end_turn(struct loop *loop)
{
    uint64_t rest_us = loop_rest_end(&loop->turn, loop->turn.reads > 0 ? uv_hrtime() / 1000 : 0);
    if (rest_us > 0 && !uv_is_active((uv_handle_t *)&loop->idle))
        rest(rest_us);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    enum loop_phase back = loop_enter(loop, LOOP_PUMP);
    for (size_t i = 0; i < loop->steps_len; i++)
        loop->steps[i].fn(loop->steps[i].ctx);
    loop_leave(loop, back);
    run_deferred(loop);
    if (!STAILQ_EMPTY(&loop->deferred))
        loop_kick(loop);
    end_turn(loop);
}

/* The requested turn has come. */
static void on_idle(uv_idle_t *handle)
{
    uv_idle_stop(handle);
}

/* Runs one that was taken off the list; returns the next. It may be given again while it runs. */
static struct loop_order *run_order(struct loop *loop, struct loop_order *order)
{
    pthread_mutex_lock(&loop->lock);
    struct loop_order *next = order->next;
    order->is_given = false;
    pthread_mutex_unlock(&loop->lock);
    order->fn(order->ctx);
    return next;
}

static void on_wake(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    pthread_mutex_lock(&loop->lock);
    swap(&loop->posts, &loop->taken);
    struct loop_order *order = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->lock);
    run_all(&loop->taken);
    while (order)
        order = run_order(loop, order);
}

static int start_handles(struct loop *loop)
{
    loop->pump.data = loop->idle.data = loop->wake.data = loop;
    if (uv_prepare_init(&loop->uv, &loop->pump) < 0 || uv_idle_init(&loop->uv, &loop->idle) < 0 ||
        uv_async_init(&loop->uv, &loop->wake, on_wake) < 0 || uv_prepare_start(&loop->pump, on_prepare) < 0)
        return REIN_ENOMEM;
    return 0;
}

int loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return REIN_ENOMEM;
    int rv = uv_loop_init(&loop->uv);
    if (rv < 0) {
        log_error("loop", "cannot make an event loop: %s", uv_strerror(rv));
        free(loop);
        return REIN_ENOMEM;
    }
    STAILQ_INIT(&loop->deferred);
    pthread_mutex_init(&loop->lock, NULL);
    loop->last = &loop->first;
    if (start_handles(loop) < 0) {
        log_error("loop", "cannot make the loop's own handles");
        loop_free(loop);
        return REIN_ENOMEM;
    }
    *out = loop;
    return 0;
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->loop && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    uv_prepare_stop(&loop->pump);
    close_handle((uv_handle_t *)&loop->pump);
    close_handle((uv_handle_t *)&loop->idle);
    close_handle((uv_handle_t *)&loop->wake);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    run_deferred(loop);
    int rv = uv_loop_close(&loop->uv);
    if (rv < 0)
        log_error("loop", "handles were still open: %s", uv_strerror(rv));
    assert(rv == 0);
    pthread_mutex_destroy(&loop->lock);
    free(loop->posts.items);
    free(loop->taken.items);
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_kick(struct loop *loop)
{
    uv_idle_start(&loop->idle, on_idle);
}

int loop_add_pump(struct loop *loop, loop_fn step, void *ctx)
{
    if (loop->steps_len == LOOP_STEPS_MAX)
        return REIN_ELIMIT;
    loop->steps[loop->steps_len++] = (struct task){step, ctx};
    return 0;
}

void loop_remove_pump(struct loop *loop, loop_fn step, void *ctx)
{
    assert(loop->phase != LOOP_PUMP);
    for (size_t i = 0; i < loop->steps_len; i++) {
        if (loop->steps[i].fn != step || loop->steps[i].ctx != ctx)
            continue;
        for (size_t k = i + 1; k < loop->steps_len; k++)
            loop->steps[k - 1] = loop->steps[k];
        loop->steps_len--;
        return;
    }
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    STAILQ_INSERT_TAIL(&loop->deferred, task, deferred);
    loop_kick(loop);
}

int loop_post(struct loop *loop, loop_fn fn, void *ctx)
{
    pthread_mutex_lock(&loop->lock);
    int rv = loop->posts.len == LOOP_POSTS_MAX ? REIN_ELIMIT : push(&loop->posts, fn, ctx);
    if (rv == 0) /* with the lock: what was posted may end the loop, and it cannot run before the lock is given up */
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
    return rv;
}

void loop_give(struct loop *loop, struct loop_order *order)
{
    assert(order->fn);
    pthread_mutex_lock(&loop->lock);
    if (!order->is_given) {
        order->is_given = true;
        order->next = NULL;
        *loop->last = order;
        loop->last = &order->next;
    }
    uv_async_send(&loop->wake); /* with the lock, as in loop_post */
    pthread_mutex_unlock(&loop->lock);
}

void loop_note_read(struct loop *loop, size_t bytes)
{
    loop_rest_note(&loop->turn, bytes, loop->turn.reads == 0 ? uv_hrtime() / 1000 : 0);
}

uint64_t loop_now_ms(struct loop *loop)
{
    return uv_now(&loop->uv);
}
