/* The listener: accepts connections within limits and hands them on; a connection over a limit gets a short answer.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the loop's. */
#ifndef SERVER_FRONT_LISTENER_H
#define SERVER_FRONT_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "front/client_limits.h"
#include "front/proxies.h"
#include "rein/rein.h"

struct listener;
struct reply_error;

struct listener_options {
    const char *host; /* numeric */
    uint16_t port;    /* 0: chosen by the system */
    bool reuse_port;
    struct client_limits *client_limits; /* whom to let in; outlives the listener */
    const struct proxies *proxies;
    /* The body of the short answer: a front_handler's; NULL: none. */
    size_t (*error_text)(const char *path, const struct reply_error *error, char *out, size_t cap);
};

/* Takes the descriptor, which is non-blocking; returns negative if it can't (the descriptor is then closed). `key` and
 * `kind` go back with listener_leave when the connection ends. */
typedef int (*listener_take)(void *ctx, int fd, const struct sockaddr *address, socklen_t len,
                             const struct client_key *key, enum client_kind kind);
/* There are too many connections: closes one that nobody needs, after listener_leave. False: there is none. */
typedef bool (*listener_make_room)(void *ctx);

/* Can the address be listened on? Beforehand, because listeners that share a port (`reuse_port`) would also share it
 * with a stranger's. What is wrong is logged; nothing stays open. */
int listener_check(const char *host, uint16_t port) REIN_MUST_USE;

/* Returns owned. What is wrong is logged once. */
int listener_start(struct listener **out, struct loop *loop, const struct listener_options *options, listener_take take,
                   listener_make_room make_room, void *ctx) REIN_MUST_USE;
/* Whose connections count as those of proxies from now on; borrowed, NULL: nobody's. */
void listener_trust(struct listener *listener, const struct proxies *proxies);
uint16_t listener_port(const struct listener *listener);
/* A connection that was taken has ended. */
void listener_leave(struct listener *listener, const struct client_key *key, enum client_kind kind);
/* Connections taken and not over. */
size_t listener_connections(const struct listener *listener);
/* Takes the descriptor of a connection that was answered before its request was complete (linger.h). */
void listener_linger(struct listener *listener, int fd);
/* Closes refused connections whose answer has had its time; to be called about every second. */
void listener_tick(struct listener *listener);
/* Takes what already waits in the queue, then closes the socket. */
void listener_stop(struct listener *listener);
/* After listener_stop and the last listener_leave; the memory goes when libuv has let go of it. */
void listener_free(struct listener *listener);

#endif
