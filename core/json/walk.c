/* See walk.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json/walk.h"

#include <string.h>

#include "base/byte_set.h"

void walk_init(struct json_walk *walk, struct span text, unsigned depth_max)
{
    *walk =
        (struct json_walk){.start = text.data, .at = text.data, .end = text.data + text.len, .depth_max = depth_max};
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

void walk_skip_space(struct json_walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at))
        walk->at++;
}

static int step_in(struct json_walk *walk, char open)
{
    if (walk_peek(walk) != open || walk->depth == walk->depth_max)
        return REIN_EFORMAT;
    walk->depth++;
    walk->at++;
    return 0;
}

int walk_next(struct json_walk *walk, struct json_list *list, char open)
{
    char close = open == '{' ? '}' : ']';
    if (!list->begun && step_in(walk, open) != 0)
        return REIN_EFORMAT;
    char c = walk_peek(walk);
    if (c == close) {
        walk->depth--;
        walk->at++;
        return 0;
    }
    if (list->begun) {
        if (c != ',')
            return REIN_EFORMAT;
        list->has_comma = true;
        list->comma = walk_offset(walk);
        walk->at++;
        c = walk_peek(walk);
    }
    list->begun = true;
    return c == '\0' ? REIN_EFORMAT : 1;
}

int walk_key(struct json_walk *walk, struct json_list *list, struct range *key)
{
    walk_peek(walk);
    list->member = walk_offset(walk);
    if (walk_string(walk, key) != 0 || walk_peek(walk) != ':')
        return REIN_EFORMAT;
    walk->at++;
    return 0;
}

/* After the comma that follows, or where the walk stands if none does. */
static uint32_t behind_comma(const struct json_walk *walk)
{
    const char *after = walk->at;
    while (after < walk->end && is_space(*after))
        after++;
    bool has_comma = after < walk->end && *after == ',';
    return (uint32_t)((has_comma ? after + 1 : walk->at) - walk->start);
}

struct range walk_member(struct json_walk *walk, const struct json_list *list)
{
    uint32_t from = list->member, to = behind_comma(walk);
    if (to == walk_offset(walk) && list->has_comma)
        from = list->comma;
    return (struct range){from, to - from};
}

struct range walk_member_before(struct json_walk *walk, const struct json_list *list)
{
    if (!list->has_comma)
        return walk_member(walk, list);
    return (struct range){list->comma, walk_offset(walk) - list->comma};
}

static inline bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Length of the escape that begins at the backslash, 0 if there is no such escape. */
static size_t escape_len(const char *at, const char *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return strchr("\"\\/bfnrt", at[1]) != NULL && at[1] != '\0' ? 2 : 0;
    if (end - at < 6)
        return 0;
    return is_hex(at[2]) && is_hex(at[3]) && is_hex(at[4]) && is_hex(at[5]) ? 6 : 0;
}

#define IS_SPECIAL(c) ((c) == '"' || (c) == '\\' || (c) < 0x20)
#define IS_SPECIAL_OR_WIDE(c) (IS_SPECIAL(c) || (c) >= 0x80)
static const struct byte_set specials = BYTE_SET(IS_SPECIAL);
static const struct byte_set specials_and_wide = BYTE_SET(IS_SPECIAL_OR_WIDE);

/* The first byte of a set, or `end`. */
static inline const char *find_any(const struct byte_set *set, const char *at, const char *end)
{
    return at + byte_set_skip(set, (struct span){at, (size_t)(end - at)});
}

const char *walk_string_end(const char *at, const char *end)
{
    while ((at = find_any(&specials, at, end)) < end) {
        if (*at == '"')
            return at;
        size_t len = *at == '\\' ? escape_len(at, end) : 0;
        if (len == 0)
            return NULL;
        at += len;
    }
    return NULL;
}

int walk_string(struct json_walk *walk, struct range *inside)
{
    if (walk_peek(walk) != '"')
        return REIN_EFORMAT;
    const char *from = walk->at + 1;
    const char *quote = walk_string_end(from, walk->end);
    if (quote == NULL)
        return REIN_EFORMAT;
    *inside = (struct range){(uint32_t)(from - walk->start), (uint32_t)(quote - from)};
    walk->at = quote + 1;
    return 0;
}

int walk_text(struct json_walk *walk, struct range *inside, bool *plain)
{
    if (walk_peek(walk) != '"')
        return REIN_EFORMAT;
    const char *from = walk->at + 1;
    const char *quote = find_any(&specials_and_wide, from, walk->end);
    *plain = quote < walk->end && *quote == '"';
    if (!*plain && (quote = walk_string_end(quote, walk->end)) == NULL)
        return REIN_EFORMAT;
    *inside = (struct range){(uint32_t)(from - walk->start), (uint32_t)(quote - from)};
    walk->at = quote + 1;
    return 0;
}

static inline bool is_walk_digit(const struct json_walk *walk)
{
    return walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9';
}

static int skip_digits(struct json_walk *walk)
{
    if (!is_walk_digit(walk))
        return REIN_EFORMAT;
    while (is_walk_digit(walk))
        walk->at++;
    return 0;
}

/* The fraction and the exponent; *whole says that there was neither. */
static int skip_rest_of_number(struct json_walk *walk, bool *whole)
{
    *whole = true;
    if (walk->at < walk->end && *walk->at == '.') {
        *whole = false;
        walk->at++;
        if (skip_digits(walk) != 0)
            return REIN_EFORMAT;
    }
    if (walk->at < walk->end && (*walk->at == 'e' || *walk->at == 'E')) {
        *whole = false;
        walk->at++;
        if (walk->at < walk->end && (*walk->at == '+' || *walk->at == '-'))
            walk->at++;
        return skip_digits(walk);
    }
    return 0;
}

int walk_number(struct json_walk *walk, int64_t *value)
{
    const int64_t most = INT64_C(1000000000000000);
    bool negative = walk_peek(walk) == '-';
    if (negative)
        walk->at++;
    const char *first = walk->at;
    int64_t sum = 0;
    for (; is_walk_digit(walk); walk->at++)
        sum = sum > most ? sum : sum * 10 + (*walk->at - '0');
    bool is_whole;
    if (walk->at == first || (*first == '0' && walk->at - first > 1) || skip_rest_of_number(walk, &is_whole) != 0)
        return REIN_EFORMAT;
    *value = is_whole && !negative && sum <= most ? sum : -1;
    return 0;
}

/* One of some words. */
static int walk_one_of(struct json_walk *walk, const struct span *words, size_t len)
{
    walk_peek(walk);
    for (size_t i = 0; i < len; i++)
        if ((size_t)(walk->end - walk->at) >= words[i].len && memcmp(walk->at, words[i].data, words[i].len) == 0) {
            walk->at += words[i].len;
            return 0;
        }
    return REIN_EFORMAT;
}

int walk_word(struct json_walk *walk)
{
    static const struct span words[] = {{"null", 4}, {"true", 4}, {"false", 5}};
    return walk_one_of(walk, words, sizeof(words) / sizeof(words[0]));
}

int walk_scalar(struct json_walk *walk)
{
    static const struct span odd[] = {{"NaN", 3}, {"Infinity", 8}, {"-Infinity", 9}};
    char c = walk_peek(walk);
    const char *at = walk->at;
    int64_t ignored;
    int rv = c == '-' || (c >= '0' && c <= '9') ? walk_number(walk, &ignored) : walk_word(walk);
    if (rv == 0)
        return 0;
    walk->at = at;
    return walk_one_of(walk, odd, sizeof(odd) / sizeof(odd[0]));
}

int walk_finish(struct json_walk *walk)
{
    walk_peek(walk);
    return walk->at == walk->end ? 0 : REIN_EFORMAT;
}

bool walk_closes_alike(struct span a, struct span b)
{
    const char *x = a.data, *x_end = x + a.len, *y = b.data, *y_end = y + b.len;
    for (;;) {
        while (x < x_end && *x == ' ')
            x++;
        while (y < y_end && *y == ' ')
            y++;
        if (x == x_end || y == y_end)
            return x == x_end && y == y_end;
        bool closes = *x == '}' || *x == ']' || *x == '\n' || *x == '\r' || (*x == '"' && x == a.data && y == b.data);
        if (*x++ != *y++ || !closes)
            return false;
    }
}
