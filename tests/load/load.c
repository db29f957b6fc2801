/* Load with peers that leave: the real server between clients and an upstream that go away at random moments.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     load --rein BINARY [--seconds N] [--streams N] [--seed N] [--malloc-check] [--memory] [--stuck S]
 *          [--fail LIBRARY [--fail-every N]]
 *
 * They close, reset, stall and half-close, at full speed, while the server's config is reloaded and its admin API is
 * read. Rounds of some seconds: each draws how many clients there are; at its end all of them end, and the server's
 * memory is looked at.
 *
 * What is a fault: a server that dies, reports of a sanitizer or of the heap's checks, a request without an end, a
 * clean response that is not byte-exact, text that a rule withholds, an end that a client saw without its row, memory
 * or descriptors that stay, a SIGTERM after which it does not stop with 0. How fast it goes is none. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "client.h"
#include "rows.h"
#include "scene.h"
#include "server.h"
#include "upstream.h"

enum {
    WARM_SCENES = 1500, /* that come first, before descriptors are counted */
    STREAMS_LEAST = 64,
    SAME_LEAST = 50,  /* looks in a row that find no fewer descriptors than before */
    LATE_OPEN = 4,    /* descriptors of the store's that are opened when they are first needed */
    WHOLE_LEAST = 20, /* responses that must have been whole, or the run has tried nothing */
    MEMORY_SLACK_KB = 24 * 1024,
};

struct lane_run {
    uint64_t seed;
    unsigned seconds, streams; /* 0: drawn anew in each round */
    bool looks_at_memory;
    uint32_t fail_every;
    struct server_options options;
    struct server server;
    struct dice dice;
    size_t faults, reloads, storms;
    uint64_t stuck_ms; /* nothing moves for so long: a fault. The server's own deadlines are 2.5 s */
    uint64_t ends_ms, reload_ms, storm_ms;
    long descriptors;               /* at the beginning, with nothing to do */
    long memory_kb, memory_most_kb; /* after a round: the first, the largest of the first half */
    unsigned rounds;
};

static void run_fault(struct lane_run *run, const char *what)
{
    run->faults++;
    printf("FAULT: %s\n", what);
    fflush(stdout);
}

/* ---- rounds ---- */

static bool run_is_over(struct lane_run *run)
{
    return run->faults + clients_faults() > 20 || server_has_ended(&run->server);
}

/* Many clients leave at once, most with a reset, in the middle of what is written to them. */
static void test_found_s0_many_leave_in_mid_write(struct lane_run *run)
{
    run->storm_ms = net_now_ms() + 100 + dice_below(&run->dice, 1500);
    clients_storm(20 + (unsigned)dice_below(&run->dice, 81), dice_chance(&run->dice, 75));
    run->storms++;
}

/* Something happens to all at once: a new config, or clients that leave. */
static void run_disturb(struct lane_run *run)
{
    uint64_t now = net_now_ms();
    if (now >= run->reload_ms) {
        run->reload_ms = now + 300 + dice_below(&run->dice, 2500);
        server_reload(&run->server, dice_next(&run->dice));
        run->reloads++;
    }
    if (now >= run->storm_ms)
        test_found_s0_many_leave_in_mid_write(run);
}

static void run_turn(void)
{
    net_turn(1);
    upstream_tick();
    clients_tick();
}

/* All scenes come to their end; the bound is that of a stuck request. */
static void run_quiet(struct lane_run *run)
{
    clients_set(0);
    while (clients_busy() > 0 && !run_is_over(run))
        run_turn();
}

static void run_round(struct lane_run *run, uint64_t until_ms)
{
    size_t streams = run->streams;
    if (streams == 0)
        streams = STREAMS_LEAST << dice_below(&run->dice, 4); /* 64 to 512 */
    clients_set(streams);
    while (net_now_ms() < until_ms && !run_is_over(run)) {
        run_turn();
        run_disturb(run);
    }
    run_quiet(run);
    run->rounds++;
}

/* A few scenes so that all is open that stays open; then what is open is counted. */
static void run_warm_up(struct lane_run *run)
{
    clients_set(CLIENTS_MAX);
    while (clients_scenes() < WARM_SCENES && !run_is_over(run))
        run_turn();
    run_quiet(run);
}

/* How many descriptors are open once nothing is kept: waits until there are no more than `may`, or no fewer come. */
static long run_settle(struct lane_run *run, long may)
{
    long open = 0, least = LONG_MAX;
    unsigned same = 0;
    for (uint64_t until = net_now_ms() + run->stuck_ms; net_now_ms() < until && !run_is_over(run);) {
        clients_drop_idle();
        upstream_drop_all();
        net_turn(20);
        open = server_descriptors(&run->server);
        same = open < least ? 0 : same + 1;
        least = open < least ? open : least;
        if (open <= may || (may == 0 && same >= SAME_LEAST))
            break;
    }
    return open;
}

/* Kept blocks and the database's pages fill up at first, so only what a later half adds to the first one counts. */
static void run_look_at_memory(struct lane_run *run, bool is_first_half)
{
    long kb = server_memory_kb(&run->server);
    if (is_first_half && kb > run->memory_most_kb)
        run->memory_most_kb = kb;
    run->memory_kb = kb;
}

/* ---- the end ---- */

static void run_check_descriptors(struct lane_run *run)
{
    long open = run_settle(run, run->descriptors + LATE_OPEN);
    printf("descriptors: %ld at first, %ld after the drain\n", run->descriptors, open);
    if (open > run->descriptors + LATE_OPEN)
        run_fault(run, "descriptors stay open");
}

/* SIGTERM while streams run: it ends them, and itself with 0. */
static void run_stop(struct lane_run *run)
{
    server_fail_allocations(&run->server, 0);
    clients_expect_end();
    clients_set(STREAMS_LEAST);
    for (uint64_t until = net_now_ms() + 200; net_now_ms() < until;)
        run_turn();
    server_signal(&run->server, SIGTERM);
    clients_set(0);
    for (uint64_t until = net_now_ms() + run->stuck_ms; net_now_ms() < until && !server_has_ended(&run->server);)
        run_turn();
    if (!server_has_ended(&run->server)) {
        run_fault(run, "the server does not stop");
        server_signal(&run->server, SIGABRT);
    }
    while (clients_busy() > 0 && clients_faults() == 0)
        run_turn();
}

static void run_check_end(struct lane_run *run)
{
    while (!server_has_ended(&run->server))
        net_turn(20);
    int status = run->server.status;
    if (WIFSIGNALED(status)) {
        printf("FAULT: the server was ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
        run->faults++;
    } else if (WEXITSTATUS(status) != 0) {
        printf("FAULT: the server ended with %d\n", WEXITSTATUS(status));
        run->faults++;
    }
    if (!server_log_is_clean(&run->server))
        run_fault(run, "a report in the server's log");
    size_t len;
    const uint8_t *rows = clients_rows(&len);
    if (WIFEXITED(status))
        run->faults += rows_check(server_file(&run->server, "rein.db"), rows, len, run->fail_every > 0);
}

static void run_report(struct lane_run *run, uint64_t began_ms)
{
    clients_print(stdout);
    printf(
        "%zu scenes, %zu upstream calls, %u rounds, %zu reloads, %zu storms in %.1f s; memory %ld KiB at most in the "
        "first half, %ld KiB at the end; latest turn of this program %llu ms\n",
        clients_scenes(), upstream_requests(), run->rounds, run->reloads, run->storms,
        (double)(net_now_ms() - began_ms) / 1000, run->memory_most_kb, run->memory_kb,
        (unsigned long long)net_late_ms());
    if (run->looks_at_memory && run->memory_kb > run->memory_most_kb + run->memory_most_kb / 5 + MEMORY_SLACK_KB)
        run_fault(run, "memory grows");
    if (clients_whole() < WHOLE_LEAST)
        run_fault(run, "hardly anything was whole: the run has tried nothing");
}

static int run_all(struct lane_run *run)
{
    uint64_t began = net_now_ms();
    run_warm_up(run);
    run->descriptors = run_settle(run, 0);
    server_fail_allocations(&run->server, run->fail_every);
    run->ends_ms = net_now_ms() + run->seconds * 1000;
    uint64_t round_ms = run->seconds >= 60 ? 10000 : run->seconds * 500 + 1;
    while (net_now_ms() < run->ends_ms && !run_is_over(run)) {
        uint64_t until = net_now_ms() + round_ms;
        run_round(run, until < run->ends_ms ? until : run->ends_ms);
        run_look_at_memory(run, run->rounds <= 1 || net_now_ms() < run->ends_ms - run->seconds * 500);
    }
    server_fail_allocations(&run->server, 0);
    if (!server_has_ended(&run->server)) {
        run_check_descriptors(run);
        run_stop(run);
    }
    run_check_end(run);
    run_report(run, began);
    size_t faults = run->faults + clients_faults();
    printf("seed %llu: %zu faults after %.1f s\n", (unsigned long long)run->seed, faults,
           (double)(net_now_ms() - began) / 1000);
    if (faults > 0)
        server_print_log(&run->server);
    else
        server_remove(&run->server);
    upstream_close();
    clients_close();
    return faults == 0 ? 0 : 1;
}

/* ---- the command line ---- */

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "load: '%s' is no number\n", text);
        exit(2);
    }
    return value;
}

static void run_parse(struct lane_run *run, int argc, char **argv)
{
    static const struct option options[] = {
        {"rein", required_argument, NULL, 'b'},       {"seconds", required_argument, NULL, 's'},
        {"streams", required_argument, NULL, 'n'},    {"seed", required_argument, NULL, 'r'},
        {"malloc-check", no_argument, NULL, 'c'},     {"memory", no_argument, NULL, 'm'},
        {"stuck", required_argument, NULL, 't'},      {"fail", required_argument, NULL, 'f'},
        {"fail-every", required_argument, NULL, 'e'}, {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'b':
            run->options.binary = optarg;
            break;
        case 's':
            run->seconds = (unsigned)number_of(optarg);
            break;
        case 'n':
            run->streams = (unsigned)number_of(optarg);
            break;
        case 'r':
            run->seed = number_of(optarg);
            break;
        case 'c':
            run->options.checks_malloc = true;
            break;
        case 'm':
            run->looks_at_memory = true;
            break;
        case 'f':
            run->options.fail_library = optarg;
            break;
        case 't':
            run->stuck_ms = number_of(optarg) * 1000;
            break;
        case 'e':
            run->fail_every = (uint32_t)number_of(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (run->options.binary == NULL || optind != argc) {
        fputs(
            "usage: load --rein BINARY [--seconds N] [--streams N] [--seed N] [--malloc-check] [--memory] [--stuck S]\n"
            "            [--fail LIBRARY [--fail-every N]]\n",
            stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct lane_run run = {.seed = (uint64_t)time(NULL), .seconds = 15, .stuck_ms = 120000, .fail_every = 20000};
    signal(SIGPIPE, SIG_IGN);
    run_parse(&run, argc, argv);
    if (run.options.fail_library == NULL)
        run.fail_every = 0;
    run.dice = dice_of(run.seed);
    run.options.perturb = 1 + (unsigned)dice_below(&run.dice, 255);
    run.options.fail_seed = dice_next(&run.dice);
    printf("seed %llu, %u s\n", (unsigned long long)run.seed, run.seconds);
    fflush(stdout);
    net_init();
    run.options.upstream_port = upstream_open(run.seed);
    if (!server_start(&run.server, &run.options))
        return 1;
    clients_open(&(struct clients_options){.seed = run.seed,
                                           .stuck_ms = run.stuck_ms,
                                           .port = run.server.port,
                                           .admin_port = run.server.admin_port,
                                           .expects_errors = run.fail_every > 0});
    return run_all(&run);
}
