/* The front's libmicrohttpd part: daemons without threads of their own, and what they call back with.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Connections are accepted by the listener and dealt out to FRONT_SHARDS daemons, each with its own epoll descriptor,
 * which the pump (front_pump.c) runs. What libmicrohttpd calls back with is only recorded (except for on_head, whose
 * reply must be queued in the very first call of a request: later, libmicrohttpd would already have asked for the
 * body). */
#include <assert.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "front/front_internal.h"
#include "front/tcp.h"

/* The pool of a connection holds its request's head, a record for each header, and libmicrohttpd's buffers. It clears
 * half of the pool when it turns from reading to writing, so that half costs memory for as long as a stream lasts.
 * Heads over FRONT_HEAD_MAX, and those that do not fit the pool, get our own 431. */
enum { POOL_SIZE = 48 * 1024, PASSES_MAX = 4, SHARD_FILL = 32, FIELD_COST = 72, LEAVING_MAX = 64 };

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static int add_list(struct MHD_Response *response, const struct front_header *headers)
{
    for (; headers && headers->name; headers++)
        if (headers->value[0] && MHD_add_response_header(response, headers->name, headers->value) != MHD_YES)
            return REIN_EINVAL;
    return 0;
}

/* A request whose body came in chunks is the last of its connection: libmicrohttpd parses chunk headers less strictly
 * than others do, and if two parsers disagree on a body's end, what follows would be a request to only one of them. */
static int add_headers(const struct exchange *x, struct MHD_Response *response, const struct front_header *headers)
{
    const struct front_handler *handler = &x->front->handler;
    bool is_last = x->front->draining || x->is_chunked || x->out.is_plain;
    struct front_header all[FRONT_HEADERS_MAX] = {{NULL, NULL}};
    if (handler->headers)
        handler->headers(handler->ctx, x, all);
    int rv = add_list(response, headers);
    if (rv == 0)
        rv = add_list(response, all);
    if (rv < 0)
        return rv;
    if (is_last && MHD_add_response_header(response, "Connection", "close") != MHD_YES)
        return REIN_ENOMEM;
    return 0;
}

/* Takes the body. */
static struct MHD_Response *whole_response(char *body, size_t len)
{
    struct MHD_Response *response = body ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!response)
        free(body);
    return response;
}

/* Takes the response; frees it on errors. */
static int answer_with(struct exchange *x, unsigned status, struct MHD_Response *response,
                       const struct front_header *headers, enum exchange_state next)
{
    if (!response)
        return REIN_ENOMEM;
    int rv = add_headers(x, response, headers);
    if (rv < 0) {
        MHD_destroy_response(response);
        return rv;
    }
    x->response = response;
    x->status = status;
    x->state = next;
    if (x->suspended)
        front_resume(x);
    assert(exchange_is_sound(x));
    return 0;
}

int exchange_give(struct exchange *x, unsigned status, const struct front_header *headers, char *body, size_t len)
{
    bool is_too_late = x->state == X_CUT || x->state == X_OVER;
    if (x->state == X_READING || x->state == X_WAITING) {
        exchange_note_answered(x);
        return answer_with(x, status, whole_response(body, len), headers, X_REPLYING);
    }
    free(body);
    return is_too_late ? 0 : REIN_ESTATE;
}

/* libmicrohttpd asks for the next bytes of a streamed body. The first time, this means that the head is out. */
static ssize_t read_body(void *cls, uint64_t at, char *buffer, size_t max)
{
    struct exchange *x = cls;
    (void)at, (void)buffer, (void)max;
    if (x->state == X_CUT || x->state == X_ENDING)
        return MHD_CONTENT_READER_END_OF_STREAM;
    assert(x->state == X_STARTING);
    if (x->ending && !x->aborted && chunk_pending(&x->out) == 0) {
        x->state = X_ENDING;
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    /* Returning 0 without suspending would make libmicrohttpd ask again at once, without end. */
    MHD_suspend_connection(x->conn->mhd);
    x->suspended = true;
    x->state = X_DIRECT;
    if (x->conn->has_hung_up) {
        exchange_put(x, &x->front->left);
        return 0;
    }
    if (!x->in_flush)
        TAILQ_INSERT_TAIL(&x->front->flush, x, flushes);
    x->in_flush = true;
    assert(exchange_is_sound(x));
    return 0;
}

int exchange_begin(struct exchange *x, unsigned status, const struct front_header *headers)
{
    if (x->state == X_CUT || x->state == X_OVER)
        return 0;
    if (x->state != X_WAITING)
        return REIN_ESTATE;
    x->out.is_plain = x->is_http10;
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, read_body, x, NULL);
    return answer_with(x, status, response, headers, X_STARTING);
}

static enum MHD_Result queue_answer(struct exchange *x)
{
    enum MHD_Result result = MHD_queue_response(x->conn->mhd, x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return result;
}

/* Queues the answer in a request's first call: no body will be read, "100 Continue" is not sent, and libmicrohttpd
 * closes the connection afterwards. */
static enum MHD_Result queue_early(struct exchange *x)
{
    x->conn->is_answered = true;
    return queue_answer(x);
}

static enum MHD_Result front_refuse(struct exchange *x, const struct front_problem *problem)
{
    char body[FRONT_ANSWER_MAX];
    size_t len = exchange_error_text(x, &problem->error, body, sizeof body);
    const struct front_header headers[] = {
        {"Content-Type", "application/json"}, {"Retry-After", problem->comes_again ? "1" : ""}, {NULL, NULL}};
    assert(len < sizeof body);
    if (exchange_reply(x, problem->error.status, headers, body, len) < 0)
        return MHD_NO;
    return queue_early(x);
}

void conn_answer(struct conn *conn, const struct front_problem *problem)
{
    char body[FRONT_ANSWER_MAX], answer[2 * FRONT_ANSWER_MAX];
    unsigned status = problem->error.status;
    const char *path = conn->x ? exchange_path(conn->x) : NULL;
    size_t body_len = front_error_text(conn->front, path, &problem->error, body, sizeof body);
    assert(body_len < sizeof body);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s"
                       "Connection: close\r\n\r\n%s",
                       status, MHD_get_reason_phrase_for(status), body_len,
                       problem->comes_again ? "Retry-After: 1\r\n" : "", body);
    conn->is_answered = send(conn->fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
    shutdown(conn->fd, SHUT_WR);
}

/* ---- a request's head -------------------------------------------------------------------------------------------- */

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result check_head(struct exchange *x)
{
    struct front_problem problem;
    if (!front_head_is_fine(x, &problem) || !front_may_client_ask(x, &problem))
        return front_refuse(x, &problem);
    const struct front_handler *handler = &x->front->handler;
    if (!handler->on_head)
        return MHD_YES;
    x->seen = true;
    if (handler->on_head(handler->ctx, x))
        return MHD_YES;
    return x->state == X_REPLYING ? queue_early(x) : MHD_NO;
}

static enum MHD_Result begin_request(struct MHD_Connection *mhd, const char *path, const char *method,
                                     const char *version, void **context)
{
    struct conn *conn = conn_of(mhd);
    bool is_odd = front_head_is_odd(conn, method, path, version);
    struct exchange *x = front_copy_head(conn, method, path, !is_odd);
    *context = x;
    if (!x)
        return MHD_NO;
    conn_wait(conn, CONN_READING);
    x->is_http10 = strcmp(version, "HTTP/1.0") == 0;
    if (is_odd)
        return front_refuse(x, &front_malformed);
    if (!x->is_http10 && strcmp(version, "HTTP/1.1") != 0)
        return front_refuse(x, &front_version_unknown);
    x->is_chunked = exchange_header(x, "Transfer-Encoding") != NULL;
    return x->method[0] ? check_head(x) : front_refuse(x, &front_head_too_large);
}

/* The whole request has arrived: libmicrohttpd waits, and the client is watched, until there is an answer. */
static enum MHD_Result suspend_whole(struct exchange *x)
{
    conn_wait(x->conn, CONN_NOT_WAITED_FOR);
    if (conn_watch(x->conn) < 0)
        return MHD_NO;
    MHD_suspend_connection(x->conn->mhd);
    /* With a timeout of its own, libmicrohttpd continues a resumed connection before it reads from any. */
    MHD_set_connection_option(x->conn->mhd, MHD_CONNECTION_OPTION_TIMEOUT, x->front->idle_s + 1);
    x->suspended = true;
    x->state = X_WAITING;
    exchange_put(x, x->conn->has_hung_up ? &x->front->left : &x->front->whole);
    assert(exchange_is_sound(x));
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *path, const char *method,
                                 const char *version, const char *upload, size_t *upload_len, void **context)
{
    (void)cls;
    struct exchange *x = *context;
    if (!x)
        return begin_request(mhd, path, method, version, context);
    assert(exchange_is_sound(x));
    if (*upload_len > 0) {
        size_t len = *upload_len;
        *upload_len = 0;
        return front_take_body(x, upload, len) == 0 ? MHD_YES : MHD_NO;
    }
    if (x->state == X_READING)
        return suspend_whole(x);
    return x->response ? queue_answer(x) : MHD_NO;
}

/* libmicrohttpd is done with the request. */
static void exchange_complete(struct exchange *x, bool is_ok)
{
    struct conn *conn = x->conn;
    assert(conn_is_sound(conn));
    conn->version_place = NULL;
    conn->x = NULL;
    x->conn = NULL;
    x->state = X_OVER;
    x->gone = x->gone || (!is_ok && !x->aborted);
    if (x->response)
        MHD_destroy_response(x->response);
    x->response = NULL;
    conn_wait(conn, CONN_READING); /* for the next request */
    exchange_put(x, &x->front->over);
    assert(conn_is_sound(conn) && exchange_is_sound(x));
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
    (void)cls;
    struct exchange *x = *context;
    if (!x)
        return;
    *context = NULL;
    x->front->has_completed = true;
    MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, x->front->idle_s);
    exchange_complete(x, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static void on_conn_poll_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    struct front *front = conn->front;
    free(conn);
    front_handle_closed(front);
}

static void conn_closed(struct conn *conn)
{
    struct front *front = conn->front;
    if (conn->x) /* libmicrohttpd had no memory for its own error page: it closes silently */
        exchange_complete(conn->x, false);
    assert(!conn->x);
    int fd = conn->is_answered && !front->stopped ? fcntl(conn->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd >= 0)
        listener_linger(front->listener, fd); /* libmicrohttpd closes its own */
    conn_wait(conn, CONN_NOT_WAITED_FOR);
    LIST_REMOVE(conn, all);
    front->shards[conn->shard].connections--;
    if (!conn->has_left)
        listener_leave(front->listener, &conn->key, conn->kind);
    if (conn->has_poll)
        uv_close((uv_handle_t *)&conn->poll, on_conn_poll_closed); /* the descriptor is closed at once */
    else
        free(conn);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct front *front = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        conn_closed(*context);
        return;
    }
    struct conn *conn = front->adopted;
    front->adopted = NULL;
    *context = conn;
    conn->mhd = mhd;
    LIST_INSERT_HEAD(&front->shards[conn->shard].conns, conn, all);
    front->shards[conn->shard].connections++;
    conn_wait(conn, CONN_READING);
    if (front->idle_s != front->daemon_idle_s)
        MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, front->idle_s);
    static struct log_limit limit;
    if (conn_watch(conn) < 0) /* its first request tries again and may fail then */
        log_limited(&limit, LOG_WARN, "http", "a connection cannot be watched");
}

/* Running a daemon costs one to three system calls, whatever there is to do, so connections share one. But after any
 * resume it walks all suspended connections, so there must not be too many. */
static unsigned pick_shard(const struct front *front)
{
    unsigned least = 0;
    for (unsigned i = 0; i < FRONT_SHARDS; i++) {
        if (front->shards[i].connections < SHARD_FILL)
            return i;
        if (front->shards[i].connections < front->shards[least].connections)
            least = i;
    }
    return least;
}

int front_take(void *ctx, int fd, const struct sockaddr *address, socklen_t len, const struct client_key *key,
               enum client_kind kind)
{
    struct front *front = ctx;
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        close(fd);
        return REIN_ENOMEM;
    }
    conn->front = front;
    conn->fd = fd;
    conn->key = *key;
    conn->kind = kind;
    conn->address = proxies_address_of(address);
    conn->shard = pick_shard(front);
    unsigned shard = conn->shard;
    front->adopted = conn;
    enum loop_phase back = loop_enter(front->loop, LOOP_HTTP);
    (void)MHD_add_connection(front->shards[shard].daemon, fd, address, len); /* closes fd when it fails */
    loop_leave(front->loop, back);
    front_mark_due(front, shard);
    if (!front->adopted)
        return 0; /* on_connection was informed of the outcome; it may be freed already */
    front->adopted = NULL;
    free(conn);
    return REIN_ENOMEM;
}

/* ---- running ------------------------------------------------------------------------------------------------------
 */

void front_resume(struct exchange *x)
{
    assert(x->suspended && loop_phase(x->front->loop) != LOOP_HTTP);
    x->suspended = false;
    MHD_resume_connection(x->conn->mhd);
    front_mark_due(x->front, x->conn->shard); /* without a thread, libmicrohttpd does not notice it otherwise */
}

/* A resumed connection needs one pass to be noticed, and one or two to write and to be cleaned up. Once it is
 * answered, the next request is read for at once, without asking epoll whether it is there: a turn later it more often
 * is, and if not, it costs a read in vain, and entering and leaving the epoll set. */
static void run_shard(struct front *front, struct shard *shard)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    front->has_completed = false;
    for (int pass = 0; pass < PASSES_MAX && !front->has_completed; pass++) {
        enum loop_phase back = loop_enter(front->loop, LOOP_HTTP);
        MHD_run(shard->daemon);
        bool is_due = MHD_get_timeout(shard->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
        loop_leave(front->loop, back);
        if (!is_due)
            return;
    }
    front->due_next |= UINT64_C(1) << shard->index;
}

void shards_run(struct front *front)
{
    uint64_t due = front->due;
    front->due = 0;
    for (; due; due &= due - 1)
        run_shard(front, &front->shards[__builtin_ctzll(due)]);
}

/* libmicrohttpd's descriptor has something; it is examined in the pump. */
static void on_shard_event(uv_poll_t *poll, int status, int events)
{
    struct shard *shard = poll->data;
    (void)status, (void)events;
    front_mark_due(shard->front, shard->index);
}

/* ---- start and close --------------------------------------------------------------------------------------------- */

/* libmicrohttpd is about to answer a request that it can't read, with a page of its own: whose request? One whose head
 * is complete is known by that. One whose head does not fit the pool is the one that has sent most of one. Else it is
 * known if there is only one that has begun. */
static struct conn *conn_in_error(struct shard *shard, unsigned status)
{
    struct conn *largest = NULL, *only = NULL;
    uint64_t most = 0;
    size_t begun = 0;
    for (struct conn *conn = LIST_FIRST(&shard->conns); conn; conn = LIST_NEXT(conn, all)) {
        if (conn->is_answered || (conn->x && (conn->x->state != X_READING || !conn->x->is_chunked)))
            continue;
        if (!conn->x && MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
            return conn;
        uint64_t received = tcp_read_bytes(conn->fd), size = received > conn->taken ? received - conn->taken : 0;
        /* A connection that libmicrohttpd has closed stays in its list until the end of the pass, with its fields in
         * freed memory. */
        if (!conn->x && (size == 0 || !tcp_is_open(conn->fd)))
            continue;
        only = conn;
        begun++;
        size += FIELD_COST * (size_t)MHD_get_connection_values(conn->mhd, MHD_HEADER_KIND, NULL, NULL);
        if (!conn->x && size > most) {
            most = size;
            largest = conn;
        }
    }
    bool is_full = status == front_head_too_large.error.status || status == MHD_HTTP_URI_TOO_LONG;
    return is_full && most > POOL_SIZE / 4 ? largest : begun == 1 ? only : NULL;
}

static void on_message(void *cls, const char *format, va_list args)
{
    static const char refused[] = "Error processing request";
    /* The arguments may contain a client's bytes. */
    log_debug("http", "libmicrohttpd: %.100s", format);
    if (strncmp(format, refused, sizeof refused - 1) != 0)
        return;
    unsigned status = va_arg(args, unsigned);
    struct conn *conn = conn_in_error(cls, status);
    if (!conn)
        return;
    if (conn->x)
        conn->x->aborted = true;
    conn_answer(conn, status == MHD_HTTP_CONTENT_TOO_LARGE            ? &front_body_too_large
                      : status == MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED ? &front_version_unknown
                      : status == MHD_HTTP_BAD_REQUEST                ? &front_malformed
                                                                      : &front_head_too_large);
}

static void on_panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    log_error("http", "libmicrohttpd panics: %s:%u: %s", file, line, reason ? reason : "");
    abort();
}

static size_t unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return front_unescape(text);
}

static int start_shard(struct front *front, unsigned index, const struct front_options *options)
{
    struct shard *shard = &front->shards[index];
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;
    shard->front = front;
    shard->index = index;
    shard->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, front, MHD_OPTION_EXTERNAL_LOGGER, on_message, shard,
        MHD_OPTION_URI_LOG_CALLBACK, front_see_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, front, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max + LEAVING_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        front->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!shard->daemon)
        return REIN_ENOMEM;
    int fd = MHD_get_daemon_info(shard->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (uv_poll_init(loop_uv(front->loop), &shard->poll, fd) < 0) {
        MHD_stop_daemon(shard->daemon);
        shard->daemon = NULL;
        return REIN_ENOMEM;
    }
    front->handles++;
    shard->poll.data = shard;
    uv_poll_start(&shard->poll, UV_READABLE, on_shard_event);
    return 0;
}

/* Running exchanges adopt it when they are complete. */
void front_set_idle(struct front *front, uint64_t client_idle_ms)
{
    struct conn *conn;
    front->idle_s = (unsigned)((client_idle_ms + 999) / 1000 + 1); /* ours is shorter where both apply */
    for (unsigned i = 0; i < FRONT_SHARDS; i++)
        for (conn = LIST_FIRST(&front->shards[i].conns); conn; conn = LIST_NEXT(conn, all))
            if (!conn->x)
                MHD_set_connection_option(conn->mhd, MHD_CONNECTION_OPTION_TIMEOUT, front->idle_s);
}

int shards_start(struct front *front, const struct front_options *options)
{
    MHD_set_panic_func(on_panic, NULL);
    front_set_idle(front, options->client_idle_ms);
    front->daemon_idle_s = front->idle_s;
    for (unsigned i = 0; i < FRONT_SHARDS; i++) {
        int rv = start_shard(front, i, options);
        if (rv < 0) {
            log_error("http", "cannot start libmicrohttpd");
            return rv;
        }
    }
    return 0;
}

static void on_shard_closed(uv_handle_t *handle)
{
    front_handle_closed(((struct shard *)handle->data)->front);
}

void shards_stop(struct front *front)
{
    enum loop_phase back = loop_enter(front->loop, LOOP_HTTP);
    for (unsigned i = 0; i < FRONT_SHARDS; i++) {
        if (!front->shards[i].daemon)
            continue;
        uv_close((uv_handle_t *)&front->shards[i].poll, on_shard_closed);
        MHD_stop_daemon(front->shards[i].daemon);
    }
    loop_leave(front->loop, back);
}
