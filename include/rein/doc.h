/* Rein documents: YAML read into a tree that knows the position of each value, and checked against a table.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Policies, templates, lexicons and the server's config are all read this way. So every error names file, line, column
 * and key, and all errors are reported at once:
 *
 *     text -> rein_doc_read -> tree -> rein_doc_check(schema) -> rein_node_text / _int / ... (values or their defaults)
 *
 * A schema is one table. The checks, the defaults, a JSON Schema and the reference page are made from it.
 *
 * Accepted: YAML without aliases, anchors, tags and duplicate keys, one document per file. JSON is a subset of that.
 *
 * Thread: any; a document belongs to one thread at a time. */
#ifndef REIN_DOC_H
#define REIN_DOC_H

#include "rein/rein.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- schemas ----------------------------------------------------------------------------------------------------- */

enum rein_type {
    REIN_TYPE_TEXT,   /* min and max: length in bytes */
    REIN_TYPE_NAME,   /* 1 to 64 letters, digits, '.', '_', '-'; fit for headers, metrics and file names */
    REIN_TYPE_INT,    /* min and max: value */
    REIN_TYPE_NUMBER, /* min and max: value */
    REIN_TYPE_BOOL,   /* true or false */
    REIN_TYPE_WORD,   /* one of `words` */
    REIN_TYPE_TEXTS,  /* a list of texts; min and max: how many */
    REIN_TYPE_WORDS,  /* a list of words; a set */
    REIN_TYPE_LIST,   /* a list of maps; the row of a map has the path "this[]"; min and max: how many */
    REIN_TYPE_MAP,    /* the rows of its keys have the path "this.key" */
};

enum rein_key_flag {
    REIN_KEY_REQUIRED = 1,
    REIN_KEY_LATER = 2,       /* published, not available yet: using it is an error that says so */
    REIN_KEY_ONE_OR_MANY = 4, /* TEXTS: a single text is accepted without a list */
    REIN_KEY_RESTART = 8,     /* a reload cannot change it; a restart can */
    REIN_KEY_OR_MAP = 32,     /* TEXTS: a map of the rows below it is accepted, too */
    REIN_KEY_ADDED = 16,      /* newer than version 0.1.0: with its default, it does not count for a digest */
};

/* An earlier name of a word, which is still read and means the same. */
struct rein_old_word {
    const char *old, *now;
};

/* One row. Parents come before their children; the first row is the document itself, with path "". */
struct rein_key {
    const char *path; /* "rules[].id" */
    enum rein_type type;
    unsigned flags;
    const char *fallback;                  /* the default, as it would stand in the file; NULL: none */
    const char *example;                   /* for readers: a value, as it would stand in the file; NULL: none */
    int64_t min, max;                      /* max 0: no bound */
    const char *unit;                      /* INT: what is counted, "ms"; NULL: `about` says it */
    const char *const *words;              /* NULL-terminated */
    const char *const *later_words;        /* published, not available yet */
    const struct rein_old_word *old_words; /* ends with a row of NULL; NULL: there are none */
    const char *instead;                   /* not NULL: the key is refused, and this says what to use */
    const char *about;                     /* one line */
};

struct rein_schema {
    const char *name;            /* "policy" */
    const char *title, *about;   /* for the reference page */
    const struct rein_key *keys; /* ends with a row whose path is NULL */
};

REIN_API const struct rein_schema *rein_schema_policy(void);
REIN_API const struct rein_schema *rein_schema_template(void);
REIN_API const struct rein_schema *rein_schema_lexicon(void);
REIN_API const struct rein_schema *rein_schema_model(void); /* weights of the learned score */

/* Checks one template, lexicon or model (the schema says which). Also runs the tests of a lexicon: each `match`
 * sentence must have the signal, no `unlike` sentence may have it. REIN_EPOLICY if anything was added to `problems`. */
REIN_API REIN_MUST_USE int rein_library_check(const struct rein_source *source, const struct rein_schema *schema,
                                              struct rein_problems *problems);

/* A JSON Schema (draft 2020-12), and the reference page in Markdown. `*out` is returned owned: rein_text_free. */
REIN_API REIN_MUST_USE int rein_schema_json(const struct rein_schema *schema, char **out);
REIN_API REIN_MUST_USE int rein_schema_reference(const struct rein_schema *schema, char **out);
REIN_API void rein_text_free(char *text);

/* ---- trees ------------------------------------------------------------------------------------------------------- */

enum rein_node_kind { REIN_NODE_TEXT, REIN_NODE_LIST, REIN_NODE_MAP };

/* Read-only outside the core; good as long as the document. */
struct rein_node {
    enum rein_node_kind kind;
    bool quoted;                   /* text in quotes or in a block, so it is never a number, true or empty */
    char escape;                   /* text in double quotes: of the escapes that it stood with, the first one that means
                                      another thing in a regular expression; 0: none */
    bool broken;                   /* the value could not be kept (an alias), and a problem says so */
    unsigned line, column;         /* where the value begins, from 1 */
    unsigned key_line, key_column; /* where its key begins; 0 outside maps */
    const char *file;
    const char *key;  /* NULL outside maps */
    const char *text; /* UTF-8 without NUL, NUL-terminated; "" for lists and maps */
    size_t len;
    size_t count; /* children */
    size_t index; /* among its siblings */
    struct rein_node *parent, *first, *next;
    const struct rein_key *row; /* set by rein_doc_check; NULL: unknown */
};

struct rein_doc;

/* Ceilings of every document. */
enum { REIN_DOC_BYTES_MAX = 1 << 20, REIN_DOC_DEPTH_MAX = 32, REIN_DOC_NODES_MAX = 100000, REIN_DOC_KEYS_MAX = 1024 };

/* Reads one source. On REIN_EPOLICY there is no tree, and `problems` says why. With 0 there may be new problems too
 * (duplicate keys, aliases); the rest can still be checked. Returns owned; copies everything that it needs. */
REIN_API REIN_MUST_USE int rein_doc_read(struct rein_doc **out, const struct rein_source *source,
                                         struct rein_problems *problems);
REIN_API void rein_doc_free(struct rein_doc *doc); /* NULL is fine */
REIN_API const struct rein_node *rein_doc_root(const struct rein_doc *doc);

/* Checks the whole tree: unknown keys, wrong types, ranges, missing keys. REIN_EPOLICY if anything was added to
 * `problems`, or if a value could not be kept when it was read. The values can be read even then; wrong ones read as
 * their default, and required ones as NULL. */
REIN_API REIN_MUST_USE int rein_doc_check(struct rein_doc *doc, const struct rein_schema *schema,
                                          struct rein_problems *problems);

/* Reads a policy with those of the library that it extends, as one document, and checks it. Otherwise as rein_doc_read;
 * there may be a document even with REIN_EPOLICY: *out is NULL if there is none. */
REIN_API REIN_MUST_USE int rein_policy_read(struct rein_doc **out, const struct rein_source *policy,
                                            const struct rein_library *library, struct rein_problems *problems);

/* The schema of a NULL-terminated list that fits the document's keys best; NULL if the document has no key of any. */
REIN_API const struct rein_schema *rein_doc_guess(const struct rein_doc *doc, const struct rein_schema *const *schemas);

/* The child at a dotted path of keys ("prefix.template"); NULL if it is absent. */
REIN_API const struct rein_node *rein_node_get(const struct rein_node *node, const char *path);
/* Values at such a path after rein_doc_check: the file's value, otherwise the row's default, otherwise NULL, 0, false
 * or -1. Texts are good as long as the document. */
REIN_API const char *rein_node_text(const struct rein_node *node, const char *path);
REIN_API int64_t rein_node_int(const struct rein_node *node, const char *path);
REIN_API double rein_node_number(const struct rein_node *node, const char *path);
REIN_API bool rein_node_bool(const struct rein_node *node, const char *path);
REIN_API int rein_node_word(const struct rein_node *node, const char *path);       /* the place in `words` */
REIN_API unsigned rein_node_words(const struct rein_node *node, const char *path); /* a set of 1 << place */

/* ---- problems ---------------------------------------------------------------------------------------------------- */

/* Adds a problem (an identical second one is dropped). The list stays sorted by file, line and column. If there is no
 * memory for it, rein_problems_result() says so. */
REIN_API void rein_problems_add(struct rein_problems *problems, const char *file, unsigned line, unsigned column,
                                const char *key, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Adds a problem with the value at `path` under the node (NULL: the node itself). If there is no such value, its place
 * is the node's. */
REIN_API void rein_problems_node(struct rein_problems *problems, const struct rein_node *node, const char *path,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Adds a warning: the value works, but is probably not intended. It does not count as a problem. */
REIN_API void rein_problems_warn(struct rein_problems *problems, const struct rein_node *node, const char *path,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* How often a problem was added, including dropped ones: shows whether a step found any. */
REIN_API size_t rein_problems_said(const struct rein_problems *problems);
/* 0: none; REIN_EPOLICY: some; REIN_ENOMEM: some could not be recorded. */
REIN_API int rein_problems_result(const struct rein_problems *problems);

/* The most similar name of a NULL-terminated list, for "did you mean"; NULL if none is similar. */
REIN_API const char *rein_nearest(const char *name, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
