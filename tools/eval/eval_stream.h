/* A labelled trace, fed to the engine piece by piece, as a stream would come.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     eval_stream_begin -> (eval_stream_step, answers to its questions)* -> is_over
 *
 * What the engine asks of its caller is done at once: commits are granted, stops and restarts end the run. Only
 * questions to judges wait: the next step is taken when all are answered, as with judges that are fast. Thread: one. */
#ifndef TOOLS_EVAL_EVAL_STREAM_H
#define TOOLS_EVAL_EVAL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { EVAL_EVENT_BYTES = 48 };

/* Takes questions that the engine has just asked; they are good until it returns. */
typedef int (*eval_questions_fn)(void *ctx, const struct rein_question *questions, size_t len);

struct eval_stream {
    struct rein_trace *trace;                /* owned */
    struct rein_update update;               /* of the last step */
    const char *prompt, *reasoning, *answer; /* borrowed: what is not fed yet; NULL: nothing */
    int stage;
    size_t open; /* questions */
    bool is_over;
    eval_questions_fn ask; /* NULL: the policy asks no judges */
    void *ctx;
};

/* Texts are borrowed. Fini in any case. */
int eval_stream_begin(struct eval_stream *stream, struct rein_policy *policy, struct rein_engine *engine,
                      eval_questions_fn ask, void *ctx) REIN_MUST_USE;
void eval_stream_fini(struct eval_stream *stream);
/* Nothing is open, and it is not over. */
int eval_stream_step(struct eval_stream *stream) REIN_MUST_USE;
int eval_stream_answer(struct eval_stream *stream, uint32_t id, const struct rein_answer *answer) REIN_MUST_USE;

#endif
