/* The reference page of all fields of requests, made from the tables of the APIs and of the kinds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "backends/backend.h"

enum { PAGE_PATH_MAX = 128 };

static const char about[] =
    "# Fields of a request\n"
    "\n"
    "Requests are not trusted: a field that moves, hides, forces or prefills the model's text would defeat the guard. "
    "So "
    "each API has a table of the\nfields that it knows, and the kind of upstream may have rows of its own, which come "
    "first. This page is generated from these tables.\n"
    "\n"
    "| fate | what becomes of the field |\n"
    "|---|---|\n"
    "| pass | it is forwarded; its numbers are parameters that no model reads, its strings are judged |\n"
    "| judge | it is forwarded; every key, string and number in it is judged with the prompt |\n"
    "| override | it is removed without a word: Rein sets it itself, or it has no meaning |\n"
    "| drop | it is removed; the header `x-rein-dropped` and the decision (`dropped_fields`) name it |\n"
    "| refuse | the request is a 400, code `field_not_accepted`, which names the field |\n"
    "\n"
    "A field passes and is judged whatever its fate if it has one of the values in the third column. A field that is "
    "`null` counts as absent. What is\nlisted with its members (`messages[].name`) is looked into; its other members "
    "are "
    "unknown fields.\n"
    "\n"
    "A field that no row names is unknown. The policy's `request.unknown` decides: `refuse` refuses it (code "
    "`unknown_field`), and also what would be\ndropped; `drop` drops it; `pass` passes it, and judges all that is in "
    "it. "
    "`request.allow` lists fields that pass whatever their fate is. A field that is refused in "
    "another API counts as known: it is refused here, too.\n"
    "\n"
    "A field whose loss could weaken safety, privacy, a ceiling of costs or the meaning of the request is never "
    "dropped: "
    "it passes or is refused.\nSo is an unknown option that speaks of these by its name (`safe`, `guard`, `moderat`, "
    "`filter`, `privacy`, `retention`, `redact`, `budget`,\n`limit`, `price`, `cost`, `grammar`, `schema`, `regex`, "
    "`logit`, `max...` and the like): also with `drop` it is refused.\n";

static const char *const fates[] = {
    [FIELD_PASS] = "pass", [FIELD_JUDGE] = "judge",   [FIELD_OVERRIDE] = "override",
    [FIELD_DROP] = "drop", [FIELD_REFUSE] = "refuse",
};

static void print_values(FILE *f, const struct field *row)
{
    static const struct {
        enum field_value value;
        const char *text;
    } values[] = {{FIELD_IF_TRUE, "`true`"},
                  {FIELD_IF_FALSE, "`false`"},
                  {FIELD_IF_EMPTY, "empty"},
                  {FIELD_IF_ZERO, "`0`"},
                  {FIELD_IF_NOT_ZERO, "an integer but `0`"}};
    const char *between = "";
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if ((row->passes & values[i].value) != 0) {
            fprintf(f, "%s%s", between, values[i].text);
            between = ", ";
        }
    if ((row->passes & FIELD_IF_OTHER) != 0)
        fprintf(f, "%sany text but ", between);
    for (const char *at = row->words; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, " ");
        fprintf(f, "%s`%.*s`", (row->passes & FIELD_IF_OTHER) != 0 ? "" : between, (int)len, at);
        between = ", ";
        at += len + strspn(at + len, " ");
    }
}

/* DROP and REFUSE have reasons that continue "it ..."; the others say what there is to say. */
static void print_rows(FILE *f, const struct field_table *table, const char *path)
{
    for (size_t i = 0; i < table->len; i++) {
        const struct field *row = &table->rows[i];
        fprintf(f, "| `%s%s` | %s | ", path, row->name, fates[row->fate]);
        print_values(f, row);
        fprintf(f, " | %s%s |\n", row->fate >= FIELD_DROP ? "it " : "", row->why);
        if (row->below == NULL)
            continue;
        char below[PAGE_PATH_MAX];
        snprintf(below, sizeof below, "%s%s%s.", path, row->name, row->is_list ? "[]" : "");
        print_rows(f, row->below, below);
    }
}

static void print_table(FILE *f, const struct field_table *table)
{
    fprintf(f, "\n| field | fate | passes with | why |\n|---|---|---|---|\n");
    print_rows(f, table, "");
}

static void print_api(FILE *f, const struct api *api)
{
    fprintf(f, "\n## %s %s\n", api->method, api->path);
    print_table(f, api->fields);
    const struct backend *kind;
    for (size_t i = 0; (kind = backend_at(i)) != NULL; i++) {
        const struct field_table *own = backend_fields(kind, api);
        if (own->len == 0)
            continue;
        fprintf(f, "\n### The kind `%s`\n", kind->kind);
        print_table(f, own);
    }
}

char *backend_fields_page(void)
{
    char *page = NULL;
    size_t len;
    FILE *f = open_memstream(&page, &len);
    if (f == NULL)
        return NULL;
    fputs(about, f);
    for (size_t i = 0; i < api_count(); i++)
        print_api(f, api_at(i));
    if (fclose(f) == 0)
        return page;
    free(page);
    return NULL;
}
