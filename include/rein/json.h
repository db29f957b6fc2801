/* JSON documents: a whole text read into one flat array, for programs that judge a request before they pass it on.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Strict RFC 8259 with only one interpretation: valid UTF-8, no duplicate keys in an object, no \u0000 and no half of a
 * surrogate pair, nothing after the value. This reader accepts the same texts as jansson with JSON_REJECT_DUPLICATES |
 * JSON_DECODE_ANY, with the same values. There are two exceptions: a NUL byte after a number or a word, which jansson
 * overlooks, and numbers that fit neither 64 bits nor a double, which jansson refuses.
 *
 *     text  {"a":[1,"b"],"c":null}
 *     nodes  OBJECT  KEY a  ARRAY  INTEGER  STRING b  KEY c  NULL       a value directly follows its key
 *
 * Memory: 16 bytes per key and value, which is at most 8 per byte of text, or 16 including room to grow; plus the
 * text's length if any string has an escape. One block, or two.
 *
 * Nodes are good as long as their document, and the document as long as the text, which it borrows. All functions
 * accept NULL for a node that does not exist. Thread: a document belongs to one thread at a time. */
#ifndef REIN_JSON_H
#define REIN_JSON_H

#include <string.h>

#include "rein/rein.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { REIN_JSON_BYTES_MAX = 1 << 28, REIN_JSON_DEPTH_MAX = 1024 };

enum rein_json_kind {
    REIN_JSON_NULL,
    REIN_JSON_FALSE,
    REIN_JSON_TRUE,
    REIN_JSON_INTEGER,
    REIN_JSON_REAL, /* a number with a fraction or an exponent */
    REIN_JSON_HUGE, /* an integer beyond 64 bits, or a number beyond a double */
    REIN_JSON_STRING,
    REIN_JSON_ARRAY,
    REIN_JSON_OBJECT,
    REIN_JSON_KEY,
    REIN_JSON_DROPPED, /* a key that was removed: it is skipped */
};

/* Read-only outside the core. */
struct rein_json_node {
    const char *text; /* strings and keys: decoded, UTF-8 without NUL; others: as they stand. Not NUL-terminated */
    uint32_t len;
    uint32_t kind : 4;
    uint32_t span : 28; /* nodes of the value, including itself; 1 for a key */
};

enum rein_json_fault {
    REIN_JSON_MALFORMED,
    REIN_JSON_KEY_TWICE,
    REIN_JSON_TOO_DEEP,
    /* faults of a string, whose place is named: */
    REIN_JSON_NO_UTF8,
    REIN_JSON_NUL,       /* \u0000 */
    REIN_JSON_HALF_PAIR, /* one half of a surrogate pair */
};

/* What is wrong with a text, and where. Lines and columns count from 1, columns in characters. */
struct rein_json_problem {
    enum rein_json_fault fault;
    unsigned line, column;
    char place[96]; /* of a string's fault: "messages[0].content", of a key's that of its object; as far as it fits */
};

struct rein_json;

/* Reads a text. Objects and arrays may be nested `depth_max` deep, at most REIN_JSON_DEPTH_MAX. REIN_EFORMAT (`problem`
 * is filled), REIN_ELIMIT (longer than REIN_JSON_BYTES_MAX), REIN_ENOMEM; *out is unchanged on an error. Returns owned;
 * borrows the text for the document's lifetime. */
REIN_API REIN_MUST_USE int rein_json_read(struct rein_json **out, const char *text, size_t len, unsigned depth_max,
                                          struct rein_json_problem *problem);
REIN_API void rein_json_free(struct rein_json *json); /* NULL is fine */

/* The value that is the document. */
REIN_API const struct rein_json_node *rein_json_root(const struct rein_json *json);

static inline bool rein_json_is(const struct rein_json_node *node, enum rein_json_kind kind)
{
    return node != NULL && node->kind == kind;
}

/* A string or a key with exactly this text. */
static inline bool rein_json_says(const struct rein_json_node *node, const char *text)
{
    size_t len = strlen(text);
    return node != NULL && node->len == len && (node->kind == REIN_JSON_STRING || node->kind == REIN_JSON_KEY) &&
           memcmp(node->text, text, len) == 0;
}

/* The first key of an object or value of an array, and the one after `at`; NULL if there is none. */
REIN_API const struct rein_json_node *rein_json_first(const struct rein_json_node *list);
REIN_API const struct rein_json_node *rein_json_next(const struct rein_json_node *list,
                                                     const struct rein_json_node *at);
/* The number of keys or values; counts them each time. */
REIN_API size_t rein_json_count(const struct rein_json_node *list);

static inline const struct rein_json_node *rein_json_value(const struct rein_json_node *key)
{
    return key + 1;
}

/* The value of a key; NULL if the object does not have it, or the node is not an object. */
REIN_API const struct rein_json_node *rein_json_find(const struct rein_json_node *object, const char *key, size_t len);
static inline const struct rein_json_node *rein_json_get(const struct rein_json_node *object, const char *key)
{
    return rein_json_find(object, key, strlen(key));
}

/* False if it is not an integer. */
REIN_API bool rein_json_integer(const struct rein_json_node *node, int64_t *value);

/* Writes a number without exponent, and without a fraction that is all zeros: what a program makes of 4.1e15 and of
 * 41.0. Returns the length; 0 if it is longer than the room or below 1, or no number. */
enum { REIN_JSON_PLAIN_MAX = 48 };
REIN_API size_t rein_json_plain(const struct rein_json_node *number, char out[REIN_JSON_PLAIN_MAX]);

struct rein_json_place {
    uint32_t at, len;
};
/* Where a string or key is in the text, without its quotes and with its escapes; or where a number is. */
REIN_API struct rein_json_place rein_json_source(const struct rein_json *json, const struct rein_json_node *node);
/* Removes a member: from now on it is skipped. Returns its place in the text, which is not changed: from its key's
 * quote to its value's end, without a comma. */
REIN_API struct rein_json_place rein_json_drop(struct rein_json *json, const struct rein_json_node *key);

#ifdef __cplusplus
}
#endif
#endif
