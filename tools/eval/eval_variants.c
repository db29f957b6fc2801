/* See eval_variants.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The policy's document is written again for each variant, without the parts that the variant does not have. */
#include "eval/eval_variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/node_text.h"
#include "config/policy_files.h"

static const char places_text[] = "version: 1\nname: places\nreasoning: { show: stream, release: stream }\n"
                                  "patterns:\n  lack_of_safety_awareness: { action: record }\n";
static const char places_model[] = "  outcome_risk: { reasoning: { action: record }, answer: { action: record } }\n"
                                   "model: ";

struct writing {
    FILE *to;
    const struct rein_node *root;
    const struct eval_panel *panel;
    enum eval_variant variant;
};

static void write_key(FILE *to, const char *key)
{
    node_text_quote(to, key);
    fputs(": ", to);
}

/* ---- patterns ---- */

/* What the score does when it acts; NULL: it does not. */
static const char *action_of_score(const struct rein_node *root)
{
    static const char *const paths[] = {"patterns.outcome_risk.reasoning.action",
                                        "patterns.outcome_risk.answer.action"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct rein_node *action = rein_node_get(root, paths[i]);
        if (action != NULL && strcmp(action->text, "record") != 0)
            return action->text;
    }
    return NULL;
}

/* A pattern that only records, because the score acts in its place, acts again. */
static void write_unaware(const struct writing *w, const struct rein_node *pattern)
{
    const char *action = action_of_score(w->root);
    const struct rein_node *own = rein_node_get(pattern, "action");
    if (action == NULL || own == NULL || strcmp(own->text, "record") != 0) {
        node_text_write(w->to, NULL, pattern);
        return;
    }
    fputc('{', w->to);
    for (const struct rein_node *at = pattern->first; at != NULL; at = at->next)
        if (at != own) {
            write_key(w->to, at->key);
            node_text_write(w->to, NULL, at);
            fputs(", ", w->to);
        }
    write_key(w->to, "action");
    node_text_quote(w->to, action);
    fputc('}', w->to);
}

static void write_patterns(const struct writing *w, const struct rein_node *patterns)
{
    const char *comma = "";
    fputc('{', w->to);
    for (const struct rein_node *at = patterns->first; at != NULL; at = at->next) {
        if (strcmp(at->key, "outcome_risk") == 0)
            continue;
        fputs(comma, w->to);
        write_key(w->to, at->key);
        if (strcmp(at->key, "lack_of_safety_awareness") == 0)
            write_unaware(w, at);
        else
            node_text_write(w->to, NULL, at);
        comma = ", ";
    }
    fputc('}', w->to);
}

/* ---- panels ---- */

static void write_described_panel(const struct writing *w)
{
    const struct eval_panel *p = w->panel;
    const char *when = p->when != NULL ? p->when : rein_node_get(w->root, "model") != NULL ? "uncertain" : "always";
    fputs("judges: [{id: judged, ask: ", w->to);
    node_text_quote(w->to, p->judge);
    fprintf(w->to, ", when: %s, every: {sentences: %u}, action: refuse, channels: [", when, p->sentences);
    const char *comma = "";
    for (unsigned c = 0; c < 8; c++)
        if ((p->channels & 1u << c) != 0) {
            fprintf(w->to, "%s%s", comma, rein_channel_name((enum rein_channel)c));
            comma = ", ";
        }
    fputs("]}]\n", w->to);
}

/* A panel that asks without acting. */
static void write_silent_panel(const struct writing *w, const struct rein_node *panel, bool always)
{
    static const char *const replaced[] = {"id", "action", "shadow", "on_error"};
    fprintf(w->to, "  - {id: panel-%zu, action: record, shadow: true", panel->index);
    for (const struct rein_node *at = panel->first; at != NULL; at = at->next) {
        bool skip = always && strcmp(at->key, "when") == 0;
        for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++)
            skip |= strcmp(at->key, replaced[i]) == 0;
        if (skip)
            continue;
        fputs(", ", w->to);
        write_key(w->to, at->key);
        node_text_write(w->to, NULL, at);
    }
    fputs(always ? ", when: always}\n" : "}\n", w->to);
}

static void write_places(const struct writing *w)
{
    const struct rein_node *model = rein_node_get(w->root, "model"), *panels = rein_node_get(w->root, "judges");
    const struct rein_node *lexicons = rein_node_get(w->root, "lexicons");
    fputs(places_text, w->to);
    if (model != NULL) {
        fputs(places_model, w->to);
        node_text_quote(w->to, model->text);
        fputc('\n', w->to);
    }
    if (lexicons != NULL) {
        fputs("lexicons: ", w->to);
        node_text_write(w->to, NULL, lexicons);
        fputc('\n', w->to);
    }
    fputs("judges:\n", w->to);
    for (const struct rein_node *at = panels != NULL ? panels->first : NULL; at != NULL; at = at->next)
        write_silent_panel(w, at, w->variant == EVAL_PLACES);
}

/* ---- documents ---- */

static void write_variant(const struct writing *w)
{
    bool keeps_panels = w->variant == EVAL_CASCADE && w->panel == NULL;
    if (w->variant == EVAL_ASKED || w->variant == EVAL_PLACES) {
        write_places(w);
        return;
    }
    for (const struct rein_node *at = w->root->first; at != NULL; at = at->next) {
        if ((strcmp(at->key, "judges") == 0 && !keeps_panels) ||
            (strcmp(at->key, "model") == 0 && w->variant == EVAL_WORDS))
            continue;
        write_key(w->to, at->key);
        if (strcmp(at->key, "patterns") == 0 && w->variant == EVAL_WORDS && at->kind == REIN_NODE_MAP)
            write_patterns(w, at);
        else
            node_text_write(w->to, NULL, at);
        fputc('\n', w->to);
    }
    if (w->variant == EVAL_CASCADE && w->panel != NULL)
        write_described_panel(w);
}

/* Owned; NULL: no memory. */
static char *variant_text(const struct rein_node *root, const struct eval_panel *panel, enum eval_variant variant)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return NULL;
    write_variant(&(struct writing){to, root, panel, variant});
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static int load_variant(struct eval_variants *out, const char *path, const char *text, enum eval_variant variant,
                        const struct rein_library *library, struct rein_problems *problems)
{
    return rein_policy_load_beside(&out->policies[variant], &(struct rein_source){path, text, strlen(text)}, library,
                                   out->policies, variant, problems);
}

static int read_document(struct rein_doc **doc, const char *path, const char *text, struct rein_problems *problems)
{
    int rv = rein_doc_read(doc, &(struct rein_source){path, text, strlen(text)}, problems);
    if (rv == 0 && rein_doc_root(*doc)->kind != REIN_NODE_MAP) {
        rein_problems_add(problems, path, 1, 1, "", "is not a policy");
        rv = REIN_EPOLICY;
    }
    return rv;
}

/* The silent panels are those of EVAL_CASCADE, so that text is read again. */
static int load_silent(struct eval_variants *out, const char *path, const char *cascade,
                       const struct rein_library *library, struct rein_problems *problems)
{
    struct rein_doc *doc = NULL;
    int rv = read_document(&doc, path, cascade, problems);
    for (enum eval_variant v = EVAL_ASKED; v <= EVAL_PLACES && rv == 0; v++) {
        char *text = variant_text(rein_doc_root(doc), NULL, v);
        rv = text != NULL ? load_variant(out, "(panels)", text, v, library, problems) : REIN_ENOMEM;
        free(text);
    }
    rein_doc_free(doc);
    return rv;
}

static int load_all(struct eval_variants *out, const char *path, const struct rein_node *root,
                    const struct eval_panel *panel, const struct rein_library *library, struct rein_problems *problems)
{
    char *texts[EVAL_ASKED] = {NULL};
    int rv = 0;
    if (panel == NULL && rein_node_get(root, "judges") == NULL) {
        rein_problems_add(problems, path, 1, 1, "judges", "the policy asks no judge: name one with --judge");
        return REIN_EPOLICY;
    }
    out->has_model = rein_node_get(root, "model") != NULL;
    for (enum eval_variant v = EVAL_WORDS; v < EVAL_ASKED && rv == 0; v++) {
        texts[v] = variant_text(root, panel, v);
        rv = texts[v] != NULL ? load_variant(out, path, texts[v], v, library, problems) : REIN_ENOMEM;
    }
    if (rv == 0)
        rv = load_silent(out, path, texts[EVAL_CASCADE], library, problems);
    for (size_t v = 0; v < EVAL_ASKED; v++)
        free(texts[v]);
    return rv;
}

/* What is wrong with the policy itself is said of the places where it is written, before it is taken apart. With a
 * panel of the command line, its own need no judges. */
static int check_policy(const struct rein_source *source, const struct eval_panel *panel,
                        const struct rein_library *library, struct rein_problems *problems)
{
    struct rein_policy *policy = NULL;
    struct rein_library any = *library;
    any.any_judge |= panel != NULL;
    int rv = rein_policy_load(&policy, source, &any, problems);
    rein_policy_unref(policy);
    return rv;
}

int eval_variants_load(struct eval_variants *out, const char *path, const struct eval_panel *panel,
                       const struct rein_library *library, struct rein_problems *problems)
{
    struct policy_files_folder file = {0}, beside = {0};
    struct rein_library whole = *library;
    struct rein_doc *doc = NULL;
    *out = (struct eval_variants){0};
    int rv = policy_files_read_file(&file, path, problems);
    if (rv == 0)
        rv = rein_problems_result(problems);
    if (rv == 0)
        rv = policy_files_read_beside(&beside, path);
    whole.policies = beside.sources;
    whole.policies_len = beside.len;
    if (rv == 0)
        rv = check_policy(&file.sources[0], panel, &whole, problems);
    if (rv == 0)
        rv = rein_policy_read(&doc, &file.sources[0], &whole, problems);
    if (rv == 0)
        rv = load_all(out, path, rein_doc_root(doc), panel, library, problems);
    rein_doc_free(doc);
    policy_files_fini(&beside);
    policy_files_fini(&file);
    return rv;
}

void eval_variants_fini(struct eval_variants *variants)
{
    for (size_t i = 0; i < EVAL_VARIANTS; i++)
        rein_policy_unref(variants->policies[i]);
    *variants = (struct eval_variants){0};
}
