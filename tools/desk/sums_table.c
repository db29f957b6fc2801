/* `rein stats`: sums of a time range, compared with the range before, and what was found.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "desk/desk.h"

static void print_line(const char *name, int64_t now, int64_t before)
{
    printf("  %-16s %12lld %12lld", name, (long long)now, (long long)before);
    if (before > 0)
        printf("  %+7.1f%%", ((double)now - (double)before) * 100 / (double)before);
    printf("\n");
}

/* In a column of twelve. "µs" has one byte more than it has columns. */
static void print_right(const char *text)
{
    int columns = (int)strlen(text) - (strstr(text, "µ") != NULL ? 1 : 0);
    printf("%*s%s ", 12 - columns, "", text);
}

static void print_latency(const char *name, const json_t *now, const json_t *before)
{
    static const char *const parts[] = {"p50", "p99"};
    char text[24], other[24], label[40];
    for (int i = 0; i < 2; i++) {
        const json_t *a = json_object_get(json_object_get(now, name), parts[i]);
        const json_t *b = json_object_get(json_object_get(before, name), parts[i]);
        if (json_is_null(a) && json_is_null(b))
            continue;
        snprintf(label, sizeof label, "%.*s %s", (int)strlen(name) - 3, name, parts[i]);
        printf("  %-16s ", label);
        print_right(json_is_integer(a) ? desk_duration(json_integer_value(a), text) : "-");
        print_right(json_is_integer(b) ? desk_duration(json_integer_value(b), other) : "-");
        printf("\n");
    }
}

static void print_totals(const json_t *overview)
{
    static const char *const verdicts[] = {"allow", "redact", "steer", "refuse", "cut", "none"};
    static const char *const counts[] = {"shadowed", "restarts",       "findings",
                                         "failed",   "held_bytes_max", "unjudged_bytes"};
    static const char *const latencies[] = {"added_us", "first_byte_us", "duration_us"};
    const json_t *now = json_object_get(overview, "total"), *before = json_object_get(overview, "before");
    const json_t *verdicts_now = json_object_get(now, "verdicts"),
                 *verdicts_before = json_object_get(before, "verdicts");
    desk_colour(stdout, DESK_BOLD);
    printf("%s to %s\n", desk_text(overview, "from"), desk_text(overview, "to"));
    printf("  %-16s %12s %12s\n", "", "now", "before");
    desk_colour(stdout, DESK_PLAIN);
    print_line("requests", desk_number(now, "requests"), desk_number(before, "requests"));
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        print_line(verdicts[i], desk_number(verdicts_now, verdicts[i]), desk_number(verdicts_before, verdicts[i]));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        print_line(counts[i], desk_number(now, counts[i]), desk_number(before, counts[i]));
    for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++)
        print_latency(latencies[i], now, before);
}

static void print_share(const json_t *row, const char *name)
{
    const json_t *share = json_object_get(row, name);
    if (json_is_number(share))
        printf(" %9.3f%%", json_number_value(share) * 100);
    else
        printf(" %10s", "-");
}

static void print_found(const json_t *found)
{
    size_t i;
    json_t *row;
    const json_t *current = json_object_get(found, "current"), *previous = json_object_get(found, "previous");
    desk_colour(stdout, DESK_BOLD);
    printf("\n  %-8s %-28s %9s %9s %9s %10s %10s %10s %9s\n", "kind", "found", "requests", "shadow", "before", "share",
           "current", "previous", "position");
    desk_colour(stdout, DESK_PLAIN);
    json_array_foreach(json_object_get(found, "data"), i, row)
    {
        printf("  %-8s ", desk_text(row, "kind"));
        desk_print_safe(stdout, desk_text(row, "id"), 28, true, false);
        printf(" %9lld %9lld %9lld", (long long)desk_number(row, "requests"), (long long)desk_number(row, "shadow"),
               (long long)desk_number(row, "requests_before"));
        print_share(row, "share");
        print_share(row, "share_current");
        print_share(row, "share_previous");
        if (json_is_integer(json_object_get(row, "position_p50")))
            printf(" %9lld", (long long)desk_number(row, "position_p50"));
        printf("\n");
    }
    if (json_is_object(current))
        printf("\n  current: %s %.8s, %lld requests in 30 days\n", desk_text(current, "policy"),
               desk_text(current, "policy_version"), (long long)desk_number(current, "requests"));
    if (json_is_object(previous))
        printf("  previous: %s %.8s, %lld requests in 30 days\n", desk_text(previous, "policy"),
               desk_text(previous, "policy_version"), (long long)desk_number(previous, "requests"));
}

static int stats_run(int argc, char **argv)
{
    static struct desk_options o;
    struct desk_source *source = NULL;
    json_t *overview = NULL, *found = NULL;
    int rv = desk_read_options(&cli_stats, argc, argv, DESK_VIEW | DESK_TIME, &o);
    if (rv == CLI_OK)
        rv = desk_source_open(&source, &o);
    if (rv == CLI_OK)
        rv = desk_overview(source, o.queries, &overview);
    if (rv == CLI_OK)
        rv = desk_found(source, o.queries, &found);
    if (rv == CLI_OK && o.json) {
        json_t *both = json_pack("{sOsO}", "overview", overview, "findings", found);
        rv = both != NULL && json_dumpf(both, stdout, JSON_INDENT(1)) == 0 && puts("") >= 0 ? CLI_OK : CLI_FAILED;
        json_decref(both);
    } else if (rv == CLI_OK) {
        print_totals(overview);
        print_found(found);
    }
    json_decref(overview);
    json_decref(found);
    desk_source_close(source);
    return rv;
}

const struct cli_command cli_stats = {
    .name = "stats",
    .summary = "sum up decisions and findings of a time range",
    .help =
        "usage: rein stats [--since SPAN | --from TIME] [--to TIME] [--route NAME] [--model NAME] [--key NAME]\n"
        "                  [--policy-version SHA] [--json] [--url URL | --db FILE]\n\n"
        "Sums a time range (default: the last 24 hours), compares it with the range of the same length before it, and\n"
        "lists what was found: how often, its share of all requests, and its share under the current policy version\n"
        "and the one before (both over 30 days).\n\n" DESK_HELP,
    .run = stats_run,
};
