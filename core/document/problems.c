/* The list of the problems of documents: all at once, in the order of the files' lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/unicode.h"
#include "document/doc.h"

/* A file with a thousand problems is probably the wrong file. */
enum { PROBLEMS_MAX = 1000, MESSAGE_MAX = 600, ARENA_MAX = 4 << 20 };

struct problem_list { /* sorted by place, without doubles */
    struct rein_problem *items;
    size_t len, cap;
};

struct rein_problems {
    struct problem_list errors, warnings;
    size_t said;
    bool out_of_memory;
    struct arena arena;
};

int rein_problems_new(struct rein_problems **out)
{
    struct rein_problems *problems = heap_new(1, sizeof(*problems));
    if (problems == NULL)
        return REIN_ENOMEM;
    arena_init(&problems->arena, ARENA_MAX);
    *out = problems;
    return 0;
}

void rein_problems_free(struct rein_problems *problems)
{
    if (problems == NULL)
        return;
    arena_fini(&problems->arena);
    heap_free(problems->errors.items);
    heap_free(problems->warnings.items);
    heap_free(problems);
}

size_t rein_problems_count(const struct rein_problems *problems)
{
    return problems->errors.len;
}

const struct rein_problem *rein_problems_at(const struct rein_problems *problems, size_t i)
{
    return i < problems->errors.len ? &problems->errors.items[i] : NULL;
}

const struct rein_problem *rein_problems_warning(const struct rein_problems *problems, size_t i)
{
    return i < problems->warnings.len ? &problems->warnings.items[i] : NULL;
}

size_t rein_problems_said(const struct rein_problems *problems)
{
    return problems->said;
}

int rein_problems_result(const struct rein_problems *problems)
{
    if (problems->out_of_memory)
        return REIN_ENOMEM;
    return problems->errors.len > 0 ? REIN_EPOLICY : 0;
}

static int compare(const struct rein_problem *a, const struct rein_problem *b)
{
    int by_file = strcmp(a->file, b->file);
    if (by_file != 0)
        return by_file;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column == b->column ? 0 : a->column < b->column ? -1 : 1;
}

static bool is_same(const struct rein_problem *a, const struct rein_problem *b)
{
    return compare(a, b) == 0 && strcmp(a->key, b->key) == 0 && strcmp(a->message, b->message) == 0;
}

static bool has_room(struct problem_list *list)
{
    struct rein_problem *items = heap_one_more(list->items, list->len, &list->cap, 16, sizeof(*items));
    if (items != NULL)
        list->items = items;
    return items != NULL;
}

/* Documents are quoted here, and a problem may be printed on a terminal: removes control characters, and characters
 * that the end of a quotation has cut. */
static const char *copy_text(struct arena *arena, const char *text)
{
    size_t len = strlen(text), out = 0;
    char *copy = arena_copy(arena, text, len);
    for (size_t at = 0; copy != NULL && at < len;) {
        uint32_t codepoint;
        int size = utf8_next((struct span){text + at, len - at}, &codepoint);
        if (size > 0)
            memcpy(copy + out, text + at, (size_t)size);
        if (size == 1 && (codepoint < 0x20 || codepoint == 0x7f))
            copy[out] = '?';
        out += size > 0 ? (size_t)size : 0;
        at += size > 0 ? (size_t)size : 1;
    }
    if (copy != NULL)
        copy[out] = '\0';
    return copy;
}

static bool copy_texts(struct arena *arena, struct rein_problem *problem)
{
    problem->file = copy_text(arena, problem->file);
    problem->key = copy_text(arena, problem->key);
    problem->message = copy_text(arena, problem->message);
    return problem->file != NULL && problem->key != NULL && problem->message != NULL;
}

static void insert(struct rein_problems *problems, struct problem_list *list, struct rein_problem problem)
{
    size_t place = list->len;
    while (place > 0 && compare(&list->items[place - 1], &problem) > 0)
        place--;
    for (size_t i = place; i > 0 && compare(&list->items[i - 1], &problem) == 0; i--)
        if (is_same(&list->items[i - 1], &problem))
            return;
    if (!has_room(list) || !copy_texts(&problems->arena, &problem)) {
        problems->out_of_memory = true;
        return;
    }
    memmove(&list->items[place + 1], &list->items[place], (list->len - place) * sizeof(problem));
    list->items[place] = problem;
    list->len++;
}

__attribute__((format(printf, 4, 0))) static void add(struct rein_problems *problems, struct problem_list *list,
                                                      struct rein_problem problem, const char *format, va_list args)
{
    problems->said += list == &problems->errors;
    if (list->len >= PROBLEMS_MAX)
        return;
    char message[MESSAGE_MAX];
    vsnprintf(message, sizeof(message), format, args);
    problem.message = message;
    insert(problems, list, problem);
}

void rein_problems_add(struct rein_problems *problems, const char *file, unsigned line, unsigned column,
                       const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, &problems->errors, (struct rein_problem){file, line, column, key, NULL}, format, args);
    va_end(args);
}

/* `key` has room for the path, which the problem borrows. */
static struct rein_problem place_of(const struct rein_node *node, const char *path, char key[DOC_PATH_MAX])
{
    const struct rein_node *at = path != NULL ? rein_node_get(node, path) : NULL;
    if (at != NULL)
        node = at;
    doc_path(node, at == NULL ? path : NULL, key);
    /* A map or list begins with its first child; so a reader looks for its key. */
    bool at_key = node->key != NULL && node->kind != REIN_NODE_TEXT;
    return (struct rein_problem){node->file, at_key ? node->key_line : node->line,
                                 at_key ? node->key_column : node->column, key, NULL};
}

void rein_problems_node(struct rein_problems *problems, const struct rein_node *node, const char *path,
                        const char *format, ...)
{
    char key[DOC_PATH_MAX];
    va_list args;
    va_start(args, format);
    add(problems, &problems->errors, place_of(node, path, key), format, args);
    va_end(args);
}

void rein_problems_warn(struct rein_problems *problems, const struct rein_node *node, const char *path,
                        const char *format, ...)
{
    char key[DOC_PATH_MAX];
    va_list args;
    va_start(args, format);
    add(problems, &problems->warnings, place_of(node, path, key), format, args);
    va_end(args);
}
