/* Fuzzes files of words: any file is refused with a reason that has its line, or the policy that names it finds each
 * entry of it that is all letters.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rein/rein.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 2048 };

static const char yaml[] =
    "version: 1\nname: w\nrules:\n"
    "  - { id: raw, channels: [prompt], words: { file: list.txt }, match: raw, action: record }\n"
    "  - { id: fold, channels: [prompt], words: { file: list.txt }, action: record }\n";

/* Is it found, alone in a prompt? */
static bool is_found(struct rein_policy *policy, const char *text, size_t len)
{
    static struct rein_engine *engine;
    if (engine == NULL && rein_engine_new(&engine) != 0)
        abort();
    struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .model = "m", .id = "i"};
    struct rein_trace *trace;
    if (rein_trace_new(&trace, &options) != 0 || rein_trace_prompt(trace, "user", text, len) != 0)
        abort();
    bool found = rein_trace_decision(trace)->findings_len > 0;
    rein_trace_free(trace);
    return found;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Each entry that is all letters is found as it stands. */
static void check_entries(struct rein_policy *policy, const char *text, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end != NULL ? (size_t)(end - text) - at : len - at, from = at, to = at + line;
        at += line + 1;
        while (from < to && is_blank(text[from]))
            from++;
        while (to > from && is_blank(text[to - 1]))
            to--;
        bool is_plain = to > from;
        for (size_t i = from; i < to; i++)
            is_plain = is_plain && text[i] != '\0' && strchr(letters, text[i]) != NULL;
        if (is_plain && !is_found(policy, text + from, to - from))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rein_policy *policy = NULL;
    struct rein_problems *problems;
    if (size > INPUT_MAX || rein_problems_new(&problems) != 0)
        return 0;
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    struct rein_source source = {"w.yaml", yaml, sizeof yaml - 1}, list = {"lists/list.txt", text, size};
    struct rein_library library = {.lists = &list, .lists_len = 1};
    int rv = rein_policy_load(&policy, &source, &library, problems);
    if ((rv == 0) != (rein_problems_count(problems) == 0))
        abort();
    if (rv == 0)
        check_entries(policy, text, size);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        if (rein_problems_at(problems, i)->message[0] == '\0')
            abort();
    rein_policy_unref(policy);
    rein_problems_free(problems);
    free(text);
    return 0;
}
