/* `rein demo-upstream`: an OpenAI-shaped reasoning model that follows scripts, to try Rein without one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "demo/demo_play.h"
#include "demo/demo_script.h"
#include "front/front.h"
#include "front/reply.h"

struct demo {
    char host[64];
    uint16_t port;
    const char *file; /* NULL: the built-in script */
    struct demo_pace pace;
    struct demo_script *script;
    struct loop *loop;
    struct front *front;
    uv_signal_t signals[2];
    bool stopping;
};

/* ---- the script ---- */

static int read_file(struct buffer *out, const char *path)
{
    char block[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "rein demo-upstream: %s: %s\n", path, strerror(errno));
        return REIN_EINVAL;
    }
    int rv = 0;
    for (size_t n; rv == 0 && (n = fread(block, 1, sizeof block, file)) > 0;)
        rv = buffer_add(out, block, n, REIN_DOC_BYTES_MAX);
    fclose(file);
    return rv;
}

static int read_script(struct demo *demo)
{
    struct rein_problems *problems;
    struct buffer text = {0};
    struct rein_source source = {"(built in)", demo_default_script, strlen(demo_default_script)};
    if (rein_problems_new(&problems) < 0)
        return REIN_ENOMEM;
    int rv = demo->file != NULL ? read_file(&text, demo->file) : 0;
    if (rv == 0 && demo->file != NULL)
        source = (struct rein_source){demo->file, text.data != NULL ? text.data : "", text.len};
    if (rv == 0)
        rv = demo_script_read(&demo->script, &source, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    buffer_clear(&text);
    return rv;
}

/* ---- requests ---- */

static void say_error(struct exchange *x, unsigned status, const char *message)
{
    reply_error(x, &(struct reply_error){.status = status, .message = message}, NULL);
}

static void serve_models(struct demo *demo, struct exchange *x)
{
    json_t *list = json_array();
    json_array_append_new(list, json_pack("{ssss}", "id", "demo", "object", "model"));
    for (size_t i = 0; i < demo_script_len(demo->script); i++)
        json_array_append_new(list, json_pack("{ssso}", "object", "model", "id",
                                              json_sprintf("demo-%s", demo_script_at(demo->script, i)->name)));
    reply_json(x, 200, json_pack("{ssso}", "object", "list", "data", list), NULL);
}

/* What the model is told: the instructions of Messages are not among its messages. Owned; NULL: there are none. */
static json_t *demo_messages(const json_t *request)
{
    const json_t *messages = json_object_get(request, "messages");
    json_t *system = json_object_get(request, "system"),
           *all = json_is_array(messages) ? json_copy((json_t *)messages) : NULL;
    if (all != NULL && system != NULL)
        json_array_insert_new(all, 0, json_pack("{sssO}", "role", "system", "content", system));
    return all;
}

static void serve_answer(struct demo *demo, struct exchange *x, bool is_message)
{
    struct rein_source body = exchange_body(x);
    json_t *request = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL);
    const char *model = json_string_value(json_object_get(request, "model"));
    json_t *messages = demo_messages(request);
    const char *chunk = exchange_header(x, "x-demo-chunk"), *delay = exchange_header(x, "x-demo-delay-ms");
    struct demo_pace pace = {chunk != NULL ? chunk : demo->pace.chunk,
                             delay != NULL ? atoi(delay) : demo->pace.delay_ms};
    if (model == NULL || messages == NULL)
        say_error(x, 400, "A model and messages are needed.");
    else
        demo_play(demo->loop, x, demo_script_choose(demo->script, model, messages), &pace, request, messages,
                  is_message);
    json_decref(messages);
    json_decref(request);
}

static void on_request(void *ctx, struct exchange *x)
{
    const char *path = exchange_path(x), *method = exchange_method(x);
    if (strcmp(path, "/v1/chat/completions") == 0 && strcmp(method, "POST") == 0)
        serve_answer(ctx, x, false);
    else if (strcmp(path, "/v1/messages") == 0 && strcmp(method, "POST") == 0)
        serve_answer(ctx, x, true);
    else if (strcmp(path, "/v1/models") == 0 && strcmp(method, "GET") == 0)
        serve_models(ctx, x);
    else
        say_error(x, 404, "This path does not exist.");
}

static void on_demo_closed(void *ctx, struct exchange *x, bool gone)
{
    struct responder *responder = exchange_user(x);
    (void)ctx;
    if (responder != NULL)
        responder->on_closed(responder, gone);
}

static void on_drain(void *ctx, struct exchange *x)
{
    struct responder *responder = exchange_user(x);
    (void)ctx;
    if (responder != NULL)
        responder->on_drain(responder);
}

/* ---- the process ---- */

static void on_front_closed(void *ctx)
{
    struct demo *demo = ctx;
    loop_stop(demo->loop);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct demo *demo = handle->data;
    (void)signum;
    if (demo->stopping)
        return;
    demo->stopping = true;
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&demo->signals[i], NULL);
    front_close(demo->front, on_front_closed, demo);
}

static int demo_start(struct demo *demo)
{
    static const int signums[] = {SIGTERM, SIGINT};
    struct front_options options = {.host = demo->host,
                                    .port = demo->port,
                                    .body_max = 16 << 20,
                                    .connections_max = 16384,
                                    .connections_per_address_max = 16384,
                                    .client_idle_ms = 60000,
                                    .write_low = 16384,
                                    .write_high = 65536};
    struct front_handler handler = {.ctx = demo,
                                    .on_request = on_request,
                                    .on_closed = on_demo_closed,
                                    .on_drain = on_drain,
                                    .error_text = api_error_text};
    int rv = loop_new(&demo->loop);
    if (rv == 0)
        rv = front_start(&demo->front, demo->loop, &options, &handler);
    for (size_t i = 0; rv == 0 && i < 2; i++) {
        uv_signal_init(loop_uv(demo->loop), &demo->signals[i]);
        demo->signals[i].data = demo;
        uv_signal_start(&demo->signals[i], on_signal, signums[i]);
    }
    return rv;
}

/* ---- the command line ---- */

static bool read_address(struct demo *demo, const char *text)
{
    char *end;
    const char *colon = strrchr(text, ':');
    unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 65536;
    if (colon == NULL || colon[1] == '\0' || *end != '\0' || port > 65535 || colon == text ||
        (size_t)(colon - text) >= sizeof demo->host)
        return false;
    snprintf(demo->host, sizeof demo->host, "%.*s", (int)(colon - text), text);
    demo->port = (uint16_t)port;
    return true;
}

static bool is_chunk(const char *text)
{
    return strcmp(text, "random") == 0 || strcmp(text, "whole") == 0 ||
           (strspn(text, "0123456789") == strlen(text) && atoi(text) > 0);
}

/* Reads one option. Returns how many arguments it used, 0: not an option. */
static int read_option(struct demo *demo, const char *name, const char *value)
{
    if (strcmp(name, "--listen") == 0)
        return read_address(demo, value) ? 2 : 0;
    if (strcmp(name, "--script") == 0)
        demo->file = value;
    else if (strcmp(name, "--chunk") == 0 && is_chunk(value))
        demo->pace.chunk = value;
    else if (strcmp(name, "--delay-ms") == 0 && strspn(value, "0123456789") == strlen(value))
        demo->pace.delay_ms = atoi(value);
    else
        return 0;
    return 2;
}

static int demo_run(int argc, char **argv)
{
    struct demo demo = {.host = "127.0.0.1", .port = 9000, .pace = {NULL, -1}};
    for (int i = 1, n; i < argc; i += n) {
        n = i + 1 < argc ? read_option(&demo, argv[i], argv[i + 1]) : 0;
        if (n == 0)
            return cli_usage(&cli_demo_upstream, "unexpected argument '%s'", argv[i]);
    }
    if (read_script(&demo) < 0)
        return CLI_CONFIG;
    if (demo_start(&demo) < 0)
        return CLI_FAILED;
    log_info("demo", "listening on http://%s:%u", demo.host, (unsigned)front_port(demo.front));
    loop_run(demo.loop);
    loop_free(demo.loop);
    demo_script_free(demo.script);
    return CLI_OK;
}

const struct cli_command cli_demo_upstream = {
    .name = "demo-upstream",
    .summary = "run a scripted model to try Rein with",
    .help =
        "usage: rein demo-upstream [--listen ADDRESS:PORT] [--script FILE] [--chunk N] [--delay-ms N]\n\n"
        "Answers like a reasoning model that follows a script, as OpenAI's chat or Anthropic's Messages. The words of "
        "the last user message\nchoose the scenario, or the model's name does (demo-NAME for the scenario NAME).\n\n  "
        "--listen "
        "ADDRESS:PORT   where to listen (127.0.0.1:9000); the system chooses port 0\n  --script FILE           "
        "scenarios in YAML (see config/demo/scenarios.yaml, which is built in)\n"
        "  --chunk N               characters per event: a number, random or whole (default: as the script says)\n "
        " --delay-ms N            time between two events (default: as the script says)\n\nThe request headers "
        "x-demo-chunk and x-demo-delay-ms have the same effect.\n",
    .run = demo_run,
};

static int demo_check(const struct rein_source *source, struct rein_problems *problems)
{
    struct demo_script *script;
    int rv = demo_script_read(&script, source, problems);
    if (rv == 0) {
        printf("%s: demo script, %zu scenarios\n", source->name, demo_script_len(script));
        demo_script_free(script);
    }
    return rv;
}

const struct cli_document_kind demo_document_kind = {.schema = &demo_schema, .check = demo_check};
