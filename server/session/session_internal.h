/* The inside of a session, shared by the session_*.c files alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SESSION_SESSION_INTERNAL_H
#define SERVER_SESSION_SESSION_INTERNAL_H

#include "api/api.h"
#include "backends/backend.h"
#include "base/buffer.h"
#include "config/server_secret.h"
#include "front/reply.h"
#include "session/session.h"
#include "telemetry/telemetry.h"

enum session_state {
    SESSION_JUDGING,
    SESSION_PLANNING,
    SESSION_CALLING,
    SESSION_ANSWERING,
    SESSION_ENDING,
    SESSION_CLOSED,
};

enum {
    SESSION_ATTEMPTS_MAX = 16,
    SESSION_ATTEMPTS_FEW = 2, /* have room in the session itself */
    SESSION_REQUEST_ID_MAX = 128,
    SESSION_ERROR_BODY_MAX = 65536,
};

struct session_question;

struct session {
    struct responder responder; /* first: the exchange's user */
    struct session_env *env;
    struct session *prev, *next;
    enum session_state state;

    const struct api *api; /* that the client speaks */
    struct exchange *x;    /* NULL once closed */
    struct config *config;
    const struct config_route *route;   /* NULL: refused before it was found; like the rest, good as long as config */
    const struct config_policy *chosen; /* the route's, or what the client chose among those granted to its key */
    const struct rein_policy_settings *policy;
    const struct backend *backend;
    struct request *request; /* its tree exists until the upstream is called, and again for a restart */
    struct rein_trace *trace;

    struct store_id id;
    const char *request_id;       /* the client's or `id`; good until closed */
    struct trace_ids ids;         /* of OpenTelemetry */
    const struct key *key;        /* NULL: the client has none; the config's */
    char user[USER_HASH_LEN + 1]; /* of the user whom the request names; "": none */
    int64_t started_at_us;        /* Unix time */
    uint64_t started_us;          /* the monotonic clock, like all offsets below */
    int64_t upstream_first_byte_us, client_first_byte_us;
    uint64_t last_write_ms;

    /* the client side */
    unsigned status; /* of the answer, 0: none yet */
    bool begun;      /* a streamed head is out */
    bool prompt_refused;
    struct buffer answer; /* an answer that is not streamed; or the error that ends a stream */

    /* the upstream side */
    struct upstream_call *call;
    struct prefix_plan plan;
    bool plan_call;       /* the call is one of the plan's own */
    unsigned call_status; /* of the current call's head, 0: none yet */
    bool call_unexpected; /* its content type is not what was asked for */
    char *retry_after;
    char *upstream_error; /* of the latest call that was answered with one: JSON, fit for the row; owned */
    char *shown;          /* of plan.shown */
    struct buffer body;   /* an error's or a plan's reply */
    bool paused;
    bool inner_error_noted; /* the error is one that stands in an answer */
    bool lingering;         /* the answer is complete, only the end of the transfer is still to come */
    struct store_attempt few[SESSION_ATTEMPTS_FEW];
    struct store_attempt *attempts; /* `few`, or owned where there may be more */
    size_t attempts_len, attempts_max;
    struct upstream_call *correct_call; /* that asks to correct the response while it runs */
    uint64_t correct_until_ms;          /* when the correction is too late; 0: none runs */
    int64_t steered_us;                 /* when the first restart was needed, 0: not yet */

    /* the judges' side */
    struct judge_set *judges;           /* a reference; NULL: none, or closed */
    struct session_question *questions; /* that are open; owned */

    /* what the trace asked for */
    bool committing, commit_again, restart_due, end_due;
    const char *ending; /* Rein's own, when the trace does not know it: "client_left", "rejected", ...; static */
    bool row_final;     /* the last row says how it ended */
    int64_t row_us;     /* and how long it took until then */
    size_t puts;        /* callbacks of the store that are still to come */
    struct loop_task death;
};

/* ---- session.c ---- */
/* What holds of a session whenever it is entered from outside or from its trace: the exchange exists until it is
 * closed, a call runs only in states that wait for its answer, only a running call is paused or corrected. */
bool session_is_sound(const struct session *s);
void session_move(struct session *s, enum session_state to);
static inline bool session_is_over(const struct session *s)
{
    return s->state >= SESSION_ENDING;
}
void session_on_drain(struct responder *responder);
void session_on_closed(struct responder *responder, bool gone);
int64_t session_elapsed_us(const struct session *s);
void session_act(struct session *s, const struct rein_update *update);
void session_maybe_free(struct session *s);
/* The answer is complete: stores the last row, unless that is done, and then gives the client the end. */
void session_part(struct session *s);
/* Sends the head of a streamed answer, once. */
int session_begin(struct session *s) REIN_MUST_USE;
/* Ends with an error of Rein's: an error object before the first byte, an error event after it. */
void session_fail(struct session *s, unsigned status, const char *code, const char *message, const char *ending);
void session_fail_with(struct session *s, const struct reply_error *error, const char *ending);
void session_fail_internal(struct session *s, int rv);

/* ---- session_start.c ---- */
/* What the trace says of the prompt, at once or when judges have answered: the call follows unless something is to come
 * or it was refused. */
void session_take_prompt(struct session *s, const struct rein_update *update);

/* ---- session_judges.c ---- */
/* Asks the questions of the trace's last step. */
int session_judges_ask(struct session *s) REIN_MUST_USE;
/* No answer is wanted any more: to questions so far, or for ever. */
void session_judges_drop(struct session *s);
void session_judges_leave(struct session *s);

/* ---- session_plan.c ---- */
/* The first attempt, once the prompt was judged; or the next one, after a steer. */
void session_plan(struct session *s);
void session_restart(struct session *s);
/* The present attempt is to be corrected; from the first time on, steer.max_added_ms counts. */
void session_note_steer(struct session *s);
/* Continues the plan with the reply to its last call, NULL: begins it. */
void session_take_step(struct session *s, const struct backend_reply *reply);

/* ---- session_call.c: the upstream's side ---- */
/* Makes the call that the plan has prepared; or the one that it needs first. */
void session_call(struct session *s);
void session_call_for_plan(struct session *s);
/* An attempt that cannot be made: an error if it is the first, otherwise the policy's fallback. */
void session_lose_attempt(struct session *s, unsigned status, const char *code, const char *message,
                          const char *ending);
/* Begins the attempt's row, from the plan that is ready. */
void session_open_attempt(struct session *s);
/* Sends an additional call: POST, a JSON text, to a path from the upstream's root. */
int session_send(struct session *s, struct upstream_call **out, const char *path, const char *text,
                 const struct upstream_handler *handler) REIN_MUST_USE;
/* The latest attempt; NULL if there was none. */
struct store_attempt *session_attempt(struct session *s);
/* Cancels the running call, if any, and notes its outcome in the attempt's row. */
void session_cancel_call(struct session *s, const char *outcome);
/* Notes the outcome of the running attempt, if any. */
void session_close_attempt(struct session *s, const char *outcome);

/* ---- session_error.c ---- */
/* The call was answered with an HTTP error, which has been read. */
void session_answer_error(struct session *s);
/* Notes for the row what an answer says of an error, once. */
void session_note_inner_error(struct session *s, const struct rein_decision *decision);

/* ---- session_correct.c: corrections in flight ---- */
/* Can the next call be corrected in flight? */
bool session_may_correct(const struct session *s);
/* Requests it of the running response. False: not possible, the response has to be stopped. */
bool session_correct_start(struct session *s);
/* No correction is wanted any more. */
void session_correct_drop(struct session *s);
/* A filter has found the corrected response: another attempt begins. Errors are those of the trace. */
int session_correct_take(struct session *s) REIN_MUST_USE;
/* The response goes on without the correction: it is stopped and called again. */
void session_correct_give_up(struct session *s, const char *why);
void session_correct_tick(struct session *s, uint64_t now);

/* ---- session_data.c: answers that are data ---- */
void session_data_feed(struct session *s, const char *data, size_t len);
void session_data_end(struct session *s);

/* ---- session_row.c ---- */
/* The headers that every answer of a session carries; good as long as the session is open. */
enum { SESSION_HEADERS_MAX = 11 };
void session_headers(struct session *s, bool streamed, struct front_header out[SESSION_HEADERS_MAX]);
/* The id in the body of an answer that Rein makes. */
void session_answer_id(const struct session *s, char out[BACKEND_ANSWER_ID_MAX]);
/* The upstream failed, and nothing of an answer was released: so there is no verdict. */
bool session_is_unanswered(struct session *s);
/* The word for how it ended; static. */
const char *session_ending(struct session *s);
/* Stores the row as it is now. `done` may be NULL. */
int session_put(struct session *s, bool final, store_done done) REIN_MUST_USE;
/* Is the last row still right now that the client has everything: its ending, and its times except for a moment? */
bool session_row_stands(const struct session *s);

/* ---- session_meter.c ---- */
void session_meter_begin(struct session *s);
void session_meter_end(struct session *s, bool gone);
void session_meter_error(struct session *s, enum upstream_error error);

#endif
