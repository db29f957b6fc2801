/* Fuzzes lists of words: whatever is taken for an entry, what it finds does not depend on the pieces of the text, and
 * what it later claims was held.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: a byte of flags (1: folded; 2: the last entry is wanted near a match; 4: it is an exception), entries a line
 * each, an empty line, the text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "matching.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 4096, ENTRIES_MAX = 64, HOLD = 4096 };

/* Cuts the lines of `text` into entries; returns where the text behind them begins. */
static char *take_entries(char *text, const char *entries[ENTRIES_MAX], size_t *len)
{
    *len = 0;
    while (*text != '\0' && *text != '\n' && *len < ENTRIES_MAX) {
        char *end = strchr(text, '\n');
        entries[*len] = text;
        *len += ruleset_word_fault(text, true) == NULL;
        if (end == NULL)
            return text + strlen(text);
        *end = '\0';
        text = end + 1;
    }
    return text + (*text == '\n');
}

static uint64_t held;

static void check_hold(void *ctx, const struct matcher *m, size_t fed, const struct match_list *found)
{
    size_t *seen = ctx;
    uint64_t hold = matcher_hold(m);
    if (hold < held || hold > fed || fed - hold > HOLD)
        abort();
    for (; *seen < found->len; (*seen)++)
        if (found->items[*seen].start < held)
            abort();
    held = hold;
}

static void check_text(const struct ruleset *rules, struct span text)
{
    struct match_list whole = {0}, pieces = {0};
    size_t seen = 0;
    held = 0;
    if (matcher_scan(rules, REIN_ANSWER, text, &whole) != 0 ||
        match_in_pieces(rules, text, NULL, 0, &pieces, check_hold, &seen) != 0 || whole.len != pieces.len)
        abort();
    for (size_t i = 0; i < whole.len; i++)
        if (whole.items[i].rule != pieces.items[i].rule || whole.items[i].start != pieces.items[i].start ||
            whole.items[i].end != pieces.items[i].end)
            abort();
    match_list_fini(&whole);
    match_list_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *entries[ENTRIES_MAX], *why;
    size_t entries_len;
    struct ruleset *rules;
    if (len < 2 || len > INPUT_MAX)
        return 0;
    char *copy = malloc(len);
    memcpy(copy, data + 1, len - 1);
    copy[len - 1] = '\0';
    char *text = take_entries(copy, entries, &entries_len);
    if (ruleset_new(&rules, HOLD) != 0)
        abort();
    bool is_near = data[0] & 2 && entries_len > 1, is_except = data[0] & 4 && entries_len > 1;
    struct rule_words last = {&entries[entries_len - (entries_len > 0)], 1};
    struct rule_spec spec = {.channels = 1 << REIN_ANSWER, .withholds = true, .folded = data[0] & 1};
    spec.words = (struct rule_words){entries, entries_len - (is_near || is_except)};
    spec.near = is_near ? last : spec.near;
    spec.near_before = spec.near_behind = is_near ? 20 : 0;
    spec.except.words = is_except ? last : spec.except.words;
    int rv = entries_len > 0 ? ruleset_add(rules, &spec, &why) : REIN_EPOLICY;
    if (rv == 0 && ruleset_finish(rules) == 0)
        check_text(rules, (struct span){text, len - 1 - (size_t)(text - copy)});
    ruleset_free(rules);
    free(copy);
    return 0;
}
