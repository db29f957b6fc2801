/* What the system knows of a TCP connection: in a file of its own, because <linux/tcp.h> and <netinet/tcp.h>, which
 * libuv includes, exclude each other. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_FRONT_TCP_H
#define SERVER_FRONT_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that came from the peer and have been read. 0 if the system does not report it. */
uint64_t tcp_read_bytes(int fd);
/* Neither has this side ended what it sends, nor has the connection been reset. */
bool tcp_is_open(int fd);

#endif
