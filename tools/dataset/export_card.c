/* What `rein export` has done: for people, as a manifest, and as a data card. See export.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No times of the run and no folders, so that the same export gives the same bytes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "dataset/export.h"

static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : otherwise;
}

/* ---- counting ---- */

/* Each pattern, rule or panel once a decision. */
static int count_findings(struct export_report *r, const json_t *decision)
{
    const json_t *findings = json_object_get(decision, "findings"), *one, *before;
    size_t i, k;
    int rv = 0;
    json_array_foreach(findings, i, one)
    {
        const char *id = text_or(one, "id", "");
        bool was_there = false;
        json_array_foreach(findings, k, before)
        {
            if (k >= i)
                break;
            was_there |= strcmp(text_or(before, "id", ""), id) == 0;
        }
        if (!was_there && rv == 0)
            rv = name_counts_add(&r->patterns, id);
        if (!was_there && rv == 0 && json_is_string(json_object_get(one, "judge")))
            rv = name_counts_add(&r->judges, text_or(one, "judge", ""));
    }
    return rv;
}

static int count_policy(struct export_report *r, const json_t *decision)
{
    char name[400];
    snprintf(name, sizeof name, "%s %s", text_or(decision, "policy", "-"), text_or(decision, "policy_version", "-"));
    return name_counts_add(&r->policies, name);
}

int export_report_add(struct export_report *r, const json_t *decision, const struct export_row *row)
{
    int64_t at = json_integer_value(json_object_get(decision, "started_at_us"));
    r->first_us = r->first_us == 0 || at < r->first_us ? at : r->first_us;
    r->last_us = at > r->last_us ? at : r->last_us;
    r->masks += row->masks;
    r->rows_masked += row->masks > 0;
    int rv = name_counts_add(&r->models, text_or(decision, "model", ""));
    if (rv == 0)
        rv = name_counts_add(&r->routes, text_or(decision, "route", ""));
    if (rv == 0)
        rv = name_counts_add(&r->verdicts, text_or(decision, "verdict", ""));
    if (rv == 0)
        rv = name_counts_add_list(&r->harms, text_or(decision, "harms", ""));
    if (rv == 0)
        rv = count_policy(r, decision);
    return rv == 0 ? count_findings(r, decision) : rv;
}

void export_report_fini(struct export_report *r)
{
    struct name_counts *const all[] = {&r->models, &r->routes,   &r->policies, &r->verdicts,
                                       &r->harms,  &r->patterns, &r->judges};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        name_counts_fini(all[i]);
    free(r->train.path);
    free(r->test.path);
}

/* ---- the manifest ---- */

static json_t *names_list(const struct export_names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->len; i++)
        json_array_append_new(list, json_string(names->names[i]));
    return list;
}

static json_t *range_bound(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *ranges_list(const struct export_range *ranges, size_t len)
{
    json_t *list = json_array();
    for (size_t i = 0; i < len; i++)
        json_array_append_new(list, json_pack("{sssoso}", "name", ranges[i].name, "from", range_bound(ranges[i].from),
                                              "to", range_bound(ranges[i].to)));
    return list;
}

static json_t *chosen_object(const struct export_options *o)
{
    char since[STORE_TIME_LEN] = "", until[STORE_TIME_LEN] = "";
    if (o->from_us != 0)
        store_format_time(o->from_us, since);
    if (o->to_us != 0)
        store_format_time(o->to_us, until);
    return json_pack("{sososososososososososssssIsbsbsb}", "verdict", names_list(&o->verdicts), "action",
                     names_list(&o->actions), "route", names_list(&o->routes), "model", names_list(&o->models),
                     "pattern", names_list(&o->patterns), "without_pattern", names_list(&o->without), "judge",
                     names_list(&o->judges), "policy_version", names_list(&o->versions), "score",
                     ranges_list(o->scores, o->scores_len), "risk", ranges_list(o->risks, o->risks_len), "since", since,
                     "until", until, "limit", (json_int_t)o->limit, "with_findings", o->with_findings, "without_system",
                     o->without_system, "pairs", o->pairs);
}

static json_t *file_object(const struct export_file *file, const char *split)
{
    json_t *survival = json_object();
    for (int i = 0; i < SURVIVAL_KINDS; i++)
        json_object_set_new(survival, survival_name((enum survival)i), json_integer((json_int_t)file->survival[i]));
    return json_pack("{sssssssIso}", "file", row_file_name(file->path), "split", split, "sha256", file->sha256, "rows",
                     (json_int_t)file->rows, "reasoning", survival);
}

static json_t *outcomes_object(const struct export_report *r)
{
    json_t *object = json_object();
    for (int i = 0; i < EXPORT_OUTCOMES_LEN; i++)
        json_object_set_new(object, export_outcome_word((enum export_outcome)i),
                            json_integer((json_int_t)r->outcomes[i]));
    return object;
}

static void times_of(const struct export_report *r, char first[STORE_TIME_LEN], char last[STORE_TIME_LEN])
{
    *first = *last = '\0';
    if (r->first_us == 0)
        return;
    store_format_time(r->first_us, first);
    store_format_time(r->last_us, last);
}

static json_t *rows_object(const struct export_report *r)
{
    char first[STORE_TIME_LEN], last[STORE_TIME_LEN];
    times_of(r, first, last);
    return json_pack("{sssssosososososososIsI}", "first", first, "last", last, "models", name_counts_object(&r->models),
                     "routes", name_counts_object(&r->routes), "policies", name_counts_object(&r->policies), "verdicts",
                     name_counts_object(&r->verdicts), "categories", name_counts_object(&r->harms), "findings",
                     name_counts_object(&r->patterns), "judges", name_counts_object(&r->judges), "masks",
                     (json_int_t)r->masks, "rows_masked", (json_int_t)r->rows_masked);
}

static json_t *manifest_object(const struct export_report *r, const struct export_options *o)
{
    json_t *outputs = json_array();
    json_array_append_new(outputs, file_object(&r->train, "train"));
    if (r->test.path != NULL)
        json_array_append_new(outputs, file_object(&r->test, "test"));
    return json_pack("{sisssssIsfssssssssss?sosososo}", "version", 1, "made_by", "rein export", "rein", rein_version(),
                     "seed", (json_int_t)o->seed, "test_share", o->test, "format", row_format_name(o->format), "family",
                     survival_family_name(o->family), "source", row_file_name(o->db), "licence",
                     o->licence != NULL ? o->licence : "", "masked_again_by", r->policy_version, "chosen",
                     chosen_object(o), "decisions", outcomes_object(r), "outputs", outputs, "rows", rows_object(r));
}

/* ---- the card ---- */

static void card_counts(FILE *f, const char *what, const struct name_counts *counts)
{
    if (counts->len == 0)
        return;
    fprintf(f, "\n| %s | rows |\n|---|---|\n", what);
    for (size_t i = 0; i < counts->len; i++)
        fprintf(f, "| `%s` | %zu |\n", counts->names[i].name, counts->names[i].n);
    if (counts->others > 0)
        fprintf(f, "| others | %zu |\n", counts->others);
}

static void card_files(FILE *f, const struct export_report *r, const struct export_options *o)
{
    fprintf(f,
            "# Training rows of decisions\n\nMade by `rein export` %s from `%s`. %s, format `%s`.\n\n"
            "| file | split | rows | SHA-256 |\n|---|---|---|---|\n| `%s` | train | %zu | `%s` |\n",
            rein_version(), row_file_name(o->db),
            o->pairs ? "Each row is a prompt, the accepted answer and the one that was stopped"
                     : "Each row is a prompt, the reasoning and the answer that were accepted",
            row_format_name(o->format), row_file_name(r->train.path), r->train.rows, r->train.sha256);
    if (r->test.path != NULL)
        fprintf(f, "| `%s` | test | %zu | `%s` |\n", row_file_name(r->test.path), r->test.rows, r->test.sha256);
    fprintf(f, "\nLicence: %s\n",
            o->licence != NULL ? o->licence
                               : "not stated. Before you share the rows, find out what your users, the model's licence "
                                 "and the law allow.");
}

static void card_sources(FILE *f, const struct export_report *r)
{
    char first[STORE_TIME_LEN], last[STORE_TIME_LEN];
    times_of(r, first, last);
    if (r->first_us != 0)
        fprintf(f, "\n## Where the rows come from\n\nRequests from %s to %s.\n", first, last);
    card_counts(f, "model", &r->models);
    card_counts(f, "route", &r->routes);
    card_counts(f, "policy and version", &r->policies);
    card_counts(f, "verdict", &r->verdicts);
    card_counts(f, "category of harm, as the prompt's signals name it", &r->harms);
    card_counts(f, "found in the decision, in any attempt", &r->patterns);
    card_counts(f, "judge with a finding", &r->judges);
}

static void card_limits(FILE *f, const struct export_report *r, const struct export_options *o)
{
    fprintf(f,
            "\n## What was masked\n\nWhat the rules of the serving policy mark as secret or personal is masked: %zu "
            "spans in %zu rows.%s%s%s A rule finds what it was written for; other personal data may be left.\n"
            "\n## What was left out\n\n| decisions | |\n|---|---|\n",
            r->masks, r->rows_masked, r->policy_version != NULL ? " Masked again with the policy version `" : "",
            r->policy_version != NULL ? r->policy_version : "", r->policy_version != NULL ? "`." : "");
    for (int i = EXPORT_ROW + 1; i < EXPORT_OUTCOMES_LEN; i++)
        if (r->outcomes[i] > 0)
            fprintf(f, "| %zu | %s |\n", r->outcomes[i], export_outcome_text((enum export_outcome)i));
    fprintf(f,
            "\n## What these rows are not\n\n- %s\n- They are what one application's users asked, not a sample of "
            "anything else.\n- Training on them says nothing yet: measure attack success and over-refusal of the "
            "trained model.\n",
            o->with_findings ? "Free of risky patterns: answers in which something was found are among them."
                             : "Proved free of risky patterns: they are those in which this policy found none.");
}

static char *card_text(const struct export_report *r, const struct export_options *o)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL)
        return NULL;
    card_files(f, r, o);
    card_sources(f, r);
    card_limits(f, r, o);
    return fclose(f) == 0 ? text : (free(text), NULL);
}

/* ---- beside the training file ---- */

static int write_beside(const char *path, const char *suffix, const char *text)
{
    char *at = NULL;
    int rv = text != NULL && asprintf(&at, "%s%s", path, suffix) >= 0 ? files_replace(at, text, strlen(text)) : -ENOMEM;
    free(at);
    return rv;
}

static void print_report(const struct export_report *r, const struct export_options *o)
{
    printf("%s: %zu rows\n", r->train.path, r->train.rows);
    if (r->test.path != NULL)
        printf("%s: %zu rows\n", r->test.path, r->test.rows);
    for (int i = EXPORT_ROW + 1; i < EXPORT_OUTCOMES_LEN; i++)
        if (r->outcomes[i] > 0)
            printf("left out: %zu %s\n", r->outcomes[i], export_outcome_text((enum export_outcome)i));
    survival_warn(r->train.survival, o->format, o->family);
}

int export_report_write(const struct export_report *r, const struct export_options *o)
{
    json_t *tree = manifest_object(r, o);
    char *manifest = tree != NULL ? json_dumps(tree, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    char *card = card_text(r, o);
    json_decref(tree);
    int rv = write_beside(r->train.path, ".manifest.json", manifest);
    if (rv == 0)
        rv = write_beside(r->train.path, ".card.md", card);
    free(manifest);
    free(card);
    if (rv == 0)
        print_report(r, o);
    return rv;
}
