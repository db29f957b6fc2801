/* Documents, as the other parts of the core see them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DOCUMENT_DOC_H
#define CORE_DOCUMENT_DOC_H

#include "base/arena.h"
#include "base/bytes.h"
#include "rein/doc.h"

struct rein_doc {
    struct arena arena; /* owns the nodes and their texts */
    struct rein_node *root;
    const char *file;
    size_t nodes;
    bool is_broken;          /* some value could not be kept */
    struct rein_doc *others; /* a list of documents from which some of the nodes are; owned */
};

/* Parses the source into doc->root (doc_yaml.c). Adds what is wrong to `problems`. */
int doc_parse(struct rein_doc *doc, const struct rein_source *source, struct rein_problems *problems) REIN_MUST_USE;

enum { DOC_PATH_MAX = 256 };
/* The node's path, "rules[2].regex", and `below` it (NULL: nothing); clipped to fit. */
void doc_path(const struct rein_node *node, const char *below, char out[DOC_PATH_MAX]);

/* Plain text that stands for nothing: empty, "null" or "~". */
bool doc_is_nothing(const struct rein_node *node);
/* Warns of an expression in double quotes with an escape that YAML interprets differently from a regular expression. */
void doc_warn_of_escape(const struct rein_node *expression, struct rein_problems *problems);
/* Reads one scalar; false if it is not of that type. */
bool doc_read_int(const char *text, int64_t *value);
bool doc_read_number(const char *text, double *value);
/* The place of a word in a NULL-terminated list, -1 if absent. */
int doc_find_word(const char *const *words, const char *text, size_t len);
/* The place of a row's word, under its present name or an earlier one; -1 if it is none. */
int schema_find_word(const struct rein_key *row, const char *text, size_t len);
/* The name by which versions know a word: its earliest, so that a new name does not change the version of a file. */
const char *schema_first_name(const struct rein_key *row, const char *word);

/* The row of the key `name` (or dotted path) under a row; NULL if there is none. */
const struct rein_key *schema_row(const struct rein_key *parent, const char *name);
/* The row of a list's items; NULL if there is none. */
const struct rein_key *schema_item(const struct rein_key *list);
/* The last part of a row's path; is it a key directly under `parent`? */
const char *schema_row_name(const struct rein_key *row);
bool schema_is_child(const struct rein_key *row, const struct rein_key *parent);

/* Appends the tree's meaning, the same for every spelling of it: table order, defaults filled in. After
 * rein_doc_check. */
int doc_canon(const struct rein_node *node, struct bytes *out) REIN_MUST_USE;
/* Appends the document as JSON: table order, defaults of its scalars filled in. Read again, it means the same. After
 * rein_doc_check. */
int doc_write(const struct rein_node *node, struct bytes *out) REIN_MUST_USE;

#endif
