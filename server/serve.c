/* `rein serve`: starts the workers and the store, reloads on SIGHUP, drains on SIGTERM.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The main thread runs a loop of its own for signals and the admin listener; it is where workers report their end. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "cli.h"
#include "config.h"
#include "files.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "store.h"
#include "worker.h"

enum { QUEUE_MAX = 16384, SIGNALS = 3 };

struct service {
    const char *path;
    struct config *config;
    struct store *store;
    struct metrics *metrics;
    struct admin *admin;
    struct loop *loop;
    struct worker **workers;
    struct peers *peers; /* of all workers */
    size_t workers_len, workers_running;
    uv_signal_t signals[SIGNALS];
    bool with_first_keys; /* keys files that are not there are made at the start */
    bool stopping;
};

/* ---- config ---- */

static int load(struct config **out, const struct service *service)
{
    const char *path = service->path;
    struct rein_problems *problems;
    if (rein_problems_new(&problems) < 0)
        return REIN_ENOMEM;
    int rv = service->config == NULL && service->with_first_keys ? config_load_with_first_keys(out, path, problems)
                                                                 : config_reload(out, path, service->config, problems);
    if (rv < 0) {
        cli_print_problems(problems);
        if (rein_problems_count(problems) == 0)
            log_error("serve", "%s: %s", path, rein_strerror(rv));
    }
    rein_problems_free(problems);
    return rv;
}

static void reload(struct service *service)
{
    struct config *config;
    if (load(&config, service) < 0) {
        log_error("serve", "the config was not reloaded: the last good one stays as it is");
        return;
    }
    for (size_t i = 0; i < service->workers_len; i++)
        worker_reload(service->workers[i], config);
    admin_reload(service->admin, config);
    config_unref(service->config);
    service->config = config;
    log_info("serve", "config reloaded");
}

/* ---- the end ---- */

static void on_worker_done(void *ctx)
{
    struct service *service = ctx;
    if (--service->workers_running > 0)
        return;
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&service->signals[i], NULL);
    loop_stop(service->loop);
}

static void stop(struct service *service)
{
    if (service->stopping)
        _exit(CLI_FAILED); /* asked twice: what is stored is stored, nothing else is waited for */
    service->stopping = true;
    log_info("serve", "draining");
    admin_drain(service->admin);
    for (size_t i = 0; i < service->workers_len; i++)
        worker_drain(service->workers[i]);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct service *service = handle->data;
    if (signum != SIGHUP)
        stop(service);
    else if (!service->stopping)
        reload(service);
}

/* ---- the beginning ---- */

static int start_workers(struct service *service)
{
    struct worker_options options = {.config = service->config,
                                     .store = service->store,
                                     .metrics = service->metrics,
                                     .reuse_port = service->config->workers > 1,
                                     .peers = service->peers,
                                     .owner = service->loop,
                                     .on_done = on_worker_done,
                                     .ctx = service};
    service->workers = calloc(service->config->workers, sizeof *service->workers);
    if (service->workers == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < service->config->workers; i++) {
        options.number = (unsigned)i;
        int rv = worker_start(&service->workers[i], &options);
        if (rv < 0)
            return rv;
        options.port = worker_port(service->workers[i]);
        service->workers_len = ++service->workers_running;
    }
    return 0;
}

/* Opens the store, in a folder that is made if it is missing. */
static int open_store(struct service *service)
{
    const char *path = service->config->store.path, *wanted = service->config->store.wanted;
    struct store_options options = {
        .path = path, .keep_days = service->config->store.keep_days, .queue_max = QUEUE_MAX};
    if (wanted != NULL)
        log_warn(
            "serve",
            "the store is %s, because %s is not there. To move it: stop Rein, then move the file, and those that have "
            "its name with -wal or -shm behind it, to where the config says",
            path, wanted);
    int rv = files_make_folder_of(path);
    if (rv != 0) {
        log_error("serve", "the folder of the store %s cannot be made: %s", path, strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : REIN_EIO;
    }
    return store_open(&service->store, &options);
}

static int start(struct service *service)
{
    static const int signums[SIGNALS] = {SIGHUP, SIGTERM, SIGINT};
    const struct config_limits *limits = &service->config->limits;
    int rv = open_store(service);
    if (rv == 0)
        rv = peers_new(&service->peers, limits->connections, limits->connections_per_address);
    if (rv == 0)
        rv = metrics_new(&service->metrics, service->config->workers);
    if (rv == 0)
        rv = loop_new(&service->loop);
    if (rv == 0)
        rv = admin_start(&service->admin, &(struct admin_options){service->config, service->store, service->metrics});
    if (rv < 0)
        return rv;
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(loop_uv(service->loop), &service->signals[i]);
        service->signals[i].data = service;
        uv_signal_start(&service->signals[i], on_signal, signums[i]);
    }
    return start_workers(service);
}

/* The store still has a thread of its own that may touch all of this: nothing is freed, the process ends as it is. */
static _Noreturn void leave_store(void)
{
    log_flush(LOG_FLUSH_ALL);
    log_error("serve", "the store did not end in time: leaving with decisions that are not written");
    _exit(CLI_FAILED);
}

static int finish(struct service *service)
{
    bool is_late = false;
    for (size_t i = 0; i < service->workers_len; i++)
        is_late = worker_join(service->workers[i]) != 0 || is_late;
    if (is_late)
        leave_store();
    for (size_t i = 0; i < service->workers_len; i++)
        worker_free(service->workers[i]);
    free(service->workers);
    peers_free(service->peers);
    admin_stop(service->admin);
    int written = store_finish(service->store, STORE_FINISH_MS);
    if (written == REIN_ELIMIT)
        leave_store();
    store_close(service->store);
    metrics_free(service->metrics);
    loop_free(service->loop);
    config_unref(service->config);
    log_flush(LOG_FLUSH_ALL);
    log_info("serve", "stopped");
    return written == 0 ? CLI_OK : CLI_FAILED;
}

static int run(int argc, char **argv)
{
    struct service service = {.path = NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            service.path = argv[++i];
        else if (strcmp(argv[i], "--first-keys") == 0)
            service.with_first_keys = true;
        else
            return cli_usage(&cli_serve, "unexpected argument '%s'", argv[i]);
    }
    if (service.path == NULL)
        return cli_usage(&cli_serve, "the config is missing");
    if (load(&service.config, &service) < 0)
        return CLI_CONFIG;
    if (start(&service) < 0)
        return CLI_FAILED;
    log_info("serve", "admin listening on http://%s:%u", service.config->admin.host,
             (unsigned)admin_port(service.admin));
    log_info("serve", "listening on http://%s:%u", service.config->listen.host,
             (unsigned)worker_port(service.workers[0]));
    loop_run(service.loop);
    return finish(&service);
}

const struct cli_command cli_serve = {
    .name = "serve",
    .summary = "run the service",
    .help =
        "usage: rein serve -c FILE [--first-keys]\n\n"
        "Runs the service with the config FILE until it is told to stop.\n\n"
        "  -c FILE        the server's config (see config/rein.yaml)\n"
        "  --first-keys   make listen.keys_file and admin.token_file if the config names them and they are not there;\n"
        "                 the key itself is in a file beside it, with .secret behind its name, mode 0600\n\n"
        "SIGHUP reads the config and all it refers to again; with errors the running one stays.\n"
        "SIGTERM and SIGINT drain: no new requests, running ones may finish within timeouts.drain_ms; a second\n"
        "one ends at once.\n",
    .run = run,
};
