/* See case_result.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_result.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT_BYTES = 40, EXCERPT_BEFORE = 8, EXCERPT_MAX = 4 * EXCERPT_BYTES + 8, IDS_TEXT_MAX = 200 };

void case_result_fini(struct case_result *result)
{
    for (int t = 0; t < CASE_TEXTS; t++)
        free(result->texts[t]);
    free(result->upstream);
    *result = (struct case_result){0};
}

static bool has_name(const char *const *names, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void add_name(const char **names, size_t *len, const char *name)
{
    if (*len < CASE_IDS_MAX && !has_name(names, *len, name))
        names[(*len)++] = name;
}

void case_result_found(struct case_result *result, const char *id)
{
    add_name(result->ids, &result->ids_len, id);
}

void case_result_asked(struct case_result *result, const char *judge)
{
    add_name(result->asked, &result->asked_len, judge);
}

/* ---- excerpts ---- */

static bool is_inside(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* A few characters of a text from `at` on, in quotes and on one line. */
static void excerpt(char out[EXCERPT_MAX], const char *text, size_t at)
{
    size_t len = strlen(text), end = at + EXCERPT_BYTES < len ? at + EXCERPT_BYTES : len, n = 0;
    while (end > at && end < len && is_inside(text[end]))
        end--;
    out[n++] = '"';
    for (size_t i = at; i < end; i++)
        n += (size_t)snprintf(out + n, 5, (unsigned char)text[i] < ' ' ? "\\x%02x" : "%c", (unsigned char)text[i]);
    snprintf(out + n, EXCERPT_MAX - n, "%s\"", end < len ? "..." : "");
}

/* Arguments that are JSON are the same if their reader gets the same: one body of Messages has no text of them. */
static bool is_same_json(const char *one, const char *other)
{
    json_t *a = json_loads(one, JSON_DECODE_ANY, NULL), *b = json_loads(other, JSON_DECODE_ANY, NULL);
    bool same = a != NULL && b != NULL && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

static bool words_fit(const char *key, const char *expected, const char *got, char said[CASE_SAID_MAX])
{
    char want[EXCERPT_MAX], have[EXCERPT_MAX];
    size_t at = 0;
    if (strcmp(expected, got) == 0)
        return true;
    while (expected[at] == got[at])
        at++;
    size_t from = at > EXCERPT_BEFORE ? at - EXCERPT_BEFORE : 0;
    while (from > 0 && is_inside(expected[from]))
        from--;
    excerpt(want, expected, from);
    excerpt(have, got, from);
    snprintf(said, CASE_SAID_MAX, "%s: from byte %zu on, expected %s, got %s", key, from, want, have);
    return false;
}

static bool texts_fit(enum case_text text, const char *expected, const char *got, char said[CASE_SAID_MAX])
{
    bool is_same = text == CASE_TOOL && is_same_json(expected, got);
    return is_same || words_fit(case_text_key(text), expected, got, said);
}

/* ---- findings, judges ---- */

/* A value that may be one text or a list of them: the first, and the next. */
static const struct rein_node *first_text(const struct rein_node *node)
{
    return node == NULL || node->kind == REIN_NODE_TEXT ? node : node->first;
}

static const struct rein_node *next_text(const struct rein_node *list, const struct rein_node *at)
{
    return at == list ? NULL : at->next;
}

static void add_id(char text[IDS_TEXT_MAX], const char *id)
{
    size_t len = strlen(text);
    snprintf(text + len, IDS_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "", id);
}

static bool is_expected(const struct rein_node *list, const char *id)
{
    for (const struct rein_node *at = first_text(list); at != NULL; at = next_text(list, at))
        if (strcmp(at->text, id) == 0)
            return true;
    return false;
}

static bool names_fit(const char *key, const char *const *names, size_t len, const struct rein_node *list,
                      char said[CASE_SAID_MAX])
{
    char want[IDS_TEXT_MAX] = "", have[IDS_TEXT_MAX] = "";
    bool fits = true;
    for (const struct rein_node *at = first_text(list); at != NULL; at = next_text(list, at)) {
        fits = fits && has_name(names, len, at->text);
        add_id(want, at->text);
    }
    for (size_t i = 0; i < len; i++) {
        fits = fits && is_expected(list, names[i]);
        add_id(have, names[i]);
    }
    if (!fits)
        snprintf(said, CASE_SAID_MAX, "%s: expected %s, got %s", key, *want != '\0' ? want : "none",
                 *have != '\0' ? have : "none");
    return fits;
}

/* ---- the whole ---- */

static bool client_has(const struct case_result *result, const char *text)
{
    for (int t = 0; t < CASE_TEXTS; t++)
        if (strstr(result->texts[t], text) != NULL)
            return true;
    return false;
}

static bool contents_fit(const struct case_result *result, const struct rein_node *list, bool wanted,
                         char said[CASE_SAID_MAX])
{
    char quoted[EXCERPT_MAX];
    for (const struct rein_node *at = first_text(list); at != NULL; at = next_text(list, at)) {
        if (client_has(result, at->text) == wanted)
            continue;
        excerpt(quoted, at->text, 0);
        snprintf(said, CASE_SAID_MAX, "%s: expected %s%s, got %s", wanted ? "contains" : "lacks",
                 wanted ? "" : "a response without ", quoted, wanted ? "a response without it" : "one with it");
        return false;
    }
    return true;
}

static bool actions_fit(enum rein_action expected, enum rein_action got, char said[CASE_SAID_MAX])
{
    if (expected != got)
        snprintf(said, CASE_SAID_MAX, "action: expected %s, got %s", rein_action_name(expected), rein_action_name(got));
    return expected == got;
}

/* How much a stream has shown when it is stopped depends on how it came. */
static bool is_open_ended(const struct case_result *result)
{
    return result->streamed && result->action >= REIN_STEER;
}

bool case_result_fits(const struct case_result *result, const struct case_script *script, char said[CASE_SAID_MAX])
{
    if (*result->unscripted != '\0') {
        snprintf(said, CASE_SAID_MAX, "%s", result->unscripted);
        return false;
    }
    if (result->ending == REIN_OVERFLOW || result->ending == REIN_UPSTREAM_BROKE) {
        snprintf(said, CASE_SAID_MAX, "ending: the response ended with an error: %s",
                 result->ending == REIN_OVERFLOW ? "the policy had to hold more than `limits.stream_bytes`"
                                                 : "it could not be read");
        return false;
    }
    if (script->action >= 0 && !actions_fit((enum rein_action)script->action, result->action, said))
        return false;
    if (script->findings != NULL && !names_fit("findings", result->ids, result->ids_len, script->findings, said))
        return false;
    if (script->asked != NULL && !names_fit("asked", result->asked, result->asked_len, script->asked, said))
        return false;
    if (script->upstream != NULL && !words_fit("upstream", script->upstream, result->upstream, said))
        return false;
    for (int t = 0; t < CASE_TEXTS && !is_open_ended(result); t++)
        if (script->expected[t] != NULL && !texts_fit((enum case_text)t, script->expected[t], result->texts[t], said))
            return false;
    return contents_fit(result, script->contains, true, said) && contents_fit(result, script->lacks, false, said);
}

static bool ids_same(const struct case_result *a, const struct case_result *b, char said[CASE_SAID_MAX])
{
    char have_a[IDS_TEXT_MAX] = "", have_b[IDS_TEXT_MAX] = "";
    bool same = a->ids_len == b->ids_len;
    for (size_t i = 0; i < a->ids_len; i++) {
        same = same && has_name(b->ids, b->ids_len, a->ids[i]);
        add_id(have_a, a->ids[i]);
    }
    for (size_t i = 0; i < b->ids_len; i++)
        add_id(have_b, b->ids[i]);
    if (!same)
        snprintf(said, CASE_SAID_MAX, "findings: expected %s, got %s", *have_a != '\0' ? have_a : "none",
                 *have_b != '\0' ? have_b : "none");
    return same;
}

bool case_result_same(const struct case_result *one, const struct case_result *other, char said[CASE_SAID_MAX])
{
    if (!actions_fit(one->action, other->action, said) || !ids_same(one, other, said))
        return false;
    for (int t = 0; t < CASE_TEXTS && !is_open_ended(one) && !is_open_ended(other); t++)
        if (!texts_fit((enum case_text)t, one->texts[t], other->texts[t], said))
            return false;
    return true;
}
