/* Faults in the state of the server's structures, seeded by hand: the structure's predicate sees each, or the function
 * that is entered next ends in an assertion. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/config.h"
#include "dies.h"
#include "front/client_limits.h"
#include "front/front_internal.h"
#include "session/session_internal.h"
#include "upstream/upstream_internal.h"

/* The store's own structures are private to it. */
#include "store/store.c"

/* ---- chunk writer ---- */

static void flush_chunks(void *writer)
{
    struct chunk_store store = {0};
    chunk_flush(writer, &store, -1, false);
}

static void a_stale_position_in_a_chunk_writer(void **state)
{
    (void)state;
    struct chunk_store store = {0};
    struct chunk_writer w = {0};
    assert_int_equal(chunk_add(&w, &store, "text", 4, 100), 0);
    assert_true(chunk_is_sound(&w));
    struct chunk_writer stale = w;
    stale.start = stale.framed + 1;
    assert_false(chunk_is_sound(&stale));
    assert_true(dies_of_assertion(flush_chunks, &stale));
    stale = w;
    stale.end = stale.cap + 1;
    assert_false(chunk_is_sound(&stale));
    stale = w;
    stale.data = NULL; /* the memory is gone, the positions are not */
    assert_false(chunk_is_sound(&stale));
    assert_true(dies_of_assertion(flush_chunks, &stale));
    chunk_drop(&w, &store);
    chunk_store_fini(&store);
}

/* ---- exchange ---- */

struct front_fixture {
    struct front front;
    struct conn conn;
    struct exchange *x;
};

static struct front_fixture *waiting_exchange(void)
{
    struct front_fixture *f = calloc(1, sizeof(*f));
    f->x = calloc(1, sizeof(*f->x));
    TAILQ_INIT(&f->front.whole);
    TAILQ_INIT(&f->front.over);
    f->conn.front = f->x->front = &f->front;
    f->conn.x = f->x;
    f->x->conn = &f->conn;
    f->x->state = X_WAITING;
    f->x->suspended = true;
    assert_true(exchange_is_sound(f->x) && conn_is_sound(&f->conn));
    return f;
}

static void front_fixture_free(struct front_fixture *f)
{
    free(f->x);
    free(f);
}

static void abort_exchange(void *x)
{
    exchange_abort(x);
}

static void an_exchange_on_the_wrong_list(void **state)
{
    (void)state;
    struct front_fixture *f = waiting_exchange();
    f->x->todo = &f->front.over;
    assert_false(exchange_is_sound(f->x));
    assert_true(dies_of_assertion(abort_exchange, f->x));
    f->x->todo = &f->front.whole;
    assert_true(exchange_is_sound(f->x));
    f->x->state = X_REPLYING;
    f->x->suspended = false;
    assert_false(exchange_is_sound(f->x));
    front_fixture_free(f);
}

static void an_exchange_in_a_state_that_its_connection_does_not_know(void **state)
{
    (void)state;
    struct front_fixture *f = waiting_exchange();
    f->x->suspended = false; /* libmicrohttpd would go on with it */
    assert_false(exchange_is_sound(f->x));
    f->x->suspended = true;
    f->x->body.len = 1; /* bytes without memory */
    assert_false(exchange_is_sound(f->x));
    f->x->body.len = 0;
    f->x->conn = NULL;
    assert_false(exchange_is_sound(f->x) && conn_is_sound(&f->conn));
    front_fixture_free(f);
}

static void a_connection_that_serves_anothers_exchange(void **state)
{
    (void)state;
    struct front_fixture *f = waiting_exchange(), *other = waiting_exchange();
    f->conn.x = other->x;
    assert_false(conn_is_sound(&f->conn));
    assert_false(exchange_is_sound(f->x));
    front_fixture_free(f);
    front_fixture_free(other);
}

/* ---- session ---- */

static void close_session(void *session)
{
    session_on_closed(session, true);
}

static void a_session_in_two_lists(void **state)
{
    (void)state;
    struct session_env *one = calloc(1, sizeof(*one)), *two = calloc(1, sizeof(*two));
    struct exchange *x = calloc(1, sizeof(*x));
    struct session a = {.env = one, .x = x}, b = {.env = one, .x = x}, c = {.env = two, .x = x};
    one->first = &a;
    a.next = &b;
    b.prev = &a;
    two->first = &c;
    assert_true(session_is_sound(&a) && session_is_sound(&b) && session_is_sound(&c));
    b.next = &c; /* linked in again, in the other list */
    b.prev = NULL;
    c.prev = &b;
    two->first = &b;
    assert_false(session_is_sound(&a));
    assert_false(session_is_sound(&b));
    assert_true(dies_of_assertion(close_session, &b));
    free(one);
    free(two);
    free(x);
}

static void a_session_that_is_closed_and_has_a_client(void **state)
{
    (void)state;
    struct session_env *env = calloc(1, sizeof(*env));
    struct exchange *x = calloc(1, sizeof(*x));
    struct session s = {.env = env, .x = x};
    env->first = &s;
    assert_true(session_is_sound(&s));
    s.state = SESSION_CLOSED;
    assert_false(session_is_sound(&s));
    s.state = SESSION_ANSWERING; /* without a trace or an attempt */
    assert_false(session_is_sound(&s));
    s.state = SESSION_JUDGING;
    s.attempts_len = s.attempts_max + 1;
    assert_false(session_is_sound(&s));
    assert_true(dies_of_assertion(close_session, &s));
    free(env);
    free(x);
}

/* ---- store ---- */

static void pop_job(void *list)
{
    (void)list_pop(list);
}

static void a_job_that_is_counted_twice(void **state)
{
    (void)state;
    struct store *store = calloc(1, sizeof(*store));
    struct store_job job = {0}, next = {0};
    store->queue_max = 8;
    list_append(&store->queue, &job);
    atomic_store(&store->queued_len, 1);
    assert_true(store_queue_is_sound(store));
    atomic_store(&store->queued_len, 2);
    assert_false(store_queue_is_sound(store));
    atomic_store(&store->queued_len, 1);
    store->queue.len = 0;
    assert_false(list_is_sound(&store->queue));
    assert_true(dies_of_assertion(pop_job, &store->queue));
    store->queue.len = 1;
    job.next = &next; /* behind the list's end */
    assert_false(list_is_sound(&store->queue));
    job.next = NULL;
    store->ended = true; /* the writer has gone, but records are still taken */
    assert_false(store_queue_is_sound(store));
    free(store);
}

static void a_record_that_is_kept_by_a_healthy_store(void **state)
{
    (void)state;
    struct store *store = calloc(1, sizeof(*store));
    struct store_job job = {.notified = true};
    store->queue_max = 8;
    list_append(&store->kept, &job);
    assert_true(store_writer_is_sound(store));
    atomic_store(&store->healthy, true);
    assert_false(store_writer_is_sound(store));
    atomic_store(&store->healthy, false);
    job.notified = false;
    assert_false(store_writer_is_sound(store));
    free(store);
}

/* ---- upstream ---- */

static void read_response(void *reader)
{
    enum http1_event event;
    const char *data;
    size_t len;
    (void)http1_read(reader, "x", 1, &event, &data, &len);
}

static void a_reader_past_its_buffer(void **state)
{
    (void)state;
    struct http1_reader good, bad;
    http1_init(&good, false);
    enum http1_event event;
    const char *data;
    size_t len;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Ty";
    assert_int_equal(http1_read(&good, head, sizeof(head) - 1, &event, &data, &len), sizeof(head) - 1);
    bad = good;
    assert_false(dies_of_assertion(read_response, &bad));
    bad.name_len = HTTP1_NAME_KEPT + 1;
    assert_true(dies_of_assertion(read_response, &bad));
    bad = good;
    bad.value_len = HTTP1_VALUE_KEPT + 1;
    assert_true(dies_of_assertion(read_response, &bad));
    bad = good;
    bad.problem = "as if it had failed";
    assert_true(dies_of_assertion(read_response, &bad));
}

struct pool_fixture {
    struct upstream_pool pool;
    struct upstream_conn conn;
    struct upstream_call call;
};

static void take_connection(void *fixture)
{
    struct pool_fixture *f = fixture;
    (void)conn_take(&f->pool, &f->pool.origins[0]);
}

static void a_kept_connection_with_a_call(void **state)
{
    (void)state;
    static char key[] = "http://127.0.0.1:1";
    struct pool_fixture *f = calloc(1, sizeof(*f));
    struct upstream_origin *origin = &f->pool.origins[0];
    *origin = (struct upstream_origin){.key = key, .users = 1, .idle_len = 1};
    f->conn = (struct upstream_conn){.pool = &f->pool, .origin = origin};
    TAILQ_INIT(&origin->idle);
    TAILQ_INSERT_HEAD(&origin->idle, &f->conn, idles);
    assert_false(dies_of_assertion(take_connection, f));
    f->call.conn = &f->conn;
    f->conn.call = &f->call;
    assert_true(dies_of_assertion(take_connection, f));
    f->call.conn = NULL; /* and the call does not know it */
    assert_true(dies_of_assertion(take_connection, f));
    f->conn.call = NULL;
    f->conn.fd = -1; /* closed, but kept */
    assert_true(dies_of_assertion(take_connection, f));
    free(f);
}

/* ---- buffer ---- */

static void add_to_buffer(void *buffer)
{
    (void)!buffer_add(buffer, "x", 1, 100);
}

static void a_buffer_that_is_longer_than_its_memory(void **state)
{
    (void)state;
    struct buffer good = {0}, bad;
    assert_int_equal(buffer_add(&good, "text", 4, 100), 0);
    assert_true(buffer_is_sound(&good));
    bad = good;
    bad.len = bad.cap;
    assert_false(buffer_is_sound(&bad));
    assert_true(dies_of_assertion(add_to_buffer, &bad));
    buffer_clear(&good);
}

/* ---- limits, config ---- */

static void count_client(void *clients)
{
    static const struct client_key key = {{10, 0, 0, 1}};
    (void)!client_limits_add(clients, &key, CLIENT_CONNECTION);
}

static void forget_client(void *clients)
{
    static const struct client_key key = {{10, 0, 0, 1}};
    client_limits_remove(clients, &key, CLIENT_CONNECTION);
}

static void give_bytes_back(void *clients)
{
    static const struct client_key key = {{10, 0, 0, 1}};
    client_limits_give_back(clients, &key, 2);
}

static void a_client_that_leaves_twice(void **state)
{
    (void)state;
    static const struct client_limits_options limits = {.all = 8};
    struct client_limits *clients;
    assert_int_equal(client_limits_new(&clients, &limits), 0);
    count_client(clients);
    assert_false(dies_of_assertion(forget_client, clients));
    assert_true(dies_of_assertion(give_bytes_back, clients)); /* that it never held */
    forget_client(clients);
    assert_true(dies_of_assertion(forget_client, clients));
    client_limits_free(clients);
}

static void log_again(void *limit)
{
    log_limited_at(limit, 1, LOG_ERROR, "test", "%s", "again");
}

static void a_log_limit_that_left_out_lines_before_it_was_full(void **state)
{
    (void)state;
    static struct log_limit limit;
    assert_false(dies_of_assertion(log_again, &limit));
    limit.left_out = 1;
    assert_true(dies_of_assertion(log_again, &limit));
}

static void a_config_that_serves_everyone_without_keys(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof(*config));
    atomic_store(&config->refs, 1);
    config->listen.loopback = config->admin.loopback = true;
    assert_true(config_is_sound(config));
    config->listen.loopback = false;
    assert_false(config_is_sound(config));
    config->listen.loopback = true;
    atomic_store(&config->refs, 0); /* freed, and still used */
    assert_false(config_is_sound(config));
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_position_in_a_chunk_writer),
        cmocka_unit_test(an_exchange_on_the_wrong_list),
        cmocka_unit_test(an_exchange_in_a_state_that_its_connection_does_not_know),
        cmocka_unit_test(a_connection_that_serves_anothers_exchange),
        cmocka_unit_test(a_session_in_two_lists),
        cmocka_unit_test(a_session_that_is_closed_and_has_a_client),
        cmocka_unit_test(a_job_that_is_counted_twice),
        cmocka_unit_test(a_record_that_is_kept_by_a_healthy_store),
        cmocka_unit_test(a_reader_past_its_buffer),
        cmocka_unit_test(a_kept_connection_with_a_call),
        cmocka_unit_test(a_client_that_leaves_twice),
        cmocka_unit_test(a_log_limit_that_left_out_lines_before_it_was_full),
        cmocka_unit_test(a_config_that_serves_everyone_without_keys),
        cmocka_unit_test(a_buffer_that_is_longer_than_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
