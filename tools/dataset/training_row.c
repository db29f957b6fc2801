/* See training_row.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset/training_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char open_tag[] = "<think>", close_tag[] = "</think>";

static const char *const format_names[ROW_FORMATS] = {"trace",    "lrm-study", "messages", "prompt-completion",
                                                      "sharegpt", "alpaca"};

const char *row_format_name(enum row_format format)
{
    return format_names[format];
}

bool row_format_find(enum row_format *out, const char *name)
{
    for (int i = 0; i < ROW_FORMATS; i++)
        if (strcmp(format_names[i], name) == 0) {
            *out = (enum row_format)i;
            return true;
        }
    return false;
}

void training_row_fini(struct training_row *row)
{
    free(row->prompt);
    free(row->reasoning);
    free(row->answer);
    *row = (struct training_row){0};
}

/* ---- reading ---- */

static const char *object_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *training_row_fault(const struct training_row *row)
{
    if (row->prompt[strspn(row->prompt, " \t\r\n")] == '\0')
        return "has an empty prompt";
    if (row->reasoning != NULL &&
        (strstr(row->reasoning, open_tag) != NULL || strstr(row->reasoning, close_tag) != NULL))
        return "has a <think> tag inside its reasoning";
    if (strstr(row->answer, close_tag) != NULL || strncmp(row->answer, open_tag, sizeof open_tag - 1) == 0)
        return "has a <think> tag in its answer";
    return NULL;
}

static int row_fill(struct training_row *row, const char *prompt, const char *reasoning, size_t reasoning_len,
                    const char *answer, const char **why)
{
    row->prompt = strdup(prompt);
    row->answer = strdup(answer);
    row->reasoning = reasoning != NULL ? strndup(reasoning, reasoning_len) : NULL;
    if (row->prompt == NULL || row->answer == NULL || (reasoning != NULL && row->reasoning == NULL))
        return REIN_ENOMEM;
    *why = training_row_fault(row);
    return *why != NULL ? REIN_EFORMAT : 0;
}

/* Takes a response apart into reasoning and answer. */
static int row_fill_response(struct training_row *row, const char *prompt, const char *response, const char **why)
{
    const char *at = response + strspn(response, " \t\r\n");
    if (strncmp(at, open_tag, sizeof open_tag - 1) != 0)
        return row_fill(row, prompt, NULL, 0, response, why);
    at += sizeof open_tag - 1;
    const char *end = strstr(at, close_tag);
    if (end == NULL) {
        *why = "has reasoning without its end, </think>";
        return REIN_EFORMAT;
    }
    const char *answer = end + sizeof close_tag - 1;
    answer += strspn(answer, "\r\n");
    at += *at == '\n';
    end -= end > at && end[-1] == '\n';
    return row_fill(row, prompt, at, (size_t)(end - at), answer, why);
}

/* A conversation of two turns: the texts of both, or why it is none. */
static const char *turns_of(const json_t *turns, const char *who, const char *what, const char *const speakers[2],
                            const char *texts[2])
{
    if (json_array_size(turns) != 2)
        return "is not a conversation of two turns";
    for (size_t i = 0; i < 2; i++) {
        const char *speaker = object_text(json_array_get(turns, i), who);
        if (speaker == NULL || strcmp(speaker, speakers[i]) != 0)
            return i == 0 ? "does not begin with the user's turn" : "does not end with the model's turn";
        texts[i] = object_text(json_array_get(turns, i), what);
        if (texts[i] == NULL)
            return "has a turn without a text";
    }
    return NULL;
}

static int row_read_turns(struct training_row *row, const json_t *turns, const char *who, const char *what,
                          const char *const speakers[2], const char **why)
{
    const char *texts[2];
    *why = turns_of(turns, who, what, speakers, texts);
    return *why != NULL ? REIN_EFORMAT : row_fill_response(row, texts[0], texts[1], why);
}

/* An alpaca row's input follows its instruction, as LLaMA-Factory joins them. */
static int row_read_alpaca(struct training_row *row, const json_t *object, const char **why)
{
    const char *input = object_text(object, "input"), *output = object_text(object, "output");
    const char *instruction = object_text(object, "instruction");
    char *prompt = NULL;
    if (output == NULL) {
        *why = "has no text \"output\"";
        return REIN_EFORMAT;
    }
    if (asprintf(&prompt, "%s%s%s", instruction, input != NULL && *input != '\0' ? "\n" : "",
                 input != NULL ? input : "") < 0)
        return REIN_ENOMEM;
    int rv = row_fill_response(row, prompt, output, why);
    free(prompt);
    return rv;
}

static int row_read_prompt(struct training_row *row, const json_t *object, const char *prompt, const char **why)
{
    const char *response = object_text(object, "response"), *answer = object_text(object, "answer");
    const char *reasoning = object_text(object, "reasoning");
    response = response != NULL ? response : object_text(object, "completion");
    if (response != NULL)
        return row_fill_response(row, prompt, response, why);
    if (answer == NULL) {
        *why = "has a prompt, but no text \"answer\", \"response\" or \"completion\"";
        return REIN_EFORMAT;
    }
    return row_fill(row, prompt, reasoning, reasoning != NULL ? strlen(reasoning) : 0, answer, why);
}

int training_row_read(struct training_row *row, const json_t *object, const char **why)
{
    static const char *const roles[2] = {"user", "assistant"}, *const speakers[2] = {"human", "gpt"};
    const json_t *messages = json_object_get(object, "messages"), *turns = json_object_get(object, "conversations");
    const char *prompt = object_text(object, "prompt");
    *row = (struct training_row){0};
    *why = NULL;
    int rv = REIN_EFORMAT;
    if (messages != NULL)
        rv = row_read_turns(row, messages, "role", "content", roles, why);
    else if (turns != NULL)
        rv = row_read_turns(row, turns, "from", "value", speakers, why);
    else if (object_text(object, "instruction") != NULL)
        rv = row_read_alpaca(row, object, why);
    else if (prompt != NULL)
        rv = row_read_prompt(row, object, prompt, why);
    else
        *why = "has none of the keys \"prompt\", \"messages\", \"conversations\", \"instruction\" with a text";
    if (rv != 0)
        training_row_fini(row);
    return rv;
}

/* ---- writing ---- */

char *training_row_response(const struct training_row *row)
{
    char *text = NULL;
    if (row->reasoning == NULL)
        return strdup(row->answer);
    return asprintf(&text, "%s\n%s\n%s\n\n%s", open_tag, row->reasoning, close_tag, row->answer) < 0 ? NULL : text;
}

static json_t *row_object_of(const struct training_row *row, enum row_format format, const char *kind,
                             const char *response)
{
    switch (format) {
    case ROW_LRM_STUDY:
        return json_pack("{ssssss}", "prompt", row->prompt, "response", response, "data_type", kind);
    case ROW_MESSAGES:
        return json_pack("{s[{ssss}{ssss}]}", "messages", "role", "user", "content", row->prompt, "role", "assistant",
                         "content", response);
    case ROW_PROMPT_COMPLETION:
        return json_pack("{ssss}", "prompt", row->prompt, "completion", response);
    case ROW_SHAREGPT:
        return json_pack("{s[{ssss}{ssss}]}", "conversations", "from", "human", "value", row->prompt, "from", "gpt",
                         "value", response);
    case ROW_ALPACA:
        return json_pack("{ssssss}", "instruction", row->prompt, "input", "", "output", response);
    default:
        return json_pack("{ssss*ssss}", "prompt", row->prompt, "reasoning", row->reasoning, "answer", row->answer,
                         "kind", kind);
    }
}

json_t *training_row_object(const struct training_row *row, enum row_format format, const char *kind)
{
    char *response = training_row_response(row);
    json_t *object = response != NULL ? row_object_of(row, format, kind, response) : NULL;
    free(response);
    return object;
}
