/* Which questions there are, what is sent for each, and what is kept of its result.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attack.h"

/* ---- what is sent ---- */

char *attack_body(const struct attack_inputs *in, const struct attack_options *o, size_t question)
{
    size_t arm = question / in->rows_len;
    const struct attack_row *row = &in->rows[question % in->rows_len];
    json_t *body = json_pack("{sss[{ssss}]sIsb}", "model", attack_model_of(o, arm / in->policies_len), "messages",
                             "role", "user", "content", row->asked, "seed", (json_int_t)o->seed, "stream", 0);
    if (body != NULL && o->max_tokens > 0)
        json_object_set_new(body, "max_tokens", json_integer(o->max_tokens));
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

static const struct attack_set *set_of(const struct attack_inputs *in, size_t row)
{
    size_t i = 0;
    while (row >= in->sets[i].first + in->sets[i].len)
        i++;
    return &in->sets[i];
}

/* Everything that the result depends on. */
static int make_attack_key(char key[ASKING_KEY_SIZE], const struct attack_inputs *in, const struct attack_options *o,
                           size_t question)
{
    static const char *const kinds[] = {"attack", "benign", "math"};
    size_t arm = question / in->rows_len, row = question % in->rows_len;
    const struct attack_set *set = set_of(in, row);
    char line[24], *body = attack_body(in, o, question);
    if (body == NULL)
        return REIN_ENOMEM;
    snprintf(line, sizeof line, "%zu", in->rows[row].line);
    const char *const texts[] = {attack_upstream_of(o, arm / in->policies_len),
                                 o->kind != NULL ? o->kind : "",
                                 in->policies[arm % in->policies_len].version,
                                 kinds[set->kind],
                                 set->name,
                                 line,
                                 in->rows[row].query,
                                 in->rows[row].answer != NULL ? in->rows[row].answer : "",
                                 in->judge != NULL && set->kind == ATTACK_HARMFUL ? in->judge->version : "",
                                 body};
    uint64_t hash = ASKING_HASH_BEGIN;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash = asking_hash(hash, texts[i]);
    asking_key(key, hash);
    free(body);
    return 0;
}

int attack_grid_new(struct attack_grid *grid, const struct attack_inputs *in, const struct attack_options *o)
{
    size_t len = in->arms_len * in->rows_len;
    *grid = (struct attack_grid){
        .results = calloc(len + 1, sizeof *grid->results), .keys = calloc(len + 1, sizeof *grid->keys), .len = len};
    int rv = grid->results != NULL && grid->keys != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = make_attack_key(grid->keys[i], in, o, i);
    if (rv != 0)
        attack_grid_fini(grid);
    return rv;
}

void attack_grid_fini(struct attack_grid *grid)
{
    free(grid->results);
    free(grid->keys);
    *grid = (struct attack_grid){0};
}

/* ---- what is kept ---- */

/* A risk, or "unparsed", or null. */
static json_t *risk_tree(double risk)
{
    return risk >= 0 ? json_real(risk) : risk == ATTACK_UNPARSED ? json_string("unparsed") : json_null();
}

static double read_risk(const json_t *value)
{
    return json_is_number(value)   ? json_number_value(value)
           : json_is_string(value) ? ATTACK_UNPARSED
                                   : ATTACK_NOT_ASKED;
}

static unsigned read_spent(const json_t *line, const char *key)
{
    return (unsigned)json_integer_value(json_object_get(line, key));
}

static void read_result(struct attack_result *r, const json_t *line)
{
    *r = (struct attack_result){.is_done = true,
                                .is_silent = json_is_true(json_object_get(line, "silent")),
                                .refuses = json_is_true(json_object_get(line, "refuses")),
                                .is_guarded = json_is_true(json_object_get(line, "guarded")),
                                .is_correct = json_is_true(json_object_get(line, "correct")),
                                .is_cut = json_is_true(json_object_get(line, "cut")),
                                .answer_risk = read_risk(json_object_get(line, "answer_risk")),
                                .reasoning_risk = read_risk(json_object_get(line, "reasoning_risk")),
                                .prompt_tokens = read_spent(line, "prompt_tokens"),
                                .completion_tokens = read_spent(line, "completion_tokens"),
                                .judge_tokens = read_spent(line, "judge_tokens")};
}

/* Which question a key stands for: no line is kept in memory. */
struct attack_lines {
    struct attack_grid *grid;
    json_t *questions; /* by key */
};

static int take_attack_line(void *ctx, const char *key, json_t *line)
{
    struct attack_lines *lines = ctx;
    const json_t *question = json_object_get(lines->questions, key);
    if (question != NULL)
        read_result(&lines->grid->results[json_integer_value(question)], line);
    return 0;
}

int attack_results_open(struct asking_results **results, const struct attack_options *o, struct attack_grid *grid)
{
    struct attack_lines lines = {grid, json_object()};
    int rv = lines.questions != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < grid->len && rv == 0 && o->out != NULL; i++)
        if (json_object_set_new(lines.questions, grid->keys[i], json_integer((json_int_t)i)) < 0)
            rv = REIN_ENOMEM;
    if (rv == 0)
        rv = asking_results_open(results, ATTACK_PROGRAM, o->out, take_attack_line, &lines);
    json_decref(lines.questions);
    return rv;
}

/* `max_tokens` stands in each line: what was cut refuses less often than what was not. */
static json_t *result_tree(const struct attack_inputs *in, const struct attack_options *o,
                           const struct attack_grid *grid, size_t question)
{
    const struct attack_result *r = &grid->results[question];
    const struct attack_row *row = &in->rows[question % in->rows_len];
    const struct attack_set *set = set_of(in, question % in->rows_len);
    char *arm = attack_arm_name(in, o, question / in->rows_len);
    json_t *line = json_pack(
        "{ss ss* ss sI ss* so sb sb sb sb so so sI sI sI}", "key", grid->keys[question], "arm", arm, "set", set->name,
        "line", (json_int_t)row->line, "category", *row->category != '\0' ? row->category : NULL, "max_tokens",
        o->max_tokens > 0 ? json_integer(o->max_tokens) : json_null(), "silent", r->is_silent, "refuses", r->refuses,
        "guarded", r->is_guarded, "cut", r->is_cut, "answer_risk", risk_tree(r->answer_risk), "reasoning_risk",
        risk_tree(r->reasoning_risk), "prompt_tokens", (json_int_t)r->prompt_tokens, "completion_tokens",
        (json_int_t)r->completion_tokens, "judge_tokens", (json_int_t)r->judge_tokens);
    if (line != NULL && set->kind == ATTACK_MATH)
        json_object_set_new(line, "correct", json_boolean(r->is_correct));
    free(arm);
    return line;
}

int attack_results_add(struct asking_results *results, const struct attack_inputs *in, const struct attack_options *o,
                       const struct attack_grid *grid, size_t question, const char *reasoning, const char *answer)
{
    json_t *line = result_tree(in, o, grid, question);
    if (line != NULL && o->keep_answers) {
        json_object_set_new(line, "reasoning", json_string(reasoning));
        json_object_set_new(line, "answer", json_string(answer));
    }
    int rv = line != NULL ? asking_results_add(results, line) : REIN_ENOMEM;
    json_decref(line);
    return rv;
}
