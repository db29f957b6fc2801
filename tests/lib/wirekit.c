/* See wirekit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wirekit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "wirekit: %s: %s\n", what, strerror(errno));
    abort();
}

static void set_patience(int fd)
{
    struct timeval patience = {.tv_sec = WIRE_HANGS_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int wire_connect(uint16_t port)
{
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    set_patience(fd);
    return fd;
}

bool wire_send(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool wire_say(int fd, const char *text)
{
    return wire_send(fd, text, strlen(text));
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

size_t wire_read_until(int fd, char *buffer, size_t size, const char *end)
{
    size_t len = 0;
    while (len + 1 < size && !ends_with(buffer, len, end)) {
        ssize_t got = recv(fd, buffer + len, size - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    buffer[len] = '\0';
    return len;
}

long wire_read_all(int fd, char *buffer, size_t size)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len + 1 < size) {
        got = recv(fd, buffer + len, size - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    buffer[len] = '\0';
    return got < 0 ? -1 : (long)len;
}

void wire_reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

uint64_t wire_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *run_peer(void *arg)
{
    struct wire_peer *peer = arg;
    for (int number = 0;; number++) {
        int fd = accept(peer->listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL; /* stopped */
        set_patience(fd);
        peer->serve(peer->ctx, fd, number);
        close(fd);
    }
}

void wire_peer_start(struct wire_peer *peer, void (*serve)(void *ctx, int fd, int number), void *ctx)
{
    struct sockaddr_in address = address_of(0);
    socklen_t len = sizeof address;
    peer->serve = serve;
    peer->ctx = ctx;
    peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->listen_fd < 0 || bind(peer->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(peer->listen_fd, 16) < 0 || getsockname(peer->listen_fd, (struct sockaddr *)&address, &len) < 0)
        die("listen");
    peer->port = ntohs(address.sin_port);
    if (pthread_create(&peer->thread, NULL, run_peer, peer) != 0)
        die("thread");
}

void wire_peer_stop(struct wire_peer *peer)
{
    shutdown(peer->listen_fd, SHUT_RDWR); /* ends accept */
    pthread_join(peer->thread, NULL);
    close(peer->listen_fd);
}
