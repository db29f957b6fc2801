/* A table as a reference page in Markdown.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "document/doc.h"

enum { PAGE_MAX = 1 << 20, LINE_MAX_LEN = 2000 };

struct page {
    struct bytes text;
    bool says_changes; /* some key takes a restart, so each row says how it is changed */
    bool has_examples;
    int rv; /* the first failure; nothing is written after it */
};

__attribute__((format(printf, 2, 3))) static void put(struct page *page, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (page->rv == 0)
        page->rv = len < LINE_MAX_LEN ? bytes_append(&page->text, line, (size_t)len) : REIN_ELIMIT;
}

static void put_words(struct page *page, const struct rein_key *row)
{
    for (size_t i = 0; row->words[i] != NULL; i++)
        put(page, "%s`%s`", i == 0 ? "" : row->words[i + 1] == NULL ? " or " : ", ", row->words[i]);
    for (size_t i = 0; row->later_words != NULL && row->later_words[i] != NULL; i++)
        put(page, "%s`%s`", i == 0 ? "; not available yet: " : ", ", row->later_words[i]);
    for (const struct rein_old_word *at = row->old_words; at != NULL && at->old != NULL; at++)
        put(page, " (`%s`, the earlier name of `%s`, is still read)", at->old, at->now);
}

static void put_range(struct page *page, const struct rein_key *row)
{
    if (row->min == row->max)
        put(page, "%" PRId64, row->min);
    else
        put(page, "%" PRId64 " to %" PRId64, row->min, row->max);
    if (row->unit != NULL)
        put(page, " %s", row->unit);
}

static void put_type(struct page *page, const struct rein_key *row)
{
    static const char *const plain[] = {[REIN_TYPE_TEXT] = "text",
                                        [REIN_TYPE_NAME] = "name",
                                        [REIN_TYPE_BOOL] = "`true` or `false`",
                                        [REIN_TYPE_LIST] = "list of maps",
                                        [REIN_TYPE_MAP] = "map"};
    switch (row->type) {
    case REIN_TYPE_INT:
        put(page, "whole number, ");
        return put_range(page, row);
    case REIN_TYPE_NUMBER:
        put(page, "number, ");
        return put_range(page, row);
    case REIN_TYPE_WORD:
        return put_words(page, row);
    case REIN_TYPE_WORDS:
        put(page, "list of ");
        return put_words(page, row);
    case REIN_TYPE_TEXTS:
        return put(page, "%s%s", (row->flags & REIN_KEY_ONE_OR_MANY) != 0 ? "text or list of texts" : "list of texts",
                   (row->flags & REIN_KEY_OR_MAP) != 0 ? ", or a map" : "");
    default:
        put(page, "%s", plain[row->type]);
        if (row->type == REIN_TYPE_TEXT && row->max > 0)
            put(page, ", at most %" PRId64 " bytes", row->max);
    }
}

/* It has no value of its own: its children have values, or it is not available. */
static bool is_section_row(const struct rein_key *row)
{
    return row->type == REIN_TYPE_MAP || row->type == REIN_TYPE_LIST || row->instead != NULL ||
           (row->flags & REIN_KEY_LATER) != 0;
}

static bool has_restarts(const struct rein_key *row)
{
    while (row->path != NULL && (row->flags & REIN_KEY_RESTART) == 0)
        row++;
    return row->path != NULL;
}

static bool schema_has_examples(const struct rein_key *row)
{
    while (row->path != NULL && row->example == NULL)
        row++;
    return row->path != NULL;
}

/* A bar would end the cell, even in code; GitHub's tables take it with a backslash. */
static void put_example(struct page *page, const char *example)
{
    put(page, "`");
    for (const char *at = example; *at != '\0'; at++)
        put(page, "%s%c", *at == '|' ? "\\" : "", *at);
    put(page, "`");
}

static void put_row(struct page *page, const struct rein_key *row)
{
    put(page, "| `%s` | ", row->path);
    put_type(page, row);
    put(page, " | ");
    if ((row->flags & REIN_KEY_REQUIRED) != 0)
        put(page, "required");
    else if (row->fallback != NULL)
        put(page, "`%s`", row->fallback[0] != '\0' ? row->fallback : "\"\"");
    if (page->has_examples)
        put(page, " | ");
    if (row->example != NULL)
        put_example(page, row->example);
    if (page->says_changes)
        put(page, " | %s", is_section_row(row) ? "" : (row->flags & REIN_KEY_RESTART) != 0 ? "restart" : "reload");
    put(page, " | %s%s |\n", (row->flags & REIN_KEY_LATER) != 0 ? "(not available yet) " : "", row->about);
}

static void put_head(struct page *page)
{
    const char *example = page->has_examples ? " example |" : "", *changes = page->says_changes ? " changes by |" : "";
    put(page, "| key | value | default |%s%s meaning |\n|---|---|---|%s%s---|\n", example, changes,
        page->has_examples ? "---|" : "", page->says_changes ? "---|" : "");
}

static bool is_section(const struct rein_key *row)
{
    return (row->type == REIN_TYPE_MAP || row->type == REIN_TYPE_LIST) && (row->flags & REIN_KEY_LATER) == 0;
}

/* All rows below a section, except for the item of a list, which adds nothing to its list. */
static void put_section(struct page *page, const struct rein_key *section)
{
    size_t len = strlen(section->path);
    put(page, "\n## `%s`\n\n%s: %s.\n", section->path, section->type == REIN_TYPE_LIST ? "A list" : "A map",
        section->about);
    const struct rein_key *item = section->type == REIN_TYPE_LIST ? schema_item(section) : NULL;
    if (item != NULL)
        put(page, "Each is %s.\n", item->about);
    put(page, "\n");
    put_head(page);
    for (const struct rein_key *row = section + 1; row->path != NULL; row++)
        if (row != item && strncmp(row->path, section->path, len) == 0 && strchr(".[", row->path[len]) != NULL)
            put_row(page, row);
}

static void put_page(struct page *page, const struct rein_schema *schema)
{
    const struct rein_key *root = schema->keys;
    put(page, "<!-- Written by `rein check --reference %s`. Do not edit: change the table instead. -->\n",
        schema->name);
    put(page, "# %s: every key\n\n%s\n\n", schema->title, schema->about);
    put(page, "Files are YAML without aliases, anchors, tags and duplicate keys, with one document each. JSON is "
              "accepted too. `rein check` reports every error with its file, line, column and key.\n\n");
    if (page->says_changes)
        put(page, "A running program reads the file again on SIGHUP. Keys that change by `reload` then have their new "
                  "values. A file that changes a key that takes a `restart` is refused completely, and all old values "
                  "stay.\n\n");
    put_head(page);
    for (const struct rein_key *row = root + 1; row->path != NULL; row++)
        if (schema_is_child(row, root) && !is_section(row))
            put_row(page, row);
    for (const struct rein_key *row = root + 1; row->path != NULL; row++)
        if (schema_is_child(row, root) && is_section(row))
            put_section(page, row);
}

int rein_schema_reference(const struct rein_schema *schema, char **out)
{
    struct page page = {.says_changes = has_restarts(schema->keys), .has_examples = schema_has_examples(schema->keys)};
    bytes_init(&page.text, PAGE_MAX);
    put_page(&page, schema);
    if (page.rv == 0) {
        *out = heap_copy(bytes_at(&page.text, 0), bytes_len(&page.text));
        page.rv = *out != NULL ? 0 : REIN_ENOMEM;
    }
    bytes_fini(&page.text);
    return page.rv;
}
