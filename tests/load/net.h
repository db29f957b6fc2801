/* Sockets of the load test: one epoll, one thread, and every way to leave a peer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_NET_H
#define LOAD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One end of a connection. It lives as long as the process: an event of a socket that was closed in the same turn may
 * still come, and then finds a socket that has nothing to say. */
struct net_end {
    int fd; /* -1: none */
    uint32_t watched;
    void (*on_ready)(struct net_end *end);
};

enum leave { LEAVE_NOT, LEAVE_CLOSE, LEAVE_RESET, LEAVE_HALF, LEAVE_STALL };

void net_init(void);
/* A listening socket on loopback; its port. Each new connection is handed over, non-blocking. */
uint16_t net_listen(struct net_end *end);
int net_accept(struct net_end *end);
/* Starts to connect; `receive_bytes`: the socket's buffer, 0: the system's. False if there is no socket left. */
bool net_connect(struct net_end *end, uint16_t port, int receive_bytes);
void net_adopt(struct net_end *end, int fd);
/* EPOLLIN, EPOLLOUT, or 0: tells of nothing, not even that the peer is gone. */
void net_watch(struct net_end *end, uint32_t events);
/* Closes with a FIN, with a RST, or only the sending side. */
void net_leave(struct net_end *end, enum leave how);
/* -1: nothing at the moment; 0: the peer is gone, or said that it ends. */
long net_receive(struct net_end *end, char *data, size_t len);
/* -1: nothing at the moment; -2: the peer is gone. */
long net_send(struct net_end *end, const char *data, size_t len);
/* Waits for events, at most so long, and tells of them. */
void net_turn(int wait_ms);

uint64_t net_now_ms(void); /* as of this turn's begin */
/* The longest time between two turns since this was asked last: how late this program itself was. */
uint64_t net_late_ms(void);

#endif
