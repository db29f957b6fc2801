/* See whole.h. why.c has the sentences.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/whole.h"

#include <stdlib.h>
#include <string.h>

#include "store/row.h"

/* ---- the timeline ---- */

enum { EVENTS_MAX = 4 + 4 * 40 };

struct event {
    int64_t at_us;
    int order; /* of those at the same time */
    const char *what, *detail;
    int64_t attempt; /* STORE_UNKNOWN: none */
};

struct timeline {
    struct event events[EVENTS_MAX];
    int len;
};

static int64_t time_of(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);
    return json_is_integer(value) ? json_integer_value(value) : STORE_UNKNOWN;
}

static void note_event(struct timeline *t, int64_t at_us, const char *what, int64_t attempt, const char *detail)
{
    if (at_us == STORE_UNKNOWN || t->len == EVENTS_MAX)
        return;
    t->events[t->len] = (struct event){at_us, t->len, what, detail, attempt};
    t->len++;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return x->at_us != y->at_us ? (x->at_us > y->at_us) - (x->at_us < y->at_us) : x->order - y->order;
}

static void note_attempts(struct timeline *t, const json_t *attempts)
{
    size_t i;
    json_t *attempt;
    json_array_foreach(attempts, i, attempt)
    {
        const char *outcome = json_string_value(json_object_get(attempt, "outcome"));
        int64_t n = time_of(attempt, "n");
        bool is_whole = outcome != NULL && strcmp(outcome, "whole") == 0;
        note_event(t, time_of(attempt, "started_us"), n > 0 ? "restarted" : "called", n, NULL);
        note_event(t, time_of(attempt, "first_byte_us"), "first_byte", n, NULL);
        if (!is_whole)
            note_event(t, time_of(attempt, "ended_us"), "stopped", n, outcome);
    }
}

json_t *store_timeline(const json_t *decision)
{
    struct timeline *t = calloc(1, sizeof *t);
    json_t *out = json_array();
    if (t == NULL) {
        json_decref(out);
        return NULL;
    }
    note_event(t, 0, "received", STORE_UNKNOWN, NULL);
    note_attempts(t, json_object_get(decision, "attempts"));
    note_event(t, time_of(decision, "client_first_byte_us"), "client_first_byte", STORE_UNKNOWN, NULL);
    if (json_is_true(json_object_get(decision, "final")))
        note_event(t, time_of(decision, "duration_us"), "ended", STORE_UNKNOWN,
                   json_string_value(json_object_get(decision, "ending")));
    qsort(t->events, (size_t)t->len, sizeof *t->events, compare_events);
    for (int i = 0; i < t->len && out != NULL; i++) {
        const struct event *e = &t->events[i];
        json_t *attempt = e->attempt != STORE_UNKNOWN ? json_integer(e->attempt) : json_null();
        json_t *event = json_pack("{sIsssoss?}", "at_us", (json_int_t)e->at_us, "what", e->what, "attempt", attempt,
                                  "detail", e->detail);
        if (json_array_append_new(out, event) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    free(t);
    return out;
}

/* ---- the whole ---- */

int store_hide_text(json_t *decision)
{
    size_t i;
    json_t *finding;
    int rv = json_object_set_new(decision, "upstream_error", json_null());
    json_array_foreach(json_object_get(decision, "findings"), i, finding)
    {
        json_t *feedback = json_object_get(finding, "feedback");
        rv |= json_object_set_new(finding, "evidence", json_null());
        if (json_is_object(feedback))
            rv |= json_object_set_new(feedback, "note", json_string(""));
    }
    return rv == 0 ? 0 : REIN_ENOMEM;
}

static int complete(struct store_reader *reader, const char *id, bool with_text, json_t *decision)
{
    json_t *texts = json_null();
    int rv = with_text ? store_read_texts(reader, id, &texts) : store_hide_text(decision);
    if (rv != 0)
        return rv;
    json_t *hidden = with_text ? json_array() : json_pack("[sss]", "texts", "evidence", "upstream_error");
    rv = json_object_set_new(decision, "texts", texts) | json_object_set_new(decision, "hidden", hidden) |
         json_object_set_new(decision, "timeline", store_timeline(decision)) |
         json_object_set_new(decision, "why", store_why(decision));
    return rv == 0 ? 0 : REIN_ENOMEM;
}

int store_read_whole(struct store_reader *reader, const char *id, bool with_text, json_t **out)
{
    json_t *decision = NULL;
    int rv = store_read_decision(reader, id, &decision);
    if (rv == 0 && decision != NULL)
        rv = complete(reader, id, with_text, decision);
    if (rv == 0)
        *out = decision;
    else
        json_decref(decision);
    return rv;
}
