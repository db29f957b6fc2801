/* The results of `rein eval prefix`: what a line of the file says about a question.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "prefix/eval_prefix.h"

static const char *const outcome_names[] = {
    [EVAL_OPEN] = "open", [EVAL_REFUSES] = "refuses", [EVAL_COMPLIES] = "complies", [EVAL_SILENT] = "silent"};

/* The lines that are there, by key. */
static int keep_line(void *done, const char *key, json_t *line)
{
    return json_object_set(done, key, line) < 0 ? REIN_ENOMEM : 0;
}

static void take_over(struct eval_question *q, const json_t *row)
{
    const char *outcome = json_string_value(json_object_get(row, "outcome"));
    for (size_t i = EVAL_REFUSES; outcome != NULL && i <= EVAL_SILENT; i++)
        if (strcmp(outcome, outcome_names[i]) == 0)
            q->result = (struct eval_result){(enum eval_outcome)i, json_is_true(json_object_get(row, "correct"))};
}

int eval_results_open(struct asking_results **results, const struct eval_prefix_options *options,
                      struct eval_grid *grid)
{
    json_t *done = json_object();
    int rv = done != NULL ? asking_results_open(results, "rein eval", options->out, keep_line, done) : REIN_ENOMEM;
    for (size_t i = 0; i < grid->questions_len && rv == 0; i++)
        take_over(&grid->questions[i], json_object_get(done, grid->questions[i].key));
    json_decref(done);
    return rv;
}

int eval_results_add(struct asking_results *results, const struct eval_question *q, const struct eval_inputs *in,
                     const struct eval_prefix_options *options, const struct eval_answer *answer)
{
    const struct eval_prompt *prompt = &in->prompts[q->prompt];
    json_t *line = json_pack("{ssssssssssssss}", "key", q->key, "id", prompt->id, "arm", in->arms[q->arm].name, "label",
                             prompt->is_harmful ? "harmful" : "benign", "outcome", outcome_names[q->result.outcome],
                             "finish_reason", answer->finish, "by", answer->is_guarded ? "guard" : "model");
    if (line != NULL && prompt->answer != NULL)
        json_object_set_new(line, "correct", json_boolean(q->result.is_correct));
    if (line != NULL && options->keep_answers)
        json_object_set_new(line, "answer", json_string(answer->text));
    int rv = line != NULL ? asking_results_add(results, line) : REIN_ENOMEM;
    json_decref(line);
    return rv;
}

int eval_results_sort(struct asking_results *results, const struct eval_grid *grid)
{
    char(*keys)[ASKING_KEY_SIZE] = calloc(grid->questions_len + 1, sizeof *keys);
    for (size_t i = 0; keys != NULL && i < grid->questions_len; i++)
        memcpy(keys[i], grid->questions[i].key, ASKING_KEY_SIZE);
    int rv = keys != NULL ? asking_results_sort(results, (const char(*)[ASKING_KEY_SIZE])keys, grid->questions_len)
                          : REIN_ENOMEM;
    free(keys);
    return rv;
}
