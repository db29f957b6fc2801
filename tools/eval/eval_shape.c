/* See eval_shape.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_shape.h"

#include <stdio.h>
#include <string.h>

#include "eval/eval_row.h"

/* The member's text. NULL: there is none, or JSON's null stands for none. */
static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static bool is_text_or_absent(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return value == NULL || json_is_null(value) || json_is_string(value);
}

static bool check_labels(const json_t *row, char why[EVAL_WHY_MAX])
{
    static const char *const keys[] = {"label_answer", "label_reasoning", "prompt_kind", "label", "model", "id"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool counts = i < 4; /* what groups rows has a limit, so that two long labels are not taken for one */
        const char *text = text_of(row, keys[i]);
        if (!is_text_or_absent(row, keys[i]) && strcmp(keys[i], "id") != 0) {
            snprintf(why, EVAL_WHY_MAX, "\"%s\" is not a string", keys[i]);
            return false;
        }
        if (counts && text != NULL && strlen(text) >= EVAL_LABEL_MAX) {
            snprintf(why, EVAL_WHY_MAX, "\"%s\" is longer than %d bytes", keys[i], EVAL_LABEL_MAX - 1);
            return false;
        }
    }
    return true;
}

static bool check_steps(const json_t *row, char why[EVAL_WHY_MAX])
{
    const json_t *steps = json_object_get(row, "steps"), *labels = json_object_get(row, "step_labels"), *at;
    size_t i;
    if ((steps != NULL && !json_is_null(steps) && !json_is_array(steps)) ||
        (labels != NULL && !json_is_null(labels) && !json_is_array(labels))) {
        snprintf(why, EVAL_WHY_MAX, "\"steps\" and \"step_labels\" are not both lists");
        return false;
    }
    json_array_foreach(steps, i, at) if (!json_is_string(at))
    {
        snprintf(why, EVAL_WHY_MAX, "steps[%zu] is not a string", i);
        return false;
    }
    json_array_foreach(labels, i, at) if (!json_is_integer(at) || json_integer_value(at) < 0 ||
                                          (size_t)json_integer_value(at) >= json_array_size(steps))
    {
        snprintf(why, EVAL_WHY_MAX, "step_labels[%zu] is not the number of a step (0 to %zu)", i,
                 json_array_size(steps) > 0 ? json_array_size(steps) - 1 : 0);
        return false;
    }
    return true;
}

bool eval_shape_is_row(const json_t *row, char why[EVAL_WHY_MAX])
{
    static const char *const texts[] = {"prompt", "reasoning", "answer"};
    if (!json_is_object(row)) {
        snprintf(why, EVAL_WHY_MAX, "the line is not a JSON object");
        return false;
    }
    for (size_t i = 0; i < 3; i++)
        if (!is_text_or_absent(row, texts[i])) {
            snprintf(why, EVAL_WHY_MAX, "\"%s\" is not a string", texts[i]);
            return false;
        }
    if (text_of(row, "prompt") == NULL) {
        snprintf(why, EVAL_WHY_MAX, "there is no \"prompt\"");
        return false;
    }
    if (text_of(row, "reasoning") == NULL && text_of(row, "answer") == NULL && text_of(row, "label") == NULL) {
        snprintf(why, EVAL_WHY_MAX, "there is neither \"reasoning\" nor \"answer\", nor the \"label\" of a prompt");
        return false;
    }
    return check_labels(row, why) && check_steps(row, why);
}
