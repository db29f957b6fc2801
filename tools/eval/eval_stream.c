/* See eval_stream.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_stream.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum stage { AT_PROMPT, AT_ATTEMPT, AT_REASONING, AT_ANSWER, AT_STOP, AT_DONE, AT_FINISH, AT_END };

/* Does what the last step asks for. */
static int stream_settle(struct eval_stream *s, int rv)
{
    while (rv == 0) {
        unsigned asks = s->update.asks;
        size_t len;
        s->is_over |= (asks & (REIN_ASK_STOP | REIN_ASK_RESTART)) != 0;
        if ((asks & REIN_ASK_JUDGE) != 0 && s->ask != NULL) {
            const struct rein_question *questions = rein_trace_questions(s->trace, &len);
            s->open += len;
            rv = s->ask(s->ctx, questions, len);
        }
        if ((asks & REIN_ASK_COMMIT) == 0 || rv != 0)
            break;
        rv = rein_trace_committed(s->trace, &s->update);
    }
    s->is_over |= rv == 0 && (s->update.asks & REIN_ASK_END) != 0;
    return rv;
}

int eval_stream_begin(struct eval_stream *s, struct rein_policy *policy, struct rein_engine *engine,
                      eval_questions_fn ask, void *ctx)
{
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .model = "eval",
                                         .id = "eval"};
    s->trace = NULL;
    s->update = (struct rein_update){0};
    s->stage = AT_PROMPT;
    s->open = 0;
    s->is_over = false;
    s->ask = ask;
    s->ctx = ctx;
    return rein_trace_new(&s->trace, &options);
}

void eval_stream_fini(struct eval_stream *s)
{
    rein_trace_free(s->trace);
    s->trace = NULL;
}

/* The bytes of the next piece: about EVAL_EVENT_BYTES, whole characters. */
static size_t cut_piece(const char *text, size_t len)
{
    size_t n = len < EVAL_EVENT_BYTES ? len : EVAL_EVENT_BYTES;
    while (n < len && n > 1 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Takes the delta. */
static int feed_event(struct eval_stream *s, json_t *delta, const char *finish)
{
    json_t *event = json_pack("{sssss[{siso*ss*}]}", "id", "eval", "object", "chat.completion.chunk", "choices",
                              "index", 0, "delta", delta, "finish_reason", finish);
    char *text = event != NULL ? json_dumps(event, JSON_COMPACT) : NULL, *frame = NULL;
    json_decref(event);
    int len = text != NULL ? asprintf(&frame, "data: %s\n\n", text) : -1;
    free(text);
    if (len < 0)
        return REIN_ENOMEM;
    int rv = rein_trace_feed(s->trace, frame, (size_t)len, &s->update);
    free(frame);
    return rv;
}

static int feed_piece(struct eval_stream *s, const char *key, const char **text)
{
    size_t n = cut_piece(*text, strlen(*text));
    json_t *delta = json_pack("{ss%}", key, *text, n);
    *text += n;
    return feed_event(s, delta, NULL);
}

static int begin_attempt(struct eval_stream *s)
{
    /* As with `instruct`: reasoning is held to its end, so that steering is possible. */
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .prefix = ""};
    s->update = (struct rein_update){0};
    return rein_trace_attempt(s->trace, &attempt);
}

static int feed_prompt(struct eval_stream *s)
{
    int rv = rein_trace_prompt(s->trace, "user", s->prompt, strlen(s->prompt));
    return rv == 0 ? rein_trace_prompt_end(s->trace, &s->update) : rv;
}

static bool is_left(const char *text)
{
    return text != NULL && *text != '\0';
}

int eval_stream_step(struct eval_stream *s)
{
    static const char done[] = "data: [DONE]\n\n";
    assert(!s->is_over && s->open == 0);
    if (s->stage == AT_REASONING && !is_left(s->reasoning))
        s->stage = AT_ANSWER;
    if (s->stage == AT_ANSWER && !is_left(s->answer))
        s->stage = AT_STOP;
    switch ((enum stage)s->stage) {
    case AT_PROMPT:
        s->stage = AT_ATTEMPT;
        return stream_settle(s, feed_prompt(s));
    case AT_ATTEMPT:
        s->stage = AT_REASONING;
        return begin_attempt(s);
    case AT_REASONING:
        return stream_settle(s, feed_piece(s, "reasoning_content", &s->reasoning));
    case AT_ANSWER:
        return stream_settle(s, feed_piece(s, "content", &s->answer));
    case AT_STOP:
        s->stage = AT_DONE;
        return stream_settle(s, feed_event(s, json_object(), "stop"));
    case AT_DONE:
        s->stage = AT_FINISH;
        return stream_settle(s, rein_trace_feed(s->trace, done, sizeof done - 1, &s->update));
    case AT_FINISH:
        s->stage = AT_END;
        return stream_settle(s, rein_trace_finish(s->trace, true, NULL, &s->update));
    case AT_END:
        break;
    }
    s->is_over = true;
    return 0;
}

int eval_stream_answer(struct eval_stream *s, uint32_t id, const struct rein_answer *answer)
{
    assert(s->open > 0);
    s->open--;
    return stream_settle(s, rein_trace_answer(s->trace, id, answer, &s->update));
}
