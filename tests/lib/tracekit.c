/* See tracekit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dialect/sse.h"
#include "trace/trace_state.h"
#include "tracekit.h"

enum { TEXT_MAX = 1 << 24 };

struct rein_policy *kit_policy(const char *yaml)
{
    return kit_policy_with(yaml, NULL, 0);
}

struct rein_policy *kit_policy_with(const char *yaml, const char *const *templates, size_t templates_len)
{
    struct rein_source source = {"policy.yaml", yaml, strlen(yaml)}, all[KIT_TEMPLATES];
    struct rein_library library = {.templates = all, .templates_len = templates_len};
    assert_true(templates_len <= KIT_TEMPLATES);
    for (size_t i = 0; i < templates_len; i++)
        all[i] = (struct rein_source){"template.yaml", templates[i], strlen(templates[i])};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    assert_int_equal(rv, 0);
    return policy;
}

/* ---- the client's view --------------------------------------------------------------------------------------------
 */

void kit_add_text(struct bytes *out, const json_t *string)
{
    if (json_is_string(string))
        assert_int_equal(bytes_append(out, json_string_value(string), json_string_length(string)), 0);
}

static void see_choice(struct kit_seen *seen, json_t *choice, const char *texts)
{
    json_int_t index = json_integer_value(json_object_get(choice, "index"));
    assert_true(index < KIT_CHOICES);
    struct kit_choice *c = &seen->choices[index > 0 ? index : 0];
    json_t *delta = json_object_get(choice, texts), *finish = json_object_get(choice, "finish_reason"), *call;
    kit_add_text(&c->content, json_object_get(delta, "content"));
    kit_add_text(&c->reasoning, json_object_get(delta, "reasoning_content"));
    c->roles += json_is_string(json_object_get(delta, "role"));
    size_t i;
    json_array_foreach(json_object_get(delta, "tool_calls"), i, call)
    {
        kit_add_text(&c->arguments, json_object_get(json_object_get(call, "function"), "arguments"));
    }
    if (json_is_string(finish)) {
        c->finishes++;
        snprintf(c->finish, sizeof(c->finish), "%s", json_string_value(finish));
    }
}

static bool is_done(struct span payload)
{
    return span_is(payload, SPAN("[DONE]"));
}

static void see_chat(struct kit_seen *seen, struct span payload, bool is_body)
{
    if (!is_body && is_done(payload))
        return;
    json_t *event = json_loadb(payload.data, payload.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL), *choice;
    seen->unreadable += event == NULL;
    json_t *error = json_object_get(event, "error");
    if (error != NULL) {
        const char *message = json_string_value(json_object_get(error, "message"));
        seen->errors++;
        snprintf(seen->error, sizeof(seen->error), "%s", message != NULL ? message : "(no message)");
    }
    size_t i;
    json_array_foreach(json_object_get(event, "choices"), i, choice)
    {
        see_choice(seen, choice, is_body ? "message" : "delta");
    }
    json_decref(event);
}

const struct kit_view kit_view_chat = {REIN_OPENAI_CHAT, is_done, see_chat};

static void see_events(struct kit_seen *seen, const struct kit_view *view)
{
    struct framer f;
    struct frame frame;
    struct span rest = bytes_span(&seen->out);
    framer_init(&f, &framing_sse, TEXT_MAX);
    while (framer_next(&f, rest, true, &frame) == 1) {
        assert_false(frame.unterminated);
        seen->comments += frame.kind == FRAME_COMMENT;
        if (frame.kind != FRAME_COMMENT) {
            seen->events++;
            seen->after_done += seen->done > 0;
            seen->done += view->is_last(frame.payload);
            view->see(seen, frame.payload, false);
        }
        rest.data += frame.raw.len;
        rest.len -= frame.raw.len;
    }
    framer_fini(&f);
}

/* ---- the run ------------------------------------------------------------------------------------------------------
 */

/* Takes what a step gave, and commits as often as that is asked for. */
static void take(struct rein_trace *trace, struct kit_seen *seen, int rv, struct rein_update *u)
{
    assert_int_equal(rv, 0);
    for (;;) {
        unsigned asks = u->asks;
        assert_true(trace_is_sound(trace, true));
        assert_int_equal(bytes_append(&seen->out, u->out, u->out_len), 0);
        seen->feeds_with_output += u->out_len > 0;
        seen->asks |= asks;
        if (!(asks & REIN_ASK_COMMIT))
            return;
        assert_int_equal(rein_trace_committed(trace, u), 0);
    }
}

static size_t next_chunk(const struct kit_run *run, size_t at, size_t end)
{
    size_t left = end - at;
    size_t len = run->chunk > 0 ? run->chunk : left;
    if (run->cut > at)
        len = run->cut - at;
    return len < left ? len : left;
}

/* One attempt. Returns whether another one is asked for. */
static bool feed_attempt(struct rein_trace *trace, const struct kit_run *run, struct span upstream,
                         struct kit_seen *seen)
{
    struct rein_attempt attempt = {.opened = run->opened, .is_apart = run->is_apart, .prefix = run->prefix};
    attempt.delivery = run->restarts != NULL ? REIN_DELIVER_INSTRUCT
                       : run->prefix != NULL ? REIN_DELIVER_PREFILL
                                             : REIN_DELIVER_OFF;
    struct rein_update u;
    seen->asks &= ~(unsigned)(REIN_ASK_RESTART | REIN_ASK_STOP);
    assert_int_equal(rein_trace_attempt(trace, &attempt), 0);
    for (size_t at = 0; at < upstream.len && !(seen->asks & (REIN_ASK_END | REIN_ASK_RESTART));) {
        size_t len = next_chunk(run, at, upstream.len);
        int rv = rein_trace_feed(trace, upstream.data + at, len, &u);
        take(trace, seen, rv, &u);
        at += len;
    }
    if (!(seen->asks & (REIN_ASK_END | REIN_ASK_RESTART))) {
        int rv = rein_trace_finish(trace, !run->breaks_off, NULL, &u);
        take(trace, seen, rv, &u);
    }
    return (seen->asks & REIN_ASK_RESTART) != 0 && !(seen->asks & REIN_ASK_END);
}

static void feed(struct rein_trace *trace, const struct kit_run *run, struct kit_seen *seen)
{
    struct rein_update u;
    bool again = feed_attempt(trace, run, run->upstream, seen);
    for (unsigned i = 0; i < run->restarts_len && again; i++)
        again = feed_attempt(trace, run, run->restarts[i], seen);
    if (!again)
        return;
    int rv = rein_trace_give_up(trace, &u);
    take(trace, seen, rv, &u);
}

static void copy_decision(struct rein_trace *trace, struct kit_seen *seen)
{
    seen->decision = *rein_trace_decision(trace);
    assert_true(seen->decision.findings_len <= KIT_FINDINGS);
    for (size_t i = 0; i < seen->decision.findings_len; i++) {
        seen->findings[i] = seen->decision.findings[i];
        seen->findings[i].evidence = NULL;
    }
    seen->decision.findings = seen->findings;
    seen->decision.harms = NULL;
}

void kit_run(const struct kit_run *run, struct kit_seen *seen)
{
    struct rein_engine *engine = NULL;
    struct rein_trace *trace = NULL;
    struct rein_update u;
    const struct kit_view *view = run->view != NULL ? run->view : &kit_view_chat;
    memset(seen, 0, sizeof(*seen));
    bytes_init(&seen->out, TEXT_MAX);
    for (size_t i = 0; i < KIT_CHOICES; i++) {
        bytes_init(&seen->choices[i].content, TEXT_MAX);
        bytes_init(&seen->choices[i].reasoning, TEXT_MAX);
        bytes_init(&seen->choices[i].arguments, TEXT_MAX);
    }
    assert_int_equal(rein_engine_new(&engine), 0);
    struct rein_trace_options options = {.policy = run->policy,
                                         .engine = engine,
                                         .dialect = view->dialect,
                                         .streamed = !run->is_body,
                                         .choices = run->choices > 0 ? run->choices : 1,
                                         .body_max = run->body_max,
                                         .mask_key = run->mask_key,
                                         .model = "m",
                                         .id = "chatcmpl-own",
                                         .created_s = 1};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    if (run->prompt != NULL)
        assert_int_equal(rein_trace_prompt(trace, "user", run->prompt, strlen(run->prompt)), 0);
    int rv = rein_trace_prompt_end(trace, &u);
    take(trace, seen, rv, &u);
    if (!(seen->asks & REIN_ASK_END))
        feed(trace, run, seen);
    copy_decision(trace, seen);
    rein_trace_free(trace);
    rein_engine_free(engine);
    if (run->is_body)
        view->see(seen, bytes_span(&seen->out), true);
    else
        see_events(seen, view);
}

void kit_seen_fini(struct kit_seen *seen)
{
    bytes_fini(&seen->out);
    for (size_t i = 0; i < KIT_CHOICES; i++) {
        bytes_fini(&seen->choices[i].content);
        bytes_fini(&seen->choices[i].reasoning);
        bytes_fini(&seen->choices[i].arguments);
    }
}

/* A NUL behind the text, which is not counted. */
static const char *as_string(struct bytes *text)
{
    assert_int_equal(bytes_append(text, "", 1), 0);
    text->end--;
    return text->data + text->start;
}

const char *kit_content(struct kit_seen *seen, unsigned choice)
{
    return as_string(&seen->choices[choice].content);
}

const char *kit_reasoning(struct kit_seen *seen, unsigned choice)
{
    return as_string(&seen->choices[choice].reasoning);
}

const char *kit_arguments(struct kit_seen *seen, unsigned choice)
{
    return as_string(&seen->choices[choice].arguments);
}

bool kit_has(const struct kit_seen *seen, const char *bytes)
{
    struct span all = bytes_span(&seen->out);
    return memmem(all.data, all.len, bytes, strlen(bytes)) != NULL;
}
