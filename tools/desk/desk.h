/* What the desk's commands share: the command line, where decisions come from, and printing for people.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Main thread. Texts of requests and models are untrusted: desk_print_safe shows what could change a terminal. */
#ifndef TOOLS_DESK_DESK_H
#define TOOLS_DESK_DESK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/cli.h"
#include "front/front.h"

/* ---- the command line ---- */

enum { DESK_QUERIES_MAX = 24, DESK_VALUE_MAX = 300 };

struct desk_options {
    const char *url, *db; /* one of them */
    const char *token;    /* of the environment; NULL: none */
    const char *id;       /* an argument that is no option; NULL: none */
    bool json, follow, all, texts;
    /* Parameters as the admin API has them; ends with a NULL name. */
    struct front_header queries[DESK_QUERIES_MAX + 1];
    size_t queries_len;
    char values[DESK_QUERIES_MAX][DESK_VALUE_MAX + 1];
};

/* What a command takes besides --url, --db and --json. */
enum {
    DESK_FILTERS = 1, /* of decisions, and --limit */
    DESK_VIEW = 2,    /* route, model, key, policy version */
    DESK_TIME = 4,    /* --from, --to, --since */
    DESK_FOLLOW = 8,  /* --follow, --all */
    DESK_ONE = 16,    /* an id, and --texts */
};
/* CLI_OK, or it was said what is wrong. */
int desk_read_options(const struct cli_command *command, int argc, char **argv, unsigned takes,
                      struct desk_options *out);
/* The part of --help that all commands share. */
#define DESK_HELP                                                                                                      \
    "  --url URL      the admin address of a running server (default: REIN_ADMIN_URL, or http://127.0.0.1:8081);\n"    \
    "                 its token is read from the variable REIN_ADMIN_TOKEN\n"                                          \
    "  --db FILE      reads the database itself instead, also while a server runs\n"                                   \
    "  --json         JSON for programs\n"                                                                             \
    "Colours are for terminals; the variable NO_COLOR switches them off.\n"

/* ---- sources ---- */

struct desk_source; /* one for a command */

/* CLI_OK, or it was said what is wrong. Returns owned. */
int desk_source_open(struct desk_source **out, const struct desk_options *options);
void desk_source_close(struct desk_source *source); /* NULL is fine */

/* Each answers with the object of the admin API; *out is NULL if there is no such decision. CLI_OK, or it was said what
 * is wrong. Returns owned. */
int desk_page(struct desk_source *source, const struct front_header *queries, json_t **out);
int desk_one(struct desk_source *source, const char *id, json_t **out);
int desk_overview(struct desk_source *source, const struct front_header *queries, json_t **out);
int desk_found(struct desk_source *source, const struct front_header *queries, json_t **out);
/* Decisions as they are stored, until the callback returns false or the process is interrupted. */
typedef bool (*desk_on_decision)(void *ctx, const json_t *decision);
int desk_follow(struct desk_source *source, const struct front_header *queries, desk_on_decision on_decision,
                void *ctx);

/* ---- over HTTP: source_http.c ---- */
/* Takes pieces of a body; false: no more is wanted. */
typedef bool (*desk_on_bytes)(void *ctx, const char *data, size_t len);
/* A GET. *status is 0 if there is no answer, and it was said why. CLI_OK or CLI_FAILED. */
int desk_http_get(const char *url, const char *token, const char *path, desk_on_bytes on_bytes, void *ctx,
                  unsigned *status);

/* ---- printing ---- */

enum desk_colour { DESK_PLAIN, DESK_DIM, DESK_RED, DESK_YELLOW, DESK_GREEN, DESK_BOLD };
/* Colours only on a terminal, and not with NO_COLOR. */
void desk_colour(FILE *f, enum desk_colour colour);
enum desk_colour desk_verdict_colour(const char *verdict);
/* Of the terminal that f is; 0: it is none. */
size_t desk_columns(FILE *f);
/* At most `width` columns (0: any number), filled up with blanks if `fill`. A longer text ends in "…". What is not
 * printable, and what changes the direction of text, is shown as its number; lines end only where `lines` says so. */
void desk_print_safe(FILE *f, const char *text, size_t width, bool fill, bool lines);
void desk_print_words(FILE *f, const char *name); /* the same, with blanks for underscores */
/* A member as a text: "" for null. */
const char *desk_text(const json_t *row, const char *name);
int64_t desk_number(const json_t *row, const char *name); /* 0 for null */
/* Microseconds as people read them, as the page shows them. */
const char *desk_duration(int64_t us, char out[24]);

#endif
