/* See demo_request.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo_request.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policytest/case_wire.h"

enum { DEMO_ATTEMPTS_MAX = 8, DEMO_BODY_MAX = 1 << 20, DEMO_EVENTS_BEFORE_BREAK = 14 };

/* A request under way. */
struct demo_play_back {
    struct case_sink sink; /* first; over: nothing more of this attempt is wanted */
    const struct demo_request *request;
    const struct rein_policy_settings *policy;
    struct rein_trace *trace;
    struct rein_update update;
    bool restarts; /* the engine asks for another attempt */
    bool has_ended;
    int events_left;                 /* before the model breaks off; -1: it does not */
    int64_t now_us, client_first_us; /* since the request began; -1: nothing went out yet */
    struct store_attempt attempts[DEMO_ATTEMPTS_MAX];
    size_t attempts_len;
};

/* A step was made: what it found counts as committed at once. */
static int demo_settle(struct demo_play_back *p, int rv)
{
    unsigned asks = 0;
    while (rv == 0) {
        asks |= p->update.asks;
        if (p->update.out_len > 0 && p->client_first_us < 0)
            p->client_first_us = p->now_us + 900;
        if ((p->update.asks & REIN_ASK_COMMIT) == 0)
            break;
        p->now_us += 700;
        rv = rein_trace_committed(p->trace, &p->update);
    }
    p->restarts |= (asks & REIN_ASK_RESTART) != 0;
    p->has_ended |= (asks & REIN_ASK_END) != 0;
    p->sink.is_over |= (asks & (REIN_ASK_STOP | REIN_ASK_RESTART | REIN_ASK_END)) != 0;
    return rv;
}

/* Events come some milliseconds apart. */
static int demo_feed(struct case_sink *sink, const char *bytes, size_t len)
{
    struct demo_play_back *p = (struct demo_play_back *)sink;
    struct store_attempt *attempt = &p->attempts[p->attempts_len - 1];
    if (p->events_left == 0) {
        p->sink.is_over = true;
        return 0;
    }
    p->events_left -= p->events_left > 0;
    if (attempt->first_byte_us < 0)
        attempt->first_byte_us = p->now_us;
    p->now_us += 9000 + (p->request->dice >> 8) % 12000;
    return demo_settle(p, rein_trace_feed(p->trace, bytes, len, &p->update));
}

/* ---- attempts ---- */

static json_t *demo_conversation(const struct demo_request *request, const char *prefix)
{
    return *prefix != '\0' ? json_pack("[{ssss}{ssss}]", "role", "system", "content", prefix, "role", "user", "content",
                                       request->user)
                           : json_pack("[{ssss}]", "role", "user", "content", request->user);
}

/* What the model says to this prefix. */
static const struct demo_scenario *demo_choose(const struct demo_request *request, const char *prefix,
                                               struct case_script *out)
{
    char heeded[4096];
    /* The instruction that a real call would carry begins like this. */
    snprintf(heeded, sizeof heeded, "Begin your reasoning with: %s", prefix);
    json_t *messages = demo_conversation(request, *prefix != '\0' ? heeded : "");
    const struct demo_scenario *scenario = demo_script_choose(request->script, "demo", messages);
    bool is_guided = demo_is_guided(scenario, messages);
    *out = (struct case_script){.name = scenario->name,
                                .texts = {is_guided ? scenario->guided_reasoning : scenario->reasoning,
                                          is_guided ? scenario->guided_answer : scenario->answer,
                                          *scenario->tool_name != '\0' ? scenario->tool_arguments : ""}};
    json_decref(messages);
    return scenario;
}

static int demo_attempt(struct demo_play_back *p, const char *prefix, const char *template_name, const char *reason)
{
    const struct demo_request *request = p->request;
    enum rein_delivery delivery = *prefix != '\0' ? REIN_DELIVER_INSTRUCT : REIN_DELIVER_OFF;
    struct rein_attempt way = {.delivery = delivery, .prefix = prefix};
    struct case_script script;
    const struct demo_scenario *scenario = demo_choose(request, prefix, &script);
    struct store_attempt *attempt = &p->attempts[p->attempts_len++];
    *attempt = (struct store_attempt){.template_name = template_name,
                                      .delivery = delivery,
                                      .reason = reason,
                                      .started_us = p->now_us,
                                      .first_byte_us = -1,
                                      .status = 200,
                                      .outcome = "whole"};
    p->now_us += 60000 + request->dice % 240000;
    p->restarts = p->sink.is_over = false;
    bool broke = scenario->end == DEMO_BREAKS_OFF;
    p->events_left = broke ? DEMO_EVENTS_BEFORE_BREAK : -1;
    int rv = rein_trace_attempt(p->trace, &way);
    if (rv == 0)
        rv = case_wire_send(&wire_chat, &script, true, &p->sink);
    if (rv == 0 && (!p->sink.is_over || p->events_left == 0))
        rv = demo_settle(p, rein_trace_finish(p->trace, !broke, NULL, &p->update));
    attempt->ended_us = p->now_us;
    attempt->outcome = p->restarts ? "steered" : broke ? "broke" : p->has_ended ? "whole" : "cancelled";
    return rv;
}

static int demo_attempts(struct demo_play_back *p)
{
    const struct rein_policy_settings *policy = p->policy;
    bool is_wanted = policy->prefix.deliver != REIN_DELIVER_OFF &&
                     (policy->prefix.when == REIN_WHEN_ALWAYS || rein_trace_is_risky(p->trace));
    int rv = demo_attempt(p, is_wanted ? policy->prefix.text : "", policy->prefix.template_name,
                          is_wanted ? "instruct_only" : "not_risky");
    unsigned most = policy->steer.max_attempts < DEMO_ATTEMPTS_MAX ? policy->steer.max_attempts : DEMO_ATTEMPTS_MAX;
    while (rv == 0 && p->restarts && p->attempts_len < most) {
        p->now_us += 1500;
        rv = demo_attempt(p, policy->steer.corrective, "corrective", "instruct_only");
    }
    return rv == 0 && p->restarts ? demo_settle(p, rein_trace_give_up(p->trace, &p->update)) : rv;
}

/* ---- the row ---- */

static const char *demo_ending(enum rein_ending ending)
{
    static const char *const words[] = {[REIN_OPEN] = "lost",
                                        [REIN_COMPLETE] = "complete",
                                        [REIN_REFUSED] = "refused",
                                        [REIN_CUT] = "cut",
                                        [REIN_UPSTREAM_BROKE] = "upstream_broke",
                                        [REIN_OVERFLOW] = "overflow"};
    return words[ending];
}

/* What all rows have; the rest is the caller's. */
static struct store_record demo_record(struct demo_play_back *p)
{
    const struct demo_request *request = p->request;
    return (struct store_record){
        .started_at_us = request->started_at_us,
        .route = request->route->name,
        .model = request->client->model,
        .upstream = request->route->upstream->name,
        .key = request->client->key,
        .dialect = "openai-chat",
        .policy = p->policy->name,
        .policy_version = p->policy->version,
        .streamed = true,
        .final = true,
        .decision = rein_trace_decision(p->trace),
        .keep_text = p->policy->log.text,
        .keep_text_days = p->policy->log.keep_days,
    };
}

static int demo_put(const struct demo_play_back *p, struct store_record *record)
{
    store_id_new(&record->id);
    record->request_id = record->id.text;
    return store_put(p->request->store, record, NULL, NULL, NULL);
}

static int demo_store(struct demo_play_back *p)
{
    struct store_record record = demo_record(p);
    const struct rein_decision *decision = record.decision;
    uint64_t released = 0;
    int rv = rein_trace_texts(p->trace, &record.texts, &record.texts_len);
    for (size_t i = REIN_REASONING; i <= REIN_TOOL; i++)
        released += decision->flow[i].released;
    record.ending = demo_ending(decision->ending);
    record.status = decision->ending == REIN_REFUSED && released == 0 ? 400 : 200;
    record.upstream_first_byte_us = p->attempts_len > 0 ? p->attempts[0].first_byte_us : -1;
    record.client_first_byte_us = p->client_first_us;
    record.duration_us = p->now_us;
    record.attempts = p->attempts;
    record.attempts_len = p->attempts_len;
    return rv == 0 ? demo_put(p, &record) : rv;
}

/* A model that is too busy: there is no answer, and nothing to judge but the prompt. */
static int demo_store_limited(struct demo_play_back *p)
{
    struct store_attempt attempt = {.delivery = REIN_DELIVER_OFF,
                                    .reason = "not_risky",
                                    .started_us = 2000,
                                    .first_byte_us = 90000,
                                    .ended_us = 91000,
                                    .status = 429,
                                    .outcome = "status"};
    struct store_record record = demo_record(p);
    record.ending = "upstream_error";
    record.status = 429;
    record.upstream_first_byte_us = 90000;
    record.client_first_byte_us = 91000;
    record.duration_us = 92000;
    record.attempts = &attempt;
    record.attempts_len = 1;
    record.upstream_error = "{\"status\": 429, \"type\": \"rate_limit_error\", \"code\": null, \"text\": null}";
    record.unanswered = true;
    return demo_put(p, &record);
}

int demo_request_play(const struct demo_request *request)
{
    struct rein_trace_options options = {.policy = request->route->policy->policy,
                                         .engine = request->engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .body_max = DEMO_BODY_MAX,
                                         .choices = 1,
                                         .model = request->client->model,
                                         .id = "demo",
                                         .created_s = request->started_at_us / 1000000};
    struct demo_play_back p = {.sink.feed = demo_feed,
                               .request = request,
                               .policy = rein_policy_settings(request->route->policy->policy),
                               .now_us = 1200,
                               .client_first_us = -1};
    struct case_script script;
    int rv = rein_trace_new(&p.trace, &options);
    if (rv != 0)
        return rv;
    rv = rein_trace_prompt(p.trace, "user", request->user, strlen(request->user));
    if (rv == 0)
        rv = demo_settle(&p, rein_trace_prompt_end(p.trace, &p.update));
    if (rv == 0 && demo_choose(request, "", &script)->status != 200)
        rv = demo_store_limited(&p);
    else {
        if (rv == 0 && !p.sink.is_over)
            rv = demo_attempts(&p);
        if (rv == 0)
            rv = demo_store(&p);
    }
    rein_trace_free(p.trace);
    return rv;
}
