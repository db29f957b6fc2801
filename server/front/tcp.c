/* See tcp.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STATE_ESTABLISHED = 1, STATE_CLOSE_WAIT = 8 }; /* their names are in <netinet/tcp.h> */

uint64_t tcp_read_bytes(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int unread = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || ioctl(fd, FIONREAD, &unread) < 0)
        return 0;
    return info.tcpi_bytes_received > (uint64_t)unread ? info.tcpi_bytes_received - (uint64_t)unread : 0;
}

bool tcp_is_open(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           (info.tcpi_state == STATE_ESTABLISHED || info.tcpi_state == STATE_CLOSE_WAIT);
}
