/* Property: JSON in a text is judged as its reader gets it, and what a redaction leaves of it is JSON again.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_leaves [CASES [FIRST-SEED]]     default 3000 from 1; REIN_LONG=1: 200000
 *
 * A case is a random document, in which each character of a string is written in one of its spellings, as the arguments
 * of a tool or as the answer, cut at random, and random rules. PCRE2 says what they match in each leaf on its own, and
 * in the source across leaves; what is left in each leaf is compared with what jansson reads of the output. A failure
 * prints its seed (found_t4_at_random, found_h2_at_random). */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "dice.h"
#include "oracle.h"
#include "tracekit.h"
#include "wild.h"
#include "json/number.h"
#include "json/text.h"

enum { RULES = 2, SOURCE_MAX = 500, LEAVES_MAX = 64, LEAF_MAX = 64, REUSE = 10, DEPTH = 3 };

struct leaf {
    bool is_key, is_scalar;
    size_t start, end; /* in the source, without quotes */
    char text[LEAF_MAX * 4];
    size_t len;
    char wanted[LEAF_MAX * 8];
};

struct leaf_case {
    uint64_t seed;
    struct dice dice;
    struct rein_policy *policy;
    struct oracle_rule rules[RULES];
    char regex[RULES][WILD_REGEX_MAX];
    size_t rules_len;
    bool folded;
    char source[SOURCE_MAX + 128];
    size_t len;
    int leaf_of[SOURCE_MAX + 128]; /* of each byte; -1: outside */
    size_t unit_start[SOURCE_MAX + 128], unit_end[SOURCE_MAX + 128];
    size_t text_at[SOURCE_MAX + 128]; /* of a unit's first byte: where its meaning lies in the leaf's text */
    struct leaf leaves[LEAVES_MAX];
    size_t leaves_len;
    bool is_broken; /* it is no JSON: what is found in it depends on the text alone, too */
};

static _Noreturn void give_up(const struct leaf_case *c, const char *what, const char *wanted, const char *seen)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n", c->seed, what);
    for (size_t i = 0; i < c->rules_len; i++)
        fprintf(stderr, "  rule: %s (max_bytes %zu%s)\n", c->regex[i], c->rules[i].max_bytes,
                c->folded ? ", folded" : "");
    fprintf(stderr, "  source: %s\n  wanted: '%s'\n  seen:   '%s'\n", c->source, wanted, seen);
    exit(1);
}

/* ---- the document ------------------------------------------------------------------------------------------------ */

static void put_outside(struct leaf_case *c, const char *text)
{
    for (; *text != '\0'; text++) {
        c->leaf_of[c->len] = -1;
        c->source[c->len++] = *text;
    }
}

static void put_blanks(struct leaf_case *c)
{
    static const char *const blanks[] = {" ", "\n", "\t", "  ", "\r\n"};
    if (dice_chance(&c->dice, 25))
        put_outside(c, blanks[dice_below(&c->dice, 5)]);
}

/* One unit of the source, and what it means. */
static void put_meaning(struct leaf_case *c, const char *source, size_t source_len, const char *text, size_t len)
{
    struct leaf *leaf = &c->leaves[c->leaves_len - 1];
    for (size_t i = 0; i < source_len; i++) {
        c->leaf_of[c->len + i] = (int)(c->leaves_len - 1);
        c->unit_start[c->len + i] = c->len;
        c->unit_end[c->len + i] = c->len + source_len;
        c->text_at[c->len + i] = leaf->len;
    }
    memcpy(c->source + c->len, source, source_len);
    c->len += source_len;
    memcpy(leaf->text + leaf->len, text, len);
    leaf->len += len;
}

static void put_bytes(struct leaf_case *c, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_meaning(c, text + i, 1, text + i, 1);
}

static uint32_t codepoint_at(const char *text, size_t len)
{
    const unsigned char *b = (const unsigned char *)text;
    switch (len) {
    case 1:
        return b[0];
    case 2:
        return (b[0] & 31u) << 6 | (b[1] & 63u);
    case 3:
        return (b[0] & 15u) << 12 | (b[1] & 63u) << 6 | (b[2] & 63u);
    default:
        return (b[0] & 7u) << 18 | (b[1] & 63u) << 12 | (b[2] & 63u) << 6 | (b[3] & 63u);
    }
}

/* A character in one of its spellings. */
static void put_char(struct leaf_case *c, const char *text, size_t len)
{
    static const char shorts[] = "\"\\/\b\f\n\r\t", letters[] = "\"\\/bfnrt";
    const char *at = len == 1 && *text != '\0' ? strchr(shorts, *text) : NULL;
    bool must = (unsigned char)*text < 0x20 || *text == '"' || *text == '\\';
    char escaped[16];
    if (!must && !dice_chance(&c->dice, 25)) {
        put_bytes(c, text, len);
    } else if (at != NULL && dice_chance(&c->dice, 50)) {
        snprintf(escaped, sizeof escaped, "\\%c", letters[at - shorts]);
        put_meaning(c, escaped, 2, text, len);
    } else if (len < 4) {
        snprintf(escaped, sizeof escaped, dice_chance(&c->dice, 50) ? "\\u%04x" : "\\u%04X", codepoint_at(text, len));
        put_meaning(c, escaped, 6, text, len);
    } else {
        unsigned rest = codepoint_at(text, len) - 0x10000;
        snprintf(escaped, sizeof escaped, "\\u%04X\\u%04x", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
        put_meaning(c, escaped, 12, text, len);
    }
}

static struct leaf *begin_leaf(struct leaf_case *c, bool is_key, bool is_scalar)
{
    struct leaf *leaf = &c->leaves[c->leaves_len++];
    *leaf = (struct leaf){.is_key = is_key, .is_scalar = is_scalar, .start = c->len};
    return leaf;
}

static void put_string(struct leaf_case *c, bool is_key)
{
    static const char *const rare[] = {"\n", "\t", "\"", "\\", "/", "\xF0\x9F\x98\x80", "\xE6\xBC\xA2", "1", "u"};
    put_outside(c, "\"");
    struct leaf *leaf = begin_leaf(c, is_key, false);
    for (size_t n = dice_below(&c->dice, 9); n > 0; n--) {
        char one[16] = "";
        if (dice_chance(&c->dice, 25))
            strcpy(one, rare[dice_below(&c->dice, sizeof rare / sizeof *rare)]);
        else
            one[c->folded ? wild_unfolded(&c->dice, one) : wild_char(&c->dice, one)] = '\0';
        put_char(c, one, strlen(one));
    }
    leaf->end = c->len;
    put_outside(c, "\"");
}

static void put_scalar(struct leaf_case *c)
{
    static const char *const words[] = {"true", "false", "null", "0", "-1", "12", "1.5", "2e3", "41.0", "1E+2", "1200"};
    const char *word = words[dice_below(&c->dice, sizeof words / sizeof *words)];
    struct leaf *leaf = begin_leaf(c, false, true);
    put_bytes(c, word, strlen(word));
    leaf->end = c->len;
}

static void put_value(struct leaf_case *c, int depth)
{
    bool is_object = dice_chance(&c->dice, 60);
    put_blanks(c);
    if (depth == 0 || c->len > SOURCE_MAX / 2 || c->leaves_len > LEAVES_MAX / 2) {
        if (dice_chance(&c->dice, 60))
            put_string(c, false);
        else
            put_scalar(c);
    } else {
        put_outside(c, is_object ? "{" : "[");
        size_t n = dice_below(&c->dice, 4);
        for (size_t i = 0; i < n && c->len < SOURCE_MAX - 130 && c->leaves_len < LEAVES_MAX - 4; i++) {
            put_outside(c, i > 0 ? "," : "");
            put_blanks(c);
            if (is_object) {
                put_string(c, true);
                put_blanks(c);
                put_outside(c, ":");
            }
            put_value(c, (int)dice_below(&c->dice, (size_t)depth));
        }
        put_blanks(c);
        put_outside(c, is_object ? "}" : "]");
    }
    put_blanks(c);
}

static void make_document(struct leaf_case *c)
{
    c->len = c->leaves_len = 0;
    put_value(c, DEPTH);
    c->source[c->len] = '\0';
}

/* ---- what the definition says ------------------------------------------------------------------------------------ */

struct cut {
    size_t start, end;
};

struct cuts {
    struct cut items[4096];
    size_t len;
};

static void add_cut(struct cuts *cuts, size_t start, size_t end)
{
    if (cuts->len == sizeof cuts->items / sizeof *cuts->items)
        abort();
    cuts->items[cuts->len++] = (struct cut){start, end};
}

static void find(const struct leaf_case *c, size_t rule, const char *text, size_t len, struct oracle_spans *spans)
{
    static struct oracle_text as_seen;
    if (c->folded)
        oracle_text_fold(&as_seen, text, len);
    else
        oracle_text_set(&as_seen, text, len);
    oracle_matches(&c->rules[rule], &as_seen, spans);
}

/* The source byte of a byte of a leaf's text. */
static size_t source_of(const struct leaf_case *c, const struct leaf *leaf, size_t at)
{
    size_t i = leaf->start;
    while (c->unit_end[i] < leaf->end && c->text_at[c->unit_end[i]] <= at)
        i = c->unit_end[i];
    return i;
}

static void cut_leaf(const struct leaf_case *c, const struct leaf *leaf, size_t rule, struct cuts *cuts)
{
    static struct oracle_spans spans;
    char plain[NUMBER_PLAIN_MAX];
    find(c, rule, leaf->text, leaf->len, &spans);
    for (size_t i = 0; i < spans.len; i++) {
        size_t first = source_of(c, leaf, (size_t)spans.items[i].start);
        size_t last = source_of(c, leaf, (size_t)spans.items[i].end - 1);
        add_cut(cuts, leaf->is_scalar ? leaf->start : first, leaf->is_scalar ? leaf->end : c->unit_end[last]);
    }
    struct span number = {leaf->text, leaf->len};
    bool is_number = leaf->is_scalar && strchr("tfn", leaf->text[0]) == NULL;
    size_t len = is_number && number_is_real(number) ? number_plain(number, plain) : 0;
    if (len > 0)
        find(c, rule, plain, len, &spans);
    if (len > 0 && spans.len > 0)
        add_cut(cuts, leaf->start, leaf->end);
}

/* A match in the source: what it covers of the leaves. */
static void cut_source(const struct leaf_case *c, size_t start, size_t end, struct cuts *cuts)
{
    bool is_one = c->leaf_of[start] >= 0;
    for (size_t i = start; i < end; i++)
        is_one &= c->leaf_of[i] == c->leaf_of[start];
    int last = c->leaf_of[end - 1];
    bool cuts_last = last >= 0 && end < c->unit_end[end - 1];
    if (is_one && (c->leaves[c->leaf_of[start]].is_scalar || start > c->unit_start[start] || cuts_last))
        return;
    if (cuts_last)
        end = c->unit_start[end - 1];
    for (size_t i = start; i < end;) {
        int leaf = c->leaf_of[i];
        size_t from = leaf >= 0 ? c->unit_start[i] : i;
        while (i < end && c->leaf_of[i] == leaf)
            i++;
        if (leaf >= 0)
            add_cut(cuts, c->leaves[leaf].is_scalar ? c->leaves[leaf].start : from,
                    c->leaves[leaf].is_scalar ? c->leaves[leaf].end : c->unit_end[i - 1]);
    }
}

/* What is left of a leaf: each run of cuts that overlap becomes one replacement. */
static void cut_out(const struct leaf_case *c, struct leaf *leaf, const struct cuts *cuts)
{
    size_t len = 0;
    for (size_t at = leaf->start; at < leaf->end; at = c->unit_end[at]) {
        bool covered = false, begins = false, joined = false;
        for (size_t i = 0; i < cuts->len; i++) {
            const struct cut *cut = &cuts->items[i];
            covered |= cut->start <= at && at < cut->end;
            begins |= cut->start == at;
            joined |= cut->start < at && at < cut->end;
        }
        if (covered && begins && !joined)
            leaf->wanted[len++] = '#';
        size_t next = c->unit_end[at] < leaf->end ? c->text_at[c->unit_end[at]] : leaf->len;
        for (size_t i = c->text_at[at]; i < next && !covered; i++)
            leaf->wanted[len++] = leaf->text[i];
    }
    leaf->wanted[len] = '\0';
}

static void make_wanted(struct leaf_case *c)
{
    static struct cuts cuts;
    static struct oracle_spans spans;
    cuts.len = 0;
    for (size_t r = 0; r < c->rules_len; r++) {
        for (size_t i = 0; i < c->leaves_len; i++)
            cut_leaf(c, &c->leaves[i], r, &cuts);
        find(c, r, c->source, c->len, &spans);
        for (size_t i = 0; i < spans.len; i++)
            cut_source(c, (size_t)spans.items[i].start, (size_t)spans.items[i].end, &cuts);
    }
    for (size_t i = 0; i < c->leaves_len; i++)
        cut_out(c, &c->leaves[i], &cuts);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

/* Keys are numbered, so that they stay different: "# (2)" for the second one. */
static void drop_numbers(const char *key, char *out)
{
    for (const char *at = key; *at != '\0'; at++) {
        *out++ = *at;
        if (strncmp(at, "# (", 3) == 0)
            at = strchr(at, ')');
    }
    *out = '\0';
}

static void check_text(const struct leaf_case *c, const char *wanted, const char *seen, bool is_key)
{
    char plain_wanted[1024], plain_seen[1024];
    snprintf(plain_wanted, sizeof plain_wanted, "%s", wanted);
    snprintf(plain_seen, sizeof plain_seen, "%s", seen);
    if (is_key) {
        drop_numbers(wanted, plain_wanted);
        drop_numbers(seen, plain_seen);
    }
    if (strcmp(plain_wanted, plain_seen) != 0)
        give_up(c, is_key ? "a key" : "a leaf", wanted, seen);
}

static void check_value(const struct leaf_case *c, const json_t *value, size_t *leaf)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
        {
            check_text(c, c->leaves[*leaf].wanted, key, true);
            (*leaf)++;
            check_value(c, member, leaf);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) check_value(c, member, leaf);
    } else {
        const struct leaf *wanted = &c->leaves[(*leaf)++];
        if (json_is_string(value))
            check_text(c, wanted->wanted, json_string_value(value), false);
        else if (strcmp(wanted->wanted, wanted->text) != 0 || !wanted->is_scalar)
            give_up(c, "a scalar is shown", wanted->wanted, wanted->text);
    }
}

static void check_output(const struct leaf_case *c, const char *seen)
{
    json_error_t error;
    json_t *root = json_loads(seen, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        give_up(c, error.text, "JSON", seen);
    size_t leaf = 0;
    check_value(c, root, &leaf);
    if (leaf != c->leaves_len)
        give_up(c, "leaves are missing", "", seen);
    json_decref(root);
}

/* ---- the stream -------------------------------------------------------------------------------------------------- */

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static void put_piece(struct bytes *out, bool is_tool, struct span piece)
{
    put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{");
    put(out, is_tool ? "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"" : "\"content\":\"");
    assert_int_equal(json_escape(out, piece), 0);
    put(out, is_tool ? "\"}}]}}]}\n\n" : "\"}}]}\n\n");
}

static void put_stream(struct leaf_case *c, struct bytes *out, bool is_tool, bool whole)
{
    for (size_t at = 0, len; at < c->len; at += len) {
        len = whole ? c->len : 1 + dice_below(&c->dice, 9);
        len = at + len > c->len ? c->len - at : len;
        while (at + len < c->len && ((unsigned char)c->source[at + len] & 0xC0) == 0x80)
            len++;
        put_piece(out, is_tool, (struct span){c->source + at, len});
    }
    put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

static void put_body(const struct leaf_case *c, struct bytes *out, bool is_tool)
{
    put(out, "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
    put(out, is_tool ? "\"tool_calls\":[{\"function\":{\"arguments\":\"" : "\"content\":\"");
    assert_int_equal(json_escape(out, (struct span){c->source, c->len}), 0);
    put(out, is_tool ? "\"}}]},\"finish_reason\":\"stop\"}]}" : "\"},\"finish_reason\":\"stop\"}]}");
}

/* What a client saw of a case. */
struct outcome {
    size_t findings;
    char text[16 * SOURCE_MAX];
};

static void play(struct leaf_case *c, bool is_tool, bool is_body, bool whole, struct outcome *outcome)
{
    struct bytes stream;
    struct kit_seen seen;
    bytes_init(&stream, 1 << 20);
    if (is_body)
        put_body(c, &stream, is_tool);
    else
        put_stream(c, &stream, is_tool, whole);
    size_t chunks[] = {0, 1, 1 + dice_below(&c->dice, 100)};
    struct kit_run run = {.policy = c->policy, .upstream = bytes_span(&stream), .is_body = is_body};
    run.chunk = whole ? 0 : chunks[dice_below(&c->dice, 3)];
    kit_run(&run, &seen);
    const char *text = is_tool ? kit_arguments(&seen, 0) : kit_content(&seen, 0);
    if (!c->is_broken)
        check_output(c, text);
    if (seen.decision.bytes_unjudged != 0 || seen.errors > 0)
        give_up(c, "not a proper end", "", kit_content(&seen, 0));
    outcome->findings = seen.decision.findings_len;
    snprintf(outcome->text, sizeof outcome->text, "%s", text);
    kit_seen_fini(&seen);
    bytes_fini(&stream);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static bool add_rule(struct leaf_case *c, struct bytes *yaml)
{
    char line[1024];
    struct oracle_rule *rule = &c->rules[c->rules_len];
    wild_regex(&c->dice, c->regex[c->rules_len]);
    rule->max_bytes = 1 + dice_below(&c->dice, 20);
    rule->code = c->folded ? oracle_compile_folded(c->regex[c->rules_len]) : oracle_compile(c->regex[c->rules_len]);
    if (rule->code == NULL)
        return false;
    snprintf(line, sizeof line,
             "  - { id: r%zu, channels: [answer, tool], regex: '%s', max_bytes: %zu, match: %s, action: redact, "
             "replacement: \"#\" }\n",
             c->rules_len, c->regex[c->rules_len], rule->max_bytes, c->folded ? "folded" : "raw");
    put(yaml, line);
    c->rules_len++;
    return true;
}

/* NULL if a rule is refused (it may be empty, or never match). */
static struct rein_policy *try_policy(struct span yaml)
{
    struct rein_source source = {"policy.yaml", yaml.data, yaml.len};
    struct rein_library library = {0};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    if (rein_problems_new(&problems) != 0)
        abort();
    if (rein_policy_load(&policy, &source, &library, problems) != 0)
        policy = NULL;
    rein_problems_free(problems);
    return policy;
}

static void make_policy(struct leaf_case *c)
{
    struct bytes yaml;
    bytes_init(&yaml, 1 << 16);
    c->folded = dice_chance(&c->dice, 25);
    put(&yaml, "version: 1\nname: p\nrules:\n");
    for (size_t n = 1 + dice_below(&c->dice, RULES); n > 0; n--)
        add_rule(c, &yaml);
    c->policy = c->rules_len > 0 ? try_policy(bytes_span(&yaml)) : NULL;
    bytes_fini(&yaml);
}

static bool has_doubled_keys(const struct leaf_case *c)
{
    json_error_t error;
    json_t *root = json_loads(c->source, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    json_decref(root);
    return root == NULL;
}

/* Puts something into the document that may make it another one, or none. */
static void break_document(struct leaf_case *c)
{
    static const char *const odd[] = {"\\", "\"", "x", "1", " ",   "\\ud83d", "\\u12",
                                      ",",  "}",  "[", "-", "tru", "\\q",     ":"};
    const char *what = odd[dice_below(&c->dice, sizeof odd / sizeof *odd)];
    size_t at = dice_below(&c->dice, c->len + 1), len = strlen(what);
    while (at < c->len && ((unsigned char)c->source[at] & 0xC0) == 0x80)
        at++;
    memmove(c->source + at + len, c->source + at, c->len - at + 1);
    memcpy(c->source + at, what, len);
    c->len += len;
    c->is_broken = true;
}

static void check_same(const struct leaf_case *c, const struct outcome *whole, const struct outcome *other)
{
    if (whole->findings != other->findings || strcmp(whole->text, other->text) != 0)
        give_up(c, "another outcome than for the whole text", whole->text, other->text);
}

static void run_case(struct leaf_case *c, uint64_t seed)
{
    static struct outcome whole, other;
    c->seed = seed;
    c->dice = dice_of(seed);
    c->is_broken = false;
    do
        make_document(c);
    while (has_doubled_keys(c));
    make_wanted(c);
    if (dice_chance(&c->dice, 30))
        break_document(c);
    bool is_tool = dice_chance(&c->dice, 60);
    play(c, is_tool, false, true, &whole);
    play(c, is_tool, false, false, &other);
    check_same(c, &whole, &other);
    play(c, is_tool, true, true, &other);
    check_same(c, &whole, &other);
}

int main(int argc, char **argv)
{
    uint64_t cases = getenv("REIN_LONG") != NULL ? 200000 : 3000, first = 1, done = 0;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    for (uint64_t group = first / REUSE; done < cases; group++) {
        static struct leaf_case c;
        c = (struct leaf_case){.dice = dice_of(group + 1)};
        make_policy(&c);
        for (uint64_t i = 0; i < REUSE && done < cases && c.policy != NULL; i++) {
            uint64_t seed = group * REUSE + i;
            if (seed < first)
                continue;
            run_case(&c, seed);
            done++;
        }
        for (size_t i = 0; i < c.rules_len; i++)
            oracle_free(c.rules[i].code);
        rein_policy_unref(c.policy);
    }
    printf("%" PRIu64 " documents from seed %" PRIu64 ": 0 mismatches\n", done, first);
    return 0;
}
