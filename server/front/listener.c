/* See listener.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * We accept ourselves, not libmicrohttpd: the limits then hold over all its daemons together, a full house is answered
 * instead of left in the queue, and a listening socket never has to be found again in its epoll set. */
#include "front/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "front/linger.h"
#include "front/reply.h"

enum { ACCEPTS_A_TURN = 64, ACCEPTS_AT_STOP = 4096, BACKLOG = 4096 };

struct listener {
    struct loop *loop;
    uv_poll_t poll;
    int fd; /* -1: stopped */
    uint16_t port;
    struct client_limits *client_limits; /* borrowed */
    size_t connections;
    const struct proxies *proxies; /* borrowed */
    size_t (*error_text)(const char *path, const struct reply_error *error, char *out, size_t cap);
    listener_take take;
    listener_make_room make_room;
    void *ctx;
    struct lingers *lingers; /* refused, or answered early */
    bool poll_closed, unwanted;
};

static const struct reply_error house_full = {
    503, REPLY_FAULT_SERVER, NULL, "overloaded", NULL, "The server has no room for another connection."};
static const struct reply_error too_many = {
    429, REPLY_FAULT_RATE, NULL, "too_many_connections", NULL, "There are too many connections from this address."};

static void listener_refuse(struct listener *listener, int fd, const char *reason, const struct reply_error *error)
{
    char body[256], answer[512];
    size_t body_len = listener->error_text ? listener->error_text(NULL, error, body, sizeof body) : 0;
    assert(body_len < sizeof body);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nRetry-After: 1\r\n"
                       "Connection: close\r\n\r\n%.*s",
                       error->status, reason, body_len, (int)body_len, body);
    if (send(fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        close(fd);
    else
        lingers_take(listener->lingers, fd);
}

static void take_one(struct listener *listener, int fd, const struct sockaddr *address, socklen_t len)
{
    struct client_key key = client_key_of(address);
    struct proxies_address ip = proxies_address_of(address);
    enum client_kind kind = proxies_trust(listener->proxies, &ip) ? CLIENT_PROXY : CLIENT_CONNECTION;
    enum client_admission admission = client_limits_add(listener->client_limits, &key, kind);
    int on = 1;
    if (admission == CLIENT_LIMIT_REACHED && listener->make_room(listener->ctx))
        admission = client_limits_add(listener->client_limits, &key, kind);
    switch (admission) {
    case CLIENT_LIMIT_REACHED:
        listener_refuse(listener, fd, "Service Unavailable", &house_full);
        return;
    case CLIENT_LIMIT_OF_ONE_REACHED:
        listener_refuse(listener, fd, "Too Many Requests", &too_many);
        return;
    case CLIENT_ADMITTED:
        break;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    listener->connections++;
    if (listener->take(listener->ctx, fd, address, len, &key, kind) < 0)
        listener_leave(listener, &key, kind);
}

/* Accepts at most `max` connections; fewer if no more are waiting. */
static void accept_some(struct listener *listener, int max)
{
    for (int i = 0; i < max; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            take_one(listener, fd, (const struct sockaddr *)&address, len);
        else if (errno == EMFILE || errno == ENFILE) {
            static struct log_limit limit;
            log_limited(&limit, LOG_ERROR, "http",
                        "no file descriptors left to accept connections: raise the limit of open files");
            uv_poll_stop(&listener->poll); /* until the next tick, because it would call back repeatedly */
            return;
        } else if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        log_error("http", "the listening socket failed: %s", uv_strerror(status));
    else
        accept_some(poll->data, ACCEPTS_A_TURN);
}

static int parse_address(const struct listener_options *options, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(options->port)};
    if (inet_pton(AF_INET, options->host, &v4.sin_addr) == 1) {
        memcpy(out, &v4, *len = sizeof v4);
        return 0;
    }
    if (inet_pton(AF_INET6, options->host, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, *len = sizeof v6);
        return 0;
    }
    return REIN_EINVAL;
}

/* A socket that listens; negative: logged. *port becomes what the system chose. */
static int open_socket(const struct listener_options *options, uint16_t *port)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;
    if (parse_address(options, &address, &len) < 0) {
        log_error("http", "cannot listen: %s is not a numeric address", options->host);
        return REIN_EINVAL;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        bind(fd, (const struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        log_error("http", "cannot listen on %s port %u: %s%s", options->host, options->port, strerror(errno),
                  errno == EADDRINUSE ? "; stop the program that listens there, or choose another port" : "");
        if (fd >= 0)
            close(fd);
        return REIN_ESTATE;
    }
    *port = address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&address)->sin_port)
                                         : ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return fd;
}

int listener_check(const char *host, uint16_t port)
{
    int fd = open_socket(&(struct listener_options){.host = host, .port = port}, &port);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void free_now(struct listener *listener)
{
    lingers_free(listener->lingers);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener);
}

int listener_start(struct listener **out, struct loop *loop, const struct listener_options *options, listener_take take,
                   listener_make_room make_room, void *ctx)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return REIN_ENOMEM;
    listener->loop = loop;
    listener->fd = -1;
    listener->client_limits = options->client_limits;
    listener->proxies = options->proxies;
    listener->error_text = options->error_text;
    listener->take = take;
    listener->make_room = make_room;
    listener->ctx = ctx;
    int rv = lingers_new(&listener->lingers, loop);
    if (rv == 0) {
        listener->fd = open_socket(options, &listener->port);
        rv = listener->fd < 0 ? listener->fd : 0;
    }
    if (rv == 0 && uv_poll_init(loop_uv(loop), &listener->poll, listener->fd) < 0)
        rv = REIN_ENOMEM;
    if (rv < 0) {
        free_now(listener);
        return rv;
    }
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    *out = listener;
    return 0;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

void listener_trust(struct listener *listener, const struct proxies *proxies)
{
    listener->proxies = proxies;
}

void listener_leave(struct listener *listener, const struct client_key *key, enum client_kind kind)
{
    assert(listener->connections > 0);
    listener->connections--;
    client_limits_remove(listener->client_limits, key, kind);
}

size_t listener_connections(const struct listener *listener)
{
    return listener->connections;
}

void listener_linger(struct listener *listener, int fd)
{
    lingers_take(listener->lingers, fd);
}

void listener_tick(struct listener *listener)
{
    lingers_tick(listener->lingers);
    if (listener->fd >= 0 && !uv_is_active((uv_handle_t *)&listener->poll))
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    listener->poll_closed = true;
    if (listener->unwanted)
        free_now(listener);
}

void listener_stop(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    accept_some(listener, ACCEPTS_AT_STOP); /* closing resets what is still in the queue */
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    close(listener->fd);
    listener->fd = -1;
}

void listener_free(struct listener *listener)
{
    assert(listener->fd < 0 && listener->connections == 0);
    lingers_free(listener->lingers);
    listener->lingers = NULL;
    listener->unwanted = true;
    if (listener->poll_closed)
        free_now(listener);
}
