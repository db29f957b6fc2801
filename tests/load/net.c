/* See net.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench/text.h"

enum { TURN_EVENTS = 256 };

static int net_epoll = -1;
static uint64_t net_now, net_late;

static void net_die(const char *what)
{
    perror(what);
    exit(2);
}

void net_init(void)
{
    net_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (net_epoll < 0)
        net_die("epoll");
    net_now = now_ns() / 1000000;
}

uint64_t net_now_ms(void)
{
    return net_now;
}

uint64_t net_late_ms(void)
{
    uint64_t late = net_late;
    net_late = 0;
    return late;
}

static struct sockaddr_in net_loopback(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

void net_adopt(struct net_end *end, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    end->fd = fd;
    end->watched = 0;
}

uint16_t net_listen(struct net_end *end)
{
    struct sockaddr_in at = net_loopback(0);
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        net_die("listen");
    net_adopt(end, fd);
    net_watch(end, EPOLLIN);
    return ntohs(at.sin_port);
}

int net_accept(struct net_end *end)
{
    return accept4(end->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

bool net_connect(struct net_end *end, uint16_t port, int receive_bytes)
{
    struct sockaddr_in at = net_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 && errno != EINPROGRESS) {
        close(fd);
        return false;
    }
    net_adopt(end, fd);
    return true;
}

void net_watch(struct net_end *end, uint32_t events)
{
    if (end->fd < 0 || end->watched == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = end};
    int how = end->watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    if (epoll_ctl(net_epoll, how, end->fd, &event) != 0)
        net_die("epoll_ctl");
    end->watched = events;
}

void net_leave(struct net_end *end, enum leave how)
{
    if (end->fd < 0)
        return;
    if (how == LEAVE_HALF) {
        shutdown(end->fd, SHUT_WR);
        return;
    }
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (how == LEAVE_RESET)
        setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(end->fd);
    end->fd = -1;
}

long net_receive(struct net_end *end, char *data, size_t len)
{
    ssize_t n = recv(end->fd, data, len, 0);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

long net_send(struct net_end *end, const char *data, size_t len)
{
    ssize_t n = send(end->fd, data, len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? -1 : -2;
}

void net_turn(int wait_ms)
{
    struct epoll_event events[TURN_EVENTS];
    int n = epoll_wait(net_epoll, events, TURN_EVENTS, wait_ms);
    uint64_t now = now_ns() / 1000000;
    if (now - net_now > net_late)
        net_late = now - net_now;
    net_now = now;
    for (int i = 0; i < n; i++) {
        struct net_end *end = events[i].data.ptr;
        if (end->fd >= 0)
            end->on_ready(end);
    }
}
