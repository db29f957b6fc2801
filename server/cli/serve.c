/* `rein serve`: starts the workers and the store, reloads on SIGHUP, drains on SIGTERM.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The main thread runs a loop of its own for signals and the admin listener; it is where workers report their end. */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/log.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "config/config.h"
#include "config/server_secret.h"
#include "front/client_limits.h"
#include "front/listener.h"
#include "metrics/metrics.h"
#include "service/policy_record.h"
#include "service/worker.h"
#include "store/policies.h"
#include "store/store.h"
#include "telemetry/telemetry.h"

enum { QUEUE_MAX = 16384, SIGNALS = 3, TELEMETRY_TOKEN_MAX = 8192 };

/* Reading the config again takes seconds when a lexicon has changed: a thread does it, so that a signal to stop does
 * not wait for it. Then every worker and the admin listener take the config, which cannot fail, and confirm it. */
struct reload {
    uv_thread_t thread;
    struct config *config; /* the config that was read; NULL: it is refused, and `problems` says why */
    struct rein_problems *problems;
    int rv;
    struct loop_order was_read;
    bool is_running; /* from the signal until all have taken it */
    bool is_reading; /* the thread is there */
    bool is_wanted;  /* another signal has arrived meanwhile, or an operator asks */
    size_t waiting;  /* how many have not taken it yet */
    json_t *changes; /* versions before and after, once it is applied; NULL: none yet, or out of memory */
    /* Operators who wait for the one that runs, and for the next: one that began before they asked may have missed what
     * they changed. */
    struct admin_reload_ask *asks, *next_asks;
};

struct service {
    const char *path;
    struct config *config; /* the running config. Its listeners are the open ones */
    struct server_secret secret;
    struct store *store;
    struct metrics *metrics;
    struct telemetry *telemetry; /* NULL: off */
    struct admin *admin;
    struct loop *loop;
    struct worker **workers;
    struct client_limits *client_limits; /* of all workers, like the next */
    struct key_limits *key_limits;
    size_t workers_len, workers_running;
    struct reload reload;
    uv_signal_t signals[SIGNALS];
    size_t signals_len;
    bool with_first_keys; /* missing keys files are made at the start */
    bool stopping;
};

static bool service_is_sound(const struct service *service)
{
    const struct reload *r = &service->reload;
    return config_is_sound(service->config) && service->workers_running <= service->workers_len &&
           service->workers_len <= service->config->workers && (!r->is_reading || (r->is_running && r->waiting == 0)) &&
           (!r->is_wanted || r->is_running) && r->waiting <= service->workers_len + 1;
}

/* ---- config ---- */

/* As lines of the log: a running program's messages have a time and a level. */
static void log_problems(const struct rein_problems *problems)
{
    for (size_t i = 0; i < rein_problems_count(problems); i++) {
        const struct rein_problem *p = rein_problems_at(problems, i);
        const char *key = p->key != NULL ? p->key : "", *colon = *key != '\0' ? ": " : "";
        if (p->line > 0)
            log_error("config", "%s:%u:%u: %s%s%s", p->file, p->line, p->column, key, colon, p->message);
        else
            log_error("config", "%s: %s%s%s", p->file, key, colon, p->message);
    }
}

static int service_load(struct service *service)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) < 0)
        return REIN_ENOMEM;
    int rv = (service->with_first_keys ? config_load_with_first_keys : config_load)(&service->config, service->path,
                                                                                    problems);
    if (rv < 0) {
        cli_print_problems(problems);
        if (rein_problems_count(problems) == 0)
            log_error("serve", "%s: %s", service->path, rein_strerror(rv));
    }
    rein_problems_free(problems);
    return rv;
}

/* One body always fits. */
static struct client_limits_options limits_of(const struct config *config)
{
    const struct config_limits *l = &config->limits;
    return (struct client_limits_options){
        .all = l->connections,
        .of_one = l->connections_per_address,
        .bytes = l->bodies_bytes > l->body_bytes ? l->bodies_bytes : l->body_bytes,
        .bytes_of_one = l->bodies_bytes_per_address > l->body_bytes ? l->bodies_bytes_per_address : l->body_bytes,
    };
}

/* ---- reload ---- */

static void reload_begin(struct service *service);

/* The reload's own thread. The running config is immutable and does not change until this has ended. */
static void reload_read(void *ctx)
{
    struct service *service = ctx;
    struct reload *r = &service->reload;
    r->rv = rein_problems_new(&r->problems);
    if (r->rv == 0)
        r->rv = config_reload(&r->config, service->path, service->config, r->problems);
    loop_give(service->loop, &r->was_read);
}

/* ---- operators who wait ---- */

static json_t *problem_json(const struct rein_problem *p)
{
    return json_pack("{ss?sIsIssss}", "file", p->file, "line", (json_int_t)p->line, "column", (json_int_t)p->column,
                     "key", p->key != NULL ? p->key : "", "message", p->message);
}

/* What was wrong, or one problem without a place that says why nothing was read. */
static json_t *problems_json(const struct rein_problems *problems, const char *why)
{
    json_t *list = json_array();
    int rc = list != NULL ? 0 : -1;
    size_t len = problems != NULL ? rein_problems_count(problems) : 0;
    for (size_t i = 0; i < len && rc == 0; i++)
        rc = json_array_append_new(list, problem_json(rein_problems_at(problems, i)));
    if (rc == 0 && len == 0)
        rc = json_array_append_new(list, problem_json(&(struct rein_problem){.file = NULL, .message = why}));
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}

/* Gives all asks of a list back, each with an answer of its own; takes `tree`. */
static void answer_asks(struct service *service, struct admin_reload_ask **list, unsigned status, json_t *tree)
{
    for (struct admin_reload_ask *ask = *list, *next; ask != NULL; ask = next) {
        next = ask->next;
        ask->status = status;
        ask->answer = json_deep_copy(tree);
        admin_reload_answer(service->admin, ask);
    }
    *list = NULL;
    json_decref(tree);
}

static void answer_done(struct service *service)
{
    struct reload *r = &service->reload;
    json_t *tree = r->changes == NULL
                       ? NULL
                       : json_pack("{ssssso}", "object", "reload", "result", "reloaded", "policies", r->changes);
    r->changes = NULL;
    answer_asks(service, &r->asks, 200, tree);
}

/* `problems` NULL: none but `why`. */
static void answer_refused(struct service *service, struct admin_reload_ask **list, unsigned status,
                           const struct rein_problems *problems, const char *why)
{
    json_t *tree = json_pack("{ssssso}", "object", "reload", "result", status == 422 ? "refused" : "failed", "problems",
                             problems_json(problems, why));
    answer_asks(service, list, status, tree);
}

static void append_ask(struct admin_reload_ask **list, struct admin_reload_ask *ask)
{
    while (*list != NULL)
        list = &(*list)->next;
    ask->next = NULL;
    *list = ask;
}

static void reload_end(struct service *service)
{
    struct reload *r = &service->reload;
    bool is_wanted = r->is_wanted;
    r->is_running = r->is_wanted = false;
    if (!is_wanted || service->stopping)
        return;
    r->asks = r->next_asks;
    r->next_asks = NULL;
    reload_begin(service);
}

static void use_log(const struct config *config)
{
    log_set_level(config->log.level);
    log_set_format(config->log.format);
}

static void log_changes(const struct config *before, const struct config *now)
{
    for (const struct config_setting *setting = config_settings(); setting->key != NULL; setting++) {
        uint64_t old = config_setting_value(before, setting), new = config_setting_value(now, setting);
        if (old != new)
            log_info("serve", "%s is now %llu; it was %llu", setting->key, (unsigned long long)new,
                     (unsigned long long)old);
    }
    if (before->keys != NULL && now->keys == NULL)
        log_warn("serve", "listen.keys_file was removed: everyone on this machine may send requests now");
    if (before->tokens != NULL && now->tokens == NULL)
        log_warn("serve", "admin.token_file was removed: everyone on this machine may read decisions now");
}

static int start_telemetry(struct service *service)
{
    const struct config *config = service->config;
    char authorization[TELEMETRY_TOKEN_MAX + 16];
    if (config->telemetry.endpoint == NULL)
        return 0;
    snprintf(authorization, sizeof authorization, "Bearer %s",
             config->telemetry.token != NULL ? config->telemetry.token : "");
    const struct telemetry_options options = {.endpoint = config->telemetry.endpoint,
                                              .authorization = config->telemetry.token != NULL ? authorization : NULL,
                                              .traces = config->telemetry.traces,
                                              .logs = config->telemetry.logs,
                                              .metrics = service->metrics};
    int rv = telemetry_start(&service->telemetry, &options);
    explicit_bzero(authorization, sizeof authorization);
    return rv;
}

/* Names that routes contain have numbers of their own, whatever names clients use. */
static void name_models(struct service *service)
{
    for (size_t i = 0; i < service->config->routes_len; i++) {
        const struct config_route *route = &service->config->routes[i];
        for (size_t k = 0; k < route->models_len; k++)
            if (strchr(route->models[k], '*') == NULL)
                metrics_reserve(service->metrics, LABEL_MODEL, route->models[k]);
    }
}

/* Nothing here can fail: either all have the new config, or the file was refused before. */
static void reload_apply(struct service *service)
{
    struct reload *r = &service->reload;
    struct config *before = service->config;
    service->config = r->config;
    r->config = NULL;
    use_log(service->config);
    log_changes(before, service->config);
    name_models(service);
    json_decref(r->changes);
    r->changes = policy_record_changes(before, service->config);
    policy_record_note(service->store, service->config);
    const struct client_limits_options limits = limits_of(service->config);
    client_limits_change(service->client_limits, &limits);
    store_keep(service->store, service->config->store.keep_days);
    r->waiting = service->workers_len + 1;
    for (size_t i = 0; i < service->workers_len; i++)
        worker_reload(service->workers[i], service->config);
    admin_reload(service->admin, service->config);
    config_unref(before);
}

static void on_was_read(void *ctx)
{
    struct service *service = ctx;
    struct reload *r = &service->reload;
    assert(service_is_sound(service) && r->is_reading);
    uv_thread_join(&r->thread);
    r->is_reading = false;
    if (r->rv < 0) {
        if (r->problems != NULL)
            log_problems(r->problems);
        const char *why = r->rv == REIN_EPOLICY ? "the file is refused" : rein_strerror(r->rv);
        metrics_reloaded(service->metrics, false); /* first: who reads the log finds it counted */
        log_error("serve", "the config was not reloaded (%s): the old one stays in use", why);
        answer_refused(service, &r->asks, r->rv == REIN_EPOLICY ? 422 : 503, r->problems, why);
    }
    rein_problems_free(r->problems);
    r->problems = NULL;
    if (r->rv == 0 && !service->stopping)
        reload_apply(service);
    else
        reload_end(service);
    assert(service_is_sound(service));
}

static void on_taken(void *ctx)
{
    struct service *service = ctx;
    assert(service_is_sound(service) && service->reload.waiting > 0);
    if (--service->reload.waiting > 0)
        return;
    metrics_reloaded(service->metrics, true);
    log_info("serve", "config reloaded");
    answer_done(service);
    reload_end(service);
}

/* Nothing is read any more. */
static void refuse_asks(struct service *service)
{
    answer_refused(service, &service->reload.asks, 503, NULL, "the server stops");
    answer_refused(service, &service->reload.next_asks, 503, NULL, "the server stops");
}

static void reload_begin(struct service *service)
{
    struct reload *r = &service->reload;
    if (r->is_running) {
        r->is_wanted = true;
        return;
    }
    config_unref(r->config); /* one that came too late */
    r->config = NULL;
    r->was_read = (struct loop_order){.fn = on_was_read, .ctx = service};
    int rc = uv_thread_create(&r->thread, reload_read, service);
    if (rc != 0) {
        metrics_reloaded(service->metrics, false);
        log_error("serve", "the config was not reloaded: no thread to read it with: %s", uv_strerror(rc));
        answer_refused(service, &r->asks, 503, NULL, "there is no thread to read the config with");
        return;
    }
    r->is_running = r->is_reading = true;
}

/* An operator asks over HTTP: the same as a signal, and an answer. */
static void on_reload_asked(void *ctx, struct admin_reload_ask *ask)
{
    struct service *service = ctx;
    struct reload *r = &service->reload;
    assert(service_is_sound(service));
    append_ask(r->is_running ? &r->next_asks : &r->asks, ask);
    if (service->stopping)
        refuse_asks(service);
    else
        reload_begin(service);
    assert(service_is_sound(service));
}

/* ---- the end ---- */

static void close_signals(struct service *service)
{
    for (size_t i = 0; i < service->signals_len; i++)
        uv_close((uv_handle_t *)&service->signals[i], NULL);
    service->signals_len = 0;
}

static void on_worker_done(void *ctx)
{
    struct service *service = ctx;
    if (--service->workers_running == 0)
        loop_stop(service->loop);
}

/* Ends the process while threads may run: nothing is freed. Those that have ended meanwhile are let go, or they would
 * count as forgotten. */
static _Noreturn void leave_as_it_is(struct service *service, int status)
{
    for (size_t i = 0; i < service->workers_len; i++)
        worker_abandon(service->workers[i]);
    if (service->reload.is_reading)
        pthread_detach(service->reload.thread);
    _exit(status);
}

static void service_stop(struct service *service)
{
    if (service->stopping)
        leave_as_it_is(service, CLI_FAILED); /* a second signal: nobody waits for the store */
    service->stopping = true;
    log_info("serve", "draining");
    admin_drain(service->admin);
    refuse_asks(service);
    for (size_t i = 0; i < service->workers_len; i++)
        worker_drain(service->workers[i]);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct service *service = handle->data;
    assert(service_is_sound(service));
    if (signum != SIGHUP)
        service_stop(service);
    else if (!service->stopping)
        reload_begin(service);
    assert(service_is_sound(service));
}

/* ---- the beginning ---- */

static void watch_signal(struct service *service, int signum)
{
    uv_signal_t *handle = &service->signals[service->signals_len++];
    uv_signal_init(loop_uv(service->loop), handle);
    handle->data = service;
    uv_signal_start(handle, on_signal, signum);
}

static int start_workers(struct service *service)
{
    struct worker_options options = {.config = service->config,
                                     .store = service->store,
                                     .secret = &service->secret,
                                     .telemetry = service->telemetry,
                                     .metrics = service->metrics,
                                     .reuse_port = service->config->workers > 1,
                                     .client_limits = service->client_limits,
                                     .key_limits = service->key_limits,
                                     .owner = service->loop,
                                     .on_done = on_worker_done,
                                     .on_reloaded = on_taken,
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

static int open_store(struct service *service)
{
    const char *path = service->config->store.path, *wanted = service->config->store.wanted;
    const struct store_options options = {.scheme = service->config->store.scheme,
                                          .path = path,
                                          .keep_days = service->config->store.keep_days,
                                          .queue_max = QUEUE_MAX};
    if (wanted != NULL)
        log_warn("serve",
                 "the store is %s, because %s does not exist. To move it: stop Rein, then move the file, and the files "
                 "of the same name that end with -wal and -shm, to the path in the config",
                 path, wanted);
    return store_open(&service->store, &options);
}

/* The system's limit of open files also limits connections: raises it as far as allowed, and warns if it is too low. */
static void take_descriptors(const struct config *config)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < config->limits.connections)
        log_warn("serve",
                 "limits.connections is %zu, but the system allows only %llu open files (ulimit -n): further "
                 "connections will wait. Raise the limit of open files, or lower limits.connections",
                 config->limits.connections, (unsigned long long)limit.rlim_cur);
}

static int start_admin(struct service *service)
{
    const struct admin_options options = {.config = service->config,
                                          .store = service->store,
                                          .metrics = service->metrics,
                                          .secret = &service->secret,
                                          .owner = service->loop,
                                          .on_reloaded = on_taken,
                                          .on_reload_asked = on_reload_asked,
                                          .ctx = service};
    return admin_start(&service->admin, &options);
}

static int service_start(struct service *service)
{
    const struct config *config = service->config;
    const struct client_limits_options limits = limits_of(config);
    take_descriptors(config);
    int rv = listener_check(config->listen.host, config->listen.port);
    if (rv == 0)
        rv = listener_check(config->admin.host, config->admin.port);
    if (rv == 0)
        rv = open_store(service);
    if (rv == 0)
        rv = server_secret_load(&service->secret, config->store.path);
    if (rv == 0)
        rv = client_limits_new(&service->client_limits, &limits);
    if (rv == 0)
        rv = key_limits_new(&service->key_limits);
    if (rv == 0)
        rv = metrics_new(&service->metrics, config->workers);
    if (rv == 0)
        name_models(service);
    if (rv == 0)
        rv = start_telemetry(service);
    if (rv == 0)
        rv = start_admin(service);
    if (rv == 0)
        rv = start_workers(service);
    if (rv < 0)
        return rv;
    policy_record_note(service->store, config);
    watch_signal(service, SIGTERM);
    watch_signal(service, SIGINT);
    return 0;
}

static _Noreturn void leave_late(struct service *service, bool is_written)
{
    log_flush(LOG_FLUSH_ALL);
    log_error("serve", is_written ? "some requests did not end in time: stopping without them"
                                  : "the store did not end in time: stopping with decisions that are not written");
    store_abandon(service->store);
    leave_as_it_is(service, CLI_FAILED);
}

static int service_finish(struct service *service)
{
    bool is_late = false;
    for (size_t i = 0; i < service->workers_len; i++)
        is_late = worker_join(service->workers[i]) != 0 || is_late;
    if (store_use_policies(service->store, NULL, 0) != 0)
        log_warn("store", "when the policies were last in use is not kept: out of memory");
    int written = store_finish(service->store, STORE_FINISH_MS);
    if (is_late || written == REIN_ELIMIT)
        leave_late(service, written == 0);
    for (size_t i = 0; i < service->workers_len; i++)
        worker_free(service->workers[i]);
    service->workers_len = 0;
    free(service->workers);
    telemetry_stop(service->telemetry);
    client_limits_free(service->client_limits);
    key_limits_free(service->key_limits);
    admin_stop(service->admin);
    store_close(service->store);
    metrics_free(service->metrics);
    log_flush(LOG_FLUSH_ALL);
    log_info("serve", "stopped");
    int status = written == 0 ? CLI_OK : CLI_FAILED;
    if (service->reload.is_reading) /* it is not needed any more, and may take seconds: nobody waits for it */
        leave_as_it_is(service, status);
    config_unref(service->reload.config);
    json_decref(service->reload.changes);
    loop_free(service->loop);
    config_unref(service->config);
    return status;
}

/* From here on SIGHUP does not end the process, even before there is a config, which is then read again. SIGTERM ends
 * at once until there is something to drain. */
static int serve(struct service *service)
{
    if (loop_new(&service->loop) < 0)
        return CLI_FAILED;
    watch_signal(service, SIGHUP);
    if (service_load(service) < 0) {
        close_signals(service);
        loop_free(service->loop);
        return CLI_CONFIG;
    }
    use_log(service->config);
    if (service_start(service) < 0)
        _exit(CLI_FAILED); /* threads may be running: the process ends, nothing needs to be freed */
    log_info("serve", "admin listening on http://%s:%u", service->config->admin.host,
             (unsigned)admin_port(service->admin));
    log_info("serve", "listening on http://%s:%u", service->config->listen.host,
             (unsigned)worker_port(service->workers[0]));
    loop_run(service->loop);
    close_signals(service);
    return service_finish(service);
}

static int serve_run(int argc, char **argv)
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
        return cli_usage(&cli_serve, "the config is missing: use -c FILE");
    return serve(&service);
}

const struct cli_command cli_serve = {
    .name = "serve",
    .summary = "run the service",
    .help = "usage: rein serve -c FILE [--first-keys]\n\n"
            "Runs the service with the config FILE until it gets a signal to stop.\n\n"
            "  -c FILE        the server's config (see config/rein.yaml)\n"
            "  --first-keys   make listen.keys_file and admin.token_file if the config names them and they do not "
            "exist;\n                 the key itself is in a file next to it, with .secret added to its name, mode "
            "0600\n\nSIGHUP reads the config and all files that it names again; if there are errors, the old config "
            "stays in use.\nSIGTERM and SIGINT drain: no new requests, running ones may finish within "
            "timeouts.drain_ms; a second\nsignal ends the process at once.\n",
    .run = serve_run,
};
