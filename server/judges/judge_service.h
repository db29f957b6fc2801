/* A judge that runs somewhere, asked over HTTP on one loop: how many calls at once, how long they may take, what is
 * known already, and when it is left alone. SPDX-License-Identifier: Apache-2.0
 *
 *     ask -> known? -> answer
 *         -> left alone? (several calls in a row failed) -> answer
 *         -> waits for a free call -> called -> a second try beside it, if the first is slow -> answer
 *                                       `-> busy (429, 503): waits and is called again
 *
 * Waiting for a free call, and a judge that says that it is busy, are no failures: so load cannot make a judge look
 * broken. Nothing follows a redirect. A reply has at most JUDGE_REPLY_MAX bytes. Texts and replies reach no log.
 *
 * Thread: the loop's. */
#ifndef SERVER_JUDGES_JUDGE_SERVICE_H
#define SERVER_JUDGES_JUDGE_SERVICE_H

#include "base/loop.h"
#include "judges/judge.h"
#include "upstream/upstream.h"

struct judge_settings {
    const char *name; /* as policies and decisions name it */
    const struct judge_kind *kind;
    const struct judge_description *description; /* NULL: the kind needs none */
    const char *url;                             /* the server's root */
    const char *path;                            /* where requests go */
    const char *model;                           /* NULL: requests name none */
    const char *authorization;                   /* "Bearer KEY"; NULL: none */
    const char *secret;                          /* requests are signed with it; NULL: they are not */
    const char *version; /* a digest of all that its opinions depend on: kind, description, model */
    unsigned calls_max;  /* at once */
    unsigned timeout_ms; /* of one call, from its start to its last byte */
    unsigned second_ms;  /* after this a second call is made beside the first; 0: never */
    unsigned busy_ms;    /* a judge that is busy is asked again for so long */
    unsigned failures;   /* so many calls in a row that fail mean that it is broken */
    unsigned alone_ms;   /* then it is left alone for so long, and asked once to see */
    size_t known_max;    /* opinions that are kept */
    unsigned known_s;    /* how long they are */
};

struct judge_answer {
    enum rein_judge_outcome outcome; /* never REIN_JUDGE_OPEN */
    struct judge_opinion opinion;    /* of REIN_JUDGE_OPINED */
    unsigned took_ms;                /* from the question to the answer */
    unsigned tokens;                 /* that the judge's server counted for the reply that was read; 0: it did not */
    bool was_known;
};
typedef void (*judge_answer_fn)(void *ctx, const struct judge_answer *answer);

/* What nobody who wrote a text can know, for struct judge_question. */
enum { JUDGE_NONCE_SIZE = 25 };
void judge_nonce(char out[JUDGE_NONCE_SIZE]);

struct judge_service; /* opaque */
struct judge_ask;     /* a question that is being answered */

/* Borrows settings and pool for its lifetime. */
int judge_service_new(struct judge_service **out, const struct judge_settings *settings, struct loop *loop,
                      struct upstream_pool *pool) REIN_MUST_USE;
/* No question may be open. `done` is called once from the loop; the service is gone then. */
void judge_service_close(struct judge_service *service, loop_fn done, void *ctx);

/* Copies the question. Either an error and no answer, or 0 and the answer exactly once, later, from the loop. The ask
 * is gone when `answer` returns. */
int judge_service_ask(struct judge_ask **out, struct judge_service *service, const struct judge_question *question,
                      judge_answer_fn answer, void *ctx) REIN_MUST_USE;
/* No answer after this. */
void judge_service_cancel(struct judge_ask *ask);

/* How many questions are open, and how many of them are being called. */
void judge_service_count(const struct judge_service *service, size_t *open, size_t *calling);

#endif
