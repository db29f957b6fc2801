/* See admin_live.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      timer -> numbers of what was committed -> a query reads them once and tries every feed's filter -> events
 *
 * A feed whose client does not read loses events, and is told how many. */
#include "admin/admin_live.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_job.h"
#include "admin/admin_login.h"
#include "store/live.h"

enum { FEEDS_MAX = LIVE_FILTERS_MAX, LOOK_MS = 500, HEARTBEAT_LOOKS = 30, PENDING_MAX = 256 * 1024 };

/* A filter outlives its feed while a query uses it. */
struct live_filter {
    unsigned refs;
    struct list_params params;
};

struct feed {
    struct responder responder; /* first */
    struct admin_live *live;
    struct exchange *x;
    struct live_filter *filter;
    uint64_t missed;
};

struct admin_live {
    struct query query; /* first */
    struct admin *admin;
    uv_timer_t timer;
    struct feed *feeds[FEEDS_MAX];
    size_t feeds_len;
    unsigned looks; /* since the last heartbeat */
    bool is_reading, is_stopped;

    /* of the query that runs */
    int64_t numbers[STORE_CHANGES_MAX];
    size_t numbers_len;
    uint64_t missed; /* numbers that were not noted */
    struct live_filter *filters[FEEDS_MAX];
    struct feed *asked[FEEDS_MAX]; /* whose filters; NULL: it has left */
    size_t filters_len;
    struct live_batch batch;
    int rv;
};

static bool live_is_sound(const struct admin_live *live)
{
    for (size_t i = 0; i < live->feeds_len; i++)
        if (live->feeds[i] == NULL || live->feeds[i]->live != live || live->feeds[i]->filter->refs == 0)
            return false;
    return live->feeds_len <= FEEDS_MAX && (live->is_reading || live->filters_len == 0);
}

static void filter_unref(struct live_filter *filter)
{
    if (--filter->refs == 0)
        free(filter);
}

/* ---- feeds ---- */

static void feed_free(struct feed *feed)
{
    struct admin_live *live = feed->live;
    size_t i = 0;
    while (live->feeds[i] != feed)
        i++;
    live->feeds[i] = live->feeds[--live->feeds_len];
    for (i = 0; i < live->filters_len; i++)
        if (live->asked[i] == feed)
            live->asked[i] = NULL;
    if (live->feeds_len == 0) {
        store_watch(live->admin->store, false);
        uv_timer_stop(&live->timer);
    }
    filter_unref(feed->filter);
    free(feed);
    assert(live_is_sound(live));
}

static void on_feed_closed(struct responder *responder, bool gone)
{
    (void)gone;
    feed_free((struct feed *)(void *)responder);
}

static void feed_end(struct feed *feed)
{
    exchange_set_user(feed->x, NULL);
    exchange_end(feed->x);
    feed_free(feed);
}

static void feed_write(struct feed *feed, const char *event, const char *data, size_t len)
{
    char head[64];
    int head_len = snprintf(head, sizeof head, "event: %s\n%s: ", event, "data");
    if (exchange_pending(feed->x) > PENDING_MAX || exchange_write(feed->x, head, (size_t)head_len) != 0 ||
        exchange_write(feed->x, data, len) != 0 || exchange_write(feed->x, "\n\n", 2) != 0)
        feed->missed++;
}

static void feed_tell_missed(struct feed *feed)
{
    char data[48];
    uint64_t missed = feed->missed;
    if (missed == 0 || exchange_pending(feed->x) > PENDING_MAX)
        return;
    feed->missed = 0;
    feed_write(feed, "missed", data,
               (size_t)snprintf(data, sizeof data, "{\"missed\":%llu}", (unsigned long long)missed));
}

/* ---- a look ---- */

static int live_run(struct query *query, struct store_reader *reader)
{
    struct admin_live *live = (struct admin_live *)(void *)query;
    const struct store_filter *filters[FEEDS_MAX];
    for (size_t i = 0; i < live->filters_len; i++)
        filters[i] = &live->filters[i]->params.filter;
    live_batch_fini(&live->batch);
    memset(&live->batch, 0, sizeof live->batch);
    return store_read_live(reader, live->numbers, live->numbers_len, filters, live->filters_len, &live->batch);
}

static void live_send(struct admin_live *live, size_t i)
{
    struct feed *feed = live->asked[i];
    if (feed == NULL)
        return;
    for (size_t k = 0; k < live->batch.len && live->rv == 0; k++)
        if ((live->batch.decisions[k].matched[i / 64] >> i % 64 & 1) != 0)
            feed_write(feed, "decision", live->batch.decisions[k].json, live->batch.decisions[k].len);
    feed->missed += live->missed + (live->rv == 0 ? live->batch.missed[i] : live->numbers_len);
    feed_tell_missed(feed);
    exchange_flush(feed->x);
}

static void on_live_done(struct query *query, int rv)
{
    struct admin_live *live = (struct admin_live *)(void *)query;
    live->rv = rv;
    for (size_t i = 0; i < live->filters_len; i++) {
        live_send(live, i);
        filter_unref(live->filters[i]);
    }
    live_batch_fini(&live->batch);
    live->filters_len = 0;
    live->is_reading = false;
    assert(live_is_sound(live));
    admin_query_done(live->admin);
}

static void live_look(struct admin_live *live)
{
    if (live->is_reading || live->is_stopped)
        return;
    live->numbers_len = store_changes(live->admin->store, live->numbers, &live->missed);
    if (live->numbers_len == 0)
        return;
    memset(&live->batch, 0, sizeof live->batch);
    for (size_t i = 0; i < live->feeds_len; i++) {
        live->asked[i] = live->feeds[i];
        live->filters[i] = live->feeds[i]->filter;
        live->filters[i]->refs++;
    }
    live->filters_len = live->feeds_len;
    live->is_reading = true;
    if (query_start(live->admin->queries, &live->query) != 0)
        on_live_done(&live->query, REIN_ELIMIT);
}

/* So that a client, and what is between, sees that the feed lives; and so that a token that is not valid any more ends
 * it.
 */
static void live_heartbeat(struct admin_live *live)
{
    live->looks = 0;
    for (size_t i = live->feeds_len; i-- > 0;) {
        struct feed *feed = live->feeds[i];
        if (live->admin->config->tokens != NULL && login_holder(live->admin, feed->x) == NULL) {
            feed_end(feed);
            continue;
        }
        if (exchange_pending(feed->x) < PENDING_MAX && exchange_write(feed->x, ":\n\n", 3) == 0)
            exchange_flush(feed->x);
    }
}

static void on_live_timer(uv_timer_t *timer)
{
    struct admin_live *live = timer->data;
    if (++live->looks >= HEARTBEAT_LOOKS)
        live_heartbeat(live);
    live_look(live);
}

/* ---- the path ---- */

static void feed_begin(struct admin_live *live, struct feed *feed)
{
    if (live->feeds_len++ == 0) {
        live->looks = 0;
        store_watch(live->admin->store, true);
        uv_timer_start(&live->timer, on_live_timer, LOOK_MS, LOOK_MS);
    }
    live->feeds[live->feeds_len - 1] = feed;
    exchange_set_user(feed->x, &feed->responder);
    if (exchange_write(feed->x, ": live\n\n", 8) == 0)
        exchange_flush(feed->x);
    assert(live_is_sound(live));
}

static void serve_live(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    struct live_filter *filter = calloc(1, sizeof *filter);
    struct feed *feed = calloc(1, sizeof *feed);
    bool is_full = admin->live->feeds_len == FEEDS_MAX;
    if (filter == NULL || feed == NULL) {
        exchange_abort(x);
    } else if (params_list(exchange_queries(x), PARAMS_LIVE, &filter->params, &problem) != 0) {
        admin_reply_error(x, 400, "invalid_parameter", problem.param, problem.message);
    } else if (is_full) {
        admin_reply_error(x, 503, "too_many_feeds", NULL, "Too many live feeds are open: close some first.");
    } else if (exchange_begin(x, 200, path->headers) != 0) {
        exchange_abort(x);
    } else {
        filter->refs = 1;
        *feed =
            (struct feed){.responder = {.on_closed = on_feed_closed}, .live = admin->live, .x = x, .filter = filter};
        feed_begin(admin->live, feed);
        return;
    }
    free(filter);
    free(feed);
}

static const struct front_header live_headers[] = {
    {"content-type", "text/event-stream"},
    {"cache-control", "no-cache, no-transform"},
    {"x-accel-buffering", "no"},
    {"x-content-type-options", "nosniff"},
    {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
    {NULL, NULL},
};

const struct admin_path admin_live_paths[] = {
    {"GET", "/admin/v1/live", ADMIN_COUNTS, live_headers, serve_live},
    {.path = NULL},
};

/* ---- the beginning and the end ---- */

int admin_live_new(struct admin_live **out, struct admin *admin)
{
    struct admin_live *live = calloc(1, sizeof *live);
    if (live == NULL)
        return REIN_ENOMEM;
    live->admin = admin;
    live->query.run = live_run;
    live->query.done = on_live_done;
    uv_timer_init(loop_uv(admin->loop), &live->timer);
    live->timer.data = live;
    *out = live;
    return 0;
}

void admin_live_stop(struct admin_live *live)
{
    if (live->is_stopped)
        return;
    live->is_stopped = true;
    uv_close((uv_handle_t *)&live->timer, NULL);
}

void admin_live_free(struct admin_live *live)
{
    free(live);
}
