/* Dialing: libcurl connects, and encrypts where the URL says https.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libcurl only ever sees handles that connect and nothing else (CONNECT_ONLY), through the socket interface of several
 * multi handles. Its callbacks only record: a socket to poll, a time to come back, a dial whose socket can't be polled.
 * Completed and failed connections are collected after each call into it, so nothing of ours ever runs inside libcurl.
 * The callbacks never tell libcurl of a failure: it would give up the whole multi handle, all other dials with it, and
 * keep sockets that nobody takes away any more. */
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "upstream/curl_heap.h"
#include "upstream/upstream_internal.h"

struct dialer {
    struct upstream_pool *pool;
    CURLM *multi;
    uv_timer_t timer;
    LIST_HEAD(, dial) dials;   /* that libcurl works on */
    TAILQ_HEAD(, dial) failed; /* their sockets cannot be polled; ended by collect */
    bool is_due, closing;
};

/* A descriptor that libcurl wants to have watched. The same number may come again while the old handle is still
 * closing, so there is a fresh one each time. */
struct watch {
    uv_poll_t poll;
    struct dialer *dialer;
    curl_socket_t fd;
    LIST_ENTRY(watch) watches;
};

struct dial {
    struct dialer *dialer;
    CURL *easy;
    struct upstream_call *call; /* NULL once connected */
    curl_socket_t kept;         /* not for libcurl to close */
    LIST_HEAD(, watch) watches;
    bool has_failed;
    LIST_ENTRY(dial) dials;
    TAILQ_ENTRY(dial) failures;
    char error[CURL_ERROR_SIZE];
};

/* The call is connecting, and waits only for that. */
static bool dial_is_sound(const struct dial *dial)
{
    return dial->easy && dial->call && dial->call->dial == dial && !dial->call->conn && dial->kept == CURL_SOCKET_BAD;
}

static void collect(struct dialer *dialer);
static void dialer_fail(struct dialer *dialer);

static void act(struct dialer *dialer, curl_socket_t fd, int events)
{
    static struct log_limit limit;
    int running = 0; /* libcurl wants a place for it */
    struct loop *loop = dialer->pool->loop;
    enum loop_phase back = loop_enter(loop, LOOP_CONNECT);
    CURLMcode code = curl_multi_socket_action(dialer->multi, fd, events, &running);
    loop_leave(loop, back);
    if (code != CURLM_OK) {
        log_limited(&limit, LOG_ERROR, "upstream", "libcurl: %s", curl_multi_strerror(code));
        dialer_fail(dialer);
    }
    collect(dialer);
}

/* ---- libcurl's sockets and times --------------------------------------------------------------------------------- */

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct upstream_pool *pool = watch->dialer->pool;
    free(watch);
    pool_handle_closed(pool);
}

/* A reset socket is reported as an error without events; libcurl finds out more. */
static void on_watch_event(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(watch->dialer, watch->fd, flags);
}

static struct watch *watch_new(struct dialer *dialer, struct dial *dial, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init(loop_uv(dialer->pool->loop), &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->dialer = dialer;
    watch->fd = fd;
    LIST_INSERT_HEAD(&dial->watches, watch, watches);
    dialer->pool->handles++;
    return watch;
}

/* Stops at once; libcurl does not know it any more. */
static void watch_close(struct watch *watch)
{
    curl_multi_assign(watch->dialer->multi, watch->fd, NULL);
    LIST_REMOVE(watch, watches);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void dial_fail(struct dial *dial)
{
    if (dial->has_failed || !dial->call)
        return;
    dial->has_failed = true;
    TAILQ_INSERT_TAIL(&dial->dialer->failed, dial, failures);
    dial->dialer->is_due = true; /* the running function collects it; if that is not act(), the pump does */
    loop_kick(dial->dialer->pool->loop);
}

/* After an error of the multi handle its state is undefined until its transfers are removed, and whose the error was it
 * does not tell. So all that dial give up; else they would wait for their deadline. Connections that are made live on.
 */
static void dialer_fail(struct dialer *dialer)
{
    struct dial *dial;
    LIST_FOREACH(dial, &dialer->dials, dials)
    dial_fail(dial);
}

static void dial_unfail(struct dial *dial)
{
    if (dial->has_failed)
        TAILQ_REMOVE(&dial->dialer->failed, dial, failures);
    dial->has_failed = false;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct dialer *dialer = ctx;
    struct watch *watch = socket_ctx;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_close(watch);
        return 0;
    }
    struct dial *dial = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&dial);
    if (dialer->closing || !dial) /* libcurl's own handles, which only close connections, have no dial */
        return 0;
    if (!watch) {
        watch = watch_new(dialer, dial, fd);
        if (watch)
            curl_multi_assign(dialer->multi, fd, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!watch || uv_poll_start(&watch->poll, events, on_watch_event) < 0)
        dial_fail(dial);
    return 0;
}

static void on_time(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* "At once" must neither call back into libcurl from here nor become a timer of 0 ms, which starves I/O when it is
 * started again from its own callback. */
static int on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
    struct dialer *dialer = ctx;
    (void)multi;
    dialer->is_due = timeout_ms == 0 || !TAILQ_EMPTY(&dialer->failed);
    if (timeout_ms > 0)
        uv_timer_start(&dialer->timer, on_time, (uint64_t)timeout_ms, 0);
    else
        uv_timer_stop(&dialer->timer);
    if (dialer->is_due)
        loop_kick(dialer->pool->loop);
    return 0;
}

void dialers_pump(struct upstream_pool *pool)
{
    for (int i = 0; i < UPSTREAM_DIALERS; i++)
        if (pool->dialers[i].is_due) {
            pool->dialers[i].is_due = false;
            act(&pool->dialers[i], CURL_SOCKET_TIMEOUT, 0);
        }
}

/* ---- dialers ----------------------------------------------------------------------------------------------------- */

static void init_libcurl(void)
{
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_heap_malloc, curl_heap_free, curl_heap_realloc, curl_heap_strdup,
                         curl_heap_calloc);
    signal(SIGPIPE, SIG_IGN); /* TLS libraries write without MSG_NOSIGNAL */
}

int dialers_start(struct upstream_pool *pool)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libcurl);
    pool->dialers = calloc(UPSTREAM_DIALERS, sizeof *pool->dialers);
    if (!pool->dialers)
        return REIN_ENOMEM;
    for (int i = 0; i < UPSTREAM_DIALERS; i++) {
        struct dialer *dialer = &pool->dialers[i];
        dialer->pool = pool;
        TAILQ_INIT(&dialer->failed);
        uv_timer_init(loop_uv(pool->loop), &dialer->timer);
        dialer->timer.data = dialer;
        pool->handles++;
        dialer->multi = curl_multi_init();
        if (!dialer->multi)
            return REIN_ENOMEM;
        curl_multi_setopt(dialer->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(dialer->multi, CURLMOPT_SOCKETDATA, dialer);
        curl_multi_setopt(dialer->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
        curl_multi_setopt(dialer->multi, CURLMOPT_TIMERDATA, dialer);
        curl_multi_setopt(dialer->multi, CURLMOPT_MAXCONNECTS, 65536L); /* we count kept connections ourselves */
    }
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct dialer *dialer = handle->data;
    pool_handle_closed(dialer->pool);
}

void dialers_close(struct upstream_pool *pool)
{
    for (int i = 0; pool->dialers && i < UPSTREAM_DIALERS; i++) {
        struct dialer *dialer = &pool->dialers[i];
        if (!dialer->pool)
            continue;
        dialer->closing = true;
        curl_multi_cleanup(dialer->multi); /* may still take sockets away */
        uv_close((uv_handle_t *)&dialer->timer, on_timer_closed);
    }
}

/* ---- dials ------------------------------------------------------------------------------------------------------- */

static int on_close_socket(void *ctx, curl_socket_t fd)
{
    struct dial *dial = ctx;
    return fd == dial->kept ? 0 : close(fd);
}

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return !text || curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct reach *reach)
{
    return set_text(easy, CURLOPT_CAINFO, reach->ca_file) && set_text(easy, CURLOPT_PROXY_CAINFO, reach->ca_file) &&
           set_text(easy, CURLOPT_SSLCERT, reach->client_cert) && set_text(easy, CURLOPT_SSLKEY, reach->client_key);
}

/* libcurl decodes percent signs in both. */
static bool set_escaped(CURL *easy, CURLoption option, const char *text, size_t len)
{
    char *escaped = curl_easy_escape(easy, text, (int)len);
    bool is_set = escaped && curl_easy_setopt(easy, option, escaped) == CURLE_OK;
    if (escaped)
        explicit_bzero(escaped, strlen(escaped));
    curl_free(escaped);
    return is_set;
}

static bool set_proxy_auth(CURL *easy, const char *auth)
{
    const char *colon = auth ? strchr(auth, ':') : NULL;
    return !colon || (set_escaped(easy, CURLOPT_PROXYUSERNAME, auth, (size_t)(colon - auth)) &&
                      set_escaped(easy, CURLOPT_PROXYPASSWORD, colon + 1, strlen(colon + 1)));
}

/* Always a tunnel: we write what goes through it. The environment's proxies and exceptions do not apply. */
static bool set_proxy(CURL *easy, const struct reach *reach)
{
    return set_text(easy, CURLOPT_PROXY, reach->proxy ? reach->proxy : "") && set_text(easy, CURLOPT_NOPROXY, "") &&
           curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L) == CURLE_OK && set_proxy_auth(easy, reach->proxy_auth);
}

static bool set_options(struct dial *dial, const struct upstream_call *call)
{
    CURL *easy = dial->easy;
    return curl_easy_setopt(easy, CURLOPT_URL, call->origin->key) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, dial) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, dial->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, dial) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK && /* no ALPN for h2 */
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms) == CURLE_OK &&
           set_tls(easy, &call->origin->reach) && set_proxy(easy, &call->origin->reach);
}

int dial_start(struct upstream_call *call)
{
    struct upstream_pool *pool = call->pool;
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return REIN_ENOMEM;
    dial->dialer = &pool->dialers[pool->next_dialer++ % UPSTREAM_DIALERS];
    dial->call = call;
    dial->kept = CURL_SOCKET_BAD;
    dial->easy = curl_easy_init();
    if (!dial->easy || !set_options(dial, call) || curl_multi_add_handle(dial->dialer->multi, dial->easy) != CURLM_OK) {
        curl_easy_cleanup(dial->easy);
        free(dial);
        return REIN_ENOMEM;
    }
    LIST_INSERT_HEAD(&dial->dialer->dials, dial, dials);
    call->dial = dial;
    return 0;
}

void dial_free(struct dial *dial)
{
    struct watch *watch;
    dial_unfail(dial);
    LIST_REMOVE(dial, dials);
    /* libcurl 7.88 closes a socket that is not connected yet before it says CURL_POLL_REMOVE. By then the number may be
     * another worker's new socket. It would not be found in our epoll set, so this is harmless; but it is better to
     * stop watching while the socket is still open. */
    while ((watch = LIST_FIRST(&dial->watches)))
        watch_close(watch);
    /* Closes the connection too: libcurl can't find it again without its handle. */
    curl_multi_remove_handle(dial->dialer->multi, dial->easy);
    curl_easy_cleanup(dial->easy);
    free(dial);
}

static void connected(struct dial *dial)
{
    struct upstream_call *call = dial->call;
    assert(dial_is_sound(dial));
    dial_unfail(dial); /* the other one of two addresses that were tried at once */
    curl_socket_t fd = CURL_SOCKET_BAD;
    dial->call = NULL;
    call->dial = NULL;
    if (curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
        dial_free(dial);
        call_not_connected(call, "the connection was lost at once");
        return;
    }
    bool is_wrapped = call->origin->is_wrapped;
    if (!is_wrapped) {
        dial->kept = fd;
        dial_free(dial);
        dial = NULL;
    }
    struct upstream_conn *conn = conn_new(call, fd, is_wrapped ? dial : NULL);
    if (conn)
        call_connected(call, conn);
    else
        call_not_connected(call, "out of memory");
}

static void not_connected(struct dial *dial, CURLcode code)
{
    char message[CURL_ERROR_SIZE + 64];
    struct upstream_call *call = dial->call;
    assert(dial_is_sound(dial));
    snprintf(message, sizeof message, "%s: %s", call->origin->key,
             dial->error[0] ? dial->error : curl_easy_strerror(code));
    call->dial = NULL;
    dial_free(dial);
    call_not_connected(call, message);
}

/* Takes completed transfers one at a time, because the calls may change the list. */
static void collect(struct dialer *dialer)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(dialer->multi, &left))) {
        struct dial *dial = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&dial);
        if (code == CURLE_OK)
            connected(dial);
        else
            not_connected(dial, code);
    }
    struct dial *dial;
    while ((dial = TAILQ_FIRST(&dialer->failed)))
        not_connected(dial, CURLE_OUT_OF_MEMORY);
}

/* ---- encrypted bytes --------------------------------------------------------------------------------------------- */

static ssize_t result_of(CURLcode code, size_t len)
{
    if (code == CURLE_OK)
        return (ssize_t)len;
    return code == CURLE_AGAIN ? -EAGAIN : -EIO;
}

ssize_t dial_recv(struct dial *dial, char *data, size_t len)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv(dial->easy, data, len, &got);
    return result_of(code, got);
}

ssize_t dial_send(struct dial *dial, const char *data, size_t len)
{
    size_t sent = 0;
    CURLcode code = curl_easy_send(dial->easy, data, len, &sent);
    return result_of(code, sent);
}
