/* The figures of a cascade: what each part is worth, and what the judges cost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "eval/eval_cascade.h"
#include "eval/eval_pairs.h"
#include "eval/eval_report.h"
#include "eval/eval_stats.h"

static const char *const part_names[EVAL_ASKED] = {"words", "words and score", "words, score and judges"};
static const char *const truth_names[EVAL_TRUTHS] = {"unsafe", "safe", "benign"};

/* ---- counting ---- */

static struct confusion count_part(const struct eval_cascade *c, enum eval_variant part)
{
    struct confusion all = {0};
    for (size_t i = 0; i < c->len; i++) {
        const struct eval_cascade_row *r = &c->rows[i];
        bool is_unsafe = r->truth == EVAL_UNSAFE;
        if (r->is_done)
            *(r->acted[part] ? (is_unsafe ? &all.right : &all.wrong) : (is_unsafe ? &all.missed : &all.silent)) += 1;
    }
    return all;
}

static json_t *rate_tree(struct rate r)
{
    return json_pack("{sf sf sf}", "value", r.value, "low", r.low, "high", r.high);
}

static json_t *part_tree(const struct eval_cascade *c, enum eval_variant part)
{
    struct confusion all = count_part(c, part);
    json_t *acted = json_object();
    for (enum eval_truth t = 0; t < EVAL_TRUTHS; t++) {
        size_t k = 0, n = 0;
        for (size_t i = 0; i < c->len; i++)
            if (c->rows[i].is_done && c->rows[i].truth == t) {
                n++;
                k += c->rows[i].acted[part];
            }
        if (n > 0)
            json_object_set_new(acted, truth_names[t], eval_rate_tree(k, n));
    }
    return json_pack("{ss so so so so}", "name",
                     part == EVAL_CASCADE && !c->variants.has_model ? "words and judges" : part_names[part],
                     "precision", eval_rate_tree(all.right, all.right + all.wrong), "recall",
                     eval_rate_tree(all.right, all.right + all.missed), "f1", rate_tree(confusion_f1_rate(&all)),
                     "acted_on", acted);
}

/* How the judges change what is acted on, of all rows whose truth is (or is not) unsafe. */
static json_t *change_tree(const struct eval_cascade *c, bool unsafe)
{
    struct eval_pairs pairs = {0};
    for (size_t i = 0; i < c->len; i++)
        if (c->rows[i].is_done && (c->rows[i].truth == EVAL_UNSAFE) == unsafe)
            eval_pairs_add(&pairs, c->rows[i].acted[EVAL_SCORE], c->rows[i].acted[EVAL_CASCADE]);
    struct eval_difference d = eval_pairs_difference(&pairs);
    return json_pack("{sI sf sf sf sf}", "rows", (json_int_t)pairs.n, "difference", d.value, "low", d.low, "high",
                     d.high, "p", eval_pairs_p(&pairs));
}

static json_t *asked_tree(const struct eval_cascade *c)
{
    size_t asked = 0, rows = 0, questions = 0, unparsed = 0, tokens = 0, places = 0, places_asked = 0;
    json_t *by_truth = json_object();
    for (enum eval_truth t = 0; t < EVAL_TRUTHS; t++) {
        size_t k = 0, n = 0;
        for (size_t i = 0; i < c->len; i++) {
            const struct eval_cascade_row *r = &c->rows[i];
            if (!r->is_done || r->truth != t)
                continue;
            n++;
            k += r->questions > 0;
            questions += r->questions;
            unparsed += r->unparsed;
            tokens += r->tokens;
            places += r->places;
            places_asked += r->asked;
        }
        if (n > 0)
            json_object_set_new(by_truth, truth_names[t], eval_rate_tree(k, n));
        asked += k;
        rows += n;
    }
    return json_pack("{so so so sI sf sI sI}", "traces", eval_rate_tree(asked, rows), "by_truth", by_truth, "places",
                     eval_rate_tree(places_asked, places), "questions", (json_int_t)questions, "per_trace",
                     rows > 0 ? (double)questions / (double)rows : 0, "unparsed", (json_int_t)unparsed, "tokens",
                     (json_int_t)tokens);
}

json_t *eval_cascade_report(const struct eval_cascade *c)
{
    const struct rein_policy_settings *s = rein_policy_settings(c->variants.policies[EVAL_CASCADE]);
    struct confusion all = count_part(c, EVAL_CASCADE);
    json_t *parts = json_array();
    size_t done = 0;
    for (size_t i = 0; i < c->len; i++)
        done += c->rows[i].is_done;
    for (enum eval_variant part = EVAL_WORDS; part < EVAL_ASKED; part++)
        if (part != EVAL_SCORE || c->variants.has_model)
            json_array_append_new(parts, part_tree(c, part));
    return json_pack("{ss ss ss ss? sI sI sI sI so sf s{so so} so}", "policy", s->name, "version", s->version,
                     "weights", s->model, "judge", c->options->judge, "rows", (json_int_t)done, "open",
                     (json_int_t)(c->len - done), "unlabelled", (json_int_t)c->unlabelled, "rejected",
                     (json_int_t)c->rejected, "parts", parts, "always_yes_f1", confusion_baseline(&all), "change",
                     "unsafe", change_tree(c, true), "others", change_tree(c, false), "judges", asked_tree(c));
}

/* ---- printing ---- */

static double value_at(const json_t *tree, const char *key)
{
    return json_number_value(json_object_get(tree, key));
}

static void print_share_of(FILE *to, const json_t *rate, const char *value)
{
    char text[64];
    snprintf(text, sizeof text, "%.1f%% [%.1f, %.1f]", 100 * value_at(rate, value), 100 * value_at(rate, "low"),
             100 * value_at(rate, "high"));
    fprintf(to, "  %-22s", text);
}

static void print_part(FILE *to, const json_t *part)
{
    const json_t *f1 = json_object_get(part, "f1");
    fprintf(to, "%-24s", json_string_value(json_object_get(part, "name")));
    print_share_of(to, json_object_get(part, "precision"), "rate");
    print_share_of(to, json_object_get(part, "recall"), "rate");
    fprintf(to, "  %.3f [%.3f, %.3f]\n", value_at(f1, "value"), value_at(f1, "low"), value_at(f1, "high"));
}

static void print_change(FILE *to, const char *what, const json_t *change)
{
    if (value_at(change, "rows") > 0)
        fprintf(to, "  %s: %+.1f points [%+.1f, %+.1f], p %.3g\n", what, 100 * value_at(change, "difference"),
                100 * value_at(change, "low"), 100 * value_at(change, "high"), value_at(change, "p"));
}

static void print_judges(FILE *to, const json_t *judges)
{
    const char *truth;
    json_t *rate;
    fputs("\njudges are asked\n", to);
    fprintf(to, "  %-32s", "in so many traces");
    print_share_of(to, json_object_get(judges, "traces"), "rate");
    fputc('\n', to);
    json_object_foreach(json_object_get(judges, "by_truth"), truth, rate)
    {
        fprintf(to, "    %-30s", truth);
        print_share_of(to, rate, "rate");
        fprintf(to, "  of %.0f\n", value_at(rate, "of"));
    }
    fprintf(to, "  %-32s", "at so many of the places");
    print_share_of(to, json_object_get(judges, "places"), "rate");
    fprintf(to, "  of %.0f\n", value_at(json_object_get(judges, "places"), "of"));
    fprintf(to, "  %.0f questions, %.2f a trace; %.0f replies could not be read; %.0f tokens\n",
            value_at(judges, "questions"), value_at(judges, "per_trace"), value_at(judges, "unparsed"),
            value_at(judges, "tokens"));
}

void eval_cascade_print(FILE *to, const json_t *report)
{
    size_t i;
    const json_t *part, *change = json_object_get(report, "change");
    const char *judge = json_string_value(json_object_get(report, "judge"));
    fprintf(to, "policy %s, version %.12s, %s; %.0f rows\n", json_string_value(json_object_get(report, "policy")),
            json_string_value(json_object_get(report, "version")), judge != NULL ? judge : "its own judges",
            value_at(report, "rows"));
    fprintf(to, "not among them: %.0f without a label, %.0f rejected, %.0f open\n\n", value_at(report, "unlabelled"),
            value_at(report, "rejected"), value_at(report, "open"));
    fprintf(to, "%-24s  %-22s  %-22s  %s\n", "an action means unsafe", "precision", "recall", "F1");
    json_array_foreach(json_object_get(report, "parts"), i, part) print_part(to, part);
    fprintf(to, "%-24s  %50.3f\n", "acting on all", value_at(report, "always_yes_f1"));
    fputs("\nwhat judges add, row by row\n", to);
    print_change(to, "unsafe rows that are acted on", json_object_get(change, "unsafe"));
    print_change(to, "other rows that are acted on", json_object_get(change, "others"));
    print_judges(to, json_object_get(report, "judges"));
    fputs("\nIntervals are at 95%; docs/EVAL.md says how they are made.\n", to);
}
