/* Fuzzes expressions: parser, program, automaton. An accepted one must find the same in a whole text and byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: a byte of flags (1: folded, 2: no max_bytes), the expression up to a line end, the text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matching.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATTERN_MAX = 400, TEXT_MAX = 2000 };

static void compare(const struct ruleset *rules, struct span text)
{
    struct match_list whole = {0}, pieces = {0};
    if (matcher_scan(rules, REIN_ANSWER, text, &whole) != 0 ||
        match_in_pieces(rules, text, NULL, 0, &pieces, NULL, NULL) != 0 || whole.len != pieces.len)
        abort();
    for (size_t i = 0; i < whole.len; i++)
        if (whole.items[i].start != pieces.items[i].start || whole.items[i].end != pieces.items[i].end ||
            whole.items[i].end <= whole.items[i].start || whole.items[i].end > text.len)
            abort();
    match_list_fini(&whole);
    match_list_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    const uint8_t *line = memchr(data + 1, '\n', len - 1);
    size_t pattern_len = line != NULL ? (size_t)(line - data) - 1 : len - 1;
    size_t text_len = line != NULL ? len - pattern_len - 2 : 0;
    char pattern[PATTERN_MAX + 1];
    if (pattern_len > PATTERN_MAX || text_len > TEXT_MAX || memchr(data + 1, 0, pattern_len) != NULL)
        return 0;
    memcpy(pattern, data + 1, pattern_len);
    pattern[pattern_len] = '\0';
    struct rule_spec spec = {.id = "fuzz",
                             .channels = 1 << REIN_ANSWER,
                             .regex = pattern,
                             .folded = data[0] & 1,
                             .max_bytes = data[0] & 2 ? 0 : 64,
                             .withholds = true};
    struct ruleset *rules;
    const char *why = NULL;
    if (ruleset_new(&rules, 1 << 16) != 0)
        abort();
    int rv = ruleset_add(rules, &spec, &why);
    if (rv == 0 && ruleset_finish(rules) == 0)
        compare(rules, (struct span){text_len > 0 ? (const char *)line + 1 : "", text_len});
    else if (rv != REIN_EPOLICY || why == NULL || why[0] == '\0')
        abort();
    ruleset_free(rules);
    return 0;
}
