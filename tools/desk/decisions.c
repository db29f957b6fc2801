/* `rein decisions`: a table of decisions, newest first, or as they are made.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "desk/desk.h"

enum { STARTED, VERDICT, ENDING, ROUTE, MODEL, KEY, FOUND, TOOK, COLUMNS, ID_WIDTH = 36 };
static const struct {
    const char *title;
    size_t width;
} columns[COLUMNS] = {{"started (UTC)", 19}, {"verdict", 7}, {"ending", 14}, {"route", 10},
                      {"model", 18},         {"key", 12},    {"found", 5},   {"took", 9}};

/* On a narrow terminal the columns go that say least, until a line holds the others; a pipe gets all. */
static bool is_shown(int column)
{
    static const int least_first[] = {ROUTE, KEY, ENDING, FOUND, MODEL, TOOK};
    size_t room = desk_columns(stdout), width = ID_WIDTH, i = 0;
    for (int c = 0; c < COLUMNS; c++)
        width += columns[c].width + 2;
    for (; room > 0 && width > room && i < sizeof least_first / sizeof *least_first; i++) {
        if (least_first[i] == column)
            return false;
        width -= columns[least_first[i]].width + 2;
    }
    return true;
}

static void print_head(void)
{
    desk_colour(stdout, DESK_BOLD);
    for (int i = 0; i < COLUMNS; i++)
        if (is_shown(i))
            printf("%-*s  ", (int)columns[i].width, columns[i].title);
    printf("id");
    desk_colour(stdout, DESK_PLAIN);
    printf("\n");
}

static void print_decision_row(const json_t *row)
{
    char started[20], found[24], took[24];
    const char *verdict = desk_text(row, "verdict");
    snprintf(started, sizeof started, "%.19s", desk_text(row, "started_at"));
    if (strlen(started) == 19)
        started[10] = ' ';
    snprintf(found, sizeof found, "%lld", (long long)desk_number(row, "findings"));
    desk_duration(desk_number(row, "duration_us"), took);
    const char *const cells[COLUMNS] = {started,
                                        verdict,
                                        desk_text(row, "ending"),
                                        desk_text(row, "route"),
                                        desk_text(row, "model"),
                                        desk_text(row, "key"),
                                        found,
                                        took};
    for (int i = 0; i < COLUMNS; i++) {
        if (!is_shown(i))
            continue;
        if (i == VERDICT)
            desk_colour(stdout, desk_verdict_colour(verdict));
        desk_print_safe(stdout, cells[i], columns[i].width, true, false);
        if (i == VERDICT)
            desk_colour(stdout, DESK_PLAIN);
        printf("  ");
    }
    desk_print_safe(stdout, desk_text(row, "id"), 0, false, false);
    printf("\n");
}

static bool print_decision(const struct desk_options *o, const json_t *row)
{
    if (!o->json)
        print_decision_row(row);
    else if (json_dumpf(row, stdout, JSON_COMPACT) == 0)
        printf("\n");
    return fflush(stdout) == 0; /* false: nobody reads any more */
}

static bool on_followed(void *ctx, const json_t *row)
{
    return print_decision(ctx, row);
}

/* All pages from here on, or one. */
static int print_pages(struct desk_source *source, struct desk_options *o)
{
    char cursor[DESK_VALUE_MAX + 1];
    size_t place = o->queries_len, printed = 0;
    int rv = CLI_OK;
    for (bool more = true; more && rv == CLI_OK;) {
        json_t *page = NULL, *row;
        size_t i;
        rv = desk_page(source, o->queries, &page);
        json_array_foreach(json_object_get(page, "data"), i, row)
        {
            if (printed++ == 0 && !o->json)
                print_head();
            more = more && print_decision(o, row);
        }
        const char *next = json_string_value(json_object_get(page, "next_cursor"));
        more = more && o->all && next != NULL;
        if (more) {
            snprintf(cursor, sizeof cursor, "%s", next);
            o->queries[place] = (struct front_header){"cursor", cursor};
        } else if (rv == CLI_OK && next != NULL && !o->json) {
            fprintf(stderr, "There are more: --all, or --cursor %s\n", next);
        }
        json_decref(page);
    }
    if (rv == CLI_OK && printed == 0)
        fprintf(stderr, "No decision matches.\n");
    return rv;
}

static int decisions_run(int argc, char **argv)
{
    static struct desk_options o;
    struct desk_source *source;
    int rv = desk_read_options(&cli_decisions, argc, argv, DESK_FILTERS | DESK_TIME | DESK_FOLLOW, &o);
    if (rv == CLI_OK)
        rv = desk_source_open(&source, &o);
    if (rv != CLI_OK)
        return rv;
    if (!o.follow) {
        rv = print_pages(source, &o);
    } else {
        if (!o.json)
            print_head();
        fflush(stdout);
        rv = desk_follow(source, o.queries, on_followed, &o);
    }
    desk_source_close(source);
    return rv;
}

const struct cli_command cli_decisions = {
    .name = "decisions",
    .summary = "list decisions, or follow them as they are made",
    .help = "usage: rein decisions [FILTERS] [--follow | --all] [--json] [--url URL | --db FILE]\n\n"
            "Lists decisions, newest first. With --json each is one line.\n\n"
            "  --follow       shows decisions as they are made, until it is interrupted\n"
            "  --all          every page, not the first one\n" DESK_HELP "\nfilters:\n"
            "  --verdict WORD      allow, redact, steer, refuse, cut, none\n"
            "  --ending WORD       complete, refused, cut, rejected, upstream_error, client_left, ...\n"
            "  --key NAME, --route NAME, --model NAME, --policy-version SHA\n"
            "  --pattern NAME, --rule ID, --judge PANEL\n"
            "                      has such a finding\n"
            "  --request-id ID     the x-request-id of a request\n"
            "  --from TIME, --to TIME, --since SPAN\n"
            "                      RFC 3339, a date, or Unix seconds; 90s, 5m, 2h, 7d before now\n"
            "  --shadow ACTION, --prompt-risk-min N, --prompt-risk-max N, --trace-risk-min N, --trace-risk-max N\n"
            "                      have no index: with --from or --since\n"
            "  --limit N           rows of a page, 1 to 500 (default: 50)\n"
            "  --cursor CURSOR     where a page begins\n",
    .run = decisions_run,
};
