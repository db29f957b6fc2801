/* Answers that are data, not text (api.h, is_data): collected, checked to be JSON, and passed as they came once their
 * row is stored. Nothing in them is judged, and there is nothing to steer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rein/json.h"
#include "session/session_internal.h"

enum { DATA_DEPTH_MAX = 64 };

void session_data_feed(struct session *s, const char *data, size_t len)
{
    if (buffer_add(&s->body, data, len, s->config->limits.upstream_body_bytes) == 0)
        return;
    session_cancel_call(s, "too_large");
    session_fail(s, 502, "upstream_too_large", "The upstream's answer is too large.", "upstream_broke");
}

/* An object without an error in it. */
static bool is_answer(const struct buffer *body)
{
    struct rein_json_problem problem;
    struct rein_json *json;
    if (rein_json_read(&json, body->data, body->len, DATA_DEPTH_MAX, &problem) < 0)
        return false;
    const struct rein_json_node *root = rein_json_root(json), *error = rein_json_get(root, "error");
    bool is_good = rein_json_is(root, REIN_JSON_OBJECT) && (error == NULL || rein_json_is(error, REIN_JSON_NULL));
    rein_json_free(json);
    return is_good;
}

static void on_data_stored(void *ctx, int rv)
{
    struct session *s = ctx;
    s->puts--;
    s->committing = false;
    if (session_is_over(s))
        session_maybe_free(s);
    else if (rv < 0 && s->config->store.on_error == CONFIG_STORE_REFUSE)
        session_fail(s, 503, "store_unavailable", "The decision could not be stored, so the answer is withheld.",
                     "store_failed");
    else
        session_part(s);
}

void session_data_end(struct session *s)
{
    if (s->body.len == 0 || !is_answer(&s->body)) {
        session_fail(s, 502, "upstream_malformed", "The upstream's answer is not what this API answers.",
                     "upstream_broke");
        return;
    }
    s->answer = s->body;
    s->body = (struct buffer){0};
    s->status = 200;
    s->ending = "complete";
    s->row_final = true;
    s->committing = true;
    int rv = session_put(s, true, on_data_stored);
    if (rv < 0) {
        s->puts++; /* as the callback would */
        on_data_stored(s, rv);
    }
}
