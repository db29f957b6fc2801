/* An upstream that is faster than anything under test: sends streams in DeepSeek's form, each event with its time.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_upstream [PORT]      prints the port it listens on (loopback; 0 or none: any free one), then serves
 *
 * POST with a scenario in the model's name (text.h) is answered by a stream, or by one body if the request says
 * "stream": false; anything else by a 404. Each burst of events is one write, an event one HTTP chunk. Keep-alive.
 * One thread, one epoll; paced streams hang in a wheel of 1 ms slots. Reasoning comes first, then the answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "text.h"

#define REQUEST_MAX 65536
#define EVENT_MAX 512
#define OUT_MAX (64 * EVENT_MAX)
#define WHEEL 2048 /* slots of 1 ms */
#define TURN_EVENTS_MAX 256

enum state { READING, STREAMING, CLOSED };

struct conn {
    struct conn *next, **where; /* the wheel's slot or the list of ready ones, NULL: in neither */
    int fd;
    enum state state;
    bool wants_write;
    struct scenario scenario;
    uint64_t said; /* events */
    uint64_t started_ns, due_ns;
    char *in; /* the request as far as it came, only while it is not whole */
    size_t in_len;
    char *out; /* what the socket did not take */
    size_t out_start, out_len;
};

static int epoll_fd;
static struct conn *wheel[WHEEL];
static uint64_t wheel_at; /* the slot that was run last, in ms */
static struct conn *ready;
static char scratch[OUT_MAX];

/* ---- lists ---- */

static void list_remove(struct conn *c)
{
    if (c->where == NULL)
        return;
    *c->where = c->next;
    if (c->next != NULL)
        c->next->where = c->where;
    c->where = NULL;
}

static void list_add(struct conn **list, struct conn *c)
{
    list_remove(c);
    c->next = *list;
    if (c->next != NULL)
        c->next->where = &c->next;
    c->where = list;
    *list = c;
}

static void schedule(struct conn *c)
{
    uint64_t at = c->due_ns / 1000000;
    if (at <= wheel_at)
        at = wheel_at + 1;
    if (at >= wheel_at + WHEEL)
        at = wheel_at + WHEEL - 1;
    list_add(&wheel[at % WHEEL], c);
}

/* ---- connections ---- */

static void watch(struct conn *c, bool wants_write)
{
    if (c->wants_write == wants_write)
        return;
    c->wants_write = wants_write;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static struct conn *graves; /* closed ones, freed when the batch of epoll events is through */

static void drop(struct conn *c)
{
    if (c->state == CLOSED)
        return;
    c->state = CLOSED;
    close(c->fd);
    list_add(&graves, c);
}

static void bury(void)
{
    while (graves != NULL) {
        struct conn *c = graves;
        list_remove(c);
        free(c->in);
        free(c->out);
        free(c);
    }
}

/* Sends, keeps what the socket did not take. False if the connection is gone. */
static bool send_or_keep(struct conn *c, const char *data, size_t len)
{
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        drop(c);
        return false;
    }
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent == len)
        return true;
    if (c->out == NULL && (c->out = malloc(OUT_MAX)) == NULL) {
        drop(c);
        return false;
    }
    memcpy(c->out, data + sent, len - sent);
    c->out_start = 0;
    c->out_len = len - sent;
    list_remove(c);
    watch(c, true);
    return true;
}

/* ---- what is said ---- */

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}
#define PUT(at, literal) put(at, "" literal, sizeof(literal) - 1)

static char *put_hex(char *at, uint64_t value, int digits)
{
    for (int i = digits; i-- > 0; value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
    return at + digits;
}

/* One event as an HTTP chunk. By hand: printf would cost more than the write. */
static size_t event_write(char *out, struct conn *c, const char *field, const char *other, const char *text, size_t len)
{
    char *start = out + 5, *at = start; /* after "xxx\r\n" */
    at = PUT(at, "data: {\"id\":\"5f1c2b7e-4a3d-4e9b-8c61-");
    at = put_hex(at, c->scenario.seed, 12);
    at = PUT(at, "\",\"object\":\"chat.completion.chunk\",\"created\":1735689600,\"model\":\"deepseek-reasoner\","
                 "\"system_fingerprint\":\"fp_8802369eaa\",\"choices\":[{\"index\":0,\"delta\":{\"");
    at = put(at, other, strlen(other));
    at = PUT(at, "\":null,\"");
    at = put(at, field, strlen(field));
    at = PUT(at, "\":\"");
    at = put(at, text, len);
    at = PUT(at, "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    put(put_hex(out, (uint64_t)(at - start), 3), "\r\n", 2);
    at = PUT(at, "\r\n");
    return (size_t)(at - out);
}

static bool is_reasoning(const struct conn *c, uint64_t at_ns)
{
    if (c->scenario.events > 0)
        return c->said * 5 < c->scenario.events * 3;
    return at_ns - c->started_ns < c->scenario.time_ms * 600000;
}

static bool is_over(const struct conn *c, uint64_t at_ns)
{
    if (c->scenario.events > 0 && c->said >= c->scenario.events)
        return true;
    return c->scenario.time_ms > 0 && at_ns - c->started_ns >= c->scenario.time_ms * 1000000;
}

static size_t piece_event(char *out, struct conn *c)
{
    char piece[PIECE_MAX];
    uint64_t at = now_ns();
    size_t len = piece_write(piece, c->scenario.seed, c->said, at);
    bool reasoning = is_reasoning(c, at);
    len = event_write(out, c, reasoning ? "reasoning_content" : "content", reasoning ? "content" : "reasoning_content",
                      piece, len);
    c->said++;
    return len;
}

static size_t end_write(char *out, struct conn *c)
{
    size_t len = 0;
    if (c->scenario.kind == BENCH_SECRET)
        len = event_write(out, c, "content", "reasoning_content", SECRET_LINE, strlen(SECRET_LINE));
    char body[EVENT_MAX];
    int n =
        snprintf(body, sizeof body,
                 "data: {\"id\":\"5f1c2b7e-4a3d-4e9b-8c61-%012llx\",\"object\":\"chat.completion.chunk\","
                 "\"created\":1735689600,\"model\":\"deepseek-reasoner\",\"system_fingerprint\":\"fp_8802369eaa\","
                 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\",\"reasoning_content\":null},"
                 "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":40,"
                 "\"completion_tokens\":%llu,\"total_tokens\":%llu}}\n\ndata: [DONE]\n\n",
                 (unsigned long long)c->scenario.seed, (unsigned long long)c->said, (unsigned long long)c->said + 40);
    return len + (size_t)snprintf(out + len, 2 * EVENT_MAX, "%x\r\n%s\r\n0\r\n\r\n", n, body);
}

/* One burst, or the end. */
static void say(struct conn *c)
{
    size_t len = 0;
    uint64_t at = now_ns();
    bool over = is_over(c, at);
    for (uint64_t i = 0; i < c->scenario.burst && !over; i++) {
        len += piece_event(scratch + len, c);
        over = c->scenario.events > 0 && c->said >= c->scenario.events;
        if (len + 4 * EVENT_MAX > sizeof scratch)
            break;
    }
    if (over) {
        len += end_write(scratch + len, c);
        c->state = READING;
        list_remove(c);
    }
    if (!send_or_keep(c, scratch, len) || over || c->wants_write)
        return;
    if (c->scenario.rate > 0) {
        c->due_ns += c->scenario.burst * 1000000000 / c->scenario.rate;
        schedule(c);
    } else if (c->where == NULL) {
        list_add(&ready, c);
    }
}

static void start_stream(struct conn *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                               "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    c->said = 0;
    c->started_ns = c->due_ns = now_ns();
    c->state = STREAMING;
    if (!send_or_keep(c, head, sizeof head - 1) || c->wants_write)
        return;
    /* The first burst at once; then streams of one rate shall not all speak in the same millisecond. */
    if (c->scenario.rate > 0)
        c->due_ns -= c->scenario.seed * 7919 % 1000 * 1000000 / c->scenario.rate;
    say(c);
}

static void answer_whole(struct conn *c)
{
    char content[ANSWER_BYTES + PIECE_MAX];
    size_t len = 0, word_len;
    uint64_t i = 0;
    stamp_write(content, now_ns());
    for (len = STAMP_LEN; len < ANSWER_BYTES; len += word_len + 1) {
        const char *word = word_at(c->scenario.seed + i++, &word_len);
        content[len] = ' ';
        memcpy(content + len + 1, word, word_len);
    }
    char body[ANSWER_BYTES + EVENT_MAX];
    int n = snprintf(
        body, sizeof body,
        "{\"id\":\"5f1c2b7e-4a3d-4e9b-8c61-%012llx\",\"object\":\"chat.completion\",\"created\":1735689600,"
        "\"model\":\"deepseek-reasoner\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"%.*s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":%llu,\"total_tokens\":%llu}}",
        (unsigned long long)c->scenario.seed, (int)len, content, (unsigned long long)i, (unsigned long long)i + 40);
    len =
        (size_t)snprintf(scratch, sizeof scratch,
                         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
    send_or_keep(c, scratch, len);
}

static void answer_404(struct conn *c)
{
    static const char head[] = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n"
                               "{\"error\":{\"message\":\"not found\",\"type\":\"not_found\"}}  ";
    send_or_keep(c, head, sizeof head - 1);
}

/* ---- requests ---- */

/* The length of the whole request at the front of `in`, 0 if it is not whole, -1 if it is none. */
static ssize_t request_len(const struct conn *c, size_t *head_len)
{
    const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *head_len = (size_t)(end - c->in) + 4;
    size_t body_len = 0;
    for (const char *line = c->in; line < end; line++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line == NULL)
            break;
        if (strncasecmp(line + 1, "content-length:", 15) == 0)
            body_len = strtoul(line + 16, NULL, 10);
        else if (strncasecmp(line + 1, "transfer-encoding:", 18) == 0)
            return -1;
    }
    size_t len = *head_len + body_len;
    return c->in_len >= len ? (ssize_t)len : 0;
}

static void serve(struct conn *c)
{
    size_t head_len = 0;
    ssize_t len = request_len(c, &head_len);
    if (len < 0 || (len == 0 && c->in_len == REQUEST_MAX)) {
        drop(c);
        return;
    }
    if (len == 0)
        return;
    const char *body = c->in + head_len;
    size_t body_len = (size_t)len - head_len;
    bool known = strncmp(c->in, "POST /v1/chat/completions ", 26) == 0 && scenario_read(&c->scenario, body, body_len);
    bool whole = memmem(body, body_len, "\"stream\":false", 14) != NULL ||
                 memmem(body, body_len, "\"stream\": false", 15) != NULL;
    free(c->in); /* a stream that is open holds no request */
    c->in = NULL;
    c->in_len = 0;
    if (!known)
        answer_404(c);
    else if (whole)
        answer_whole(c);
    else
        start_stream(c);
}

static void on_readable(struct conn *c)
{
    if (c->in == NULL && (c->in = malloc(REQUEST_MAX + 1)) == NULL) {
        drop(c);
        return;
    }
    ssize_t n = recv(c->fd, c->in + c->in_len, REQUEST_MAX - c->in_len, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    if (c->state == READING)
        serve(c);
}

static void on_writable(struct conn *c)
{
    ssize_t n = send(c->fd, c->out + c->out_start, c->out_len, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN)
            drop(c);
        return;
    }
    c->out_start += (size_t)n;
    c->out_len -= (size_t)n;
    if (c->out_len > 0)
        return;
    watch(c, false);
    if (c->state != STREAMING)
        return;
    if (c->scenario.rate > 0)
        schedule(c);
    else
        list_add(&ready, c);
}

static void on_accept(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (c == NULL) {
            close(fd);
            continue;
        }
        int on = 1, room = 65536; /* a small send buffer keeps saturated delays about the proxy, not the kernel */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        c->fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

/* ---- the loop ---- */

static void run_wheel(void)
{
    uint64_t now = now_ns() / 1000000;
    while (wheel_at < now) {
        wheel_at++;
        struct conn **slot = &wheel[wheel_at % WHEEL];
        while (*slot != NULL) {
            struct conn *c = *slot;
            list_remove(c);
            if (c->due_ns / 1000000 > wheel_at)
                schedule(c); /* further away than the wheel is wide */
            else
                say(c);
        }
    }
}

/* One burst of each stream that is ready, so that none starves. */
static void run_ready(void)
{
    struct conn *turn = ready;
    ready = NULL;
    if (turn != NULL)
        turn->where = &turn;
    while (turn != NULL) {
        struct conn *c = turn;
        list_remove(c);
        say(c);
    }
}

static void loop(int listener)
{
    struct epoll_event events[TURN_EVENTS_MAX];
    wheel_at = now_ns() / 1000000;
    for (;;) {
        int n = epoll_wait(epoll_fd, events, TURN_EVENTS_MAX, ready != NULL ? 0 : 1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c == NULL) {
                on_accept(listener);
                continue;
            }
            if (c->state != CLOSED && (events[i].events & EPOLLOUT))
                on_writable(c);
            if (c->state != CLOSED && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
                on_readable(c);
        }
        run_wheel();
        run_ready();
        bury();
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    measure_run_first();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t at_len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 16384) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &at_len) != 0) {
        perror("bench_upstream");
        return 1;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    loop(listener);
}
