/* Requests: what is checked of a head, and the body as it arrives.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "front/front_internal.h"

/* The slowest accepted body, in bytes per millisecond, after the first client_idle_ms. */
enum { SLOWEST_BODY = 4 };
enum { FIRST_BODY = 1024, FIRST_BODY_MAX = 64 * 1024 };

#define PROBLEM(status_, code_, message_)                                                                              \
    {                                                                                                                  \
        .error = {.status = (status_), .code = (code_), .message = (message_) }                                        \
    }
const struct front_problem front_head_too_large = PROBLEM(431, "head_too_large", "The request head is too large.");
const struct front_problem front_malformed = PROBLEM(400, "malformed_request", "The request is not well formed HTTP.");
const struct front_problem front_version_unknown =
    PROBLEM(505, "http_version", "This server speaks HTTP/1.0 and HTTP/1.1.");
const struct front_problem front_body_too_large = PROBLEM(413, "body_too_large", "The request body is too large.");
static const struct front_problem bad_framing =
    PROBLEM(400, "bad_framing", "The length of the request body is ambiguous.");
static const struct front_problem bad_host =
    PROBLEM(400, "bad_host", "A request needs exactly one Host header with one host.");
static const struct front_problem encoded = PROBLEM(415, "encoded_body", "Encoded request bodies are not accepted.");
static const struct front_problem unknown_expectation =
    PROBLEM(417, "unknown_expectation", "The expectation cannot be met: only 100-continue is supported.");

static const struct front_problem no_memory = {
    {503, REPLY_FAULT_SERVER, NULL, "overloaded", NULL,
     "The server has no memory for another request body. Try again later."},
    .comes_again = true,
};
static const struct front_problem too_many_bytes = {
    {429, REPLY_FAULT_RATE, NULL, "too_many_bytes", NULL,
     "The request bodies of this address use too much memory. Try again later."},
    .comes_again = true,
};
static const struct front_problem too_many_requests = {
    {429, REPLY_FAULT_RATE, NULL, "too_many_connections", NULL, "There are too many requests from this address."},
    .comes_again = true,
};

size_t front_error_text(const struct front *front, const char *path, const struct reply_error *error, char *out,
                        size_t cap)
{
    if (front->handler.error_text)
        return front->handler.error_text(path, error, out, cap);
    if (cap > 0)
        *out = '\0';
    return 0;
}

bool front_is_token(const char *name)
{
    const char *at = name;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
           (*at && strchr("-_!#$%&'*+.^`|~", *at)))
        at++;
    return at > name && *at == '\0';
}

static size_t count_header(const struct exchange *x, const char *name)
{
    size_t count = 0;
    for (const struct front_header *h = x->headers; h->name; h++)
        count += front_is_name(h->name, name);
    return count;
}

/* The framing of the body must be unambiguous; libmicrohttpd alone would take the first of several headers. */
static bool has_clear_framing(const struct exchange *x)
{
    size_t lengths = count_header(x, "Content-Length"), codings = count_header(x, "Transfer-Encoding");
    const char *coding = exchange_header(x, "Transfer-Encoding");
    const char *length = exchange_header(x, "Content-Length");
    if (length && (!length[0] || length[strspn(length, "0123456789")]))
        return false;
    return lengths + codings <= 1 && (!coding || (strcasecmp(coding, "chunked") == 0 && !x->is_http10));
}

static bool is_too_large(const struct exchange *x)
{
    const char *length = exchange_header(x, "Content-Length");
    return length && strtoull(length, NULL, 10) > x->body_max;
}

static bool is_encoded(const struct exchange *x)
{
    const char *coding = exchange_header(x, "Content-Encoding");
    return coding && coding[0] && strcasecmp(coding, "identity") != 0;
}

static bool expects_unknown(const struct exchange *x)
{
    const char *expect = exchange_header(x, "Expect");
    return expect && strcasecmp(expect, "100-continue") != 0;
}

bool front_head_is_fine(const struct exchange *x, struct front_problem *problem)
{
    if (!has_clear_framing(x))
        *problem = bad_framing;
    else if (count_header(x, "Host") > 1)
        *problem = bad_host;
    else if (is_encoded(x))
        *problem = encoded;
    else if (is_too_large(x))
        *problem = front_body_too_large;
    else if (expects_unknown(x))
        *problem = unknown_expectation;
    else
        return true;
    return false;
}

/* ---- whose request it is ---- */

enum { FORWARDED_MAX = 16 }; /* headers of one request that say so */

/* Too many headers count as malformed, like anything else that is ambiguous. */
static struct proxies_address client_of(const struct exchange *x)
{
    struct proxies_header headers[FORWARDED_MAX + 1];
    size_t len = 0;
    for (const struct front_header *h = x->headers; h->name; h++) {
        bool is_forwarded = front_is_name(h->name, "Forwarded");
        if (!is_forwarded && !front_is_name(h->name, "X-Forwarded-For"))
            continue;
        if (len == FORWARDED_MAX)
            return x->conn->address;
        headers[len++] = (struct proxies_header){h->value, is_forwarded};
    }
    headers[len] = (struct proxies_header){NULL, false};
    return proxies_client(x->front->proxies, &x->conn->address, headers);
}

bool front_may_client_ask(struct exchange *x, struct front_problem *problem)
{
    if (x->front->proxies) {
        struct sockaddr_storage address;
        x->address = client_of(x);
        proxies_to_sockaddr(&x->address, &address);
        x->client = client_key_of((const struct sockaddr *)&address);
    }
    if (x->conn->kind != CLIENT_PROXY)
        return true;
    x->is_counted = client_limits_add(x->front->counts, &x->client, CLIENT_REQUEST) == CLIENT_ADMITTED;
    if (!x->is_counted)
        *problem = too_many_requests;
    return x->is_counted;
}

/* ---- the body ---- */

/* As much as the head announced, so that a small body takes no more than it needs; but large announcements are not
 * trusted. */
static size_t first_size(const struct exchange *x)
{
    const char *length = exchange_header(x, "Content-Length");
    unsigned long long announced = length ? strtoull(length, NULL, 10) : FIRST_BODY;
    return announced < FIRST_BODY_MAX ? (size_t)announced : FIRST_BODY_MAX;
}

/* Makes more room for the body, counted before it is allocated. */
static int grow_body(struct exchange *x, size_t need)
{
    size_t held = buffer_room(&x->body), room = held > 0 ? held * 2 : first_size(x);
    room = room > x->body_max ? x->body_max : room;
    room = room < need ? need : room;
    enum client_admission admission = client_limits_hold(x->front->counts, &x->client, room - held);
    if (admission != CLIENT_ADMITTED) {
        x->aborted = true;
        conn_answer(x->conn, admission == CLIENT_LIMIT_REACHED ? &no_memory : &too_many_bytes);
        return REIN_ELIMIT;
    }
    if (buffer_reserve(&x->body, room) < 0) {
        client_limits_give_back(x->front->counts, &x->client, room - held);
        return REIN_ENOMEM;
    }
    return 0;
}

/* Has the body arrived fast enough so far? */
static bool is_fast_enough(const struct exchange *x, size_t received)
{
    uint64_t spent_ms = loop_now_ms(x->front->loop) - x->head_ms, idle_ms = x->front->client_idle_ms;
    return spent_ms <= idle_ms || received >= (spent_ms - idle_ms) * SLOWEST_BODY;
}

/* A body without a length turns out to be too large. libmicrohttpd cannot queue an answer here. */
int front_take_body(struct exchange *x, const char *data, size_t len)
{
    x->conn->taken += len;
    if (is_fast_enough(x, x->body.len + len))
        conn_wait(x->conn, CONN_READING); /* from now on; a client that is too slow keeps the old time and expires */
    if (len <= x->body_max - x->body.len) {
        size_t need = x->body.len + len;
        int rv = need > buffer_room(&x->body) ? grow_body(x, need) : 0;
        return rv < 0 ? rv : buffer_add(&x->body, data, len, x->body_max);
    }
    x->aborted = true;
    conn_answer(x->conn, &front_body_too_large);
    return REIN_ELIMIT;
}

/* %00 is not decoded, because it would end the string. */
size_t front_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        unsigned byte = 0;
        if (from[0] == '%' && strspn(from + 1, "0123456789abcdefABCDEF") >= 2 && sscanf(from + 1, "%2x", &byte) == 1 &&
            byte != 0) {
            *to++ = (char)byte;
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}
