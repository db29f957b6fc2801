/* A request's bytes: its URL read, its head written, its body copied behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "upstream/origin.h"
#include "upstream/upstream_internal.h"

int url_parse(struct upstream_url *out, const struct upstream_request *request)
{
    struct origin origin;
    if (origin_read(&origin, request->url) != NULL)
        return REIN_EINVAL;
    out->is_tls = origin.is_tls;
    out->host = origin.host;
    out->host_len = origin.host_len;
    out->origin_len = origin.len;
    out->path = request->url + origin.len;
    if (request->path && *out->path)
        return REIN_EINVAL;
    if (request->path)
        out->path = request->path;
    if (*out->path && *out->path != '/')
        return REIN_EINVAL;
    for (const char *p = out->path; *p; p++)
        if (*p <= ' ' || *p == 0x7f || *p == '#')
            return REIN_EINVAL;
    if (!*out->path)
        out->path = "/";
    return 0;
}

static bool is_header(const struct upstream_header *header)
{
    if (!*header->name || strpbrk(header->name, " \t\r\n:\x7f"))
        return false;
    return !strpbrk(header->value, "\r\n");
}

/* Room for the head, including added fields. */
static size_t head_size(const struct upstream_request *request, const struct upstream_url *url)
{
    size_t size = strlen(request->method) + strlen(url->path) + url->host_len + 128;
    for (const struct upstream_header *h = request->headers; h && h->name; h++)
        size += strlen(h->name) + strlen(h->value) + 4;
    return size;
}

static char *request_put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static char *put_text(char *at, const char *text)
{
    return request_put(at, text, strlen(text));
}

static char *put_number(char *at, size_t number)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

int request_write(char **out, size_t *len, const struct upstream_request *request, const struct upstream_url *url)
{
    char *at = malloc(head_size(request, url) + request->body_len);
    if (!at)
        return REIN_ENOMEM;
    *out = at;
    at = put_text(at, request->method);
    at = put_text(at, " ");
    at = put_text(at, url->path);
    at = put_text(at, " HTTP/1.1\r\nHost: ");
    at = request_put(at, url->host, url->host_len);
    at = put_text(at, "\r\nAccept-Encoding: identity\r\n");
    for (const struct upstream_header *h = request->headers; h && h->name; h++) {
        if (!is_header(h))
            return REIN_EINVAL;
        at = put_text(put_text(put_text(put_text(at, h->name), ": "), h->value), "\r\n");
    }
    if (request->body_len > 0 || strcmp(request->method, "POST") == 0)
        at = put_text(put_number(put_text(at, "Content-Length: "), request->body_len), "\r\n");
    at = put_text(at, "\r\n");
    if (request->body_len > 0)
        at = request_put(at, request->body, request->body_len);
    *len = (size_t)(at - *out);
    return 0;
}
