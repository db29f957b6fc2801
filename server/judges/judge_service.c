/* See judge_service.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/judge_service.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "judges/opinion_cache.h"

enum { TRIES = 2, BUSY_FIRST_MS = 100, BUSY_MOST_MS = 4000, CONNECT_MS = 2000, HEADERS_MAX = 4 };

enum ask_state {
    ASK_WAITING, /* in the queue of the service */
    ASK_CALLING, /* at least one call runs */
    ASK_PAUSING, /* it was busy; the timer calls it again */
    ASK_READY,   /* the answer is known, and given at the end of the turn */
    ASK_GONE,    /* answered or cancelled; its timer is being closed */
};

struct ask_try {
    struct judge_ask *ask;
    struct upstream_call *call; /* NULL: none runs */
    unsigned status;
    struct buffer body;
};

struct judge_ask {
    struct judge_service *service;
    judge_answer_fn answer;
    void *ctx;
    enum ask_state state;
    enum judge_subject subject;
    char *prompt, *text, *nonce; /* of one block */
    unsigned char key[OPINION_KEY_BYTES];
    uint64_t asked_ms, called_ms; /* the question; the present call */
    uint64_t busy_since_ms;       /* 0: it was not busy */
    unsigned pause_ms;            /* before it is called again */
    struct ask_try tries[TRIES];
    struct judge_answer result;
    uv_timer_t timer;
    struct loop_task task;
    TAILQ_ENTRY(judge_ask) queue; /* of the service, while it waits */
};

struct judge_service {
    const struct judge_settings *settings;
    struct loop *loop;
    struct upstream_pool *pool;
    struct opinion_cache *known;
    TAILQ_HEAD(, judge_ask) waiting;
    size_t open, calling; /* asks; calls */
    size_t closing;       /* asks whose timers are being closed */
    unsigned failed;      /* calls in a row */
    uint64_t alone_until_ms;
    bool is_tried; /* one call shows whether it works again */
    bool is_woken; /* the pump runs at the end of this turn */
    struct loop_task pump;
    bool ended; /* the last timer that is closed frees the service */
    struct loop_task task;
    loop_fn done;
    void *done_ctx;
};

void judge_nonce(char out[JUDGE_NONCE_SIZE])
{
    unsigned char random[(JUDGE_NONCE_SIZE - 1) / 2];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(out, JUDGE_NONCE_SIZE, random, sizeof random);
}

/* What always holds between two callbacks. */
static bool ask_is_sound(const struct judge_ask *ask)
{
    bool calls = ask->tries[0].call != NULL || ask->tries[1].call != NULL;
    return calls == (ask->state == ASK_CALLING) && (ask->state != ASK_PAUSING || ask->pause_ms > 0) &&
           ask->service->calling <= ask->service->settings->calls_max && ask->service->open > 0;
}

/* ---- when it is left alone ---- */

static void service_note(struct judge_service *s, bool failed)
{
    s->is_tried = false;
    s->failed = failed ? s->failed + 1 : 0;
    if (failed && s->failed >= s->settings->failures)
        s->alone_until_ms = loop_now_ms(s->loop) + s->settings->alone_ms;
}

static bool service_is_alone(struct judge_service *s)
{
    if (s->failed < s->settings->failures)
        return false;
    if (loop_now_ms(s->loop) < s->alone_until_ms || s->is_tried)
        return true;
    s->is_tried = true;
    return false;
}

/* ---- the end of an ask ---- */

/* Frees the service, once it was closed and the last timer is. */
static void service_end(void *ctx)
{
    struct judge_service *s = ctx;
    if (s->closing > 0) {
        s->ended = true;
        return;
    }
    loop_fn done = s->done;
    void *done_ctx = s->done_ctx;
    opinion_cache_free(s->known);
    free(s);
    done(done_ctx);
}

static void on_ask_timer_closed(uv_handle_t *handle)
{
    struct judge_ask *ask = handle->data;
    struct judge_service *s = ask->service;
    free(ask->prompt);
    free(ask);
    s->closing--;
    if (s->ended && s->closing == 0)
        service_end(s);
}

static void tries_stop(struct judge_ask *ask)
{
    for (size_t i = 0; i < TRIES; i++) {
        if (ask->tries[i].call != NULL) {
            upstream_cancel(ask->tries[i].call);
            ask->tries[i].call = NULL;
            ask->service->calling--;
        }
        buffer_clear(&ask->tries[i].body);
    }
}

/* Nobody waits for it any more; its memory stays until its timer is closed. */
static void ask_leave(struct judge_ask *ask)
{
    ask->state = ASK_GONE;
    ask->service->open--;
    ask->service->closing++;
}

static void on_ask_ready(void *ctx)
{
    struct judge_ask *ask = ctx;
    bool is_wanted = ask->state == ASK_READY; /* else it was cancelled in this turn */
    if (is_wanted)
        ask_leave(ask);
    uv_close((uv_handle_t *)&ask->timer, on_ask_timer_closed);
    ask->result.took_ms = (unsigned)(loop_now_ms(ask->service->loop) - ask->asked_ms);
    if (is_wanted)
        ask->answer(ask->ctx, &ask->result);
}

static void service_pump(void *ctx);

/* Calls that may start now start at the end of the turn, when no callback of another call runs. */
static void service_wake(struct judge_service *s)
{
    if (s->is_woken)
        return;
    s->is_woken = true;
    s->pump = (struct loop_task){.fn = service_pump, .ctx = s};
    loop_defer(s->loop, &s->pump);
}

/* The answer is known; it is given at the end of the turn, when no foreign callback runs. */
static void ask_finish(struct judge_ask *ask, enum rein_judge_outcome outcome)
{
    assert(ask->state != ASK_READY && ask->state != ASK_GONE);
    struct judge_service *s = ask->service;
    if (ask->state == ASK_WAITING)
        TAILQ_REMOVE(&s->waiting, ask, queue);
    tries_stop(ask);
    uv_timer_stop(&ask->timer);
    ask->state = ASK_READY;
    ask->result.outcome = outcome;
    ask->task = (struct loop_task){.fn = on_ask_ready, .ctx = ask};
    loop_defer(s->loop, &ask->task);
    service_wake(s);
}

/* ---- calls ---- */

static unsigned reply_tokens(const json_t *document)
{
    json_int_t tokens = json_integer_value(json_object_get(json_object_get(document, "usage"), "total_tokens"));
    return tokens > 0 && tokens <= INT32_MAX ? (unsigned)tokens : 0;
}

static int reply_read(struct judge_ask *ask, const struct ask_try *try)
{
    const struct judge_settings *settings = ask->service->settings;
    const struct judge_question question = {ask->subject, ask->prompt, ask->text, ask->nonce};
    const char *body = try->body.data != NULL ? try->body.data : "";
    json_t *document = NULL;
    const char *reply = body;
    if (settings->kind->route != JUDGE_JSON) {
        document = json_loadb(body, try->body.len, 0, NULL);
        reply = judge_reply_text(document, settings->kind->route);
        ask->result.tokens = reply_tokens(document);
    }
    int rv = reply != NULL ? settings->kind->read(settings->description, &question, reply, &ask->result.opinion)
                           : REIN_EFORMAT;
    json_decref(document);
    return rv;
}

static void ask_pause(struct judge_ask *ask);

/* One try is over, and was the last that ran. */
static void ask_settle(struct judge_ask *ask, const struct ask_try *try, enum upstream_end end)
{
    struct judge_service *s = ask->service;
    bool is_whole = end == UPSTREAM_WHOLE;
    if (is_whole && (try->status == 429 || try->status == 503)) {
        ask_pause(ask);
        return;
    }
    bool failed = !is_whole || try->status != 200;
    service_note(s, failed);
    if (failed) {
        ask_finish(ask, end == UPSTREAM_TIMEOUT ? REIN_JUDGE_TIMED_OUT : REIN_JUDGE_FAILED);
    } else if (reply_read(ask, try) != 0) {
        ask->result.opinion = (struct judge_opinion){0};
        ask_finish(ask, REIN_JUDGE_UNPARSED);
    } else {
        opinion_cache_put(s->known, ask->key, loop_now_ms(s->loop), &ask->result.opinion);
        ask_finish(ask, REIN_JUDGE_OPINED);
    }
}

static void on_try_head(void *ctx, const struct upstream_response *response)
{
    ((struct ask_try *)ctx)->status = response->status;
}

static void on_try_end(void *ctx, enum upstream_end end, const char *message)
{
    struct ask_try *try = ctx;
    struct judge_ask *ask = try->ask;
    (void)message; /* it names an address; the outcome says enough */
    try->call = NULL;
    ask->service->calling--;
    const struct ask_try *other = &ask->tries[try == &ask->tries[0]];
    bool is_good = end == UPSTREAM_WHOLE && try->status == 200;
    /* A first try that fails does not end what the second may still answer. */
    if (!is_good && other->call != NULL) {
        service_wake(ask->service);
        return;
    }
    if (other->call != NULL) {
        upstream_cancel(other->call);
        ask->tries[try == &ask->tries[0]].call = NULL;
        ask->service->calling--;
    }
    ask->state = ASK_PAUSING; /* no call runs; what comes next is decided now */
    ask->pause_ms = 1;
    ask_settle(ask, try, end);
}

/* An event stream has no ceiling of the upstream's own. */
static void on_try_data(void *ctx, const char *data, size_t len)
{
    struct ask_try *try = ctx;
    if (buffer_add(&try->body, data, len, JUDGE_REPLY_MAX) == 0)
        return;
    upstream_cancel(try->call);
    on_try_end(try, UPSTREAM_TOO_LARGE, "");
}

/* The request's text. Owned. */
static char *request_text(const struct judge_ask *ask)
{
    const struct judge_settings *settings = ask->service->settings;
    const struct judge_question question = {ask->subject, ask->prompt, ask->text, ask->nonce};
    json_t *body = settings->kind->body(settings->description, &question);
    if (body != NULL && settings->model != NULL)
        json_object_set_new(body, "model", json_string(settings->model));
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

enum { SIGNATURE_MAX = 8 + 2 * crypto_auth_hmacsha256_BYTES };

static void sign_request(const char *secret, const char *body, size_t len, char out[SIGNATURE_MAX])
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, len);
    crypto_auth_hmacsha256_final(&state, mac);
    memcpy(out, "sha256=", 7);
    sodium_bin2hex(out + 7, SIGNATURE_MAX - 7, mac, sizeof mac);
}

static int try_start(struct ask_try *try)
{
    static const struct upstream_handler handler = {on_try_head, on_try_data, on_try_end};
    struct judge_service *s = try->ask->service;
    const struct judge_settings *settings = s->settings;
    char *body = request_text(try->ask), signature[SIGNATURE_MAX];
    if (body == NULL)
        return REIN_ENOMEM;
    struct upstream_header headers[HEADERS_MAX] = {{"Content-Type", "application/json"}};
    size_t n = 1;
    if (settings->authorization != NULL)
        headers[n++] = (struct upstream_header){"Authorization", settings->authorization};
    if (settings->secret != NULL) {
        sign_request(settings->secret, body, strlen(body), signature);
        headers[n++] = (struct upstream_header){"X-Rein-Signature", signature};
    }
    struct upstream_request request = {.method = "POST",
                                       .url = settings->url,
                                       .path = settings->path,
                                       .headers = headers,
                                       .body = body,
                                       .body_len = strlen(body),
                                       .connect_ms =
                                           CONNECT_MS < settings->timeout_ms ? CONNECT_MS : settings->timeout_ms,
                                       .first_byte_ms = settings->timeout_ms,
                                       .idle_ms = settings->timeout_ms,
                                       .body_max = JUDGE_REPLY_MAX};
    buffer_clear(&try->body);
    try->status = 0;
    int rv = upstream_start(&try->call, s->pool, &request, &handler, try);
    s->calling += rv == 0;
    free(body);
    return rv;
}

static void on_ask_timer(uv_timer_t *timer);

/* The timer's next moment: a second try, or the end of the time that a call has. */
static void ask_arm(struct judge_ask *ask)
{
    const struct judge_settings *settings = ask->service->settings;
    uint64_t now = loop_now_ms(ask->service->loop), past = now - ask->called_ms;
    bool may_second =
        settings->second_ms > 0 && settings->second_ms < settings->timeout_ms && past < settings->second_ms;
    uint64_t at = may_second ? settings->second_ms : settings->timeout_ms;
    uv_timer_start(&ask->timer, on_ask_timer, at > past ? at - past : 0, 0);
}

static void ask_call(struct judge_ask *ask)
{
    struct judge_service *s = ask->service;
    ask->called_ms = loop_now_ms(s->loop);
    if (try_start(&ask->tries[0]) != 0) {
        service_note(s, true);
        ask_finish(ask, REIN_JUDGE_FAILED);
        return;
    }
    ask->state = ASK_CALLING;
    ask_arm(ask);
    assert(ask_is_sound(ask));
}

/* Calls those that wait, as many as may run. */
static void service_pump(void *ctx)
{
    struct judge_service *s = ctx;
    struct judge_ask *ask;
    s->is_woken = false;
    while (s->calling < s->settings->calls_max && (ask = TAILQ_FIRST(&s->waiting)) != NULL) {
        TAILQ_REMOVE(&s->waiting, ask, queue);
        ask->state = ASK_PAUSING; /* in no list */
        ask->pause_ms = 1;
        ask_call(ask);
    }
}

static void ask_wait(struct judge_ask *ask)
{
    ask->state = ASK_WAITING;
    TAILQ_INSERT_TAIL(&ask->service->waiting, ask, queue);
    service_wake(ask->service);
}

/* It is busy: the next call comes after a pause that doubles. */
static void ask_pause(struct judge_ask *ask)
{
    uint64_t now = loop_now_ms(ask->service->loop);
    if (ask->busy_since_ms == 0)
        ask->busy_since_ms = now;
    ask->service->is_tried = false;
    unsigned pause = ask->pause_ms < BUSY_FIRST_MS ? BUSY_FIRST_MS : ask->pause_ms * 2;
    ask->pause_ms = pause < BUSY_MOST_MS ? pause : BUSY_MOST_MS;
    if (now - ask->busy_since_ms + ask->pause_ms > ask->service->settings->busy_ms) {
        ask_finish(ask, REIN_JUDGE_BUSY);
        return;
    }
    ask->state = ASK_PAUSING;
    uv_timer_start(&ask->timer, on_ask_timer, ask->pause_ms, 0);
    service_wake(ask->service);
}

static void on_ask_timer(uv_timer_t *timer)
{
    struct judge_ask *ask = timer->data;
    struct judge_service *s = ask->service;
    if (ask->state == ASK_PAUSING) {
        ask_wait(ask);
        return;
    }
    assert(ask_is_sound(ask) && ask->state == ASK_CALLING);
    if (loop_now_ms(s->loop) - ask->called_ms >= s->settings->timeout_ms) {
        service_note(s, true);
        ask_finish(ask, REIN_JUDGE_TIMED_OUT);
        return;
    }
    /* A second try is a courtesy: none where there is no room, or no memory. */
    if (ask->tries[1].call == NULL && s->calling < s->settings->calls_max && try_start(&ask->tries[1]) != 0)
        ask->tries[1].call = NULL;
    ask_arm(ask);
}

/* ---- asking ---- */

/* All that the opinion depends on, each text with its length. */
static void ask_digest(struct judge_ask *ask)
{
    const char *const texts[] = {ask->service->settings->version, judge_subject_name(ask->subject), ask->prompt,
                                 ask->text};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, OPINION_KEY_BYTES);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        crypto_generichash_update(&state, (const unsigned char *)texts[i], strlen(texts[i]) + 1);
    crypto_generichash_final(&state, ask->key, OPINION_KEY_BYTES);
}

static struct judge_ask *ask_new(struct judge_service *s, const struct judge_question *q)
{
    size_t prompt = strlen(q->prompt) + 1, text = strlen(q->text) + 1, nonce = strlen(q->nonce) + 1;
    struct judge_ask *ask = calloc(1, sizeof *ask);
    char *texts = ask != NULL ? malloc(prompt + text + nonce) : NULL;
    if (texts == NULL) {
        free(ask);
        return NULL;
    }
    ask->service = s;
    ask->subject = q->subject;
    ask->prompt = memcpy(texts, q->prompt, prompt);
    ask->text = memcpy(texts + prompt, q->text, text);
    ask->nonce = memcpy(texts + prompt + text, q->nonce, nonce);
    for (size_t i = 0; i < TRIES; i++)
        ask->tries[i].ask = ask;
    return ask;
}

int judge_service_ask(struct judge_ask **out, struct judge_service *s, const struct judge_question *question,
                      judge_answer_fn answer, void *ctx)
{
    struct judge_ask *ask = ask_new(s, question);
    if (ask == NULL)
        return REIN_ENOMEM;
    ask->answer = answer;
    ask->ctx = ctx;
    ask->asked_ms = loop_now_ms(s->loop);
    ask_digest(ask);
    uv_timer_init(loop_uv(s->loop), &ask->timer);
    ask->timer.data = ask;
    s->open++;
    *out = ask;
    ask->state = ASK_PAUSING; /* in no list */
    ask->pause_ms = 1;
    if (opinion_cache_find(s->known, ask->key, ask->asked_ms, &ask->result.opinion)) {
        ask->result.was_known = true;
        ask_finish(ask, REIN_JUDGE_OPINED);
    } else if (service_is_alone(s)) {
        ask_finish(ask, REIN_JUDGE_LEFT_ALONE);
    } else {
        ask_wait(ask);
    }
    return 0;
}

void judge_service_cancel(struct judge_ask *ask)
{
    struct judge_service *s = ask->service;
    assert(ask->state != ASK_GONE);
    bool is_deferred = ask->state == ASK_READY; /* the end of the turn releases it */
    if (ask->state == ASK_WAITING)
        TAILQ_REMOVE(&s->waiting, ask, queue);
    tries_stop(ask);
    uv_timer_stop(&ask->timer);
    ask_leave(ask);
    if (!is_deferred)
        uv_close((uv_handle_t *)&ask->timer, on_ask_timer_closed);
    s->is_tried = false;
    service_wake(s);
}

/* ---- the service ---- */

int judge_service_new(struct judge_service **out, const struct judge_settings *settings, struct loop *loop,
                      struct upstream_pool *pool)
{
    struct judge_service *s = calloc(1, sizeof *s);
    if (s == NULL)
        return REIN_ENOMEM;
    assert(settings->calls_max > 0 && settings->timeout_ms > 0 && settings->failures > 0);
    int rv = opinion_cache_new(&s->known, settings->known_max, (uint64_t)settings->known_s * 1000);
    if (rv != 0) {
        free(s);
        return rv;
    }
    s->settings = settings;
    s->loop = loop;
    s->pool = pool;
    TAILQ_INIT(&s->waiting);
    *out = s;
    return 0;
}

void judge_service_close(struct judge_service *s, loop_fn done, void *ctx)
{
    assert(s->open == 0 && s->done == NULL);
    s->done = done;
    s->done_ctx = ctx;
    s->task = (struct loop_task){.fn = service_end, .ctx = s};
    loop_defer(s->loop, &s->task);
}

void judge_service_count(const struct judge_service *s, size_t *open, size_t *calling)
{
    *open = s->open;
    *calling = s->calling;
}
