/* See origin.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/origin.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, PORT_MAX = 65535 };

static const char bad_byte[] = "contains a character that is not allowed in a URL";
static const char digits[] = "0123456789";
static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* A name, or an address of four numbers: parts between dots, none of them empty, except after a final dot. */
static const char *read_name(const char *text, size_t *len)
{
    size_t at = 0;
    for (;;) {
        size_t label = strspn(text + at, name_bytes);
        if (label == 0 && at == 0)
            return strchr(":/", text[0]) != NULL ? "has no host name" : bad_byte;
        if (label == 0 && text[at] == '.')
            return "has a host name with an empty part between two dots";
        if (label > LABEL_MAX)
            return "has a host name with more than 63 bytes between two dots";
        at += label;
        if (label == 0 || text[at] != '.')
            break;
        at++;
    }
    *len = at;
    return at <= ORIGIN_HOST_MAX ? NULL : "has a host name of more than 253 bytes";
}

static const char *read_bracketed(const char *text, size_t *len)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr six;
    const char *end = strchr(text, ']');
    size_t inside = end != NULL ? (size_t)(end - text - 1) : sizeof address;
    if (inside < sizeof address) {
        memcpy(address, text + 1, inside);
        address[inside] = '\0';
    }
    if (inside >= sizeof address || inet_pton(AF_INET6, address, &six) != 1)
        return "has no valid IPv6 address in its brackets";
    *len = inside + 2;
    return NULL;
}

/* *len grows by the port, if there is one. */
static const char *read_port(const char *text, size_t *len)
{
    if (text[*len] != ':')
        return NULL;
    const char *port = text + *len + 1;
    size_t count = strspn(port, digits);
    unsigned long number = count > 0 && count <= 5 ? strtoul(port, NULL, 10) : 0;
    if (number < 1 || number > PORT_MAX)
        return "has an invalid port: use 1 to 65535";
    *len += 1 + count;
    return NULL;
}

const char *origin_read(struct origin *out, const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return "must begin with http:// or https://";
    const char *host = text + scheme;
    size_t len = 0;
    const char *why = host[0] == '[' ? read_bracketed(host, &len) : read_name(host, &len);
    if (why == NULL)
        why = read_port(host, &len);
    if (why != NULL)
        return why;
    if (host[len] != '\0' && host[len] != '/')
        return bad_byte;
    *out = (struct origin){.is_tls = scheme == 8, .host = host, .host_len = len, .len = scheme + len};
    return NULL;
}
