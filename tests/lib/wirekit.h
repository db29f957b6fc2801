/* Raw sockets for tests of the server's own HTTP: a blocking client, a scripted peer, and a loop to run beside them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The test's thread runs the loop; a client or peer runs in a thread of its own, blocks on its sockets
 * (WIRE_HANGS_MS at most) and may post to the loop. */
#ifndef TESTS_WIREKIT_H
#define TESTS_WIREKIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing takes so long, however busy the machine is: what has not happened by then is said not to happen. */
enum { WIRE_HANGS_MS = 60000 };

/* A blocking connection to 127.0.0.1; fails the test if there is none. */
int wire_connect(uint16_t port);
/* Sends all of it; false if the other side has gone. */
bool wire_send(int fd, const char *data, size_t len);
bool wire_say(int fd, const char *text);
/* Reads until `end` was seen at the end of what came, the peer closed, or the buffer is full. NUL-terminates. */
size_t wire_read_until(int fd, char *buffer, size_t size, const char *end);
/* Reads until the peer closes. NUL-terminates. -1: it was reset, or nothing came for WIRE_HANGS_MS. */
long wire_read_all(int fd, char *buffer, size_t size);
/* Closes with a reset instead of an end. */
void wire_reset(int fd);
uint64_t wire_now_ms(void);

/* A peer that serves one connection after the other, in a thread. */
struct wire_peer {
    uint16_t port;
    int listen_fd;
    pthread_t thread;
    void (*serve)(void *ctx, int fd, int number); /* closes nothing; number counts from 0 */
    void *ctx;
};
void wire_peer_start(struct wire_peer *peer, void (*serve)(void *ctx, int fd, int number), void *ctx);
void wire_peer_stop(struct wire_peer *peer);

#endif
