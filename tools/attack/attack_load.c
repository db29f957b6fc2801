/* What `rein eval attack` works on: rows, policies, and who judges.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asking/json_lines.h"
#include "attack/attack.h"
#include "base/files.h"
#include "cli/cli.h"
#include "eval/eval_library.h"
#include "prefix/eval_prefix.h"
#include "rein/doc.h"

/* ---- rows ---- */

struct set_reading {
    struct attack_inputs *in;
    struct rein_problems *problems;
    struct attack_set *set;
    const char *file;
    size_t limit;
    size_t *cap;
};

/* The first of the keys that has a text. */
static const char *first_text_of_row(const json_t *row, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const char *text = json_string_value(json_object_get(row, *keys));
        if (text != NULL && *text != '\0')
            return text;
    }
    return NULL;
}

static const char *read_row(struct attack_row *out, json_t *row, enum attack_kind kind, size_t line)
{
    static const char *const asked[] = {"final_query", "query", "prompt", "problem", "question", NULL};
    static const char *const category[] = {"category", NULL}, *const answer[] = {"answer", NULL};
    *out = (struct attack_row){.source = row, .line = line, .asked = first_text_of_row(row, asked)};
    out->query = first_text_of_row(row, asked + 1);
    out->query = out->query != NULL ? out->query : out->asked;
    out->category = first_text_of_row(row, category);
    out->category = out->category != NULL ? out->category : "";
    out->answer = first_text_of_row(row, answer);
    if (out->asked == NULL)
        return "there is neither `final_query` nor `query`, `prompt` or `problem`";
    return kind == ATTACK_MATH && out->answer == NULL ? "mathematics needs an `answer`, a text" : NULL;
}

static int take_attack_row(struct set_reading *r, const struct attack_row *row)
{
    struct attack_inputs *in = r->in;
    if (in->rows_len == *r->cap) {
        size_t cap = *r->cap > 0 ? 2 * *r->cap : 256;
        struct attack_row *rows = realloc(in->rows, cap * sizeof *rows);
        if (rows == NULL)
            return REIN_ENOMEM;
        in->rows = rows;
        *r->cap = cap;
    }
    in->rows[in->rows_len] = *row;
    json_incref(in->rows[in->rows_len++].source);
    r->set->len++;
    return 0;
}

static int on_attack_line(void *ctx, size_t line, json_t *object, const char *why)
{
    struct set_reading *r = ctx;
    struct attack_row row;
    if (r->limit > 0 && r->set->len == r->limit)
        return 0;
    if (why == NULL)
        why = read_row(&row, object, r->set->kind, line);
    if (why == NULL && r->in->rows_len == ATTACK_ROWS_MAX)
        why = "there are too many rows";
    if (why == NULL)
        return take_attack_row(r, &row);
    rein_problems_add(r->problems, r->file, (unsigned)line, 1, "", "%s", why);
    return 0;
}

/* "NAME=FILE" has its own name; else it is the file's, without folder and ending. */
static char *set_name(const char *given, const char **file)
{
    const char *equal = strchr(given, '='), *slash = strrchr(given, '/');
    if (equal != NULL && (slash == NULL || equal < strchr(given, '/'))) {
        *file = equal + 1;
        return strndup(given, (size_t)(equal - given));
    }
    const char *base = slash != NULL ? slash + 1 : given, *dot = strrchr(base, '.');
    *file = given;
    return dot != NULL && dot > base ? strndup(base, (size_t)(dot - base)) : strdup(base);
}

static int load_set(struct attack_inputs *in, const struct attack_options *o, size_t i, size_t *cap,
                    struct rein_problems *problems)
{
    struct attack_set *set = &in->sets[in->sets_len];
    struct set_reading r = {in, problems, set, NULL, o->limit, cap};
    *set = (struct attack_set){
        .name = set_name(o->files[i].given, &r.file), .kind = o->files[i].kind, .first = in->rows_len};
    if (set->name == NULL)
        return REIN_ENOMEM;
    in->sets_len++;
    for (size_t k = 0; k + 1 < in->sets_len; k++)
        if (in->sets[k].kind == set->kind && strcmp(in->sets[k].name, set->name) == 0)
            rein_problems_add(problems, r.file, 0, 0, "", "another file has the name %s: call this one NAME=FILE",
                              set->name);
    int rv = json_lines_read(r.file, on_attack_line, &r, NULL);
    if (rv == REIN_EIO) {
        rein_problems_add(problems, r.file, 0, 0, "", "cannot be read: %s", strerror(errno));
        return 0;
    }
    if (rv == 0 && set->len == 0 && rein_problems_count(problems) == 0)
        rein_problems_add(problems, r.file, 0, 0, "", "has no row");
    return rv;
}

/* ---- policies ---- */

struct policy_loading {
    struct attack_inputs *in;
    const struct rein_library *library;
    struct rein_problems *problems;
};

/* Takes the text. `name` is the file's, for messages. */
static int add_policy(struct policy_loading *l, const char *name, char *text, const struct attack_policy *about)
{
    struct attack_inputs *in = l->in;
    struct rein_policy *policy = NULL;
    struct attack_policy *p = &in->policies[in->policies_len];
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = about->file != NULL ? eval_policy_load_text(&policy, name, text, l->library, &in->detector, 1, l->problems)
                                 : rein_policy_load_beside(&policy, &(struct rein_source){name, text, strlen(text)},
                                                           l->library, &in->detector, 1, l->problems);
    if (rv == 0) {
        const struct rein_policy_settings *s = rein_policy_settings(policy);
        *p = *about;
        p->name = strdup(s->name);
        p->text = text;
        snprintf(p->version, sizeof p->version, "%s", s->version);
        in->policies_len++;
        rv = p->name != NULL ? 0 : REIN_ENOMEM;
        for (size_t i = 0; rv == 0 && i + 1 < in->policies_len; i++)
            if (strcmp(in->policies[i].name, p->name) == 0)
                rein_problems_add(l->problems, name, 0, 0, "name", "another policy of this run has the name `%s`",
                                  p->name);
    } else {
        free(text);
    }
    rein_policy_unref(policy);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int add_policy_file(struct policy_loading *l, const char *path)
{
    const struct attack_policy about = {.template = "", .deliver = "", .when = "", .file = path};
    char *text = NULL;
    size_t len;
    int rv = files_read(&text, &len, path, REIN_DOC_BYTES_MAX);
    if (rv >= 0)
        return add_policy(l, path, text, &about);
    rein_problems_add(l->problems, path, 0, 0, "", "cannot be read: %s", strerror(-rv));
    return 0;
}

/* A policy that does nothing but to deliver a prefix. */
static int add_combination(struct policy_loading *l, const char *template, const char *deliver, const char *when)
{
    const struct attack_policy about = {.template = template, .deliver = deliver, .when = when};
    char *text = NULL;
    if (asprintf(&text,
                 "version: 1\nname: \"%s.%s.%s\"\nprefix: { template: \"%s\", deliver: %s, when: %s }\n"
                 "reasoning: { show: stream, release: stream }\nrequest: { unknown: drop, unjudged_parts: pass }\n",
                 template, deliver, when, template, deliver, when) < 0)
        text = NULL;
    return add_policy(l, "--template", text, &about);
}

static int add_combinations(struct policy_loading *l, const struct attack_options *o)
{
    static const struct attack_names usual_deliver = {{"auto"}, 1}, usual_when = {{"always"}, 1};
    const struct attack_names *delivers = o->delivers.len > 0 ? &o->delivers : &usual_deliver;
    const struct attack_names *whens = o->whens.len > 0 ? &o->whens : &usual_when;
    int rv = 0;
    for (size_t t = 0; t < o->templates.len; t++)
        for (size_t d = 0; d < delivers->len; d++)
            for (size_t w = 0; w < whens->len && rv == 0; w++)
                rv = add_combination(l, o->templates.at[t], delivers->at[d], whens->at[w]);
    return rv;
}

static int add_policies(struct policy_loading *l, const struct attack_options *o)
{
    static const char plain[] = "version: 1\nname: plain\nreasoning: { show: stream, release: stream }\n"
                                "request: { unknown: drop, unjudged_parts: pass }\n";
    static const struct attack_policy about = {.template = "", .deliver = "", .when = ""};
    size_t delivers = o->delivers.len > 0 ? o->delivers.len : 1, whens = o->whens.len > 0 ? o->whens.len : 1;
    size_t all = 1 + o->policies.len + o->templates.len * delivers * whens;
    if (all > GUARD_POLICIES_MAX) {
        rein_problems_add(l->problems, "--template", 0, 0, "", "%zu policies are more than %d", all,
                          GUARD_POLICIES_MAX);
        return 0;
    }
    l->in->policies = calloc(all, sizeof *l->in->policies);
    int rv = l->in->policies != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0 && !o->no_plain)
        rv = add_policy(l, "plain", strdup(plain), &about);
    for (size_t i = 0; i < o->policies.len && rv == 0; i++)
        rv = add_policy_file(l, o->policies.at[i]);
    return rv == 0 ? add_combinations(l, o) : rv;
}

/* Policies may ask the judges of the config. */
static int load_attack_policies(struct attack_inputs *in, const struct attack_options *o,
                                struct rein_problems *problems)
{
    struct policy_files_library files;
    struct config *judges = NULL;
    struct rein_judge_name *names = NULL;
    int rv = eval_library_read(&files, o->library, problems);
    if (rv == 0 && o->config != NULL)
        rv = judges_load(&judges, ATTACK_PROGRAM, &(struct judges_source){.config = o->config});
    if (rv == 0 && judges != NULL)
        rv = config_judge_names(judges, &names);
    struct rein_library library = policy_files_lend(&files);
    library.judges = names;
    library.judges_len = names != NULL ? judges->judges_len : 0;
    struct policy_loading loading = {in, &library, problems};
    if (rv == 0)
        rv = eval_detector_load(&in->detector, &library, problems);
    if (rv == 0)
        rv = add_policies(&loading, o);
    policy_files_library_fini(&files);
    config_unref(judges);
    free(names);
    return rv;
}

/* ---- who judges ---- */

static int load_judge(struct attack_inputs *in, const struct attack_options *o, struct rein_problems *problems)
{
    if (o->judge == NULL)
        return 0;
    int rv = judges_load(&in->judges, ATTACK_PROGRAM, &o->judged_by);
    const char *name = o->judged_by.config != NULL ? o->judge : JUDGES_DESCRIBED;
    for (size_t i = 0; rv == 0 && i < in->judges->judges_len; i++)
        if (strcmp(in->judges->judges[i].name, name) == 0)
            in->judge = &in->judges->judges[i];
    if (rv == 0 && in->judge == NULL)
        rein_problems_add(problems, o->config, 0, 0, "judges", "there is no judge `%s`", name);
    if (in->judge != NULL && (!in->judge->settings.kind->judges(in->judge->settings.description, JUDGE_ANSWER)))
        rein_problems_add(problems, "--judge", 0, 0, "", "`%s` judges no answers", o->judge);
    return rv;
}

/* ---- all ---- */

int attack_inputs_load(struct attack_inputs *in, const struct attack_options *o)
{
    struct rein_problems *problems;
    size_t cap = 0;
    *in = (struct attack_inputs){0};
    int rv = rein_problems_new(&problems);
    if (rv != 0)
        return rv;
    rv = rein_engine_new(&in->engine);
    for (size_t i = 0; i < o->files_len && rv == 0; i++)
        rv = load_set(in, o, i, &cap, problems);
    if (rv == 0)
        rv = load_attack_policies(in, o, problems);
    if (rv == 0)
        rv = load_judge(in, o, problems);
    in->upstreams_len = o->upstreams.len > 0 ? o->upstreams.len : o->urls.len;
    in->arms_len = in->upstreams_len * in->policies_len;
    if (rv == 0)
        rv = rein_problems_result(problems);
    if (rv == 0 && in->policies_len == 0)
        rein_problems_add(problems, "--no-plain", 0, 0, "", "leaves no policy");
    if (rv == 0 && in->arms_len * in->rows_len > ATTACK_QUESTIONS_MAX)
        rein_problems_add(problems, "", 0, 0, "", "%zu questions are more than %d: use --limit",
                          in->arms_len * in->rows_len, ATTACK_QUESTIONS_MAX);
    cli_print_problems(problems);
    if (rv == 0)
        rv = rein_problems_result(problems);
    rein_problems_free(problems);
    return rv;
}

void attack_inputs_fini(struct attack_inputs *in)
{
    for (size_t i = 0; i < in->rows_len; i++)
        json_decref(in->rows[i].source);
    free(in->rows);
    for (size_t i = 0; i < in->sets_len; i++)
        free(in->sets[i].name);
    for (size_t i = 0; i < in->policies_len; i++) {
        free(in->policies[i].name);
        free(in->policies[i].text);
    }
    free(in->policies);
    config_unref(in->judges);
    rein_policy_unref(in->detector);
    rein_engine_free(in->engine);
    *in = (struct attack_inputs){0};
}

const char *attack_upstream_of(const struct attack_options *o, size_t upstream)
{
    return o->upstreams.len > 0 ? o->upstreams.at[upstream] : o->urls.at[upstream];
}

const char *attack_model_of(const struct attack_options *o, size_t upstream)
{
    return o->models.at[o->models.len > 1 ? upstream : 0];
}

char *attack_arm_name(const struct attack_inputs *in, const struct attack_options *o, size_t arm)
{
    size_t upstream = arm / in->policies_len;
    const char *policy = in->policies[arm % in->policies_len].name;
    char *name = NULL;
    if (in->upstreams_len == 1)
        return strdup(policy);
    const char *where = o->models.len > 1 ? attack_model_of(o, upstream) : attack_upstream_of(o, upstream);
    return asprintf(&name, "%s at %s", policy, where) < 0 ? NULL : name;
}
