/* See case_run.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_run.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { CASE_BODY_MAX = 16 << 20, CASE_OUT_MAX = 512 << 20 };

struct case_play {
    struct rein_trace *trace;
    struct rein_update update;
    struct buffer out; /* what the client gets */
    bool streamed, stopped;
};

/* ---- steps ---- */

static int keep_out(struct case_play *p)
{
    return p->update.out_len > 0 ? buffer_add(&p->out, p->update.out, p->update.out_len, CASE_OUT_MAX) : 0;
}

/* A step was made: its bytes are kept, and what it found is committed at once. */
static int play_settle(struct case_play *p, int rv)
{
    const unsigned over = REIN_ASK_STOP | REIN_ASK_RESTART | REIN_ASK_END;
    if (rv == 0)
        rv = keep_out(p);
    while (rv == 0 && (p->update.asks & REIN_ASK_COMMIT) != 0) {
        p->stopped |= (p->update.asks & over) != 0;
        rv = rein_trace_committed(p->trace, &p->update);
        if (rv == 0)
            rv = keep_out(p);
    }
    p->stopped |= rv == 0 && (p->update.asks & over) != 0;
    return rv;
}

static int feed_bytes(struct case_play *p, const char *bytes, size_t len)
{
    return play_settle(p, rein_trace_feed(p->trace, bytes, len, &p->update));
}

/* ---- a streamed response ---- */

/* Takes `delta`. */
static int feed_delta(struct case_play *p, json_t *delta, const char *finish)
{
    json_t *event = json_pack("{sssss[{siso*ss*}]}", "id", "case", "object", "chat.completion.chunk", "choices",
                              "index", 0, "delta", delta, "finish_reason", finish);
    char *text = event != NULL ? json_dumps(event, JSON_COMPACT) : NULL, *frame = NULL;
    json_decref(event);
    int len = text != NULL ? asprintf(&frame, "data: %s\n\n", text) : -1;
    free(text);
    if (len < 0)
        return REIN_ENOMEM;
    int rv = feed_bytes(p, frame, (size_t)len);
    free(frame);
    return rv;
}

/* Whole characters. */
static size_t piece_of(const char *text)
{
    size_t len = strnlen(text, CASE_PIECE_BYTES + 1);
    for (len = len < CASE_PIECE_BYTES ? len : CASE_PIECE_BYTES; ((unsigned char)text[len] & 0xC0) == 0x80; len--)
        ;
    return len;
}

static int feed_pieces(struct case_play *p, const char *text, json_t *(*pack)(const char *text, size_t len))
{
    int rv = 0;
    for (size_t len; *text != '\0' && rv == 0 && !p->stopped; text += len) {
        len = piece_of(text);
        rv = feed_delta(p, pack(text, len), NULL);
    }
    return rv;
}

static json_t *pack_reasoning(const char *text, size_t len)
{
    return json_pack("{ss%}", "reasoning_content", text, len);
}

static json_t *pack_answer(const char *text, size_t len)
{
    return json_pack("{ss%}", "content", text, len);
}

static json_t *pack_tool(const char *text, size_t len)
{
    return json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", 0, "function", "arguments", text, len);
}

static int feed_events(struct case_play *p, const struct case_script *script)
{
    static const char done[] = "data: [DONE]\n\n";
    bool calls = *script->texts[CASE_TOOL] != '\0';
    int rv = feed_pieces(p, script->texts[CASE_REASONING], pack_reasoning);
    if (rv == 0)
        rv = feed_pieces(p, script->texts[CASE_ANSWER], pack_answer);
    if (rv == 0 && calls && !p->stopped)
        rv = feed_delta(p,
                        json_pack("{s[{sisssss{ssss}}]}", "tool_calls", "index", 0, "id", "call_case", "type",
                                  "function", "function", "name", "tool", "arguments", ""),
                        NULL);
    if (rv == 0)
        rv = feed_pieces(p, script->texts[CASE_TOOL], pack_tool);
    if (rv == 0 && !p->stopped)
        rv = feed_delta(p, json_object(), calls ? "tool_calls" : "stop");
    return rv == 0 && !p->stopped ? feed_bytes(p, done, sizeof done - 1) : rv;
}

/* ---- a response in one body ---- */

static int feed_body(struct case_play *p, const struct case_script *script)
{
    const char *const *texts = script->texts;
    bool calls = *texts[CASE_TOOL] != '\0';
    json_t *message = json_pack("{ssssss}", "role", "assistant", "content", texts[CASE_ANSWER], "reasoning_content",
                                texts[CASE_REASONING]);
    if (calls)
        json_object_set_new(message, "tool_calls",
                            json_pack("[{sssss{ssss}}]", "id", "call_case", "type", "function", "function", "name",
                                      "tool", "arguments", texts[CASE_TOOL]));
    json_t *body = json_pack("{sssss[{sisoss}]}", "id", "case", "object", "chat.completion", "choices", "index", 0,
                             "message", message, "finish_reason", calls ? "tool_calls" : "stop");
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = feed_bytes(p, text, strlen(text));
    free(text);
    return rv;
}

/* ---- the client ---- */

static int join_text(struct buffer *out, const json_t *string)
{
    const char *text = json_string_value(string);
    return text != NULL ? buffer_add(out, text, json_string_length(string), CASE_OUT_MAX) : 0;
}

/* One event or body. */
static int read_payload(struct buffer texts[CASE_TEXTS], const char *bytes, size_t len)
{
    json_t *root = json_loadb(bytes, len, 0, NULL);
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *says = json_object_get(choice, "delta"), *call;
    size_t i;
    if (says == NULL)
        says = json_object_get(choice, "message");
    int rv = join_text(&texts[CASE_REASONING], json_object_get(says, "reasoning_content"));
    if (rv == 0)
        rv = join_text(&texts[CASE_ANSWER], json_object_get(says, "content"));
    json_array_foreach(json_object_get(says, "tool_calls"), i, call)
    {
        if (rv == 0)
            rv = join_text(&texts[CASE_TOOL], json_object_get(json_object_get(call, "function"), "arguments"));
    }
    json_decref(root);
    return rv;
}

static int read_events(struct buffer texts[CASE_TEXTS], const char *at, const char *end)
{
    static const char mark[] = "data: ";
    int rv = 0;
    while (at < end && rv == 0) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end : end;
        size_t len = (size_t)(line_end - at), mark_len = sizeof mark - 1;
        if (len > mark_len && memcmp(at, mark, mark_len) == 0)
            rv = read_payload(texts, at + mark_len, len - mark_len);
        at = line_end + 1;
    }
    return rv;
}

static int read_client(struct case_result *out, const struct case_play *p)
{
    struct buffer texts[CASE_TEXTS] = {0};
    int rv = 0;
    if (p->out.len > 0)
        rv = p->streamed ? read_events(texts, p->out.data, p->out.data + p->out.len)
                         : read_payload(texts, p->out.data, p->out.len);
    for (int t = 0; t < CASE_TEXTS; t++) {
        out->texts[t] = rv == 0 ? strndup(texts[t].len > 0 ? texts[t].data : "", texts[t].len) : NULL;
        if (rv == 0 && out->texts[t] == NULL)
            rv = REIN_ENOMEM;
        buffer_clear(&texts[t]);
    }
    return rv;
}

/* ---- one case ---- */

static int play_prompt(struct case_play *p, const struct case_script *script)
{
    int rv = 0;
    if (script->prompt != NULL)
        rv = rein_trace_prompt(p->trace, "user", script->prompt, strlen(script->prompt));
    for (const struct rein_node *at = script->messages != NULL ? script->messages->first : NULL; at != NULL && rv == 0;
         at = at->next) {
        const char *text = rein_node_text(at, "text");
        rv = rein_trace_prompt(p->trace, rein_node_text(at, "role"), text, strlen(text));
    }
    return rv == 0 ? play_settle(p, rein_trace_prompt_end(p->trace, &p->update)) : rv;
}

static int play_case(struct case_play *p, const struct case_script *script)
{
    /* An instruction: where the policy may steer, reasoning is held until its end, so that steering is possible. */
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .prefix = ""};
    int rv = play_prompt(p, script);
    if (rv != 0 || p->stopped)
        return rv;
    rv = rein_trace_attempt(p->trace, &attempt);
    if (rv == 0)
        rv = p->streamed ? feed_events(p, script) : feed_body(p, script);
    if (rv == 0 && !p->stopped)
        rv = play_settle(p, rein_trace_finish(p->trace, true, NULL, &p->update));
    return rv;
}

int case_run(struct case_result *out, struct rein_policy *policy, struct rein_engine *engine,
             const struct case_script *script, bool streamed)
{
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = streamed,
                                         .body_max = CASE_BODY_MAX,
                                         .choices = 1,
                                         .model = "case",
                                         .id = "case"};
    struct case_play p = {.streamed = streamed};
    *out = (struct case_result){.streamed = streamed};
    int rv = rein_trace_new(&p.trace, &options);
    if (rv != 0)
        return rv;
    rv = play_case(&p, script);
    if (rv == 0)
        rv = read_client(out, &p);
    const struct rein_decision *d = rein_trace_decision(p.trace);
    out->action = d->verdict;
    out->ending = d->ending;
    for (size_t i = 0; i < d->findings_len; i++)
        case_result_found(out, d->findings[i].id);
    rein_trace_free(p.trace);
    buffer_clear(&p.out);
    if (rv != 0)
        case_result_fini(out);
    return rv;
}
