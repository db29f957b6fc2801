/* See hosts.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 256 };

/* The host of a Host header, without port and brackets; "" if it has no sensible form. */
static void split_host(const char *header, char host[HOST_MAX])
{
    bool is_bracketed = *header == '[';
    const char *begin = header + is_bracketed;
    size_t len = strcspn(begin, is_bracketed ? "]" : ":");
    host[0] = '\0';
    if (len == 0 || len >= HOST_MAX || (is_bracketed && begin[len] != ']'))
        return;
    const char *rest = begin + len + is_bracketed;
    if (*rest == ':')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (*rest != '\0')
        return;
    memcpy(host, begin, len);
    host[len] = '\0';
}

bool hosts_is_ours(const char *address, char *const *allowed, const char *header)
{
    char host[HOST_MAX];
    struct in_addr four, any = {INADDR_ANY};
    struct in6_addr six;
    if (header == NULL)
        return false;
    split_host(header, host);
    bool is_four = inet_pton(AF_INET, host, &four) == 1, is_six = inet_pton(AF_INET6, host, &six) == 1;
    if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, address) == 0)
        return true;
    if ((is_four && ntohl(four.s_addr) >> 24 == 127) || (is_six && IN6_IS_ADDR_LOOPBACK(&six)))
        return true;
    for (; *host != '\0' && allowed != NULL && *allowed != NULL; allowed++)
        if (strcasecmp(host, *allowed) == 0)
            return true;
    bool listens_to_all = strcmp(address, "::") == 0 || inet_addr(address) == any.s_addr;
    return listens_to_all && (is_four || is_six);
}
