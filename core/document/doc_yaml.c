/* YAML into a tree: the only file that knows libyaml.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libyaml's events are assembled here and not by its own document loader, because the loader resolves aliases (a few
 * lines can expand to gigabytes) and forgets the positions of keys. libyaml keeps its own scratch memory; the tree is
 * ours.
 *
 * A syntax error ends the reading with one problem; something that is only not allowed (an alias, a duplicate key) is
 * recorded and skipped, so that the rest can be checked too. */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "document/doc.h"

struct frame {
    struct rein_node *node, *last;
    const char *key; /* the key of the map that waits for its value */
    unsigned key_line, key_column;
};

struct reader {
    struct rein_doc *doc;
    struct rein_problems *problems;
    struct frame frames[REIN_DOC_DEPTH_MAX];
    size_t depth;
    unsigned documents;
    struct rein_source source;
    size_t at, at_index; /* a byte of the source, and its position in libyaml's count of characters */
};

static unsigned line_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->line + 1;
}

static unsigned column_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->column + 1;
}

/* The reader's position, as the key of a problem. */
static void complain(struct reader *r, const yaml_mark_t *mark, const char *message)
{
    char key[DOC_PATH_MAX] = "";
    if (r->depth > 0)
        doc_path(r->frames[r->depth - 1].node, r->frames[r->depth - 1].key, key);
    rein_problems_add(r->problems, r->doc->file, line_of(mark), column_of(mark), key, "%s", message);
}

static int doc_yaml_refuse(struct reader *r, const yaml_mark_t *mark, const char *message)
{
    complain(r, mark, message);
    return REIN_EPOLICY;
}

/* ---- building the tree ---- */

static struct rein_node *find_twin(const struct frame *top)
{
    for (struct rein_node *at = top->node->first; at != NULL; at = at->next)
        if (strcmp(at->key, top->key) == 0)
            return at;
    return NULL;
}

static void link_node(struct frame *top, struct rein_node *node)
{
    node->index = top->node->count++;
    if (top->last != NULL)
        top->last->next = node;
    else
        top->node->first = node;
    top->last = node;
}

/* Gives the node its key and its place under the innermost list or map. */
static int attach(struct reader *r, struct rein_node *node)
{
    if (r->depth == 0) {
        r->doc->root = node;
        return 0;
    }
    struct frame *top = &r->frames[r->depth - 1];
    node->parent = top->node;
    node->index = top->node->count;
    if (top->node->kind == REIN_NODE_LIST) {
        link_node(top, node);
        return 0;
    }
    node->key = top->key;
    node->key_line = top->key_line;
    node->key_column = top->key_column;
    const struct rein_node *twin = find_twin(top);
    if (twin != NULL) {
        char path[DOC_PATH_MAX];
        doc_path(top->node, top->key, path);
        rein_problems_add(r->problems, r->doc->file, top->key_line, top->key_column, path,
                          "duplicate key; the first one is on line %u", twin->key_line);
    } else if (top->node->count >= REIN_DOC_KEYS_MAX) {
        return doc_yaml_refuse(r, &(yaml_mark_t){0, node->line - 1, node->column - 1}, "too many keys in one map");
    } else {
        link_node(top, node);
    }
    top->key = NULL;
    return 0;
}

static int new_node(struct reader *r, const yaml_event_t *event, enum rein_node_kind kind, struct rein_node **out)
{
    if (r->doc->nodes++ >= REIN_DOC_NODES_MAX)
        return doc_yaml_refuse(r, &event->start_mark, "the document has too many parts");
    struct rein_node *node = arena_new(&r->doc->arena, 1, sizeof(*node));
    if (node == NULL)
        return REIN_ENOMEM;
    *node = (struct rein_node){.kind = kind,
                               .line = line_of(&event->start_mark),
                               .column = column_of(&event->start_mark),
                               .file = r->doc->file,
                               .text = ""};
    *out = node;
    return 0;
}

static bool wants_key(const struct reader *r)
{
    return r->depth > 0 && r->frames[r->depth - 1].node->kind == REIN_NODE_MAP && r->frames[r->depth - 1].key == NULL;
}

static int take_key(struct reader *r, const yaml_event_t *event)
{
    struct frame *top = &r->frames[r->depth - 1];
    top->key = arena_copy(&r->doc->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
    top->key_line = line_of(&event->start_mark);
    top->key_column = column_of(&event->start_mark);
    return top->key != NULL ? 0 : REIN_ENOMEM;
}

/* The byte at a mark that is not before the one that was asked for last. */
static size_t byte_at(struct reader *r, const yaml_mark_t *mark)
{
    for (; r->at_index < mark->index && r->at < r->source.len; r->at_index++)
        do
            r->at++;
        while (r->at < r->source.len && ((unsigned char)r->source.text[r->at] & 0xC0) == 0x80);
    return r->at;
}

/* The first escape of a text in double quotes that has another meaning in a regular expression; 0: none. */
static char find_escape(struct reader *r, const yaml_event_t *event)
{
    size_t at = byte_at(r, &event->start_mark), end = byte_at(r, &event->end_mark);
    for (; at + 1 < end; at++) {
        if (r->source.text[at] != '\\')
            continue;
        char c = r->source.text[++at];
        if (strchr("\\\"/ntr\n\r", c) == NULL)
            return c;
    }
    return 0;
}

/* ---- events ---- */

static int on_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (event->data.scalar.tag != NULL)
        complain(r, &event->start_mark, "tags are not supported");
    if (event->data.scalar.anchor != NULL)
        complain(r, &event->start_mark, "anchors are not supported");
    if (memchr(value, '\0', len) != NULL)
        return doc_yaml_refuse(r, &event->start_mark, "NUL characters are not supported");
    if (wants_key(r))
        return take_key(r, event);
    struct rein_node *node;
    int rv = new_node(r, event, REIN_NODE_TEXT, &node);
    if (rv != 0)
        return rv;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
        node->escape = find_escape(r, event);
    node->text = arena_copy(&r->doc->arena, value, len);
    node->len = len;
    return node->text != NULL ? attach(r, node) : REIN_ENOMEM;
}

static int on_begin(struct reader *r, const yaml_event_t *event, enum rein_node_kind kind, const void *anchor,
                    const void *tag)
{
    if (tag != NULL)
        complain(r, &event->start_mark, "tags are not supported");
    if (anchor != NULL)
        complain(r, &event->start_mark, "anchors are not supported");
    if (wants_key(r))
        return doc_yaml_refuse(r, &event->start_mark, "a key must be text");
    if (r->depth >= REIN_DOC_DEPTH_MAX)
        return doc_yaml_refuse(r, &event->start_mark, "nested too deeply");
    struct rein_node *node;
    int rv = new_node(r, event, kind, &node);
    if (rv == 0)
        rv = attach(r, node);
    if (rv == 0)
        r->frames[r->depth++] = (struct frame){.node = node};
    return rv;
}

/* An alias reads as nothing, so that checking can continue. */
static int on_alias(struct reader *r, const yaml_event_t *event)
{
    complain(r, &event->start_mark, "aliases are not supported: repeat the value");
    if (wants_key(r))
        return REIN_EPOLICY;
    struct rein_node *node;
    int rv = new_node(r, event, REIN_NODE_TEXT, &node);
    if (rv != 0)
        return rv;
    node->broken = r->doc->is_broken = true;
    return attach(r, node);
}

static int on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++ > 0)
            return doc_yaml_refuse(r, &event->start_mark, "only one document per file is supported");
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(r, event, REIN_NODE_LIST, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_begin(r, event, REIN_NODE_MAP, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return on_alias(r, event);
    default:
        return 0;
    }
}

/* ---- the parser's own errors ---- */

/* The line of a byte; libyaml does not say it for bytes that are not text. */
static unsigned line_at(const struct rein_source *source, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < source->len; i++)
        line += source->text[i] == '\n';
    return line;
}

/* What is probably meant. */
static const char *hint_of(const yaml_parser_t *parser, const struct rein_source *source, const char *what)
{
    size_t at = parser->problem_mark.index;
    const char *context = parser->context != NULL ? parser->context : "";
    char c = at < source->len ? source->text[at] : '\0';
    if (strstr(what, "unknown escape") != NULL)
        return "; YAML interprets a backslash in double quotes: use single quotes";
    if (strstr(what, "cannot start any token") != NULL && c == '\t')
        return "; indent with blanks, not with tabs";
    if ((strstr(what, "cannot start any token") != NULL && c == '>') || strstr(context, "block scalar") != NULL)
        return "; write a comparison in quotes, as in \">= 0.8\"";
    return "";
}

static int on_syntax(struct reader *r, const yaml_parser_t *parser, const struct rein_source *source)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return REIN_ENOMEM;
    const char *what = parser->problem != NULL ? parser->problem : "cannot be read";
    const char *hint = hint_of(parser, source, what);
    if (parser->error == YAML_READER_ERROR)
        rein_problems_add(r->problems, r->doc->file, line_at(source, parser->problem_offset), 0, "",
                          "not YAML: not UTF-8 text (%s)", what);
    else
        rein_problems_add(r->problems, r->doc->file, line_of(&parser->problem_mark), column_of(&parser->problem_mark),
                          "", "not YAML: %s%s%s%s", what, parser->context != NULL ? ", " : "",
                          parser->context != NULL ? parser->context : "", hint);
    return REIN_EPOLICY;
}

static int read_events(struct reader *r, yaml_parser_t *parser, const struct rein_source *source)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return on_syntax(r, parser, source);
        bool over = event.type == YAML_STREAM_END_EVENT;
        int rv = on_event(r, &event);
        yaml_event_delete(&event);
        if (rv != 0 || over)
            return rv;
    }
}

/* Some editors begin a file with a byte order mark. Told that it is UTF-8, libyaml takes the mark for text. */
static struct rein_source without_mark(const struct rein_source *source)
{
    size_t mark = source->len >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    return (struct rein_source){source->name, source->text + mark, source->len - mark};
}

int doc_parse(struct rein_doc *doc, const struct rein_source *source, struct rein_problems *problems)
{
    struct reader r = {.doc = doc, .problems = problems, .source = without_mark(source)};
    if (source->len > REIN_DOC_BYTES_MAX) {
        rein_problems_add(problems, doc->file, 0, 0, "", "too large: at most %d bytes are allowed", REIN_DOC_BYTES_MAX);
        return REIN_EPOLICY;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return REIN_ENOMEM;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)r.source.text, r.source.len);
    int rv = read_events(&r, &parser, &r.source);
    yaml_parser_delete(&parser);
    if (rv == 0 && doc->root == NULL) {
        rein_problems_add(problems, doc->file, 1, 1, "", "the file is empty");
        return REIN_EPOLICY;
    }
    return rv;
}
