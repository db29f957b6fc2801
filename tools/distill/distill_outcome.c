/* What tries and questions came to. See distill.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/distill.h"

static const char *word_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* ---- one try ---- */

/* The prompt without the words around it; what was masked in it stays masked. */
static int unwrap_prompt(struct training_row *row, const struct style *style)
{
    size_t len = strlen(row->prompt), before = strlen(style->before), after = strlen(style->after);
    if (len < before + after || strncmp(row->prompt, style->before, before) != 0 ||
        strcmp(row->prompt + len - after, style->after) != 0)
        return EXPORT_CUT; /* the style's own words were masked: a rule finds something in them */
    memmove(row->prompt, row->prompt + before, len - before - after);
    row->prompt[len - before - after] = '\0';
    return EXPORT_ROW;
}

/* Without reasoning the row has an empty block, whatever the model thought. */
static int drop_reasoning(struct training_row *row)
{
    free(row->reasoning);
    row->reasoning = strdup("");
    return row->reasoning != NULL ? EXPORT_ROW : REIN_ENOMEM;
}

int distill_try_read(struct distill_try *out, const struct distill_inputs *in, const json_t *decision,
                     const struct style *style)
{
    const struct export_options options = {.first_prefix = in->first_prefix, .restart_prefix = in->restart_prefix};
    *out = (struct distill_try){0};
    int rv = export_row_make(&out->row, &options, decision, NULL);
    if (rv == EXPORT_ROW)
        rv = unwrap_prompt(&out->row.row, style);
    if (rv == EXPORT_ROW && style->drops_reasoning)
        rv = drop_reasoning(&out->row.row);
    if (rv != EXPORT_ROW)
        distill_try_fini(out);
    out->outcome = rv;
    return rv < 0 ? rv : 0;
}

void distill_try_fini(struct distill_try *t)
{
    export_row_fini(&t->row);
    t->row = (struct export_row){0};
}

/* ---- the line of a question ---- */

/* A finding of the model's texts: where it was made, and who made it. */
static json_t *finding_note(const json_t *finding)
{
    return json_pack("{sOsOsOsOsO}", "id", json_object_get(finding, "id"), "attempt",
                     json_object_get(finding, "attempt"), "channel", json_object_get(finding, "channel"), "action",
                     json_object_get(finding, "action"), "judge", json_object_get(finding, "judge"));
}

static json_t *finding_notes(const json_t *decision)
{
    json_t *list = json_array();
    const json_t *finding;
    size_t i;
    json_array_foreach(json_object_get(decision, "findings"), i, finding)
    {
        if (strcmp(word_of(finding, "channel"), "prompt") != 0)
            json_array_append_new(list, finding_note(finding));
    }
    return list;
}

int distill_tries_add(json_t *tries, const json_t *decision, int outcome)
{
    json_t *note =
        json_pack("{sssOsOsOsOso}", "outcome", export_outcome_word((enum export_outcome)outcome), "attempts",
                  json_object_get(decision, "attempts_count"), "verdict", json_object_get(decision, "verdict"),
                  "prompt_tokens", json_object_get(decision, "prompt_tokens"), "completion_tokens",
                  json_object_get(decision, "completion_tokens"), "findings", finding_notes(decision));
    return json_array_append_new(tries, note) == 0 ? 0 : REIN_ENOMEM;
}

/* Why a row was kept: at once, after steering, after asking again. */
static const char *why_kept(const json_t *tries)
{
    const json_t *last = json_array_get(tries, json_array_size(tries) - 1);
    return json_integer_value(json_object_get(last, "attempts")) > 1 ? "repaired"
           : json_array_size(tries) > 1                              ? "asked_again"
                                                                     : "clean";
}

json_t *distill_line(const struct distill_run *run, size_t question, const struct training_row *row, json_t *tries)
{
    const struct distill_inputs *in = run->in;
    const struct distill_options *o = run->options;
    const struct distill_prompt *prompt = &in->prompts[question / o->samples / in->styles_len];
    const struct style *style = &in->styles[question / o->samples % in->styles_len];
    const json_t *last = json_array_get(tries, json_array_size(tries) - 1);
    json_t *line = json_pack("{ss ss ss* ss si sb ss ss ss ss}", "key", run->keys[question], "id", prompt->id,
                             "category", prompt->category, "style", style->name, "sample", (int)(question % o->samples),
                             "kept", row != NULL, "why", row != NULL ? why_kept(tries) : word_of(last, "outcome"),
                             "model", o->model, "policy", in->policy_name, "policy_version", in->policy_version);
    if (line != NULL && row != NULL)
        json_object_update_missing_new(
            line, json_pack("{ss ss* ss}", "prompt", row->prompt, "reasoning", row->reasoning, "answer", row->answer));
    if (line == NULL || json_object_set(line, "tries", tries) != 0) {
        json_decref(line);
        line = NULL;
    }
    json_decref(tries);
    return line;
}
