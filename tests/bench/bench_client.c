/* A load client: opens streams, checks every piece, and measures its delay and what the proxy spent on it.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_client --port PORT --streams N [--mode closed|paced|whole] [--seconds S] [--events N] [--burst N]
 *                  [--rate N] [--per-second N] [--seeds N] [--secret-every K] [--guarded] [--pid PID]
 *
 *   closed   N connections, each asks again as soon as its stream has ended, for S seconds; those in flight run to
 *            their end. CPU and events are those of the whole run.
 *   paced    N streams of RATE events a second each; when all of them speak, a window of S seconds is measured.
 *   whole    as closed, with answers that are not streamed; an event is an answer. With --per-second so many are
 *            asked for a second, by whichever of the N connections is free; one that is late counts from when it was
 *            due.
 *
 * The seed of a stream is part of its model's name; --seeds N: of N different ones, as a real server sees few models.
 * With --secret-every every K-th stream says what a guard has to refuse; --guarded expects that it was refused.
 * PID is the process whose CPU time and memory are read. Prints one line of JSON. One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
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
#include "response.h"
#include "text.h"

#define STARTING_MAX 128 /* connections that have not yet heard anything */
#define PATIENCE_S 30

enum mode { CLOSED, PACED, WHOLE };

static struct {
    unsigned port, streams;
    enum mode mode;
    double seconds;
    struct scenario scenario;
    unsigned secret_every, per_second, seeds;
    bool guarded;
    int pid;
} options = {.streams = 1, .seconds = 2, .scenario = {.events = 500, .burst = 1}};

struct stream {
    int fd;
    struct response response;
    struct scenario scenario;
    uint64_t pieces, asked_ns;
    uint64_t number; /* of the request, over all streams */
    bool answering, finished, filtered, said_done, secret_seen, bad;
    char *whole; /* an answer that is not streamed */
    size_t whole_len;
    struct stream *next_free; /* waits until it may ask */
};

static struct {
    struct histogram delay, first;
    uint64_t events, requests, ended, refused, errors;
    char error[200]; /* the first one */
    uint64_t number;
    unsigned opened, starting, speaking, closed;
    uint64_t begun_ns, read_ns, deadline_ns;
    bool in_window;
    struct stream *free;
} run;

static int epoll_fd;

static void fail(struct stream *s, const char *what, const char *text, size_t len)
{
    if (!s->bad && run.errors++ == 0)
        snprintf(run.error, sizeof run.error, "%s (piece %llu): %.*s", what, (unsigned long long)s->pieces,
                 (int)(len < 100 ? len : 100), text);
    s->bad = true;
}

/* ---- what is said ---- */

/* The text of a JSON string field, which in this bench holds no escapes. */
static const char *field_of(const char *line, size_t len, const char *key, size_t *value_len)
{
    const char *at = memmem(line, len, key, strlen(key));
    if (at == NULL)
        return NULL;
    at += strlen(key);
    const char *end = memchr(at, '"', (size_t)(line + len - at));
    *value_len = end != NULL ? (size_t)(end - at) : 0;
    return end != NULL ? at : NULL;
}

static void on_first(struct stream *s)
{
    histogram_add(&run.first, run.read_ns - s->asked_ns);
    run.starting--;
    run.speaking++;
}

static void on_piece(struct stream *s, const char *text, size_t len, bool reasoning)
{
    uint64_t age = piece_check(text, len, s->scenario.seed, s->pieces, run.read_ns);
    if (age == UINT64_MAX) {
        s->secret_seen = s->secret_seen || memmem(text, len, "PRIVATE", 7) != NULL;
        if (s->scenario.kind != BENCH_SECRET)
            fail(s, "content", text, len);
        return;
    }
    if (reasoning && s->answering)
        fail(s, "reasoning after the answer", text, len);
    s->answering = s->answering || !reasoning;
    if (s->pieces++ == 0)
        on_first(s);
    if (options.mode == PACED && !run.in_window)
        return;
    histogram_add(&run.delay, age);
    run.events++;
}

static void on_line(void *ctx, const char *line, size_t len)
{
    struct stream *s = ctx;
    if (line[0] == ':')
        return;
    if (len == 12 && memcmp(line, "data: [DONE]", 12) == 0) {
        s->said_done = true;
        return;
    }
    size_t value_len = 0;
    const char *value = field_of(line, len, "content\":\"", &value_len);
    if (value != NULL && value_len > 0)
        on_piece(s, value, value_len, value - line > 21 && memcmp(value - 20, "reasoning_", 10) == 0);
    value = field_of(line, len, "\"finish_reason\":\"", &value_len);
    if (value != NULL) {
        s->finished = true;
        s->filtered = value_len == 14 && memcmp(value, "content_filter", 14) == 0;
    }
}

#define WHOLE_MAX 8192

/* An answer that is not streamed is collected, in whatever parts it comes, and checked at its end. */
static void on_part(void *ctx, const char *data, size_t len)
{
    struct stream *s = ctx;
    if (s->whole == NULL)
        s->whole = malloc(WHOLE_MAX);
    if (s->whole == NULL || len > WHOLE_MAX - s->whole_len) {
        fail(s, "too much", data, len);
        return;
    }
    memcpy(s->whole + s->whole_len, data, len);
    s->whole_len += len;
}

static void judge_whole(struct stream *s)
{
    size_t len = 0, word_len, at = STAMP_LEN;
    const char *text = s->whole_len > 0 ? field_of(s->whole, s->whole_len, "\"content\":\"", &len) : NULL;
    if (s->response.status != 200 || text == NULL || len < ANSWER_BYTES) {
        fail(s, "answer", s->whole, s->whole_len);
        return;
    }
    for (uint64_t i = 0; at < len; i++, at += word_len + 1) {
        const char *word = word_at(s->scenario.seed + i, &word_len);
        if (at + 1 + word_len > len || memcmp(text + at + 1, word, word_len) != 0) {
            fail(s, "answer's text", text + at, len - at);
            return;
        }
    }
    histogram_add(&run.delay, stamp_age(text, run.read_ns));
    histogram_add(&run.first, run.read_ns - s->asked_ns);
    run.events++;
}

/* ---- requests ---- */

/* `due_ns`: when it should be asked. */
static void ask(struct stream *s, uint64_t due_ns)
{
    char body[1024], name[SCENARIO_MAX], request[1400];
    s->number = run.number++;
    s->scenario = options.scenario;
    s->scenario.seed = options.seeds > 0 ? s->number % options.seeds : s->number;
    if (options.secret_every > 0 && s->number % options.secret_every == options.secret_every / 2)
        s->scenario.kind = BENCH_SECRET;
    s->pieces = s->whole_len = 0;
    s->answering = s->finished = s->filtered = s->said_done = s->secret_seen = s->bad = false;
    response_start(&s->response);
    scenario_write(name, &s->scenario);
    int n = snprintf(
        body, sizeof body,
        "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"system\",\"content\":\"You are a patient helper "
        "for small shops.\"},{\"role\":\"user\",\"content\":\"How should a bakery with two ovens plan its "
        "morning, so that bread and rolls are ready at seven?\"}]}",
        name, options.mode == WHOLE ? "false" : "true");
    n = snprintf(request, sizeof request,
                 "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                 "Accept: text/event-stream\r\nContent-Length: %d\r\n\r\n%s",
                 options.port, n, body);
    s->asked_ns = due_ns;
    run.requests++;
    if (send(s->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        fail(s, "send", strerror(errno), strlen(strerror(errno)));
}

static void close_stream(struct stream *s)
{
    struct linger hard = {1, 0}; /* no port waits behind us: the next run wants them */
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(s->fd);
    s->fd = -1;
    run.closed++;
}

static void judge_stream(struct stream *s)
{
    const struct scenario *c = &s->scenario;
    bool secret = c->kind == BENCH_SECRET;
    if (s->response.status != 200)
        fail(s, "status", "", 0);
    else if (!s->finished || !s->said_done)
        fail(s, "no terminal event", "", 0);
    else if (secret && options.guarded && (!s->filtered || s->secret_seen))
        fail(s, "was not refused", "", 0);
    else if (secret && !options.guarded && !s->secret_seen)
        fail(s, "did not arrive whole", "", 0);
    else if (!secret && (s->filtered || (c->events > 0 && s->pieces != c->events)))
        fail(s, "events are missing", "", 0);
    run.refused += s->filtered;
}

static void on_response_end(struct stream *s)
{
    run.ended++;
    if (options.mode == WHOLE) {
        judge_whole(s);
        run.starting -= run.starting > 0;
    } else {
        judge_stream(s);
        run.speaking -= s->pieces > 0;
        run.starting -= s->pieces == 0;
    }
    if (options.mode == PACED && run.in_window)
        fail(s, "ended inside the window", "", 0);
    if (s->bad || options.mode == PACED || run.read_ns >= run.deadline_ns) {
        close_stream(s);
        return;
    }
    if (options.per_second > 0) {
        s->next_free = run.free;
        run.free = s;
        return;
    }
    run.starting++;
    ask(s, now_ns());
}

/* Those that are due, as far as connections are free. At the end these are closed. */
static void ask_due(uint64_t now)
{
    while (run.free != NULL) {
        struct stream *s = run.free;
        uint64_t due_ns = run.begun_ns + run.number * 1000000000 / options.per_second;
        if (now < run.deadline_ns && due_ns > now)
            break;
        run.free = s->next_free;
        if (now >= run.deadline_ns) {
            close_stream(s);
            continue;
        }
        run.starting++;
        ask(s, due_ns);
    }
}

static void on_gone(struct stream *s, const char *why)
{
    fail(s, "connection", why, strlen(why));
    if (s->pieces > 0)
        run.speaking--;
    else
        run.starting--;
    close_stream(s);
}

static void on_readable(struct stream *s)
{
    static char room[1 << 18];
    ssize_t n = recv(s->fd, room, sizeof room, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            on_gone(s, n == 0 ? "closed" : strerror(errno));
        return;
    }
    run.read_ns = now_ns();
    size_t taken = response_feed(&s->response, room, (size_t)n);
    if (s->response.phase == RESPONSE_BAD || taken != (size_t)n)
        on_gone(s, "not HTTP");
    else if (s->response.phase == RESPONSE_DONE)
        on_response_end(s);
}

static void open_stream(struct stream *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    s->response.on_line = on_line;
    s->response.on_part = on_part;
    s->response.ctx = s;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    run.opened++;
    run.starting++;
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        on_gone(s, strerror(errno));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &event);
    if (options.per_second == 0) {
        ask(s, now_ns());
        return;
    }
    run.starting--;
    s->next_free = run.free;
    run.free = s;
}

/* ---- the run ---- */

struct totals {
    uint64_t at_ns, cpu_ns, rss;
};

static struct totals take_totals(void)
{
    return (struct totals){now_ns(), options.pid > 0 ? process_cpu_ns(options.pid) : 0,
                           options.pid > 0 ? process_rss(options.pid) : 0};
}

static void report(const struct totals *start, const struct totals *from, const struct totals *to)
{
    double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
    printf("{\"events\":%llu,\"requests\":%llu,\"ended\":%llu,\"refused\":%llu,\"errors\":%llu,\"error\":\"",
           (unsigned long long)run.events, (unsigned long long)run.requests, (unsigned long long)run.ended,
           (unsigned long long)run.refused, (unsigned long long)run.errors);
    for (const char *c = run.error; *c != '\0'; c++)
        putchar(*c == '"' || *c == '\\' || (unsigned char)*c < 0x20 ? ' ' : *c);
    printf("\",\"seconds\":%.4f,\"events_per_s\":%.0f,\"cpu_us_per_event\":%.4f,\"cpu_share\":%.4f,", seconds,
           (double)run.events / seconds,
           run.events > 0 ? (double)(to->cpu_ns - from->cpu_ns) / 1e3 / (double)run.events : 0,
           (double)(to->cpu_ns - from->cpu_ns) / 1e9 / seconds);
    printf("\"delay_p50_us\":%.1f,\"delay_p99_us\":%.1f,\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,",
           (double)histogram_at(&run.delay, 0.5) / 1e3, (double)histogram_at(&run.delay, 0.99) / 1e3,
           (double)histogram_at(&run.first, 0.5) / 1e3, (double)histogram_at(&run.first, 0.99) / 1e3);
    printf("\"rss_before\":%llu,\"rss\":%llu}\n", (unsigned long long)start->rss, (unsigned long long)to->rss);
}

static void run_all(struct stream *streams)
{
    struct totals start = take_totals(), from = start, to = {0};
    uint64_t window_ns = (uint64_t)(options.seconds * 1e9), give_up_ns = 0;
    run.begun_ns = start.at_ns;
    run.deadline_ns = run.begun_ns + window_ns;
    give_up_ns = run.deadline_ns + PATIENCE_S * 1000000000ULL;
    bool measured = false;
    while (run.closed < options.streams) {
        while (run.opened < options.streams && run.starting < STARTING_MAX)
            open_stream(&streams[run.opened]);
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, options.per_second > 0 ? 1 : 20);
        for (int i = 0; i < n; i++)
            if (((struct stream *)events[i].data.ptr)->fd >= 0)
                on_readable(events[i].data.ptr);
        uint64_t now = now_ns();
        if (options.per_second > 0)
            ask_due(now);
        if (options.mode == PACED && !run.in_window && !measured && run.opened == options.streams &&
            run.starting == 0) {
            run.in_window = true;
            from = take_totals();
            run.deadline_ns = now + window_ns;
        } else if (!measured && (options.mode != PACED || run.in_window) && now >= run.deadline_ns) {
            run.in_window = false;
            measured = true;
            to = take_totals();
        }
        if (now > give_up_ns) {
            run.errors++;
            snprintf(run.error, sizeof run.error, "%u streams did not end in time", options.streams - run.closed);
            break;
        }
    }
    if (options.mode != PACED) { /* all that was asked for is paid for */
        uint64_t rss = to.rss;
        to = take_totals();
        to.rss = measured ? rss : to.rss;
    } else if (!measured) {
        to = take_totals();
    }
    report(&start, &from, &to);
}

static void free_stream(struct stream *s)
{
    response_fini(&s->response);
    free(s->whole);
}

static enum mode mode_of(const char *name)
{
    if (strcmp(name, "paced") == 0)
        return PACED;
    return strcmp(name, "whole") == 0 ? WHOLE : CLOSED;
}

static void read_options(int argc, char **argv)
{
    static const struct option table[] = {{"port", 1, 0, 'p'},         {"streams", 1, 0, 'n'},
                                          {"mode", 1, 0, 'm'},         {"seconds", 1, 0, 's'},
                                          {"events", 1, 0, 'e'},       {"burst", 1, 0, 'b'},
                                          {"rate", 1, 0, 'r'},         {"time-ms", 1, 0, 't'},
                                          {"pid", 1, 0, 'P'},          {"guarded", 0, 0, 'g'},
                                          {"secret-every", 1, 0, 'k'}, {"per-second", 1, 0, 'q'},
                                          {"seeds", 1, 0, 'd'},        {0}};
    struct scenario *s = &options.scenario;
    for (int o; (o = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        unsigned long value = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;
        switch (o) {
        case 'p':
            options.port = (unsigned)value;
            break;
        case 'n':
            options.streams = (unsigned)value;
            break;
        case 'm':
            options.mode = mode_of(optarg);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'e':
            s->events = value;
            break;
        case 'b':
            s->burst = value;
            break;
        case 'r':
            s->rate = value;
            break;
        case 't':
            s->time_ms = value;
            break;
        case 'P':
            options.pid = (int)value;
            break;
        case 'g':
            options.guarded = true;
            break;
        case 'k':
            options.secret_every = (unsigned)value;
            break;
        case 'q':
            options.per_second = (unsigned)value;
            break;
        case 'd':
            options.seeds = (unsigned)value;
            break;
        default:
            exit(2);
        }
    }
    if (options.mode == PACED)
        s->events = 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    measure_run_first();
    read_options(argc, argv);
    if (options.port == 0 || options.streams == 0 || (options.mode == PACED && options.scenario.time_ms == 0)) {
        fprintf(stderr, "bench_client: --port and --streams are wanted, with --mode paced also --time-ms\n");
        return 2;
    }
    struct stream *streams = calloc(options.streams, sizeof *streams);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (streams == NULL || epoll_fd < 0)
        return 1;
    run_all(streams);
    for (unsigned i = 0; i < options.streams; i++)
        free_stream(&streams[i]);
    free(streams);
    return run.errors == 0 ? 0 : 1;
}
