/* See case_run.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_run.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "policytest/case_judges.h"
#include "policytest/case_names.h"

enum { CASE_BODY_MAX = 16 << 20 };

struct case_play {
    struct case_sink sink; /* over: the response was stopped */
    struct rein_trace *trace;
    struct rein_update update;
    struct buffer out;  /* what the client gets */
    struct buffer sent; /* the prompt, as the upstream gets it */
    struct case_names names;
    size_t masks_seen;
    const struct case_script *script;
    const struct config *config;
    struct case_answers answers;
    char unscripted[CASE_SAID_MAX]; /* see case_result.h */
};

/* ---- steps ---- */

static int keep_out(struct case_play *p)
{
    return p->update.out_len > 0 ? buffer_add(&p->out, p->update.out, p->update.out_len, CASE_OUT_MAX) : 0;
}

/* Looks up what the judges answer; given is it later, because each answer is a step of its own. */
static int look_up_answers(struct case_play *p)
{
    size_t len;
    int rv = 0;
    if ((p->update.asks & REIN_ASK_JUDGE) == 0)
        return 0;
    const struct rein_question *questions = rein_trace_questions(p->trace, &len);
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = case_judges_answer(&p->answers, p->script, p->config, &p->names, &questions[i], p->unscripted);
    p->sink.is_over |= rv == 1;
    return rv == 1 ? 0 : rv;
}

/* A step was made: its bytes are kept, and what it found is committed at once. */
static int settle_step(struct case_play *p, int rv)
{
    const unsigned over = REIN_ASK_STOP | REIN_ASK_RESTART | REIN_ASK_END;
    if (rv == 0)
        rv = keep_out(p);
    if (rv == 0)
        rv = look_up_answers(p);
    while (rv == 0 && (p->update.asks & REIN_ASK_COMMIT) != 0) {
        p->sink.is_over |= (p->update.asks & over) != 0;
        rv = rein_trace_committed(p->trace, &p->update);
        if (rv == 0)
            rv = keep_out(p);
        if (rv == 0)
            rv = look_up_answers(p);
    }
    p->sink.is_over |= rv == 0 && (p->update.asks & over) != 0;
    return rv;
}

/* The judges answer at once, too. */
static int play_settle(struct case_play *p, int rv)
{
    rv = settle_step(p, rv);
    for (size_t i = 0; i < p->answers.len && rv == 0 && !p->sink.is_over; i++) {
        struct case_said *said = &p->answers.items[i];
        said->answer.categories = said->categories;
        rv = settle_step(p, rein_trace_answer(p->trace, said->id, &said->answer, &p->update));
    }
    p->answers.len = 0;
    return rv;
}

static int feed_bytes(struct case_sink *sink, const char *bytes, size_t len)
{
    struct case_play *p = (struct case_play *)sink;
    return play_settle(p, rein_trace_feed(p->trace, bytes, len, &p->update));
}

/* ---- the client ---- */

static int read_payload(struct buffer texts[CASE_TEXTS], const struct case_wire *wire, const char *bytes, size_t len)
{
    json_t *root = json_loadb(bytes, len, 0, NULL);
    int rv = wire->read(root, texts);
    json_decref(root);
    return rv;
}

static int read_events(struct buffer texts[CASE_TEXTS], const struct case_wire *wire, const char *at, const char *end)
{
    static const char mark[] = "data: ";
    int rv = 0;
    while (at < end && rv == 0) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end : end;
        size_t len = (size_t)(line_end - at), mark_len = sizeof mark - 1;
        if (len > mark_len && memcmp(at, mark, mark_len) == 0)
            rv = read_payload(texts, wire, at + mark_len, len - mark_len);
        at = line_end + 1;
    }
    return rv;
}

static int read_client(struct case_result *out, const struct case_play *p)
{
    struct buffer texts[CASE_TEXTS] = {0};
    int rv = 0;
    if (p->out.len > 0)
        rv = out->streamed ? read_events(texts, out->wire, p->out.data, p->out.data + p->out.len)
                           : read_payload(texts, out->wire, p->out.data, p->out.len);
    for (int t = 0; t < CASE_TEXTS; t++) {
        out->texts[t] = rv == 0 ? case_names_number(&p->names, texts[t].len > 0 ? texts[t].data : "") : NULL;
        if (rv == 0 && out->texts[t] == NULL)
            rv = REIN_ENOMEM;
        buffer_clear(&texts[t]);
    }
    return rv;
}

/* ---- one case ---- */

/* What of the last message goes to the upstream. */
static int keep_sent(struct case_play *p, const char *text)
{
    size_t len, at = 0;
    const struct rein_mask *masks = rein_trace_masks(p->trace, &len);
    int rv = p->sent.len > 0 ? buffer_add(&p->sent, "\n", 1, CASE_OUT_MAX) : 0;
    for (; p->masks_seen < len && rv == 0; p->masks_seen++) {
        const struct rein_mask *mask = &masks[p->masks_seen];
        rv = case_names_add(&p->names, mask);
        if (rv == 0)
            rv = buffer_add(&p->sent, text + at, (size_t)mask->offset - at, CASE_OUT_MAX);
        if (rv == 0)
            rv = buffer_add(&p->sent, mask->text, mask->text_len, CASE_OUT_MAX);
        at = (size_t)(mask->offset + mask->len);
    }
    return rv == 0 ? buffer_add(&p->sent, text + at, strlen(text + at), CASE_OUT_MAX) : rv;
}

static int play_message(struct case_play *p, const char *speaker, const char *text)
{
    int rv = rein_trace_prompt(p->trace, speaker, text, strlen(text));
    return rv == 0 ? keep_sent(p, text) : rv;
}

static int play_prompt(struct case_play *p, const struct case_script *script)
{
    int rv = 0;
    if (script->prompt != NULL)
        rv = play_message(p, "user", script->prompt);
    for (const struct rein_node *at = script->messages != NULL ? script->messages->first : NULL; at != NULL && rv == 0;
         at = at->next)
        rv = play_message(p, rein_node_text(at, "role"), rein_node_text(at, "text"));
    return rv == 0 ? play_settle(p, rein_trace_prompt_end(p->trace, &p->update)) : rv;
}

static int play_case(struct case_play *p, const struct case_wire *wire, bool streamed)
{
    const struct case_script *script = p->script;
    /* An instruction: where the policy may steer, reasoning is held until its end, so that steering is possible. */
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .prefix = ""};
    int rv = play_prompt(p, script);
    if (rv != 0 || p->sink.is_over)
        return rv;
    char *texts[CASE_TEXTS] = {NULL};
    struct case_script said = *script;
    rv = rein_trace_attempt(p->trace, &attempt);
    for (int t = 0; t < CASE_TEXTS && rv == 0; t++) {
        said.texts[t] = texts[t] = case_names_spell(&p->names, script->texts[t]);
        rv = texts[t] != NULL ? 0 : REIN_ENOMEM;
    }
    if (rv == 0)
        rv = case_wire_send(wire->wire, &said, streamed, &p->sink);
    for (int t = 0; t < CASE_TEXTS; t++)
        free(texts[t]);
    if (rv == 0 && !p->sink.is_over)
        rv = play_settle(p, rein_trace_finish(p->trace, true, NULL, &p->update));
    return rv;
}

int case_run(struct case_result *out, const struct case_under *under, const struct case_script *script,
             const struct case_wire *wire, bool streamed)
{
    static const unsigned char key[REIN_MASK_KEY] = "of no client";
    struct rein_trace_options options = {.policy = under->policy,
                                         .mask_key = key,
                                         .engine = under->engine,
                                         .dialect = wire->wire->dialect,
                                         .streamed = streamed,
                                         .body_max = CASE_BODY_MAX,
                                         .choices = 1,
                                         .model = "case",
                                         .id = "case"};
    struct case_play p = {.sink.feed = feed_bytes, .script = script, .config = under->config};
    *out = (struct case_result){.wire = wire, .streamed = streamed};
    int rv = rein_trace_new(&p.trace, &options);
    if (rv != 0)
        return rv;
    rv = play_case(&p, wire, streamed);
    if (rv == 0)
        out->upstream = case_names_number(&p.names, p.sent.len > 0 ? p.sent.data : "");
    if (rv == 0)
        rv = out->upstream != NULL ? read_client(out, &p) : REIN_ENOMEM;
    const struct rein_decision *d = rein_trace_decision(p.trace);
    out->action = d->verdict;
    out->ending = d->ending;
    for (size_t i = 0; i < d->findings_len; i++)
        case_result_found(out, d->findings[i].id);
    for (size_t i = 0; i < d->asked_len; i++)
        case_result_asked(out, d->asked[i].judge);
    memcpy(out->unscripted, p.unscripted, sizeof out->unscripted);
    rein_trace_free(p.trace);
    buffer_clear(&p.out);
    buffer_clear(&p.sent);
    case_names_fini(&p.names);
    case_answers_fini(&p.answers);
    if (rv != 0)
        case_result_fini(out);
    return rv;
}
