/* Runs one labelled trace through the public interface, cut into small events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_stream.h"

/* ---- sentence labels ---- */

/* Where each labelled sentence is in the reasoning: from `from` on. */
static bool find_step(const char *reasoning, const json_t *step, size_t *from, size_t *start, size_t *end)
{
    const char *text = json_string_value(step);
    const char *at = text != NULL ? strstr(reasoning + *from, text) : NULL;
    if (at == NULL)
        return false;
    *start = (size_t)(at - reasoning);
    *end = *from = *start + strlen(text);
    return true;
}

static bool is_labelled(const json_t *labels, size_t step)
{
    for (size_t i = 0; i < json_array_size(labels); i++)
        if (json_integer_value(json_array_get(labels, i)) == (json_int_t)step)
            return true;
    return false;
}

/* The step that shares most bytes with the sentence; SIZE_MAX if none does. */
static size_t step_of(const char *reasoning, const json_t *steps, const struct rein_step *sentence)
{
    size_t best = SIZE_MAX, most = 0, from = 0, start, end;
    size_t first = (size_t)sentence->offset, last = first + sentence->len;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        if (!find_step(reasoning, json_array_get(steps, i), &from, &start, &end))
            continue;
        size_t low = start > first ? start : first, high = end < last ? end : last;
        if (high > low && high - low > most) {
            most = high - low;
            best = i;
        }
    }
    return best;
}

static void judge_steps(const json_t *row, const struct rein_decision *d, struct eval_row *out)
{
    const char *reasoning = json_string_value(json_object_get(row, "reasoning"));
    const json_t *steps = json_object_get(row, "steps"), *labels = json_object_get(row, "step_labels");
    if (reasoning == NULL || !json_is_array(steps) || !json_is_array(labels))
        return;
    out->has_steps = true;
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < d->talk_len; i++) {
        size_t step = step_of(reasoning, steps, &d->talk[i]);
        if (step == last)
            continue; /* one step, cut into two sentences */
        last = step;
        if (step != SIZE_MAX && is_labelled(labels, step))
            out->steps_right++;
        else
            out->steps_wrong++;
    }
    unsigned all = (unsigned)json_array_size(labels);
    out->steps_missed = all > out->steps_right ? all - out->steps_right : 0;
    size_t counted = all + out->steps_wrong, steps_len = json_array_size(steps);
    out->steps_silent = steps_len > counted ? (unsigned)(steps_len - counted) : 0;
}

/* ---- one row ---- */

const char *eval_score_name(enum eval_score score)
{
    static const char *const names[EVAL_SCORES] = {"trace risk", "complies", "outcome risk, reasoning",
                                                   "outcome risk, answer"};
    return names[score];
}

/* `learned`: the policy has a model. */
static void note_recording(const json_t *row, const struct rein_decision *d, bool own_answer, bool learned,
                           struct eval_row *out)
{
    out->any = d->findings_len > 0;
    out->prompt_risk = d->prompt_risk;
    out->risks[EVAL_TRACE_RISK] = d->trace_risk;
    out->risks[EVAL_COMPLIES] = learned && out->has_reasoning ? d->heads[REIN_COMPLIES] : -1;
    out->risks[EVAL_REASONING_OUTCOME] =
        learned && out->has_reasoning ? d->heads[REIN_REASONING_HARM] * d->heads[REIN_COMPLIES] : -1;
    out->risks[EVAL_ANSWER_OUTCOME] = learned && out->has_answer ? d->scores[REIN_OUTCOME_RISK_ANSWER] : -1;
    out->stance = d->answer;
    memcpy(out->scores, d->scores, sizeof out->scores);
    for (size_t i = 0; i < d->findings_len; i++)
        for (int p = 0; p < REIN_PATTERNS; p++)
            if (!d->findings[i].is_rule && strcmp(d->findings[i].id, rein_pattern_name((enum rein_pattern)p)) == 0)
                out->found[p] = true;
    if (own_answer)
        judge_steps(row, d, out);
}

static void note_measured(const struct rein_decision *d, struct eval_row *out)
{
    out->verdict = d->verdict;
    for (size_t i = 0; i < d->findings_len && out->delay_bytes == 0; i++) {
        const struct rein_finding *f = &d->findings[i];
        if (f->action > REIN_RECORD && f->channel == REIN_REASONING)
            out->delay_bytes = f->offset + f->len;
    }
}

/* ---- what is written of a row: places and numbers, no text ---- */

static json_t *findings_tree(const struct rein_decision *d)
{
    json_t *tree = json_array();
    for (size_t i = 0; i < d->findings_len; i++) {
        const struct rein_finding *f = &d->findings[i];
        json_array_append_new(tree, json_pack("{ss ss ss sb sb sI sI sf}", "id", f->id, "channel",
                                              rein_channel_name(f->channel), "action", rein_action_name(f->action),
                                              "is_rule", f->is_rule, "shadow", f->shadow, "offset",
                                              (json_int_t)f->offset, "len", (json_int_t)f->len, "score", f->score));
    }
    return tree;
}

/* Sentences that talk themselves into complying: where they are in the reasoning. */
static json_t *talk_tree(const struct rein_decision *d)
{
    json_t *tree = json_array();
    for (size_t i = 0; i < d->talk_len; i++)
        json_array_append_new(tree, json_pack("{sI sI sI}", "sentence", (json_int_t)d->talk[i].sentence, "offset",
                                              (json_int_t)d->talk[i].offset, "len", (json_int_t)d->talk[i].len));
    return tree;
}

static void detail_recording(const struct rein_decision *d, const struct eval_row *out, json_t *detail)
{
    static const char *const stances[] = {"open", "refuses", "complies"};
    json_t *scores = json_object();
    json_object_set_new(scores, "prompt risk", json_real(out->prompt_risk));
    for (int i = 0; i < EVAL_SCORES; i++)
        json_object_set_new(scores, eval_score_name((enum eval_score)i),
                            out->risks[i] >= 0 ? json_real(out->risks[i]) : json_null());
    for (int p = 0; p < REIN_PATTERNS; p++)
        json_object_set_new(scores, rein_pattern_name((enum rein_pattern)p), json_real(out->scores[p]));
    json_object_set_new(detail, "recorded", findings_tree(d));
    json_object_set_new(detail, "sentences", talk_tree(d));
    json_object_set_new(detail, "scores", scores);
    json_object_set_new(detail, "stance", json_string(stances[d->answer]));
}

static void detail_measured(const struct rein_decision *d, const struct eval_row *out, json_t *detail)
{
    json_object_set_new(detail, "action", json_string(rein_action_name(d->verdict)));
    json_object_set_new(detail, "risky", json_boolean(out->risky));
    json_object_set_new(detail, "findings", findings_tree(d));
    json_object_set_new(detail, "reasoning_bytes", json_integer((json_int_t)d->flow[REIN_REASONING].scanned));
}

/* ---- the runs ---- */

static int run_with(const struct eval_policies *policies, struct rein_policy *policy, const json_t *row,
                    const char *answer, struct eval_row *out, json_t *detail)
{
    const char *own = json_string_value(json_object_get(row, "answer"));
    struct eval_stream r = {.prompt = json_string_value(json_object_get(row, "prompt")),
                            .reasoning = json_string_value(json_object_get(row, "reasoning")),
                            .answer = answer != NULL ? answer : own};
    int rv = eval_stream_begin(&r, policy, policies->engine, NULL, NULL);
    if (rv != 0)
        return rv;
    while (rv == 0 && !r.is_over)
        rv = eval_stream_step(&r);
    const struct rein_decision *d = rein_trace_decision(r.trace);
    if (rv == 0 && policy == policies->recording) {
        note_recording(row, d, answer == NULL, *rein_policy_settings(policy)->model != '\0', out);
        if (detail != NULL)
            detail_recording(d, out, detail);
    } else if (rv == 0 && policy == policies->measured) {
        note_measured(d, out);
        out->risky = rein_trace_is_risky(r.trace);
        if (detail != NULL)
            detail_measured(d, out, detail);
    } else if (rv == 0) {
        out->against = d->verdict;
        out->against_risky = rein_trace_is_risky(r.trace);
        if (detail != NULL) {
            json_object_set_new(detail, "against", json_string(rein_action_name(d->verdict)));
            json_object_set_new(detail, "against_risky", json_boolean(out->against_risky));
        }
    }
    eval_stream_fini(&r);
    return rv;
}

static void copy_member(char *out, size_t max, const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    if (text != NULL)
        snprintf(out, max, "%s", text);
}

int eval_row_run(const struct eval_policies *policies, const json_t *row, const char *answer, struct eval_row *out,
                 json_t **detail)
{
    const char *reasoning = json_string_value(json_object_get(row, "reasoning"));
    json_t *tree = detail != NULL ? json_object() : NULL;
    copy_member(out->label, sizeof out->label, row, "label_answer");
    copy_member(out->kind, sizeof out->kind, row, "label");
    copy_member(out->kind, sizeof out->kind, row, "prompt_kind");
    copy_member(out->model, sizeof out->model, row, "model");
    out->has_reasoning = reasoning != NULL && *reasoning != '\0';
    out->has_answer = answer != NULL || json_is_string(json_object_get(row, "answer"));
    int rv = run_with(policies, policies->recording, row, answer, out, tree);
    if (rv == 0)
        rv = run_with(policies, policies->measured, row, answer, out, tree);
    if (rv == 0 && policies->against != NULL)
        rv = run_with(policies, policies->against, row, answer, out, tree);
    if (rv == 0 && detail != NULL)
        *detail = tree;
    else
        json_decref(tree);
    return rv;
}
