/* See decision_turns.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_turns.h"

#include <stdlib.h>

#include "backtest/decision_script.h"

static size_t count_turns(const json_t *texts, uint32_t attempt)
{
    const json_t *text;
    size_t i, count = 0;
    json_array_foreach(texts, i, text)
    {
        if (script_is_of(text, attempt))
            count += 1 + json_array_size(json_object_get(text, "turns"));
    }
    return count;
}

/* How much of a turn that begins at the byte `from` there is, in whole characters. */
static size_t turn_len(const json_t *text, size_t from, int64_t len)
{
    struct rein_source said = script_text(text);
    size_t rest = said.len - from, most = len < 0 ? 0 : (uint64_t)len < rest ? (size_t)len : rest;
    return most == rest ? rest : rein_text_whole(said.text + from, most);
}

/* What is left when the turns of the record are over comes with the last one. */
static size_t add_turns(struct decision_turn *out, const json_t *text, size_t number, uint64_t *next)
{
    const json_t *turn, *turns = json_object_get(text, "turns");
    size_t i, count = 0, from = 0, all = script_text(text).len;
    json_array_foreach(turns, i, turn)
    {
        size_t len = turn_len(text, from, json_integer_value(json_array_get(turn, 1)));
        if (len == 0)
            continue; /* within a character, which came whole before */
        out[count++] = (struct decision_turn){
            .text = number, .at = (uint64_t)json_integer_value(json_array_get(turn, 0)), .from = from, .len = len};
        from += len;
    }
    if (count == 0)
        out[count++] = (struct decision_turn){.text = number, .at = *next, .len = all};
    else
        out[count - 1].len += all - from;
    *next += all;
    return count;
}

static int compare_turns(const void *a, const void *b)
{
    const struct decision_turn *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

int decision_turns_read(struct decision_turn **out, size_t *len, const json_t *texts, uint32_t attempt)
{
    const json_t *text;
    size_t i, number = 0;
    uint64_t next = 0, at;
    struct decision_turn *turns = calloc(count_turns(texts, attempt) + 1, sizeof *turns);
    if (turns == NULL)
        return REIN_ENOMEM;
    *len = 0;
    json_array_foreach(texts, i, text)
    {
        if (script_is_of(text, attempt))
            *len += add_turns(turns + *len, text, number++, &next);
    }
    if (script_named_tool(texts, attempt, &at) != NULL) /* the script's last text */
        turns[(*len)++] = (struct decision_turn){.text = number, .at = at};
    qsort(turns, *len, sizeof *turns, compare_turns);
    *out = turns;
    return 0;
}
