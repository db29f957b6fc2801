/* The figures of `rein eval attack` as a table for people and as CSV.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "attack/attack.h"

static double number_at(const json_t *tree, const char *key)
{
    return json_number_value(json_object_get(tree, key));
}

static const char *word_at(const json_t *tree, const char *key)
{
    const char *word = json_string_value(json_object_get(tree, key));
    return word != NULL ? word : "";
}

static bool is_of_category(const json_t *figure)
{
    return json_is_string(json_object_get(figure, "category"));
}

/* ---- the table ---- */

static const char *title_of(const char *measure, bool has_judge)
{
    if (strcmp(measure, "attack_success") == 0)
        return has_judge ? "attack success: the judge calls the answer unsafe"
                         : "attack success: the answer does not refuse (no judge)";
    if (strcmp(measure, "unsafe_reasoning") == 0)
        return "unsafe reasoning: the judge calls the reasoning unsafe";
    return strcmp(measure, "over_refusal") == 0 ? "over-refusal: benign requests whose answer refuses"
                                                : "exact answers: mathematics that is right";
}

static int widest(const json_t *list, const char *key)
{
    size_t i, width = 8;
    const json_t *figure;
    json_array_foreach(list, i, figure) if (!is_of_category(figure) && strlen(word_at(figure, key)) > width) width =
        strlen(word_at(figure, key));
    return (int)width;
}

static void print_figure(FILE *to, const json_t *f, int set_width, int arm_width)
{
    char share[80], count[48], difference[80] = "", p[16] = "";
    const json_t *against = json_object_get(f, "against");
    snprintf(count, sizeof count, "%.0f/%.0f", number_at(f, "count"), number_at(f, "of"));
    snprintf(share, sizeof share, "%5.1f%% [%.1f, %.1f]", 100 * number_at(f, "share"), 100 * number_at(f, "low"),
             100 * number_at(f, "high"));
    if (json_is_object(against)) {
        snprintf(difference, sizeof difference, "%+.1f [%+.1f, %+.1f]", 100 * number_at(against, "difference"),
                 100 * number_at(against, "low"), 100 * number_at(against, "high"));
        if (number_at(against, "p") < 0.0001)
            snprintf(p, sizeof p, "<0.0001");
        else
            snprintf(p, sizeof p, "%.4f", number_at(against, "p"));
    }
    fprintf(to, "%-*s  %-*s  %11s  %-21s  %-23s  %s\n", set_width, word_at(f, "set"), arm_width, word_at(f, "arm"),
            count, share, difference, p);
    if (number_at(f, "without_answer") > 0 || number_at(f, "unparsed") > 0 || number_at(f, "cut") > 0)
        fprintf(to,
                "%*s  of these rows: %.0f without an answer, %.0f cut at the token limit, %.0f with an opinion "
                "that could not be read\n",
                set_width, "", number_at(f, "without_answer"), number_at(f, "cut"), number_at(f, "unparsed"));
}

void attack_print_table(FILE *to, const json_t *figures)
{
    const json_t *list = json_object_get(figures, "figures"), *tokens = json_object_get(figures, "tokens"), *f;
    int set_width = widest(list, "set"), arm_width = widest(list, "arm");
    bool has_judge = json_is_string(json_object_get(figures, "judge"));
    const char *measure = "", *base = json_array_size(list) > 0 ? word_at(json_array_get(list, 0), "arm") : "";
    size_t i;
    fprintf(to, "%.0f of %.0f questions are answered; ", number_at(figures, "answered"),
            number_at(figures, "questions"));
    if (json_is_integer(json_object_get(figures, "max_tokens")))
        fprintf(to, "answers have at most %.0f tokens", number_at(figures, "max_tokens"));
    else
        fputs("answers have no limit but the upstream's", to);
    fprintf(to, "; judge: %s; seed %.0f\n", has_judge ? word_at(figures, "judge") : "none", number_at(figures, "seed"));
    json_array_foreach(list, i, f)
    {
        if (is_of_category(f))
            continue;
        if (strcmp(measure, word_at(f, "measure")) != 0)
            fprintf(to, "\n%s\n%-*s  %-*s  %11s  %-21s  %-23s  %s\n", title_of(word_at(f, "measure"), has_judge),
                    set_width, "set", arm_width, "arm", "count", "share", "difference, points", "p");
        measure = word_at(f, "measure");
        print_figure(to, f, set_width, arm_width);
    }
    fprintf(to, "\ntokens: %.0f of prompts, %.0f of answers, %.0f of the judge\n", number_at(tokens, "prompt"),
            number_at(tokens, "completion"), number_at(tokens, "judge"));
    if (*base != '\0')
        fprintf(
            to,
            "Intervals are at 95%% (Wilson; Agresti-Min for differences of pairs); p is McNemar's exact test, of the "
            "same rows\nunder %s. An attack file is a set of its own: the same request in several files is no "
            "independent row.\n",
            base);
}

/* ---- CSV ---- */

/* A cell of a spreadsheet must not begin a formula. */
static void print_cell(FILE *to, const char *text)
{
    fputs(strchr("=+-@\t\r", *text) != NULL && *text != '\0' ? "\"'" : "\"", to);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

void attack_print_csv(FILE *to, const json_t *figures)
{
    static const char *const words[] = {"measure", "set",    "category", "arm",     "upstream",
                                        "model",   "policy", "template", "deliver", "when"};
    static const char *const counts[] = {"count", "of", "share", "low", "high", "without_answer", "unparsed", "cut"};
    static const char *const pairs[] = {"pairs", "only_there", "only_here", "difference", "low", "high", "p"};
    const json_t *f;
    size_t i;
    fputs("measure,set,category,arm,upstream,model,policy,template,deliver,when,count,of,share,low,high,without_answer,"
          "unparsed,cut,max_tokens,against,pairs,only_there,only_here,difference,difference_low,difference_high,p\n",
          to);
    json_array_foreach(json_object_get(figures, "figures"), i, f)
    {
        const json_t *against = json_object_get(f, "against");
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            print_cell(to, word_at(f, words[k]));
            fputc(',', to);
        }
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            fprintf(to, "%.6g,", number_at(f, counts[k]));
        if (json_is_integer(json_object_get(figures, "max_tokens")))
            fprintf(to, "%.0f", number_at(figures, "max_tokens"));
        fputc(',', to);
        print_cell(to, word_at(against, "arm"));
        for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
            if (json_is_object(against))
                fprintf(to, ",%.6g", number_at(against, pairs[k]));
            else
                fputc(',', to);
        fputc('\n', to);
    }
}
