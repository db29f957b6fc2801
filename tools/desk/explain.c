/* `rein why`: one decision as text: what was decided and why, when what happened, what was found and what was said.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "desk/desk.h"
#include "store/store.h"

enum { TEXT_SHOWN = 600 };

static void print_fact(const char *name, const char *value)
{
    if (*value == '\0')
        return;
    desk_colour(stdout, DESK_DIM);
    printf("  %-9s", name);
    desk_colour(stdout, DESK_PLAIN);
    desk_print_safe(stdout, value, 0, false, false);
    printf("\n");
}

static void print_title(const char *title)
{
    desk_colour(stdout, DESK_BOLD);
    printf("\n%s\n", title);
    desk_colour(stdout, DESK_PLAIN);
}

static void print_timeline(const json_t *events)
{
    char when[24];
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        const json_t *attempt = json_object_get(event, "attempt");
        printf("  %10s  %s", desk_duration(desk_number(event, "at_us"), when), desk_text(event, "what"));
        if (json_is_integer(attempt))
            printf(", attempt %lld", (long long)json_integer_value(attempt) + 1);
        if (*desk_text(event, "detail") != '\0')
            printf(" (");
        desk_print_safe(stdout, desk_text(event, "detail"), 0, false, false);
        printf(*desk_text(event, "detail") != '\0' ? ")\n" : "\n");
    }
}

static void print_finding(const json_t *f)
{
    const json_t *feedback = json_object_get(f, "feedback");
    printf("  ");
    desk_colour(stdout, json_is_true(json_object_get(f, "shadow")) ? DESK_DIM : DESK_YELLOW);
    desk_print_safe(stdout, desk_text(f, "kind"), 0, false, false);
    printf(" ");
    desk_print_safe(stdout, desk_text(f, "id"), 0, false, false);
    desk_colour(stdout, DESK_PLAIN);
    printf(": %s%s in the %s at %lld, %lld bytes, score %.2f, attempt %lld\n", desk_text(f, "action"),
           json_is_true(json_object_get(f, "shadow")) ? " (shadow)" : "", desk_text(f, "channel"),
           (long long)desk_number(f, "offset"), (long long)desk_number(f, "len"),
           json_number_value(json_object_get(f, "score")), (long long)desk_number(f, "attempt") + 1);
    if (*desk_text(f, "evidence") != '\0') {
        printf("      “");
        desk_print_safe(stdout, desk_text(f, "evidence"), TEXT_SHOWN, false, false);
        printf("”\n");
    }
    if (json_is_object(feedback)) {
        printf("      said to be %s by ", desk_text(feedback, "verdict"));
        desk_print_safe(stdout, desk_text(feedback, "by"), 0, false, false);
        printf(": ");
        desk_print_safe(stdout, desk_text(feedback, "note"), TEXT_SHOWN, false, false);
        printf("\n");
    }
}

static void print_text(const json_t *text, bool whole)
{
    const char *words = desk_text(text, "text");
    desk_colour(stdout, DESK_DIM);
    printf("  %s", desk_text(text, "channel"));
    if (*desk_text(text, "speaker") != '\0')
        printf(" of ");
    desk_print_safe(stdout, desk_text(text, "speaker"), 0, false, false);
    if (strcmp(desk_text(text, "channel"), "prompt") != 0)
        printf(", attempt %lld, choice %lld", (long long)desk_number(text, "attempt") + 1,
               (long long)desk_number(text, "choice") + 1);
    printf(", %lld bytes%s\n", (long long)desk_number(text, "len"),
           json_is_true(json_object_get(text, "whole")) ? "" : ", not all of it kept");
    desk_colour(stdout, DESK_PLAIN);
    desk_print_safe(stdout, words, whole ? 0 : TEXT_SHOWN, false, true);
    printf("\n");
}

static void print_decision(const json_t *d, bool texts_whole)
{
    const json_t *findings = json_object_get(d, "findings"), *texts = json_object_get(d, "texts");
    size_t i;
    json_t *row;
    char policy[400];
    desk_colour(stdout, desk_verdict_colour(desk_text(d, "verdict")));
    printf("%s", desk_text(d, "verdict"));
    desk_colour(stdout, DESK_PLAIN);
    printf("  %s  %s\n\n", desk_text(d, "id"), desk_text(d, "started_at"));
    desk_print_safe(stdout, desk_text(d, "why"), 0, false, false);
    printf("\n\n");
    snprintf(policy, sizeof policy, "%s@%.12s", desk_text(d, "policy"), desk_text(d, "policy_version"));
    print_fact("request", desk_text(d, "request_id"));
    print_fact("key", desk_text(d, "key"));
    print_fact("route", desk_text(d, "route"));
    print_fact("model", desk_text(d, "model"));
    print_fact("upstream", desk_text(d, "upstream"));
    print_fact("policy", policy);
    print_fact("ending", desk_text(d, "ending"));
    print_fact("dropped", desk_text(d, "dropped_fields"));
    print_title("When");
    print_timeline(json_object_get(d, "timeline"));
    if (json_array_size(findings) > 0)
        print_title("Found");
    json_array_foreach(findings, i, row) print_finding(row);
    if (json_array_size(texts) > 0)
        print_title("Said");
    json_array_foreach(texts, i, row) print_text(row, texts_whole);
    if (json_is_null(texts))
        printf("\nThis token may not read text.\n");
}

/* By the id of the decision, or by that of the request. */
static int find_decision(struct desk_source *source, const char *id, json_t **out)
{
    const struct front_header queries[] = {{"request_id", id}, {"limit", "1"}, {NULL, NULL}};
    json_t *page = NULL;
    *out = NULL;
    int rv = store_id_is_valid(id) ? desk_one(source, id, out) : CLI_OK;
    if (rv != CLI_OK || *out != NULL)
        return rv;
    rv = desk_page(source, queries, &page);
    const char *found = desk_text(json_array_get(json_object_get(page, "data"), 0), "id");
    if (rv == CLI_OK && *found != '\0')
        rv = desk_one(source, found, out);
    json_decref(page);
    if (rv == CLI_OK && *out == NULL) {
        fprintf(stderr, "rein: there is no decision with the id '%s', and no request\n", id);
        rv = CLI_FAILED;
    }
    return rv;
}

static int why_run(int argc, char **argv)
{
    static struct desk_options o;
    struct desk_source *source = NULL;
    json_t *decision = NULL;
    int rv = desk_read_options(&cli_why, argc, argv, DESK_ONE, &o);
    if (rv == CLI_OK)
        rv = desk_source_open(&source, &o);
    if (rv == CLI_OK)
        rv = find_decision(source, o.id, &decision);
    if (rv == CLI_OK && o.json)
        rv = json_dumpf(decision, stdout, JSON_INDENT(1)) == 0 && puts("") >= 0 ? CLI_OK : CLI_FAILED;
    else if (rv == CLI_OK)
        print_decision(decision, o.texts);
    json_decref(decision);
    desk_source_close(source);
    return rv;
}

const struct cli_command cli_why = {
    .name = "why",
    .summary = "say why a request was decided as it was",
    .help = "usage: rein why ID [--texts] [--json] [--url URL | --db FILE]\n\n"
            "Shows one decision: why, when what happened, what was found, and what was said if the policy keeps it.\n"
            "ID is the decision's (the header x-rein-decision) or the request's (x-request-id).\n\n"
            "  --texts        all of what was said, not its beginning\n" DESK_HELP,
    .run = why_run,
};
