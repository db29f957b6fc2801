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
    printf("  %-13s", name);
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

/* What happened, in the page's words (server/admin/page/timeline.js). */
static void print_event(const char *what)
{
    static const struct {
        const char *what, *text;
    } texts[] = {
        {"received", "request received"},
        {"called", "upstream called"},
        {"first_byte", "upstream's first byte"},
        {"stopped", "upstream stopped"},
        {"restarted", "asked again"},
        {"client_first_byte", "client's first byte"},
        {"judge_answered", "judge answered"},
        {"ended", "ended"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].what, what) == 0) {
            fputs(texts[i].text, stdout);
            return;
        }
    desk_print_words(stdout, what);
}

static void print_timeline(const json_t *d)
{
    char when[24];
    bool many = desk_number(d, "attempts_count") > 1;
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(d, "timeline"), i, event)
    {
        const json_t *attempt = json_object_get(event, "attempt");
        printf("  ");
        desk_print_safe(stdout, desk_duration(desk_number(event, "at_us"), when), 11, true, false);
        print_event(desk_text(event, "what"));
        if (many && json_is_integer(attempt))
            printf(" (attempt %lld)", (long long)json_integer_value(attempt) + 1);
        if (*desk_text(event, "detail") != '\0')
            printf(": ");
        desk_print_words(stdout, desk_text(event, "detail"));
        printf("\n");
    }
}

/* ---- findings ---- */

/* What a finding did, in the page's words (server/admin/page/decision.js). */
static void print_action(const json_t *f)
{
    static const struct {
        const char *action, *text;
    } texts[] = {{"record", "recorded"},
                 {"redact", "redacted"},
                 {"cut_reasoning", "cut the reasoning"},
                 {"steer", "steered"},
                 {"cut_response", "cut the response"},
                 {"refuse", "refused"}};
    const char *action = desk_text(f, "action");
    bool is_shadow = json_is_true(json_object_get(f, "shadow"));
    if (is_shadow && strcmp(action, "record") == 0) {
        printf("recorded, in shadow");
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].action, action) == 0)
            action = texts[i].text;
    printf(is_shadow ? "would have " : "");
    desk_print_words(stdout, action);
    printf(is_shadow ? " (in shadow)" : "");
}

static void print_place(const json_t *f, bool many)
{
    long long offset = (long long)desk_number(f, "offset"), len = (long long)desk_number(f, "len");
    size_t i;
    json_t *tag;
    printf("      %s", desk_text(f, "channel"));
    if (many)
        printf(", attempt %lld", (long long)desk_number(f, "attempt") + 1);
    printf(", byte %lld", offset);
    if (len > 0)
        printf(" to %lld", offset + len);
    if (strcmp(desk_text(f, "kind"), "rule") != 0)
        printf(", score %.2f", json_number_value(json_object_get(f, "score")));
    printf(*desk_text(f, "judge") != '\0' ? ", judge " : "");
    desk_print_safe(stdout, desk_text(f, "judge"), 0, false, false);
    printf(*desk_text(f, "severity") != '\0' ? ", " : "");
    desk_print_safe(stdout, desk_text(f, "severity"), 0, false, false);
    json_array_foreach(json_object_get(f, "tags"), i, tag)
    {
        printf(" #");
        desk_print_safe(stdout, json_string_value(tag), 0, false, false);
    }
    printf("\n");
}

/* Sentences end in line ends and blanks, which say nothing here. */
static void print_evidence(const char *evidence)
{
    size_t len = strlen(evidence);
    while (len > 0 && strchr(" \t\r\n", evidence[len - 1]) != NULL)
        len--;
    char *text = strndup(evidence, len);
    printf("      “");
    desk_print_safe(stdout, text != NULL ? text : evidence, TEXT_SHOWN, false, false);
    printf("”\n");
    free(text);
}

static void print_finding(const json_t *f, bool many)
{
    const json_t *feedback = json_object_get(f, "feedback");
    const char *id = desk_text(f, "id");
    bool is_pattern = strcmp(desk_text(f, "kind"), "pattern") == 0;
    printf("  ");
    desk_colour(stdout, json_is_true(json_object_get(f, "shadow")) ? DESK_DIM : DESK_YELLOW);
    desk_print_safe(stdout, desk_text(f, "kind"), 0, false, false);
    printf(" ");
    is_pattern ? desk_print_words(stdout, id) : desk_print_safe(stdout, id, 0, false, false);
    desk_colour(stdout, DESK_PLAIN);
    printf(": ");
    print_action(f);
    printf("\n");
    print_place(f, many);
    if (*desk_text(f, "evidence") != '\0')
        print_evidence(desk_text(f, "evidence"));
    if (json_is_object(feedback)) {
        printf("      said to be %s by ", desk_text(feedback, "verdict"));
        desk_print_safe(stdout, desk_text(feedback, "by"), 0, false, false);
        printf(*desk_text(feedback, "note") != '\0' ? ": " : "");
        desk_print_safe(stdout, desk_text(feedback, "note"), TEXT_SHOWN, false, false);
        printf("\n");
    }
}

/* ---- texts ---- */

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
    if (!whole && strlen(words) > TEXT_SHOWN)
        printf("  (--texts shows all of it)\n");
}

/* Channels that text came through of which nothing was kept, with its length. */
static void print_unkept(const json_t *d)
{
    static const char *const channels[] = {"prompt", "reasoning", "answer", "tool"};
    const json_t *texts = json_object_get(d, "texts");
    char name[32];
    bool is_first = true;
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
        size_t i;
        json_t *text;
        bool is_kept = false;
        json_array_foreach(texts, i, text) is_kept |= strcmp(desk_text(text, "channel"), channels[c]) == 0;
        snprintf(name, sizeof name, "%s_received", channels[c]);
        if (is_kept || desk_number(d, name) == 0)
            continue;
        if (is_first)
            print_title(json_is_null(texts) ? "Not shown: this token may not read texts" : "Not kept");
        is_first = false;
        printf("  %s, %lld bytes\n", channels[c], (long long)desk_number(d, name));
    }
}

/* ---- a decision ---- */

static void print_risk(const json_t *d, const char *name, const char *member)
{
    char risk[24];
    snprintf(risk, sizeof risk, "%.2f", json_number_value(json_object_get(d, member)));
    print_fact(name, risk);
}

static void print_time(const json_t *d, const char *name, const char *member)
{
    char time[24];
    if (json_is_integer(json_object_get(d, member)))
        print_fact(name, desk_duration(desk_number(d, member), time));
}

static void print_error(const json_t *d)
{
    const json_t *error = json_object_get(d, "upstream_error");
    char *text = json_is_object(error) ? json_dumps(error, JSON_COMPACT) : NULL;
    if (text != NULL)
        print_fact("error", text);
    free(text);
}

static void print_facts(const json_t *d)
{
    char policy[400], status[24];
    snprintf(policy, sizeof policy, "%s %.8s", desk_text(d, "policy"), desk_text(d, "policy_version"));
    snprintf(status, sizeof status, "%lld", (long long)desk_number(d, "status"));
    print_fact("model", desk_text(d, "model"));
    print_fact("key", desk_text(d, "key"));
    print_fact("route", desk_text(d, "route"));
    print_fact("policy", policy);
    print_fact("upstream", desk_text(d, "upstream"));
    print_fact("status", desk_number(d, "status") > 0 ? status : "");
    print_error(d);
    print_risk(d, "prompt risk", "prompt_risk");
    print_risk(d, "trace risk", "trace_risk");
    print_fact("harms", desk_text(d, "harms"));
    print_time(d, "first byte", "client_first_byte_us");
    print_time(d, "took", "duration_us");
    print_fact("dropped", desk_text(d, "dropped_fields"));
    print_fact("request", desk_text(d, "request_id"));
}

static void print_decision(const json_t *d, bool texts_whole)
{
    const json_t *findings = json_object_get(d, "findings"), *texts = json_object_get(d, "texts");
    bool many = desk_number(d, "attempts_count") > 1;
    size_t i;
    json_t *row;
    desk_colour(stdout, desk_verdict_colour(desk_text(d, "verdict")));
    printf("%s", desk_text(d, "verdict"));
    desk_colour(stdout, DESK_PLAIN);
    printf(", ");
    desk_print_words(stdout, desk_text(d, "ending"));
    printf("  %s  %s\n\n", desk_text(d, "started_at"), desk_text(d, "id"));
    desk_print_safe(stdout, desk_text(d, "why"), 0, false, false);
    printf("\n\n");
    print_facts(d);
    print_title("When");
    print_timeline(d);
    if (json_array_size(findings) > 0)
        print_title("Found");
    json_array_foreach(findings, i, row) print_finding(row, many);
    if (json_array_size(texts) > 0)
        print_title("Said");
    json_array_foreach(texts, i, row) print_text(row, texts_whole);
    print_unkept(d);
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
