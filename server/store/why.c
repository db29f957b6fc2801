/* See whole.h: why a decision is what it is, in words.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      what was found - where - what was done - what came of it - what was only found in shadow - how it ended
 *
 * Made from the fields of a decision alone, so that the page, the API and the command line say the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rein/rein.h"
#include "store/whole.h"

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text != NULL ? text : "";
}

static int64_t why_number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

static bool is_text(const json_t *row, const char *name, const char *text)
{
    return strcmp(text_of(row, name), text) == 0;
}

/* Small numbers as words, as people write them. */
static const char *count_word(int64_t n, char out[24])
{
    static const char *const words[] = {"no",    "one",   "two",  "three", "four",   "five",  "six",
                                        "seven", "eight", "nine", "ten",   "eleven", "twelve"};
    if (n >= 0 && n < (int64_t)(sizeof words / sizeof *words))
        return words[n];
    snprintf(out, 24, "%lld", (long long)n);
    return out;
}

static const char *order_word(int64_t n, char out[24])
{
    static const char *const words[] = {"first", "second", "third", "fourth", "fifth", "sixth"};
    if (n >= 1 && n <= (int64_t)(sizeof words / sizeof *words))
        return words[n - 1];
    snprintf(out, 24, "%lldth", (long long)n);
    return out;
}

static int action_rank(const char *action)
{
    static const char *const actions[] = {"allow", "record",       "redact", "cut_reasoning",
                                          "steer", "cut_response", "refuse"};
    for (int i = 0; i < (int)(sizeof actions / sizeof *actions); i++)
        if (strcmp(actions[i], action) == 0)
            return i;
    return 0;
}

/* The first of the strongest findings; NULL: there is none. */
static const json_t *strongest(const json_t *findings, bool shadow, size_t *count)
{
    const json_t *best = NULL;
    size_t i;
    json_t *finding;
    *count = 0;
    json_array_foreach(findings, i, finding)
    {
        if (json_is_true(json_object_get(finding, "shadow")) != shadow)
            continue;
        ++*count;
        if (best == NULL || action_rank(text_of(finding, "action")) > action_rank(text_of(best, "action")))
            best = finding;
    }
    return best;
}

/* ---- what was found ---- */

/* From the first to the last of the sentences that led to a finding. */
static int64_t sentences_of(const json_t *finding)
{
    const json_t *steps = json_object_get(finding, "steps");
    size_t len = json_array_size(steps);
    if (len < 2)
        return (int64_t)len;
    return why_number(json_array_get(steps, len - 1), "sentence") - why_number(json_array_get(steps, 0), "sentence") +
           1;
}

static void say_awareness(FILE *f, const json_t *finding)
{
    char word[24];
    int64_t sentences = sentences_of(finding);
    fputs("the reasoning planned the request", f);
    if (sentences > 0)
        fprintf(f, " for %s sentence%s", count_word(sentences, word), sentences == 1 ? "" : "s");
    fputs(" and never named the harm", f);
}

static void say_pattern(FILE *f, const json_t *finding)
{
    static const struct {
        const char *id, *text;
    } texts[] = {
        {"strong_vacillation", "the reasoning named the harm and then talked itself into the request"},
        {"weak_vacillation", "the reasoning wavered between refusing and complying"},
        {"harmful_additions", "the reasoning added harm that the request did not ask for"},
        {"inconsistency.complies", "the reasoning refused, but the answer complied"},
        {"inconsistency.refuses", "the reasoning accepted the request, but the answer refused"},
        {"outcome_risk.reasoning", "the learned score calls the reasoning risky"},
        {"outcome_risk.answer", "the learned score calls the answer risky"},
    };
    const char *id = text_of(finding, "id");
    if (strcmp(id, "lack_of_safety_awareness") == 0) {
        say_awareness(f, finding);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].id, id) == 0) {
            fputs(texts[i].text, f);
            return;
        }
    fprintf(f, "the pattern %s was found in the %s", id, text_of(finding, "channel"));
}

static void say_finding(FILE *f, const json_t *finding)
{
    const char *channel = text_of(finding, "channel");
    if (is_text(finding, "kind", "pattern"))
        say_pattern(f, finding);
    else if (is_text(finding, "kind", "judge"))
        fprintf(f, "the judge %s (%s) called the %s risky", text_of(finding, "judge"), text_of(finding, "id"), channel);
    else
        fprintf(f, "the rule %s matched in the %s", text_of(finding, "id"), channel);
    if (!is_text(finding, "kind", "rule")) /* a rule matches or does not */
        fprintf(f, " (score %.2f)", json_number_value(json_object_get(finding, "score")));
}

/* ---- what was done ---- */

static void say_attempts(FILE *f, const json_t *decision)
{
    char word[24];
    int64_t attempts = why_number(decision, "attempts_count");
    if (attempts < 2)
        return;
    bool is_through = is_text(decision, "verdict", "steer") && is_text(decision, "ending", "complete");
    bool is_stopped = is_text(decision, "verdict", "refuse") || is_text(decision, "verdict", "cut");
    fprintf(f, "; the %s attempt %s", order_word(attempts, word),
            is_through   ? "was let through"
            : is_stopped ? "was stopped too"
                         : "was the last");
}

static void say_action(FILE *f, const json_t *decision, const json_t *finding, size_t count)
{
    const char *action = text_of(finding, "action"), *channel = text_of(finding, "channel");
    long long byte = (long long)(why_number(finding, "offset") + why_number(finding, "len"));
    char word[24];
    if (strcmp(action, "refuse") == 0 && strcmp(channel, "prompt") == 0)
        fputs("; the request was refused before it reached the model", f);
    else if (strcmp(action, "refuse") == 0)
        fprintf(f, "; refused at byte %lld of the %s", byte, channel);
    else if (strcmp(action, "cut_response") == 0)
        fprintf(f, "; the response was cut at byte %lld of the %s", byte, channel);
    else if (strcmp(action, "cut_reasoning") == 0)
        fprintf(f, "; the reasoning was cut at byte %lld", byte);
    else if (strcmp(action, "steer") == 0)
        fprintf(f, "; stopped at byte %lld of the %s and steered", byte, channel);
    else if (strcmp(action, "redact") == 0)
        fprintf(f, "; %s place%s masked", count == 1 ? "the" : count_word((int64_t)count, word),
                count == 1 ? " was" : "s were");
    else
        fputs("; recorded only", f);
    say_attempts(f, decision);
}

static void say_shadow(FILE *f, const json_t *decision)
{
    static const struct {
        const char *action, *text;
    } texts[] = {{"redact", "masked"},       {"cut_reasoning", "cut the reasoning"},
                 {"steer", "steered"},       {"cut_response", "cut the response"},
                 {"refuse", "refused this"}, {NULL, NULL}};
    size_t count, i = 0;
    const json_t *finding = strongest(json_object_get(decision, "findings"), true, &count);
    if (finding == NULL)
        return;
    while (texts[i].action != NULL && !is_text(finding, "action", texts[i].action))
        i++;
    fprintf(f, " In shadow: %s %s would have %s.", text_of(finding, "kind"), text_of(finding, "id"),
            texts[i].action != NULL ? texts[i].text : "been recorded");
}

/* ---- how it ended ---- */

static void say_ending(FILE *f, const json_t *decision)
{
    static const struct {
        const char *ending, *text;
    } texts[] = {
        {"rejected", "The request was rejected before it was judged to its end"},
        {"upstream_error", "The upstream answered with an error"},
        {"upstream_broke", "The upstream broke off"},
        {"overflow", "More text was held than the policy allows"},
        {"client_left", "The client left before the end"},
        {"store_failed", "The decision could not be stored in time"},
        {"shutdown", "The server stopped before the end"},
        {"lost", "The server died before the end"},
        {"open", "It is still running"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (is_text(decision, "ending", texts[i].ending)) {
            fprintf(f, " %s", texts[i].text);
            if (why_number(decision, "status") >= 400)
                fprintf(f, " (the client got %lld)", (long long)why_number(decision, "status"));
            fputc('.', f);
        }
}

json_t *store_why(const json_t *decision)
{
    char *text = NULL;
    size_t len = 0, count, start = 0;
    const json_t *finding = strongest(json_object_get(decision, "findings"), false, &count);
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return NULL;
    if (finding != NULL) {
        say_finding(f, finding);
        say_action(f, decision, finding, count);
        fputc('.', f);
    } else if (why_number(decision, "attempts_count") > 0 && is_text(decision, "ending", "complete")) {
        fputs("nothing that acts was found; the answer passed as it came.", f);
    }
    say_shadow(f, decision);
    say_ending(f, decision);
    json_t *out = NULL;
    if (fclose(f) == 0) {
        start = strspn(text, " ");
        if (text[start] >= 'a' && text[start] <= 'z')
            text[start] = (char)(text[start] - 'a' + 'A');
        out = json_string(text[start] != '\0' ? text + start : "Nothing was judged.");
    }
    free(text);
    return out;
}
