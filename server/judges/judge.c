/* What kinds of judges share; see judge.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/judge.h"

#include <stdlib.h>
#include <string.h>

const char *judge_subject_name(enum judge_subject subject)
{
    static const char *const names[JUDGE_SUBJECTS] = {"prompt", "reasoning", "answer", "tool"};
    return names[subject];
}

const struct judge_kind *judge_kind_find(const char *name)
{
    static const struct judge_kind *const kinds[] = {&judge_llama_guard, &judge_qwen3guard, &judge_gpt_oss_safeguard,
                                                     &judge_instruct};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

const char *judge_reply_text(const json_t *document, enum judge_route route)
{
    const json_t *choice = json_array_get(json_object_get(document, "choices"), 0);
    if (route == JUDGE_COMPLETION)
        return json_string_value(json_object_get(choice, "text"));
    return json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
}

/* ---- quoting ---- */

/* Marks that templates of common families turn into something else than text; a blank behind their first character
 * takes them apart. */
static const char *const template_marks[] = {"<|",      "<start_of_turn", "<end_of_turn", "<think",
                                             "</think", "[INST",          "[/INST",       "<s>",
                                             "</s>",    "<guardian",      "</guardian"};

static bool is_mark(const char *at)
{
    for (size_t i = 0; i < sizeof template_marks / sizeof *template_marks; i++)
        if (strncmp(at, template_marks[i], strlen(template_marks[i])) == 0)
            return true;
    return false;
}

char *judge_quote(const char *text)
{
    size_t len = strlen(text), marks = 0;
    for (const char *at = text; *at != '\0'; at++)
        marks += is_mark(at);
    char *quoted = malloc(len + marks + 1), *to = quoted;
    if (quoted == NULL)
        return NULL;
    for (const char *at = text; *at != '\0'; at++) {
        *to++ = *at;
        if (is_mark(at))
            *to++ = ' ';
    }
    *to = '\0';
    return quoted;
}
