/* Reads pages of an HTTP server one after the other, as little itself as possible (script/bench desk).
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_reader --port PORT --seconds S [--pause-ms N] < LIST      a line of the list: a name, a tab, a path
 *     bench_reader --seconds S --spin                                 reads nothing: what such a process costs by
 * itself
 *
 * Asks for each path in turn on one connection, throws away what comes, and pauses after each. Takes what nobody else
 * wants of the processors: it is the machine's load, not the server's. Prints one line of JSON: how often each name was
 * read, and how long that took. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "response.h"
#include "text.h"

enum { NAMES_MAX = 64, PATHS_MAX = 1024, NAME_MAX_LEN = 64, PATH_MAX_LEN = 512 };

struct name {
    char text[NAME_MAX_LEN];
    struct histogram times;
};

static struct {
    unsigned port, pause_ms;
    double seconds;
    int spins;
} options;

static struct name names[NAMES_MAX];
static struct {
    size_t name;
    char text[PATH_MAX_LEN];
} paths[PATHS_MAX];
static size_t names_len, paths_len;
static uint64_t bytes, errors;

static size_t name_number(const char *text)
{
    size_t i = 0;
    while (i < names_len && strcmp(names[i].text, text) != 0)
        i++;
    if (i == NAMES_MAX) {
        fprintf(stderr, "bench_reader: more than %d names\n", NAMES_MAX);
        exit(2);
    }
    if (i == names_len)
        snprintf(names[names_len++].text, NAME_MAX_LEN, "%.*s", NAME_MAX_LEN - 1, text);
    return i;
}

static void read_list(void)
{
    char line[NAME_MAX_LEN + PATH_MAX_LEN];
    while (paths_len < PATHS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        char *path = strchr(line, '\t');
        line[strcspn(line, "\n")] = '\0';
        if (path == NULL)
            continue;
        *path++ = '\0';
        paths[paths_len].name = name_number(line);
        snprintf(paths[paths_len++].text, PATH_MAX_LEN, "%s", path);
    }
}

static void on_part(void *ctx, const char *data, size_t len)
{
    (void)ctx;
    (void)data;
    bytes += len;
}

static int connect_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        perror("bench_reader: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* False: the connection is of no use any more. */
static bool read_one(int fd, struct response *response, const char *path)
{
    static char room[1 << 18];
    char request[PATH_MAX_LEN + 128];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    response_start(response);
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (response->phase < RESPONSE_DONE) {
        ssize_t got = recv(fd, room, sizeof room, 0);
        if (got <= 0 || response_feed(response, room, (size_t)got) != (size_t)got)
            return false;
    }
    return response->phase == RESPONSE_DONE;
}

static void read_all(uint64_t until_ns)
{
    struct response response = {.on_part = on_part};
    int fd = connect_port();
    for (size_t i = 0; now_ns() < until_ns && paths_len > 0; i = (i + 1) % paths_len) {
        uint64_t begun = now_ns();
        bool is_whole = read_one(fd, &response, paths[i].text);
        if (!is_whole || response.status != 200) {
            if (errors++ == 0)
                fprintf(stderr, "bench_reader: %s: status %u\n", paths[i].text, response.status);
        } else {
            histogram_add(&names[paths[i].name].times, now_ns() - begun);
        }
        if (!is_whole) {
            close(fd);
            fd = connect_port();
        }
        if (options.pause_ms > 0)
            usleep(options.pause_ms * 1000);
    }
    close(fd);
    response_fini(&response);
}

static void report(void)
{
    printf("{\"bytes\":%llu,\"errors\":%llu,\"views\":[", (unsigned long long)bytes, (unsigned long long)errors);
    for (size_t i = 0; i < names_len; i++)
        printf("%s{\"name\":\"%s\",\"reads\":%llu,\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"max_ms\":%.2f}", i > 0 ? "," : "",
               names[i].text, (unsigned long long)names[i].times.count,
               (double)histogram_at(&names[i].times, 0.5) / 1e6, (double)histogram_at(&names[i].times, 0.95) / 1e6,
               (double)names[i].times.max / 1e6);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"port", 1, 0, 'p'}, {"seconds", 1, 0, 's'}, {"pause-ms", 1, 0, 'w'}, {"spin", 0, &options.spins, 1}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", table, NULL)) != -1;)
        if (o == 'p')
            options.port = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 's')
            options.seconds = strtod(optarg, NULL);
        else if (o == 'w')
            options.pause_ms = (unsigned)strtoul(optarg, NULL, 10);
        else if (o != 0)
            return 2;
    if (options.seconds <= 0 || (options.port == 0 && !options.spins)) {
        fprintf(stderr, "bench_reader: --seconds is wanted, and --port or --spin\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    uint64_t until_ns = now_ns() + (uint64_t)(options.seconds * 1e9);
    if (options.spins) {
        while (now_ns() < until_ns)
            continue;
    } else {
        read_list();
        read_all(until_ns);
    }
    report();
    return errors == 0 ? 0 : 1;
}
