/* What `rein eval prefix` works on: prompts, the arms' policies, and the policy that searches for refusals.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A template is wrapped into a policy of its own, so that all arms are alike and all errors are reported in the same
 * way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asking/json_lines.h"
#include "eval/eval_library.h"
#include "prefix/eval_prefix.h"
#include "rein/doc.h"

static const char detector_text[] = "version: 1\n"
                                    "name: detector\n"
                                    "patterns: { inconsistency: { complies: { action: record } } }\n"
                                    "lexicons: [english]\n";

/* ---- prompts ---- */

struct reading {
    struct eval_inputs *in;
    struct rein_problems *problems;
    const char *file;
    size_t limit, taken, cap;
};

static const char *why_no_prompt(const json_t *row)
{
    const char *label = json_string_value(json_object_get(row, "label"));
    const char *prompt = json_string_value(json_object_get(row, "prompt"));
    const json_t *answer = json_object_get(row, "answer");
    if (!json_is_string(json_object_get(row, "id")))
        return "`id` must be a text";
    if (prompt == NULL || *prompt == '\0')
        return "`prompt` must be a text";
    if (label == NULL || (strcmp(label, "harmful") != 0 && strcmp(label, "benign") != 0))
        return "`label` must be harmful or benign";
    return answer == NULL || json_is_null(answer) || json_is_string(answer) ? NULL : "`answer` must be a text";
}

static int take_prompt(struct reading *r, json_t *row)
{
    struct eval_inputs *in = r->in;
    if (in->prompts_len == r->cap) {
        size_t cap = r->cap > 0 ? 2 * r->cap : 256;
        struct eval_prompt *prompts = realloc(in->prompts, cap * sizeof *prompts);
        if (prompts == NULL)
            return REIN_ENOMEM;
        in->prompts = prompts;
        r->cap = cap;
    }
    in->prompts[in->prompts_len++] = (struct eval_prompt){
        .row = json_incref(row),
        .id = json_string_value(json_object_get(row, "id")),
        .text = json_string_value(json_object_get(row, "prompt")),
        .answer = json_string_value(json_object_get(row, "answer")),
        .is_harmful = strcmp(json_string_value(json_object_get(row, "label")), "harmful") == 0,
    };
    r->taken++;
    return 0;
}

static int on_prompt(void *ctx, size_t line, json_t *row, const char *why)
{
    struct reading *r = ctx;
    if (r->limit > 0 && r->taken == r->limit)
        return 0;
    if (why == NULL)
        why = why_no_prompt(row);
    if (why == NULL && r->in->prompts_len == EVAL_PROMPTS_MAX)
        why = "there are too many prompts";
    if (why == NULL)
        return take_prompt(r, row);
    rein_problems_add(r->problems, r->file, (unsigned)line, 1, "", "%s", why);
    return r->in->prompts_len == EVAL_PROMPTS_MAX ? REIN_ELIMIT : 0;
}

static int load_prompts(struct eval_inputs *in, const struct eval_prefix_options *options,
                        struct rein_problems *problems)
{
    struct reading r = {.in = in, .problems = problems, .limit = options->limit};
    int rv = 0;
    for (size_t i = 0; i < options->prompt_files_len && rv == 0; i++) {
        r.file = options->prompt_files[i];
        r.taken = 0;
        rv = json_lines_read(r.file, on_prompt, &r, NULL);
        if (rv != REIN_EIO)
            continue;
        rein_problems_add(problems, r.file, 0, 0, "", "cannot be read: %s", strerror(errno));
        rv = 0;
    }
    return rv == REIN_ELIMIT ? 0 : rv;
}

/* ---- policies ---- */

/* Takes the name. */
static int add_arm(struct eval_inputs *in, char *name, struct rein_policy *policy)
{
    if (name == NULL)
        return REIN_ENOMEM;
    in->arms[in->arms_len++] = (struct eval_arm){name, policy != NULL ? rein_policy_ref(policy) : NULL};
    return 0;
}

static char *join(const char *first, const char *second)
{
    char *text = NULL;
    return asprintf(&text, "%s%s", first, second) < 0 ? NULL : text;
}

static int load_template(struct eval_inputs *in, const char *name, const struct rein_library *library,
                         struct rein_problems *problems)
{
    char *text = NULL;
    struct rein_policy *policy = NULL;
    if (asprintf(&text, "{version: 1, name: arm, prefix: {template: \"%s\", deliver: instruct, when: always}}", name) <
        0)
        return REIN_ENOMEM;
    struct rein_source source = {"--template", text, strlen(text)};
    int rv = rein_policy_load(&policy, &source, library, problems);
    free(text);
    if (rv == 0)
        rv = add_arm(in, strdup(name), policy);
    rein_policy_unref(policy);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int load_policy(struct eval_inputs *in, const char *path, const struct rein_library *library,
                       struct rein_problems *problems)
{
    struct rein_policy *policy = NULL;
    int rv = eval_policy_load(&policy, path, library, &in->detector, 1, problems);
    if (policy != NULL)
        rv = add_arm(in, join("policy:", rein_policy_settings(policy)->name), policy);
    rein_policy_unref(policy);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int load_arms(struct eval_inputs *in, const struct eval_prefix_options *options,
                     const struct rein_library *library, struct rein_problems *problems)
{
    int rv = add_arm(in, strdup("none"), NULL);
    for (size_t i = 0; i < options->template_names_len && rv == 0; i++)
        rv = load_template(in, options->template_names[i], library, problems);
    for (size_t i = 0; i < options->policy_files_len && rv == 0; i++)
        rv = load_policy(in, options->policy_files[i], library, problems);
    for (size_t i = 0; i < in->arms_len; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(in->arms[i].name, in->arms[k].name) == 0)
                rein_problems_add(problems, in->arms[i].name, 0, 0, "", "is given twice");
    return rv;
}

int eval_detector_load(struct rein_policy **detector, const struct rein_library *library,
                       struct rein_problems *problems)
{
    static const struct rein_source source = {"(detector)", detector_text, sizeof detector_text - 1};
    return rein_policy_load(detector, &source, library, problems);
}

static int load_policies(struct eval_inputs *in, const struct eval_prefix_options *options,
                         struct rein_problems *problems)
{
    struct policy_files_library files;
    int rv = eval_library_read(&files, options->library, problems);
    struct rein_library library = policy_files_lend(&files);
    if (rv == 0)
        rv = eval_detector_load(&in->detector, &library, problems);
    if (rv == 0)
        rv = load_arms(in, options, &library, problems);
    policy_files_library_fini(&files);
    return rv;
}

int eval_inputs_load(struct eval_inputs *in, const struct eval_prefix_options *options, struct rein_problems *problems)
{
    *in = (struct eval_inputs){0};
    int rv = rein_engine_new(&in->engine);
    if (rv == 0)
        rv = load_prompts(in, options, problems);
    if (rv == 0)
        rv = load_policies(in, options, problems);
    return rv == 0 ? rein_problems_result(problems) : rv;
}

void eval_inputs_fini(struct eval_inputs *in)
{
    for (size_t i = 0; i < in->prompts_len; i++)
        json_decref(in->prompts[i].row);
    free(in->prompts);
    for (size_t i = 0; i < in->arms_len; i++) {
        free(in->arms[i].name);
        rein_policy_unref(in->arms[i].policy);
    }
    rein_policy_unref(in->detector);
    rein_engine_free(in->engine);
    *in = (struct eval_inputs){0};
}
