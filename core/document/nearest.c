/* The nearest name, for "did you mean".
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rein/doc.h"

enum { NAME_MAX_LEN = 48, BEGINNING_MIN = 3 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least_of_two = a < b ? a : b;
    return least_of_two < c ? least_of_two : c;
}

/* The number of edits (insert, delete, replace) between two names. */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), row[NAME_MAX_LEN + 1];
    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

/* A name that begins with this one: idle, idle_ms. */
static const char *longer(const char *name, const char *const *names)
{
    size_t len = strlen(name);
    for (; names != NULL && *names != NULL; names++)
        if (len >= BEGINNING_MIN && strncmp(name, *names, len) == 0)
            return *names;
    return NULL;
}

/* Words of other programs, and Rein's words for them. */
static const char *const meanings[][2] = {
    {"block", "refuse"},
    {"deny", "refuse"},
    {"reject", "refuse"},
    {"mask", "redact"},
    {"replace", "redact"},
    {"anonymize", "redact"},
    {"log", "record"},
    {"monitor", "record"},
    {"warn", "record"},
    {"flag", "record"},
    {"allow", "record"},
    {"stop", "cut_response"},
    {"cut", "cut_response"},
    {"truncate", "cut_response"},
    {"retry", "steer"},
    {"correct", "steer"},
    {"input", "prompt"},
    {"request", "prompt"},
    {"user", "prompt"},
    {"output", "answer"},
    {"response", "answer"},
    {"content", "answer"},
    {"thinking", "reasoning"},
    {"cot", "reasoning"},
    {"arguments", "tool"},
    {"exact", "raw"},
    {"fuzzy", "folded"},
    {"ignore_case", "folded"},
    {"insensitive", "folded"},
    {"system", "instruct"},
    {"harmful", "risky"},
    {"all", "full"},
    {"none", "off"},
    {"off", "none"},
    {"final", "end"},
    {"token", "stream"},
    {"pattern", "regex"},
    {"regexp", "regex"},
    {"keyword", "literal"},
    {"keywords", "literal"},
    {"text", "literal"},
    {"string", "literal"},
    {"type", "builtin"},
    {"detector", "builtin"},
    {"where", "channels"},
    {"channel", "channels"},
    {"name", "id"},
    {"credit_card", "card_number"},
    {"pan", "card_number"},
    {"mail", "email"},
    {"secret", "secrets"},
    {"token", "secrets"},
    {"phone_number", "phone"},
    {"telephone", "phone"},
    {"us_ssn", "ssn"},
    {"ip_address", "ipv4"},
    {"ip", "ipv4"},
    {"mac", "mac_address"},
    {"invisible_text", "hidden_text"},
    {"pem", "private_key"},
    {"dry_run", "shadow"},
    {"with", "replacement"},
    {"do", "action"},
};

static const char *find_meaning(const char *name, const char *const *names)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const char *const *at = strcmp(meanings[i][0], name) == 0 ? names : NULL;
        while (at != NULL && *at != NULL && strcmp(*at, meanings[i][1]) != 0)
            at++;
        if (at != NULL && *at != NULL)
            return *at;
    }
    return NULL;
}

const char *rein_nearest(const char *name, const char *const *names)
{
    const char *meant = find_meaning(name, names);
    if (meant != NULL)
        return meant;
    const char *const *first = names;
    const char *nearest = NULL;
    size_t nearest_distance = strlen(name) / 3 + 2; /* one typo in a short name, more in a long one */
    for (; names != NULL && *names != NULL; names++) {
        size_t d = distance(name, *names);
        if (d < nearest_distance && d < strlen(*names)) {
            nearest_distance = d;
            nearest = *names;
        }
    }
    return nearest != NULL ? nearest : longer(name, first);
}
