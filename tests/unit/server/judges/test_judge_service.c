/* Asking a judge: known opinions, limits, second tries, busy and broken judges, cancelling.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The judge is a small server on the test's own loop, which does with each request what a script says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judges/judge_service.h"

enum { ANSWERS_MAX = 256, REQUEST_MAX = 8192 };

/* What the server does with the next request. */
enum behaviour {
    SAYS_SAFE,
    SAYS_UNSAFE,
    SAYS_RUBBISH,
    SAYS_BUSY,
    SAYS_500,
    REDIRECTS,
    HANGS,
    CLOSES,
    FLOODS,
    FLOODS_EVENTS
};

struct fixture {
    struct loop *loop;
    struct upstream_pool *pool;
    struct judge_service *service;
    struct judge_settings settings;
    uv_tcp_t server;
    char url[64], last_request[REQUEST_MAX];
    enum behaviour script[ANSWERS_MAX]; /* for the requests in their order; the last one goes on */
    size_t script_len, requests, running, most_running;
    size_t answered, wanted;
    struct judge_answer answers[ANSWERS_MAX];
};

struct peer {
    uv_tcp_t tcp;
    struct fixture *f;
    char request[REQUEST_MAX];
    size_t len;
    bool is_running;
};

static void on_peer_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    peer->f->running -= peer->is_running;
    free(peer);
}

static void peer_close(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->tcp))
        uv_close((uv_handle_t *)&peer->tcp, on_peer_closed);
}

struct reply {
    uv_write_t write;
    char text[];
};

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void peer_say(struct peer *peer, const char *text, size_t len)
{
    struct reply *reply = malloc(sizeof *reply + len);
    assert_non_null(reply);
    memcpy(reply->text, text, len);
    reply->write.data = reply;
    uv_buf_t buf = uv_buf_init(reply->text, (unsigned)len);
    if (uv_write(&reply->write, (uv_stream_t *)&peer->tcp, &buf, 1, on_written) != 0)
        free(reply);
}

static void peer_answer(struct peer *peer, unsigned status, const char *head, const char *body)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
                       head, body);
    peer->is_running = false;
    peer->f->running--;
    peer_say(peer, text, (size_t)len);
}

static void peer_flood(struct peer *peer, const char *type)
{
    static char text[JUDGE_REPLY_MAX + 4096];
    int len = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n", type);
    memset(text + len, 'x', sizeof text - (size_t)len);
    peer_say(peer, text, sizeof text);
}

static void peer_behave(struct peer *peer, enum behaviour behaviour)
{
    static const char chat[] = "{\"choices\":[{\"message\":{\"content\":\"%s\"}}]}";
    char body[256];
    switch (behaviour) {
    case SAYS_SAFE:
    case SAYS_UNSAFE:
    case SAYS_RUBBISH:
        snprintf(body, sizeof body, chat,
                 behaviour == SAYS_SAFE     ? "safe"
                 : behaviour == SAYS_UNSAFE ? "unsafe\\nS2"
                                            : "it depends");
        peer_answer(peer, 200, "", body);
        return;
    case SAYS_BUSY:
        peer_answer(peer, 429, "", "{}");
        return;
    case SAYS_500:
        peer_answer(peer, 500, "", "{}");
        return;
    case REDIRECTS:
        peer_answer(peer, 307, "Location: /v1/chat/completions\r\n", "");
        return;
    case FLOODS:
        peer_flood(peer, "application/json");
        return;
    case FLOODS_EVENTS:
        peer_flood(peer, "text/event-stream");
        return;
    case CLOSES:
        peer_close(peer);
        return;
    case HANGS:
        return;
    }
}

static void on_request(struct peer *peer)
{
    struct fixture *f = peer->f;
    size_t at = f->requests < f->script_len ? f->requests : f->script_len - 1;
    memcpy(f->last_request, peer->request, peer->len + 1);
    peer->len = 0;
    peer->is_running = true;
    f->requests++;
    f->running++;
    f->most_running = f->running > f->most_running ? f->running : f->most_running;
    peer_behave(peer, f->script[at]);
}

static void on_peer_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct peer *peer = stream->data;
    (void)buf;
    if (n < 0) {
        peer_close(peer);
        return;
    }
    peer->len += (size_t)n;
    peer->request[peer->len] = '\0';
    const char *end = strstr(peer->request, "\r\n\r\n"), *length = strstr(peer->request, "Content-Length: ");
    if (end != NULL && length != NULL && strlen(end + 4) == strtoul(length + 16, NULL, 10))
        on_request(peer);
}

static void on_peer_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct peer *peer = handle->data;
    (void)size;
    *buf = uv_buf_init(peer->request + peer->len, (unsigned)(REQUEST_MAX - 1 - peer->len));
}

static void on_connection(uv_stream_t *server, int status)
{
    assert_int_equal(status, 0);
    struct peer *peer = calloc(1, sizeof *peer);
    peer->f = server->data;
    uv_tcp_init(server->loop, &peer->tcp);
    peer->tcp.data = peer;
    assert_int_equal(uv_accept(server, (uv_stream_t *)&peer->tcp), 0);
    uv_read_start((uv_stream_t *)&peer->tcp, on_peer_alloc, on_peer_read);
}

/* ---- the fixture ---- */

static void set_up(struct fixture *f)
{
    struct sockaddr_in address;
    int len = sizeof address;
    *f = (struct fixture){.settings = {.name = "guard",
                                       .kind = &judge_llama_guard,
                                       .url = f->url,
                                       .path = "/v1/chat/completions",
                                       .model = "llama-guard",
                                       .version = "v1",
                                       .calls_max = 4,
                                       .timeout_ms = 60000,
                                       .busy_ms = 60000,
                                       .failures = 3,
                                       .alone_ms = 3600000,
                                       .known_max = 64,
                                       .known_s = 3600}};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(upstream_pool_new(&f->pool, f->loop, 10000), 0);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop_uv(f->loop), &f->server);
    f->server.data = f;
    assert_int_equal(uv_tcp_bind(&f->server, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->server, 128, on_connection), 0);
    uv_tcp_getsockname(&f->server, (struct sockaddr *)&address, &len);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void serve_as(struct fixture *f, const enum behaviour *script, size_t len)
{
    memcpy(f->script, script, len * sizeof *script);
    f->script_len = len;
    f->requests = 0;
    if (f->service == NULL)
        assert_int_equal(judge_service_new(&f->service, &f->settings, f->loop, f->pool), 0);
}
#define SERVE(f, ...)                                                                                                  \
    serve_as(f, (const enum behaviour[]){__VA_ARGS__},                                                                 \
             sizeof((const enum behaviour[]){__VA_ARGS__}) / sizeof(enum behaviour))

static void on_answer(void *ctx, const struct judge_answer *answer)
{
    struct fixture *f = ctx;
    f->answers[f->answered++ % ANSWERS_MAX] = *answer;
    if (f->answered == f->wanted)
        loop_stop(f->loop);
}

static struct judge_ask *ask(struct fixture *f, const char *text)
{
    struct judge_ask *out;
    struct judge_question question = {JUDGE_ANSWER, "question", text, "nonce"};
    assert_int_equal(judge_service_ask(&out, f->service, &question, on_answer, f), 0);
    return out;
}

static void wait_for(struct fixture *f, size_t answers)
{
    f->wanted = f->answered + answers;
    if (answers > 0)
        loop_run(f->loop);
}

static struct judge_answer ask_one(struct fixture *f, const char *text)
{
    ask(f, text);
    wait_for(f, 1);
    return f->answers[(f->answered - 1) % ANSWERS_MAX];
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static void close_peer(uv_handle_t *handle, void *arg)
{
    struct fixture *f = arg;
    if (handle->type == UV_TCP && handle->data != NULL && handle != (uv_handle_t *)&f->server)
        peer_close(handle->data);
}

static void on_server_closed(uv_handle_t *handle)
{
    loop_stop(((struct fixture *)handle->data)->loop);
}

static void tear_down(struct fixture *f)
{
    size_t open, calling;
    judge_service_count(f->service, &open, &calling);
    assert_int_equal(open, 0);
    assert_int_equal(calling, 0);
    judge_service_close(f->service, stop_loop, f);
    loop_run(f->loop);
    upstream_pool_close(f->pool, stop_loop, f);
    loop_run(f->loop);
    uv_close((uv_handle_t *)&f->server, on_server_closed);
    loop_run(f->loop);
    loop_free(f->loop);
}

static void expect(const struct judge_answer *answer, enum rein_judge_outcome outcome, double risk, bool was_known)
{
    assert_string_equal(rein_judge_outcome_name(answer->outcome), rein_judge_outcome_name(outcome));
    assert_true(answer->opinion.risk == risk);
    assert_int_equal(answer->was_known, was_known);
}

/* ---- tests ---- */

static void test_an_opinion_is_known_afterwards(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SERVE(&f, SAYS_UNSAFE, SAYS_SAFE);
    struct judge_answer answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_OPINED, 1, false);
    assert_string_equal(answer.opinion.categories, "S2");
    assert_non_null(strstr(f.last_request, "POST /v1/chat/completions HTTP/1.1"));
    assert_non_null(strstr(f.last_request, "\"model\":\"llama-guard\""));
    assert_null(strstr(f.last_request, "Authorization"));
    answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_OPINED, 1, true);
    assert_int_equal(f.requests, 1);
    answer = ask_one(&f, "b");
    expect(&answer, REIN_JUDGE_OPINED, 0, false);
    tear_down(&f);
}

static void test_requests_are_signed(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.secret = "s3";
    f.settings.authorization = "Bearer k";
    SERVE(&f, SAYS_SAFE);
    ask_one(&f, "a");
    const char *signature = strstr(f.last_request, "X-Rein-Signature: sha256=");
    assert_non_null(signature);
    assert_int_equal(strspn(signature + 25, "0123456789abcdef"), 64);
    assert_non_null(strstr(f.last_request, "Authorization: Bearer k"));
    tear_down(&f);
}

static void test_calls_are_limited_and_the_rest_waits(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.calls_max = 3;
    SERVE(&f, SAYS_SAFE);
    for (int i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof text, "text %d", i);
        ask(&f, text);
    }
    wait_for(&f, 40);
    assert_int_equal(f.requests, 40);
    assert_true(f.most_running <= 3);
    for (size_t i = 0; i < 40; i++)
        expect(&f.answers[i], REIN_JUDGE_OPINED, 0, false);
    tear_down(&f);
}

static void test_what_is_no_opinion(void **state)
{
    (void)state;
    static const struct {
        enum behaviour behaviour;
        enum rein_judge_outcome outcome;
    } cases[] = {{SAYS_RUBBISH, REIN_JUDGE_UNPARSED}, {SAYS_500, REIN_JUDGE_FAILED},
                 {REDIRECTS, REIN_JUDGE_FAILED},      {CLOSES, REIN_JUDGE_FAILED},
                 {FLOODS, REIN_JUDGE_FAILED},         {FLOODS_EVENTS, REIN_JUDGE_FAILED}};
    struct fixture f;
    set_up(&f);
    f.settings.failures = 100;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SERVE(&f, cases[i].behaviour);
        struct judge_answer answer = ask_one(&f, "a"); /* none of them is kept, so each is asked */
        expect(&answer, cases[i].outcome, 0, false);
    }
    SERVE(&f, SAYS_SAFE);
    struct judge_answer answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_OPINED, 0, false);
    uv_walk(loop_uv(f.loop), close_peer, &f);
    tear_down(&f);
}

static void test_a_slow_judge_is_given_up(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.timeout_ms = 50;
    SERVE(&f, HANGS);
    struct judge_answer answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_TIMED_OUT, 0, false);
    assert_true(answer.took_ms >= 50);
    tear_down(&f);
}

static void test_a_second_try_answers_where_the_first_hangs(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.second_ms = 20;
    SERVE(&f, HANGS, SAYS_UNSAFE);
    struct judge_answer answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_OPINED, 1, false);
    assert_int_equal(f.requests, 2);
    /* A second try that fails leaves the first alone. */
    SERVE(&f, HANGS, SAYS_500);
    f.settings.timeout_ms = 100;
    answer = ask_one(&f, "b");
    expect(&answer, REIN_JUDGE_TIMED_OUT, 0, false);
    tear_down(&f);
}

static void test_a_busy_judge_is_asked_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.failures = 1;
    SERVE(&f, SAYS_BUSY, SAYS_BUSY, SAYS_SAFE);
    struct judge_answer answer = ask_one(&f, "a");
    expect(&answer, REIN_JUDGE_OPINED, 0, false); /* and being busy is no failure */
    assert_int_equal(f.requests, 3);
    SERVE(&f, SAYS_BUSY);
    f.settings.busy_ms = 150;
    answer = ask_one(&f, "b");
    expect(&answer, REIN_JUDGE_BUSY, 0, false);
    SERVE(&f, SAYS_SAFE);
    answer = ask_one(&f, "c");
    expect(&answer, REIN_JUDGE_OPINED, 0, false);
    tear_down(&f);
}

static void test_a_broken_judge_is_left_alone_and_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SERVE(&f, SAYS_500, SAYS_500, SAYS_500, SAYS_SAFE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_one(&f, "a").outcome, REIN_JUDGE_FAILED);
    assert_int_equal(ask_one(&f, "a").outcome, REIN_JUDGE_LEFT_ALONE);
    assert_int_equal(f.requests, 3);
    tear_down(&f);

    set_up(&f);
    f.settings.alone_ms = 30;
    SERVE(&f, SAYS_500, SAYS_500, SAYS_500, SAYS_SAFE);
    for (int i = 0; i < 3; i++)
        ask_one(&f, "a");
    struct judge_answer answer;
    do
        answer = ask_one(&f, "a");
    while (answer.outcome == REIN_JUDGE_LEFT_ALONE);
    expect(&answer, REIN_JUDGE_OPINED, 0, false);
    assert_int_equal(f.requests, 4);
    tear_down(&f);
}

static void test_no_connection_is_a_failure(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    snprintf(f.url, sizeof f.url, "http://127.0.0.1:1");
    SERVE(&f, SAYS_SAFE);
    assert_int_equal(ask_one(&f, "a").outcome, REIN_JUDGE_FAILED);
    tear_down(&f);
}

/* Cancelled in every state: waiting, called, pausing, with its answer ready. */
static void test_cancelled_asks_are_not_answered(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.settings.calls_max = 1;
    SERVE(&f, SAYS_SAFE);
    ask_one(&f, "known");
    judge_service_cancel(ask(&f, "known")); /* ready */
    judge_service_cancel(ask(&f, "new"));   /* waiting */
    SERVE(&f, HANGS, SAYS_BUSY, SAYS_UNSAFE);
    struct judge_ask *hangs = ask(&f, "hangs"), *waits = ask(&f, "waits");
    struct judge_answer known = ask_one(&f, "known"); /* some turns pass */
    expect(&known, REIN_JUDGE_OPINED, 0, true);
    judge_service_cancel(waits);
    judge_service_cancel(hangs);
    struct judge_ask *busy = ask(&f, "busy");
    while (f.requests < 1)
        ask_one(&f, "known");
    judge_service_cancel(busy);
    f.script_len = 1;
    f.script[0] = SAYS_UNSAFE;
    struct judge_answer answer = ask_one(&f, "after");
    expect(&answer, REIN_JUDGE_OPINED, 1, false);
    uv_walk(loop_uv(f.loop), close_peer, &f);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_opinion_is_known_afterwards),
        cmocka_unit_test(test_requests_are_signed),
        cmocka_unit_test(test_calls_are_limited_and_the_rest_waits),
        cmocka_unit_test(test_what_is_no_opinion),
        cmocka_unit_test(test_a_slow_judge_is_given_up),
        cmocka_unit_test(test_a_second_try_answers_where_the_first_hangs),
        cmocka_unit_test(test_a_busy_judge_is_asked_again),
        cmocka_unit_test(test_a_broken_judge_is_left_alone_and_tried_again),
        cmocka_unit_test(test_no_connection_is_a_failure),
        cmocka_unit_test(test_cancelled_asks_are_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
