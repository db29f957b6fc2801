/* See oracle.h.
 * SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "oracle.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"

enum { WORKSPACE = 20000, PAIRS = 600 };

void *oracle_compile(const char *pattern)
{
    int error;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_POSSESS; /* all ends are wanted */
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, context);
    pcre2_compile_context_free(context);
    return code;
}

void *oracle_compile_folded(const char *pattern)
{
    char *folded = malloc(strlen(pattern) + 1);
    size_t len = 0;
    if (folded == NULL)
        abort();
    for (const char *p = pattern; *p != '\0'; p++) {
        bool accented = strncmp(p, "\xC3\xA9", 2) == 0;
        folded[len++] = accented ? 'e' : *p == 'A' ? 'a' : *p;
        p += accented;
    }
    folded[len] = '\0';
    void *code = oracle_compile(folded);
    free(folded);
    return code;
}

void oracle_free(void *code)
{
    pcre2_code_free(code);
}

void oracle_text_set(struct oracle_text *text, const char *bytes, size_t len)
{
    text->len = text->original_len = len;
    memcpy(text->bytes, bytes, len);
    for (size_t i = 0; i < len; i++) {
        text->start[i] = (uint32_t)i;
        text->end[i] = (uint32_t)i + 1;
    }
}

void oracle_text_fold(struct oracle_text *text, const char *bytes, size_t len)
{
    uint32_t map[ORACLE_TEXT_MAX];
    text->original_len = len;
    text->len = fold_text((struct span){bytes, len}, text->bytes, map, ORACLE_TEXT_MAX);
    for (size_t i = 0; i < text->len; i++) {
        uint32_t codepoint;
        int step = utf8_next((struct span){bytes + map[i], len - map[i]}, &codepoint);
        text->start[i] = map[i];
        text->end[i] = map[i] + (uint32_t)(step > 0 ? step : 1);
    }
}

/* How much of the text a match that begins at byte i can see. */
static size_t sight(const struct oracle_rule *rule, const struct oracle_text *text, size_t i)
{
    for (size_t k = i + 1; k <= text->len; k++) {
        uint32_t next = k < text->len ? text->start[k] : (uint32_t)text->original_len;
        if (next > text->end[k - 1] && next - text->start[i] > rule->max_bytes)
            return k;
    }
    return text->len;
}

/* The longest match that begins at byte i and is allowed: its end, 0 if there is none. */
static size_t longest_at(const struct oracle_rule *rule, const struct oracle_text *text, size_t i,
                         pcre2_match_data *data)
{
    static int workspace[WORKSPACE];
    char seen[ORACLE_TEXT_MAX + 1];
    size_t len = sight(rule, text, i), bytes = len;
    memcpy(seen, text->bytes, len);
    uint32_t reach = len > 0 ? text->end[len - 1] : 0;
    if (len < text->len || (text->original_len > reach && text->original_len - text->start[i] > rule->max_bytes))
        seen[bytes++] = '\x01';
    int rc = pcre2_dfa_match(rule->code, (PCRE2_SPTR)seen, bytes, i, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, data, NULL,
                             workspace, WORKSPACE);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc <= 0) {
        fprintf(stderr, "oracle: pcre2_dfa_match says %d\n", rc);
        abort();
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
    for (int n = 0; n < rc; n++) { /* the longest comes first */
        size_t end = ends[2 * n + 1];
        bool fits = end > i && end <= len && text->end[end - 1] - text->start[i] <= rule->max_bytes;
        if (fits && (rule->check == NULL || rule->check(text->bytes + i, end - i)))
            return end;
    }
    return 0;
}

void oracle_matches(const struct oracle_rule *rule, const struct oracle_text *text, struct oracle_spans *out)
{
    pcre2_match_data *data = pcre2_match_data_create(PAIRS, NULL);
    uint64_t taken = 0;
    out->len = 0;
    for (size_t i = 0; i < text->len;) {
        bool begins = ((unsigned char)text->bytes[i] & 0xC0) != 0x80 && text->start[i] >= taken;
        size_t end = begins ? longest_at(rule, text, i, data) : 0;
        if (end == 0) {
            i++;
            continue;
        }
        if (out->len == ORACLE_SPANS_MAX)
            abort();
        taken = text->end[end - 1];
        out->items[out->len++] = (struct oracle_span){text->start[i], taken};
        i = end;
    }
    pcre2_match_data_free(data);
}
