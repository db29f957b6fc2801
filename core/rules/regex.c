/* See regex.h. A recursive descent parser; each level of the grammar is one function, and what it returns is the number
 * of a node or a negative error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/regex.h"

#include "base/heap.h"
#include "base/unicode.h"

/* ---- the tree: each returns the new node's number, or REIN_ENOMEM, REIN_ELIMIT ---- */

void regex_fini(struct regex *re)
{
    for (size_t i = 0; i < re->sets_len; i++)
        charset_fini(&re->sets[i]);
    heap_free(re->sets);
    heap_free(re->nodes);
    *re = (struct regex){0};
}

static int64_t tree_node(struct regex *re, enum regex_kind kind, uint32_t index)
{
    if (re->nodes_len == 0)
        re->nodes_len = 1;
    if (re->nodes_len == REGEX_NODES_MAX)
        return REIN_ELIMIT;
    struct regex_node *nodes = heap_one_more(re->nodes, re->nodes_len, &re->nodes_cap, 16, sizeof(*nodes));
    if (nodes == NULL)
        return REIN_ENOMEM;
    re->nodes = nodes;
    re->nodes[re->nodes_len] = (struct regex_node){.kind = kind, .index = index};
    return (int64_t)re->nodes_len++;
}

/* Takes the set, on errors too. */
static int64_t tree_set(struct regex *re, struct charset *set)
{
    struct charset *sets = heap_one_more(re->sets, re->sets_len, &re->sets_cap, 16, sizeof(*sets));
    if (sets == NULL) {
        charset_fini(set);
        return REIN_ENOMEM;
    }
    re->sets = sets;
    charset_tidy(set);
    re->sets[re->sets_len++] = *set;
    *set = (struct charset){0};
    return tree_node(re, REGEX_SET, (uint32_t)re->sets_len - 1);
}

static int64_t tree_repeat(struct regex *re, uint32_t child, int32_t min, int32_t max)
{
    int64_t node = tree_node(re, REGEX_REPEAT, 0);
    if (node > 0) {
        re->nodes[node].child = child;
        re->nodes[node].min = min;
        re->nodes[node].max = max;
    }
    return node;
}

/* Puts `child` after the last child of a CAT or ALT. */
static void tree_append(struct regex *re, uint32_t parent, uint32_t child)
{
    re->nodes[child].prev = re->nodes[parent].child;
    re->nodes[parent].child = child;
}

static int64_t fold_char(struct regex *re, uint32_t codepoint)
{
    char bytes[FOLD_MAX];
    struct span folded = {bytes, fold_codepoint(codepoint, bytes)};
    int64_t cat = tree_node(re, REGEX_CAT, 0);
    while (cat > 0 && folded.len > 0) {
        uint32_t part;
        size_t step = (size_t)utf8_next(folded, &part);
        folded = (struct span){folded.data + step, folded.len - step};
        int64_t node = tree_node(re, REGEX_CHAR, part);
        if (node < 0)
            return node;
        tree_append(re, (uint32_t)cat, (uint32_t)node);
    }
    return cat;
}

/* The node for one character of the pattern: itself, what it folds to, or both its cases. */
static int64_t tree_char(struct regex *re, uint32_t codepoint, bool folded, bool caseless)
{
    if (folded)
        return fold_char(re, codepoint);
    if (!caseless || (codepoint_upper(codepoint) == codepoint && codepoint_lower(codepoint) == codepoint))
        return tree_node(re, REGEX_CHAR, codepoint);
    struct charset set = {0};
    int rv = charset_add(&set, codepoint, codepoint);
    if (rv == 0)
        rv = charset_add_cases(&set);
    if (rv != 0) {
        charset_fini(&set);
        return rv;
    }
    return tree_set(re, &set);
}

/* ---- the grammar ---- */

struct parser {
    struct regex *re;
    struct span text;
    size_t at;
    bool folded;
    bool caseless, dot_all; /* the flags i and s */
    unsigned nesting;
    struct regex_error *error;
};

static int64_t parse_alternation(struct parser *p);

static int64_t fail_at(struct parser *p, size_t offset, const char *what)
{
    if (p->error->what == NULL)
        *p->error = (struct regex_error){offset, what};
    return REIN_EPOLICY;
}

static int64_t regex_fail(struct parser *p, const char *what)
{
    return fail_at(p, p->at, what);
}

static bool is_end(const struct parser *p)
{
    return p->at == p->text.len;
}

static bool looks_at(const struct parser *p, const char *token)
{
    size_t len = strlen(token);
    return p->text.len - p->at >= len && memcmp(p->text.data + p->at, token, len) == 0;
}

static bool skip(struct parser *p, const char *token)
{
    bool found = looks_at(p, token);
    if (found)
        p->at += strlen(token);
    return found;
}

/* The next character of the pattern; its validity was checked before. */
static uint32_t regex_take(struct parser *p)
{
    uint32_t codepoint = 0;
    int step = utf8_next((struct span){p->text.data + p->at, p->text.len - p->at}, &codepoint);
    p->at += step > 0 ? (size_t)step : 1;
    return codepoint;
}

/* ---- escapes and classes ----------------------------------------------------------------------------------------- */

static int hex_value(uint32_t c)
{
    return c >= '0' && c <= '9'   ? (int)(c - '0')
           : c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (int)(c - 'A' + 10)
                                  : -1;
}

/* After "\x": two digits, or any number of them in braces. */
static int64_t parse_hex(struct parser *p)
{
    bool braces = skip(p, "{");
    uint32_t value = 0;
    size_t digits = 0;
    while (!is_end(p) && hex_value((unsigned char)p->text.data[p->at]) >= 0 && (braces || digits < 2)) {
        value = value << 4 | (uint32_t)hex_value(regex_take(p));
        if (++digits > 6)
            return regex_fail(p, "a code point has at most 6 digits");
    }
    if (digits == 0 || (!braces && digits != 2))
        return regex_fail(p, "\\x needs two hexadecimal digits, or digits in braces");
    if (braces && !skip(p, "}"))
        return regex_fail(p, "\\x{ without a }");
    if (value > CODEPOINT_MAX || (value >= 0xD800 && value <= 0xDFFF))
        return regex_fail(p, "this is not a valid code point");
    return value;
}

/* The character of an escape whose letter was taken; REIN_EPOLICY if it is none. */
static int64_t parse_escaped_char(struct parser *p, uint32_t letter)
{
    static const char names[] = "nrtfea0", values[] = "\n\r\t\f\x1B\a";
    const char *name = letter < 0x80 && letter != 0 ? strchr(names, (int)letter) : NULL;
    if (name != NULL)
        return values[name - names];
    if (letter == 'x')
        return parse_hex(p);
    bool plain = letter < 0x80 && !(letter >= '0' && letter <= '9') && !(letter >= 'a' && letter <= 'z') &&
                 !(letter >= 'A' && letter <= 'Z');
    if (plain)
        return letter;
    if (letter >= '1' && letter <= '9')
        return fail_at(p, p->at - 1, "back references are not supported");
    return fail_at(p, p->at - 1, "unknown escape");
}

/* Adds the class of \d \w \s and their negations. False: the letter names none. */
static bool add_named_class(uint32_t letter, struct charset *set, int *rv)
{
    struct charset named = {0};
    int failed = 0;
    switch (letter) {
    case 'w':
    case 'W':
        failed = charset_add(&named, 'a', 'z') | charset_add(&named, 'A', 'Z') | charset_add(&named, '_', '_');
        /* fall through */
    case 'd':
    case 'D':
        failed |= charset_add(&named, '0', '9');
        break;
    case 's':
    case 'S':
        failed = charset_add(&named, '\t', '\r') | charset_add(&named, ' ', ' ');
        break;
    default:
        return false;
    }
    *rv = failed != 0 ? REIN_ENOMEM : 0;
    if (*rv == 0 && letter < 'a')
        *rv = charset_negate(&named);
    if (*rv == 0)
        *rv = charset_add_set(set, &named);
    charset_fini(&named);
    return true;
}

/* A class between its brackets. Named classes (\w) are neither folded nor changed in case: \W has no letters, although
 * some of its members look like letters. */
struct class
{
    struct charset listed, named;
};

/* One end of a class's range, or a named class (then *named is set and the code point means nothing). */
static int64_t parse_class_item(struct parser *p, struct class *class, bool *named)
{
    *named = false;
    uint32_t c = regex_take(p);
    if (c == '[' && !is_end(p) && strchr(":.=", p->text.data[p->at]) != NULL)
        return fail_at(p, p->at - 1, "POSIX classes such as [:alpha:] are not supported");
    if (c != '\\')
        return c;
    if (is_end(p))
        return regex_fail(p, "a backslash at the end; to match a backslash write two");
    int rv = 0;
    uint32_t letter = regex_take(p);
    if (letter == 'b')
        return '\b';
    *named = add_named_class(letter, &class->named, &rv);
    return *named ? rv : parse_escaped_char(p, letter);
}

static int64_t parse_class_range(struct parser *p, struct class *class)
{
    size_t began = p->at;
    bool named, high_named;
    int64_t lo = parse_class_item(p, class, &named);
    if (lo < 0 || named)
        return lo < 0 ? lo : 0;
    int64_t hi = lo;
    if (looks_at(p, "-") && p->at + 1 < p->text.len && p->text.data[p->at + 1] != ']') {
        p->at++;
        hi = parse_class_item(p, class, &high_named);
        if (hi < 0)
            return hi;
        if (high_named || hi < lo)
            return fail_at(p, began, "the range is out of order");
    }
    return charset_add(&class->listed, (uint32_t)lo, (uint32_t)hi);
}

/* Leaves the whole class in `listed`. */
static int64_t fill_class(struct parser *p, struct class *class)
{
    size_t began = p->at - 1;
    bool negated = skip(p, "^");
    for (bool first = true; first || !skip(p, "]"); first = false) {
        if (is_end(p))
            return fail_at(p, began, "a [ without its ]");
        int64_t rv = parse_class_range(p, class);
        if (rv < 0)
            return rv;
    }
    struct charset *set = &class->listed;
    int rv = p->folded ? charset_fold(set) : p->caseless ? charset_add_cases(set) : 0;
    if (rv == 0)
        rv = charset_add_set(set, &class->named);
    return rv == 0 && negated ? charset_negate(set) : rv;
}

static int64_t parse_class(struct parser *p)
{
    struct class class = {0};
    int64_t rv = fill_class(p, &class);
    charset_fini(&class.named);
    if (rv == 0)
        return tree_set(p->re, &class.listed);
    charset_fini(&class.listed);
    return rv == REIN_ELIMIT ? regex_fail(p, "the class has too many ranges") : rv;
}

static int64_t parse_dot(struct parser *p)
{
    struct charset set = {0};
    int rv = p->dot_all ? 0 : charset_add(&set, '\n', '\n');
    if (rv == 0)
        rv = charset_negate(&set);
    if (rv != 0) {
        charset_fini(&set);
        return rv;
    }
    return tree_set(p->re, &set);
}

static int64_t parse_escape(struct parser *p)
{
    if (is_end(p))
        return regex_fail(p, "a backslash at the end; to match a backslash write two");
    uint32_t letter = regex_take(p);
    switch (letter) {
    case 'A':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_BEGIN);
    case 'z':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_END);
    case 'b':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_WORD);
    case 'B':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_NOT_WORD);
    default:
        break;
    }
    struct charset set = {0};
    int rv = 0;
    if (add_named_class(letter, &set, &rv)) {
        if (rv == 0)
            return tree_set(p->re, &set);
        charset_fini(&set);
        return rv;
    }
    int64_t c = parse_escaped_char(p, letter);
    return c < 0 ? c : tree_char(p->re, (uint32_t)c, p->folded, p->caseless);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

/* The letters of "(?i-s". Sets the flags; *scoped: they end with the group that follows. */
static int64_t parse_flags(struct parser *p, bool *scoped)
{
    bool value = true;
    for (;;) {
        if (is_end(p))
            return regex_fail(p, "a group has no closing )");
        uint32_t c = regex_take(p);
        if (c == 'i')
            p->caseless = value;
        else if (c == 's')
            p->dot_all = value;
        else if (c == '-' && value)
            value = false;
        else if (c == ')' || c == ':') {
            *scoped = c == ':';
            return 0;
        } else
            return fail_at(p, p->at - 1, "unknown flag or group (lookaround and conditions are not supported)");
    }
}

/* After "(?P<" or "(?<": a name, which has no effect here. */
static int64_t skip_name(struct parser *p)
{
    if (looks_at(p, "=") || looks_at(p, "!"))
        return regex_fail(p, "lookbehind is not supported");
    while (!is_end(p))
        if (regex_take(p) == '>')
            return 0;
    return regex_fail(p, "a group's name has no closing >");
}

static int64_t parse_group_body(struct parser *p, size_t began)
{
    if (p->nesting == REGEX_NESTING_MAX)
        return regex_fail(p, "groups are nested too deeply");
    p->nesting++;
    int64_t node = parse_alternation(p);
    p->nesting--;
    if (node >= 0 && !skip(p, ")"))
        return fail_at(p, began, "a ( has no closing )");
    return node;
}

/* After "(". Flags hold to the end of the group they are in. */
static int64_t parse_group(struct parser *p)
{
    size_t began = p->at - 1;
    bool caseless = p->caseless, dot_all = p->dot_all, scoped = true;
    int64_t rv = 0;
    if (looks_at(p, "?=") || looks_at(p, "?!"))
        return fail_at(p, began, "lookahead is not supported");
    if (looks_at(p, "?>"))
        return fail_at(p, began, "atomic groups are not supported");
    if (looks_at(p, "*"))
        return fail_at(p, began, "verbs are not supported");
    if (skip(p, "?P<") || skip(p, "?<"))
        rv = skip_name(p);
    else if (skip(p, "?"))
        rv = parse_flags(p, &scoped);
    if (rv < 0)
        return rv;
    if (!scoped) /* "(?i)": to the end of the group around it */
        return tree_node(p->re, REGEX_EMPTY, 0);
    int64_t node = parse_group_body(p, began);
    p->caseless = caseless;
    p->dot_all = dot_all;
    return node;
}

/* ---- atoms, repetition, sequences -------------------------------------------------------------------------------- */

static int64_t parse_atom(struct parser *p)
{
    uint32_t c = regex_take(p);
    switch (c) {
    case '(':
        return parse_group(p);
    case '[':
        return parse_class(p);
    case '.':
        return parse_dot(p);
    case '\\':
        return parse_escape(p);
    case '^':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_BEGIN);
    case '$':
        return tree_node(p->re, REGEX_ASSERT, ASSERT_END);
    case '*':
    case '+':
    case '?':
        return fail_at(p, p->at - 1, "nothing to repeat");
    default:
        return tree_char(p->re, c, p->folded, p->caseless);
    }
}

static bool take_number(struct parser *p, int32_t *value)
{
    size_t began = p->at;
    *value = 0;
    for (; !is_end(p) && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9'; p->at++)
        if (*value <= REGEX_REPEAT_MAX)
            *value = *value * 10 + (p->text.data[p->at] - '0');
    return p->at > began;
}

/* "{n}", "{n,}", "{n,m}"; anything else that begins with a brace is text. */
static bool take_braces(struct parser *p, int32_t *min, int32_t *max)
{
    size_t began = p->at;
    if (skip(p, "{") && take_number(p, min)) {
        *max = *min;
        if (skip(p, ",") && !take_number(p, max))
            *max = REGEX_FOREVER;
        if (skip(p, "}"))
            return true;
    }
    p->at = began;
    return false;
}

static bool take_repetition(struct parser *p, int32_t *min, int32_t *max)
{
    *min = 0;
    *max = REGEX_FOREVER;
    if (skip(p, "*"))
        return true;
    if (skip(p, "+")) {
        *min = 1;
        return true;
    }
    if (skip(p, "?")) {
        *max = 1;
        return true;
    }
    return take_braces(p, min, max);
}

static int64_t parse_repeated(struct parser *p)
{
    int64_t node = parse_atom(p);
    size_t began = p->at;
    int32_t min, max;
    if (node < 0 || !take_repetition(p, &min, &max))
        return node;
    if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX)
        return fail_at(p, began, "repetition counts go up to 1000");
    if (max != REGEX_FOREVER && max < min)
        return fail_at(p, began, "the bounds of the repetition are out of order");
    if (p->re->nodes[node].kind == REGEX_ASSERT)
        return fail_at(p, began, "an anchor cannot be repeated");
    if (looks_at(p, "+"))
        return regex_fail(p, "possessive repetition is not supported");
    size_t ended = p->at;
    if (!skip(p, "?") && take_repetition(p, &(int32_t){0}, &(int32_t){0}))
        return fail_at(p, ended, "a repetition cannot be repeated: use a group");
    return tree_repeat(p->re, (uint32_t)node, min, max);
}

static int64_t parse_sequence(struct parser *p)
{
    int64_t cat = tree_node(p->re, REGEX_CAT, 0);
    while (cat > 0 && !is_end(p) && !looks_at(p, "|") && !looks_at(p, ")")) {
        int64_t node = parse_repeated(p);
        if (node < 0)
            return node;
        tree_append(p->re, (uint32_t)cat, (uint32_t)node);
    }
    return cat;
}

static int64_t parse_alternation(struct parser *p)
{
    int64_t alt = tree_node(p->re, REGEX_ALT, 0);
    if (alt < 0)
        return alt;
    do {
        int64_t node = parse_sequence(p);
        if (node < 0)
            return node;
        tree_append(p->re, (uint32_t)alt, (uint32_t)node);
    } while (skip(p, "|"));
    return alt;
}

/* ---- the whole build
 * --------------------------------------------------------------------------------------------------- */

static int64_t check_utf8(struct parser *p)
{
    for (size_t at = 0; at < p->text.len;) {
        uint32_t codepoint;
        int step = utf8_next((struct span){p->text.data + at, p->text.len - at}, &codepoint);
        if (step <= 0)
            return fail_at(p, at, "not valid UTF-8");
        at += (size_t)step;
    }
    return 0;
}

int regex_parse(struct regex *re, struct span pattern, bool folded, struct regex_error *error)
{
    *re = (struct regex){0};
    *error = (struct regex_error){0};
    struct parser p = {.re = re, .text = pattern, .folded = folded, .error = error};
    int64_t node = check_utf8(&p);
    if (node == 0)
        node = parse_alternation(&p);
    if (node > 0 && !is_end(&p))
        node = regex_fail(&p, "a ) without its (");
    if (node == REIN_ELIMIT)
        node = regex_fail(&p, "the expression is too large");
    if (node < 0)
        return (int)node;
    re->root = (uint32_t)node;
    return 0;
}

/* ---- literals ---- */

/* Any run of white space, and letters whose two cases fold to different ones. */
static const struct {
    uint32_t codepoints[3];
    const char *pattern;
} wide_letters[] = {
    {{' '}, "[ \\t\\r\\n\\f]{1,8}"}, {{0x397, 0x3B7}, "[hn]"}, {{0x39C, 0x3BC, 0xB5}, "[mu]"},
    {{0x39D, 0x3BD}, "[nv]"},        {{0x3A5, 0x3C5}, "[yu]"},
};

/* What a folded literal's character matches, where that is more than what it folds to; NULL: it is not. */
static const char *wide_letter(uint32_t codepoint)
{
    for (size_t i = 0; i < sizeof(wide_letters) / sizeof(*wide_letters); i++)
        for (size_t k = 0; k < 3; k++)
            if (codepoint != 0 && wide_letters[i].codepoints[k] == codepoint)
                return wide_letters[i].pattern;
    return NULL;
}

/* A character of a literal. */
static int64_t add_letter(struct regex *re, uint32_t codepoint, bool folded)
{
    const char *pattern = folded ? wide_letter(codepoint) : NULL;
    if (pattern == NULL)
        return tree_char(re, codepoint, folded, false);
    struct regex_error ignored;
    struct parser p = {.re = re, .text = {pattern, strlen(pattern)}, .folded = true, .error = &ignored};
    return parse_alternation(&p);
}

static bool is_white(uint32_t codepoint)
{
    return codepoint == ' ' || (codepoint >= '\t' && codepoint <= '\r');
}

/* One literal below `alt`. */
static int add_literal(struct regex *re, uint32_t alt, struct span text, bool folded, const char **what)
{
    int64_t cat = tree_node(re, REGEX_CAT, 0);
    if (cat < 0)
        return (int)cat;
    tree_append(re, alt, (uint32_t)cat);
    bool blank = true, after_white = false;
    while (text.len > 0) {
        uint32_t codepoint;
        int step = utf8_next(text, &codepoint);
        if (step <= 0) {
            *what = "a literal is not valid UTF-8";
            return REIN_EPOLICY;
        }
        text = (struct span){text.data + step, text.len - (size_t)step};
        if (folded && after_white && is_white(codepoint))
            continue; /* a run of it counts as one */
        after_white = is_white(codepoint);
        int64_t node = add_letter(re, folded && after_white ? ' ' : codepoint, folded);
        if (node < 0)
            return (int)node;
        tree_append(re, (uint32_t)cat, (uint32_t)node);
        blank = blank && re->nodes[node].kind == REGEX_CAT && re->nodes[node].child == 0;
    }
    if (blank)
        *what = "a literal is empty";
    return blank ? REIN_EPOLICY : 0;
}

int regex_literals(struct regex *re, const char *const *literals, size_t len, bool folded, struct regex_error *error)
{
    *re = (struct regex){0};
    *error = (struct regex_error){0};
    int64_t alt = tree_node(re, REGEX_ALT, 0);
    if (alt < 0)
        return (int)alt;
    re->root = (uint32_t)alt;
    for (size_t i = 0; i < len; i++) {
        int rv = add_literal(re, re->root, (struct span){literals[i], strlen(literals[i])}, folded, &error->what);
        if (rv != 0)
            return rv;
    }
    return 0;
}
