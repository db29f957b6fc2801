/* `rein demo-history`: an hour of decisions, so that there is something to look at.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The scripted model's answers go through the engine, the policies of a config, and into its store: a decision differs
 * from one of a server only in that its times are made up. What the store has of that hour already is not made again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/files.h"
#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "demo/demo_request.h"
#include "service/policy_record.h"
#include "store/read.h"

static const int64_t minute_us = 60 * INT64_C(1000000);

struct history {
    const char *config_path, *before_path;
    long minutes, per_minute;
    struct config *config, *before; /* before: the policy of the first half; NULL: the same */
    struct demo_script *script;
    struct rein_engine *engine;
    struct store *store;
    uint32_t dice;
};

/* Always the same numbers: two runs of the same program make the same hour. */
static uint32_t history_roll(struct history *h)
{
    h->dice ^= h->dice << 13;
    h->dice ^= h->dice >> 17;
    h->dice ^= h->dice << 5;
    return h->dice;
}

static int64_t history_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- what there is already ---- */

/* The start of the newest decision, 0 if there is none. */
static int newest_start(const struct store *store, int64_t *out)
{
    const struct store_filter newest = {.limit = 1};
    struct store_reader *reader = NULL;
    struct store_cursor next;
    json_t *page = NULL;
    bool has_more;
    *out = 0;
    int rv = store_reader_open(&reader, store, 5000);
    if (rv == 0)
        rv = store_read_decisions(reader, &newest, &page, &has_more, &next);
    if (rv == 0)
        *out = json_integer_value(json_object_get(json_array_get(page, 0), "started_at_us"));
    json_decref(page);
    store_reader_close(reader);
    return rv;
}

/* ---- the hour ---- */

/* More at its beginning and its end than between. */
static long requests_of_minute(struct history *h, int64_t minute, long minutes)
{
    long from_middle = labs((long)minute * 2 - minutes);
    long most = h->per_minute / 2 + h->per_minute * from_middle / minutes;
    return most + (long)(history_roll(h) % 4);
}

static int play_minute(struct history *h, const struct config *config, int64_t begin_us, long requests, long *made)
{
    struct config_asked asked = {.apis = CONFIG_API_CHAT};
    int rv = 0;
    for (long i = 0; i < requests && rv == 0; i++, ++*made) {
        struct demo_request request = {.script = h->script,
                                       .engine = h->engine,
                                       .store = h->store,
                                       .user = demo_ask_draw(history_roll(h)),
                                       .client = demo_client_draw(history_roll(h)),
                                       .started_at_us =
                                           begin_us + (minute_us * i + history_roll(h) % minute_us) / requests,
                                       .dice = history_roll(h)};
        asked.model = request.client->model;
        request.route = config_route_for(config, &asked);
        if (request.route == NULL) {
            fprintf(stderr, "rein demo-history: no route of the config matches the model %s\n", asked.model);
            return REIN_EINVAL;
        }
        rv = demo_request_play(&request);
    }
    return rv;
}

static int play_hour(struct history *h, long *made)
{
    int64_t now_us = history_now_us(), newest_us;
    int rv = newest_start(h->store, &newest_us);
    if (h->before != NULL)
        policy_record_note(h->store, h->before);
    policy_record_note(h->store, h->config);
    for (long m = 0; m < h->minutes && rv == 0; m++) {
        int64_t begin_us = now_us - (h->minutes - m) * minute_us;
        const struct config *config = h->before != NULL && m < h->minutes / 2 ? h->before : h->config;
        if (begin_us > newest_us)
            rv = play_minute(h, config, begin_us, requests_of_minute(h, m, h->minutes), made);
    }
    return rv;
}

/* ---- the command ---- */

static int history_load(struct config **out, const char *path)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0)
        return REIN_ENOMEM;
    int rv = config_load(out, path, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    return rv;
}

static int history_read_script(struct history *h)
{
    struct rein_problems *problems;
    const struct rein_source source = {"(built in)", demo_default_script, strlen(demo_default_script)};
    if (rein_problems_new(&problems) != 0)
        return REIN_ENOMEM;
    int rv = demo_script_read(&h->script, &source, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    return rv;
}

static int history_open(struct history *h)
{
    int rv = history_load(&h->config, h->config_path);
    if (rv == 0 && h->before_path != NULL)
        rv = history_load(&h->before, h->before_path);
    if (rv == 0)
        rv = history_read_script(h);
    if (rv != 0)
        return rv;
    const struct store_options options = {
        .scheme = h->config->store.scheme, .path = h->config->store.path, .keep_days = h->config->store.keep_days};
    rv = rein_engine_new(&h->engine);
    if (rv == 0)
        rv = -files_make_folder_of(h->config->store.path);
    return rv == 0 ? store_open(&h->store, &options) : rv;
}

static void history_close(struct history *h)
{
    store_close(h->store);
    rein_engine_free(h->engine);
    if (h->script != NULL)
        demo_script_free(h->script);
    config_unref(h->before);
    config_unref(h->config);
}

static int history_run(int argc, char **argv)
{
    struct history h = {.minutes = 60, .per_minute = 6, .dice = 0x9e3779b9};
    long made = 0;
    for (int i = 1; i < argc; i += 2) {
        char *end = "";
        bool has_value = i + 1 < argc;
        if (has_value && strcmp(argv[i], "-c") == 0)
            h.config_path = argv[i + 1];
        else if (has_value && strcmp(argv[i], "--before") == 0)
            h.before_path = argv[i + 1];
        else if (has_value && strcmp(argv[i], "--minutes") == 0)
            h.minutes = strtol(argv[i + 1], &end, 10);
        else if (has_value && strcmp(argv[i], "--per-minute") == 0)
            h.per_minute = strtol(argv[i + 1], &end, 10);
        else
            return cli_usage(&cli_demo_history, "unexpected argument '%s'", argv[i]);
        if (*end != '\0' || h.minutes < 1 || h.minutes > 1440 || h.per_minute < 1 || h.per_minute > 1000)
            return cli_usage(&cli_demo_history, "%s expects a number, not '%s'", argv[i], argv[i + 1]);
    }
    if (h.config_path == NULL)
        return cli_usage(&cli_demo_history, "-c FILE is missing");
    int rv = history_open(&h);
    if (rv == 0)
        rv = play_hour(&h, &made);
    if (h.store != NULL && rv == 0)
        rv = store_finish(h.store, STORE_FINISH_MS);
    history_close(&h);
    if (rv == 0)
        printf("%ld decisions of the last %ld minutes were made up\n", made, h.minutes);
    return rv == 0 ? CLI_OK : rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
}

const struct cli_command cli_demo_history = {
    .name = "demo-history",
    .summary = "fill a store with decisions to look at",
    .help = "usage: rein demo-history -c FILE [--before FILE] [--minutes N] [--per-minute N]\n\n"
            "Plays requests to the scripted model of `rein demo-upstream` through the engine and writes the decisions "
            "into the\n"
            "config's store, as if they had come during the last hour. Minutes that have decisions already are left "
            "alone.\n\n"
            "  -c FILE            the config: its policies judge, its store is written. No server may be using it\n"
            "  --before FILE      the config whose policies judge the first half\n"
            "  --minutes N        how far back (60)\n"
            "  --per-minute N     about how many requests in a minute (6)\n",
    .run = history_run,
};
