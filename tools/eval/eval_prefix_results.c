/* The results file: one JSON line for each question that was answered, flushed at once, so that a run can continue
 * where it was left. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "eval/eval_lines.h"
#include "eval/eval_prefix.h"

static const char *const outcome_names[] = {
    [EVAL_OPEN] = "open", [EVAL_REFUSES] = "refuses", [EVAL_COMPLIES] = "complies", [EVAL_SILENT] = "silent"};

/* ---- results of earlier runs ---- */

struct memory {
    json_t *done; /* key -> line */
    size_t unreadable;
};

static int on_line(void *ctx, size_t line, json_t *row, const char *why)
{
    struct memory *memory = ctx;
    const char *key = json_string_value(json_object_get(row, "key"));
    (void)line;
    (void)why;
    if (key == NULL)
        memory->unreadable++;
    else if (json_object_set(memory->done, key, row) < 0)
        return REIN_ENOMEM;
    return 0;
}

static void take_over(struct eval_question *q, const json_t *row)
{
    const char *outcome = json_string_value(json_object_get(row, "outcome"));
    for (size_t i = EVAL_REFUSES; outcome != NULL && i <= EVAL_SILENT; i++)
        if (strcmp(outcome, outcome_names[i]) == 0)
            q->result = (struct eval_result){(enum eval_outcome)i, json_is_true(json_object_get(row, "correct"))};
}

static int read_done(const char *path, struct eval_grid *grid, bool *torn)
{
    struct memory memory = {.done = json_object()};
    int rv = memory.done != NULL ? eval_lines_read(path, on_line, &memory, torn) : REIN_ENOMEM;
    for (size_t i = 0; i < grid->questions_len && rv == 0; i++)
        take_over(&grid->questions[i], json_object_get(memory.done, grid->questions[i].key));
    if (memory.unreadable > 0)
        fprintf(stderr, "rein eval: %s: lines that are not results and are skipped: %zu\n", path, memory.unreadable);
    json_decref(memory.done);
    return rv;
}

/* ---- the file ---- */

static int results_fail(const char *path)
{
    fprintf(stderr, "rein eval: %s: %s\n", path,
            errno == EWOULDBLOCK ? "another run is writing it: wait until it ends, or use another file"
                                 : strerror(errno));
    return REIN_EIO;
}

int eval_results_open(struct eval_results *results, const struct eval_prefix_options *options, struct eval_grid *grid)
{
    bool torn = false;
    *results = (struct eval_results){.path = options->out, .keep_answers = options->keep_answers};
    if (options->out == NULL)
        return 0;
    results->file = fopen(options->out, "ae");
    if (results->file == NULL || flock(fileno(results->file), LOCK_EX | LOCK_NB) < 0)
        return results_fail(options->out);
    int rv = read_done(options->out, grid, &torn);
    if (rv == 0 && torn && (fputc('\n', results->file) == EOF || fflush(results->file) == EOF))
        rv = REIN_EIO;
    return rv == REIN_EIO ? results_fail(options->out) : rv;
}

static json_t *make_line(const struct eval_results *results, const struct eval_question *q,
                         const struct eval_inputs *in, const struct eval_answer *answer)
{
    const struct eval_prompt *prompt = &in->prompts[q->prompt];
    json_t *line = json_pack("{ssssssssssssss}", "key", q->key, "id", prompt->id, "arm", in->arms[q->arm].name, "label",
                             prompt->is_harmful ? "harmful" : "benign", "outcome", outcome_names[q->result.outcome],
                             "finish_reason", answer->finish, "by", answer->is_guarded ? "guard" : "model");
    if (line != NULL && prompt->answer != NULL)
        json_object_set_new(line, "correct", json_boolean(q->result.is_correct));
    if (line != NULL && results->keep_answers)
        json_object_set_new(line, "answer", json_string(answer->text));
    return line;
}

int eval_results_add(struct eval_results *results, const struct eval_question *question, const struct eval_inputs *in,
                     const struct eval_answer *answer)
{
    if (results->file == NULL)
        return 0;
    json_t *line = make_line(results, question, in, answer);
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = fprintf(results->file, "%s\n", text) < 0 || fflush(results->file) == EOF ? results_fail(results->path) : 0;
    free(text);
    return rv;
}

int eval_results_close(struct eval_results *results)
{
    FILE *file = results->file;
    results->file = NULL;
    return file != NULL && fclose(file) == EOF ? results_fail(results->path) : 0;
}
