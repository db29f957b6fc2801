/* JSON documents (rein/json.h): one pass of the strict cursor over the text makes the nodes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A string without an escape is the text's own bytes. One with escapes is decoded into a second block as long as the
 * text, at the same place as in the text: decoding never makes it longer, so both places are the same. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/byte_set.h"
#include "base/heap.h"
#include "base/unicode.h"
#include "rein/json.h"
#include "json/number.h"
#include "json/text.h"
#include "json/walk.h"

enum {
    FIRST_NODES = 32,  /* room to begin with, and more for a longer text ... */
    TEXT_PER_NODE = 32 /* ... as requests have it, which are mostly long strings */
};

struct rein_json {
    const char *text;
    size_t len;
    char *decoded; /* as long as the text; NULL: no string has an escape */
    size_t nodes_len, nodes_cap;
    struct rein_json_node nodes[];
};

struct reader {
    struct json_walk walk;
    struct rein_json *json;
    enum rein_json_fault fault;
};

static int stop_at(struct reader *r, enum rein_json_fault fault, const char *place)
{
    r->fault = fault;
    r->walk.at = place;
    return REIN_EFORMAT;
}

/* ---- nodes ---- */

static struct rein_json *resize(struct rein_json *json, size_t cap)
{
    struct rein_json *larger = heap_resize(json, sizeof *json + cap * sizeof *json->nodes);
    if (larger != NULL)
        larger->nodes_cap = cap;
    return larger;
}

static int json_doc_add(struct reader *r, enum rein_json_kind kind, struct span text)
{
    struct rein_json *json = r->json;
    if (json->nodes_len == json->nodes_cap) {
        json = resize(json, json->nodes_cap * 2);
        if (json == NULL)
            return REIN_ENOMEM;
        r->json = json;
    }
    json->nodes[json->nodes_len++] = (struct rein_json_node){text.data, (uint32_t)text.len, kind, 1};
    return 0;
}

/* ---- strings ---- */

#define IS_WIDE(c) ((c) >= 0x80)
static const struct byte_set wide = BYTE_SET(IS_WIDE);

static const char *skip_ascii(const char *at, const char *end)
{
    return at + byte_set_skip(&wide, (struct span){at, (size_t)(end - at)});
}

/* The first byte that is not UTF-8; NULL if there is none. */
static const char *find_bad_byte(const char *at, const char *end)
{
    while ((at = skip_ascii(at, end)) < end) {
        uint32_t codepoint;
        int len = utf8_next((struct span){at, (size_t)(end - at)}, &codepoint);
        if (len <= 0)
            return at;
        at += len;
    }
    return NULL;
}

/* Of the four digits after \u: half of a pair, and which. */
static bool is_half(const char *digits)
{
    return (digits[0] | 0x20) == 'd' && digits[1] >= '8';
}
static bool is_second_half(const char *digits)
{
    return is_half(digits) && (digits[1] | 0x20) >= 'c';
}

static bool is_pair(const char *at, const char *end)
{
    return !is_second_half(at + 2) && end - at >= 12 && at[6] == '\\' && at[7] == 'u' && is_second_half(at + 8);
}

/* The first JSON escape that is not a character: half of a pair, or NUL. NULL if there is none. */
static const char *find_bad_escape(const char *at, const char *end)
{
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        bool is_unit = at[1] == 'u', is_halved = is_unit && is_half(at + 2);
        if ((is_unit && memcmp(at + 2, "0000", 4) == 0) || (is_halved && !is_pair(at, end)))
            return at;
        at += is_halved ? 12 : is_unit ? 6 : 2;
    }
    return NULL;
}

/* Decodes a string in place of `raw`, see above. */
static int decode(struct reader *r, struct span *raw)
{
    struct rein_json *json = r->json;
    uint16_t half = 0;
    if (json->decoded == NULL && (json->decoded = heap_resize(NULL, json->len)) == NULL)
        return REIN_ENOMEM;
    char *to = json->decoded + (raw->data - json->text);
    *raw = (struct span){to, json_unescape(*raw, &half, to)};
    return 0;
}

/* Refuses text that programs cannot represent; decodes the rest. */
static int check_string(struct reader *r, struct span *raw)
{
    const char *end = raw->data + raw->len, *bad = find_bad_byte(raw->data, end);
    if (bad != NULL)
        return stop_at(r, REIN_JSON_NO_UTF8, bad);
    bad = find_bad_escape(raw->data, end);
    if (bad != NULL)
        return stop_at(r, is_half(bad + 2) ? REIN_JSON_HALF_PAIR : REIN_JSON_NUL, bad);
    return memchr(raw->data, '\\', raw->len) != NULL ? decode(r, raw) : 0;
}

static int read_string(struct reader *r, enum rein_json_kind kind)
{
    struct range inside;
    bool is_plain;
    int rv = walk_text(&r->walk, &inside, &is_plain);
    if (rv < 0)
        return rv;
    struct span text = {r->json->text + inside.at, inside.len};
    if (!is_plain && (rv = check_string(r, &text)) < 0)
        return rv;
    return json_doc_add(r, kind, text);
}

static int read_key(struct reader *r)
{
    int rv = read_string(r, REIN_JSON_KEY);
    if (rv < 0)
        return rv;
    if (walk_peek(&r->walk) != ':')
        return REIN_EFORMAT;
    r->walk.at++;
    return 0;
}

/* Where the inside of a string or key is in the text. */
static const char *source_of(const struct rein_json *json, const struct rein_json_node *node)
{
    uintptr_t from = (uintptr_t)json->decoded, at = (uintptr_t)node->text;
    bool is_decoded = json->decoded != NULL && at >= from && at < from + json->len;
    return is_decoded ? json->text + (at - from) : node->text;
}

/* ---- other values ---- */

static int read_word(struct reader *r)
{
    const char *from = r->walk.at;
    if (walk_word(&r->walk) < 0)
        return REIN_EFORMAT;
    enum rein_json_kind kind = *from == 'n' ? REIN_JSON_NULL : *from == 't' ? REIN_JSON_TRUE : REIN_JSON_FALSE;
    return json_doc_add(r, kind, (struct span){from, (size_t)(r->walk.at - from)});
}

static int read_number(struct reader *r)
{
    const char *from = r->walk.at;
    int64_t value;
    int rv = walk_number(&r->walk, &value);
    if (rv < 0)
        return rv;
    struct span number = {from, (size_t)(r->walk.at - from)};
    bool is_real = number_is_real(number);
    bool is_huge = is_real ? !number_is_finite(number) : !number_integer(number, &value);
    return json_doc_add(r, is_huge ? REIN_JSON_HUGE : is_real ? REIN_JSON_REAL : REIN_JSON_INTEGER, number);
}

/* ---- duplicate keys ---- */

enum { FEW_KEYS = 16 }; /* each is compared with each; more are sorted */

static bool are_same(const struct rein_json_node *a, const struct rein_json_node *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int by_text(const void *left, const void *right)
{
    const struct rein_json_node *a = *(const struct rein_json_node *const *)left;
    const struct rein_json_node *b = *(const struct rein_json_node *const *)right;
    return a->len != b->len ? (a->len < b->len ? -1 : 1) : memcmp(a->text, b->text, a->len);
}

/* Of two keys the one that is after the other. */
static int refuse_twins(struct reader *r, const struct rein_json_node *a, const struct rein_json_node *b)
{
    return stop_at(r, REIN_JSON_KEY_TWICE, source_of(r->json, a > b ? a : b) - 1);
}

static int check_many_keys(struct reader *r, const struct rein_json_node *object)
{
    const struct rein_json_node **keys = heap_resize(NULL, rein_json_count(object) * sizeof(*keys));
    size_t len = 0;
    int rv = 0;
    if (keys == NULL)
        return REIN_ENOMEM;
    for (const struct rein_json_node *key = rein_json_first(object); key != NULL; key = rein_json_next(object, key))
        keys[len++] = key;
    qsort(keys, len, sizeof(*keys), by_text);
    for (size_t i = 1; i < len && rv == 0; i++)
        if (are_same(keys[i - 1], keys[i]))
            rv = refuse_twins(r, keys[i - 1], keys[i]);
    heap_free(keys);
    return rv;
}

static int check_keys(struct reader *r, const struct rein_json_node *object)
{
    const struct rein_json_node *keys[FEW_KEYS];
    size_t len = 0;
    for (const struct rein_json_node *key = rein_json_first(object); key != NULL; key = rein_json_next(object, key)) {
        if (len == FEW_KEYS)
            return check_many_keys(r, object);
        for (size_t i = 0; i < len; i++)
            if (are_same(keys[i], key))
                return refuse_twins(r, keys[i], key);
        keys[len++] = key;
    }
    return 0;
}

/* ---- lists, and all values ---- */

static int read_value(struct reader *r);

static int read_list(struct reader *r, char open)
{
    struct json_list list = {0};
    bool is_object = open == '{';
    const char *from = r->walk.at;
    size_t self = r->json->nodes_len;
    if (r->walk.depth == r->walk.depth_max)
        return stop_at(r, REIN_JSON_TOO_DEEP, from);
    int rv = json_doc_add(r, is_object ? REIN_JSON_OBJECT : REIN_JSON_ARRAY, (struct span){from, 0});
    while (rv == 0 && (rv = walk_next(&r->walk, &list, open)) > 0) {
        rv = is_object ? read_key(r) : 0;
        if (rv == 0)
            rv = read_value(r);
        if (rv < 0)
            return rv;
    }
    if (rv < 0)
        return rv;
    struct rein_json_node *node = &r->json->nodes[self];
    node->len = (uint32_t)(r->walk.at - from);
    node->span = (uint32_t)(r->json->nodes_len - self) & 0xFFFFFFFu;
    return is_object ? check_keys(r, node) : 0;
}

static int read_value(struct reader *r)
{
    char c = walk_peek(&r->walk);
    switch (c) {
    case '"':
        return read_string(r, REIN_JSON_STRING);
    case '{':
    case '[':
        return read_list(r, c);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? read_number(r) : read_word(r);
    }
}

/* A list that has begun and not ended; in a refused document these are the lists around the fault. */
static bool is_open(const struct rein_json_node *node)
{
    return (node->kind == REIN_JSON_ARRAY || node->kind == REIN_JSON_OBJECT) && node->len == 0;
}

struct fault_place {
    char *text;
    size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static void place_add(struct fault_place *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(p->text + p->len, p->cap - p->len, format, args);
    va_end(args);
    p->len += len > 0 ? (size_t)len : 0;
    if (p->len < p->cap)
        return;
    p->len = rein_text_whole(p->text, p->cap - 1);
    p->text[p->len] = '\0';
    p->cap = p->len + 1; /* no more */
}

/* Names the member of an open list that contains the fault. Returns that member if it is itself an open list. */
static size_t place_step(const struct rein_json *json, size_t list, struct fault_place *p)
{
    const struct rein_json_node *nodes = json->nodes;
    bool is_object = nodes[list].kind == REIN_JSON_OBJECT;
    size_t at = list + 1, index = 0;
    while (at + is_object < json->nodes_len && !is_open(&nodes[at + is_object])) {
        at += is_object + nodes[at + is_object].span;
        index++;
    }
    if (!is_object)
        place_add(p, "[%zu]", index);
    else if (at < json->nodes_len)
        place_add(p, "%s%.*s", p->len > 0 ? "." : "", (int)nodes[at].len, nodes[at].text);
    return at + is_object;
}

static void name_place(const struct rein_json *json, char *out, size_t cap)
{
    struct fault_place p = {out, 0, cap};
    out[0] = '\0';
    for (size_t at = 0; at < json->nodes_len && is_open(&json->nodes[at]);)
        at = place_step(json, at, &p);
}

static struct rein_json_problem problem_at(const struct reader *r)
{
    struct rein_json_problem problem = {r->fault, 1, 1, ""};
    if (r->fault >= REIN_JSON_NO_UTF8)
        name_place(r->json, problem.place, sizeof(problem.place));
    for (const char *at = r->walk.start; at < r->walk.at; at++) {
        if (*at == '\n') {
            problem.line++;
            problem.column = 1;
        } else if (((unsigned char)*at & 0xC0) != 0x80) {
            problem.column++;
        }
    }
    return problem;
}

int rein_json_read(struct rein_json **out, const char *text, size_t len, unsigned depth_max,
                   struct rein_json_problem *problem)
{
    struct reader r = {.fault = REIN_JSON_MALFORMED};
    if (depth_max > REIN_JSON_DEPTH_MAX)
        return REIN_EINVAL;
    if (len > REIN_JSON_BYTES_MAX)
        return REIN_ELIMIT;
    r.json = resize(NULL, FIRST_NODES + len / TEXT_PER_NODE);
    if (r.json == NULL)
        return REIN_ENOMEM;
    r.json->text = text;
    r.json->len = len;
    r.json->decoded = NULL;
    r.json->nodes_len = 0;
    walk_init(&r.walk, (struct span){text, len}, depth_max);
    int rv = read_value(&r);
    if (rv == 0)
        rv = walk_finish(&r.walk);
    if (rv == 0) {
        *out = r.json;
        return 0;
    }
    if (rv == REIN_EFORMAT)
        *problem = problem_at(&r);
    rein_json_free(r.json);
    return rv;
}

void rein_json_free(struct rein_json *json)
{
    if (json == NULL)
        return;
    heap_free(json->decoded);
    heap_free(json);
}

/* ---- looking ---- */

const struct rein_json_node *rein_json_root(const struct rein_json *json)
{
    return json->nodes;
}

/* After a value, or after a key and its value. */
static inline const struct rein_json_node *json_doc_step(const struct rein_json_node *at)
{
    return at->kind >= REIN_JSON_KEY ? at + 1 + at[1].span : at + at->span;
}

static inline const struct rein_json_node *skip_dropped(const struct rein_json_node *list,
                                                        const struct rein_json_node *at)
{
    const struct rein_json_node *end = list + list->span;
    while (at < end && at->kind == REIN_JSON_DROPPED)
        at = json_doc_step(at);
    return at < end ? at : NULL;
}

const struct rein_json_node *rein_json_first(const struct rein_json_node *list)
{
    bool is_list = list != NULL && (list->kind == REIN_JSON_ARRAY || list->kind == REIN_JSON_OBJECT);
    return is_list ? skip_dropped(list, list + 1) : NULL;
}

const struct rein_json_node *rein_json_next(const struct rein_json_node *list, const struct rein_json_node *at)
{
    return skip_dropped(list, json_doc_step(at));
}

size_t rein_json_count(const struct rein_json_node *list)
{
    size_t count = 0;
    for (const struct rein_json_node *at = rein_json_first(list); at != NULL; at = rein_json_next(list, at))
        count++;
    return count;
}

const struct rein_json_node *rein_json_find(const struct rein_json_node *object, const char *key, size_t len)
{
    if (!rein_json_is(object, REIN_JSON_OBJECT))
        return NULL;
    const struct rein_json_node *end = object + object->span;
    for (const struct rein_json_node *at = object + 1; at < end; at = json_doc_step(at))
        if (at->len == len && at->kind == REIN_JSON_KEY && memcmp(at->text, key, len) == 0)
            return rein_json_value(at);
    return NULL;
}

bool rein_json_integer(const struct rein_json_node *node, int64_t *value)
{
    return rein_json_is(node, REIN_JSON_INTEGER) && number_integer((struct span){node->text, node->len}, value);
}

_Static_assert((int)REIN_JSON_PLAIN_MAX == (int)NUMBER_PLAIN_MAX, "one length");

size_t rein_json_plain(const struct rein_json_node *number, char out[REIN_JSON_PLAIN_MAX])
{
    bool is_number = rein_json_is(number, REIN_JSON_INTEGER) || rein_json_is(number, REIN_JSON_REAL) ||
                     rein_json_is(number, REIN_JSON_HUGE);
    return is_number ? number_plain((struct span){number->text, number->len}, out) : 0;
}

struct rein_json_place rein_json_source(const struct rein_json *json, const struct rein_json_node *node)
{
    bool is_text = node->kind == REIN_JSON_STRING || node->kind == REIN_JSON_KEY;
    const char *from = is_text ? source_of(json, node) : node->text;
    const char *to = is_text ? walk_string_end(from, json->text + json->len) : from + node->len;
    return (struct rein_json_place){(uint32_t)(from - json->text), (uint32_t)(to - from)};
}

struct rein_json_place rein_json_drop(struct rein_json *json, const struct rein_json_node *key)
{
    const struct rein_json_node *value = rein_json_value(key);
    const char *from = source_of(json, key) - 1, *to = value->text + value->len;
    if (value->kind == REIN_JSON_STRING)
        to = walk_string_end(source_of(json, value), json->text + json->len) + 1;
    json->nodes[key - json->nodes].kind = REIN_JSON_DROPPED;
    return (struct rein_json_place){(uint32_t)(from - json->text), (uint32_t)(to - from)};
}
