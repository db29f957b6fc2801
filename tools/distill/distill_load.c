/* What `rein distill` asks: prompts, styles, the policy. See distill.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/node_text.h"
#include "base/files.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "dataset/element_reader.h"
#include "dataset/prompt_index.h"
#include "distill/distill.h"

enum { STYLE_BYTES_MAX = 1 << 16, KEPT_BYTES_MAX = 8 << 20, ADDED_MS_MAX = 600000, REPORTED_MAX = 20 };

/* ---- prompts ---- */

struct prompt_reading {
    struct distill_inputs *in;
    const struct distill_options *options;
    struct prompt_index *index;
    const char *path;
    size_t reported;
};

static const char *member_text(const json_t *object, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (json_is_string(json_object_get(object, *keys)))
            return json_string_value(json_object_get(object, *keys));
    return NULL;
}

static int prompt_keep(struct distill_inputs *in, const char *text, const char *id, const char *category)
{
    if (in->prompts_len == in->prompts_cap) {
        size_t cap = in->prompts_cap > 0 ? in->prompts_cap * 2 : 256;
        if (cap > DISTILL_PROMPTS_MAX)
            return REIN_ELIMIT;
        struct distill_prompt *prompts = realloc(in->prompts, cap * sizeof *prompts);
        if (prompts == NULL)
            return REIN_ENOMEM;
        in->prompts = prompts;
        in->prompts_cap = cap;
    }
    struct distill_prompt prompt = {.text = strdup(text), .category = category != NULL ? strdup(category) : NULL};
    int len = id != NULL ? asprintf(&prompt.id, "%s", id) : asprintf(&prompt.id, "%zu", in->prompts_len + 1);
    if (len < 0)
        prompt.id = NULL;
    in->prompts[in->prompts_len++] = prompt; /* fini frees it in any case */
    return prompt.text != NULL && prompt.id != NULL && (category == NULL || prompt.category != NULL) ? 0 : REIN_ENOMEM;
}

static int take_prompt(void *ctx, const struct element *element)
{
    static const char *const texts[] = {"prompt", "query", "question", NULL}, *const ids[] = {"id", NULL},
                             *const categories[] = {"category", NULL};
    struct prompt_reading *r = ctx;
    if (r->options->limit > 0 && r->in->prompts_len >= r->options->limit)
        return 0;
    json_t *object = json_loadb(element->text, element->len, JSON_REJECT_DUPLICATES, NULL);
    const char *text = member_text(object, texts);
    int rv = 0;
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0') {
        r->in->unusable++;
        if (r->reported++ < REPORTED_MAX)
            fprintf(stderr, "%s:%zu: has no text \"prompt\" or \"query\"; it is left out\n", r->path, element->line);
    } else {
        struct prompt_print print = prompt_print_of(text);
        enum prompt_match match;
        rv = prompt_index_add(r->index, &print, &match);
        r->in->same += rv == 0 && match == PROMPT_SAME;
        /* Prompts that are nearly the same may be variants of an attack: they are asked. A mix takes one of them. */
        if (rv == 0 && match != PROMPT_SAME)
            rv = prompt_keep(r->in, text, member_text(object, ids), member_text(object, categories));
    }
    json_decref(object);
    return rv;
}

static int prompts_read(struct prompt_reading *r)
{
    size_t line = 0;
    int rv = element_read_all(r->path, take_prompt, r, &line);
    if (rv == REIN_EIO)
        fprintf(stderr, "rein distill: %s: %s\n", r->path, strerror(errno));
    else if (rv == REIN_EFORMAT)
        fprintf(stderr, "%s:%zu: expects JSON objects, one a line or in one array\n", r->path, line);
    else if (rv != 0)
        fprintf(stderr, "%s:%zu: %s\n", r->path, line, rein_strerror(rv));
    return rv == 0 ? CLI_OK : CLI_FAILED;
}

static int prompts_load(struct distill_inputs *in, const struct distill_options *o)
{
    struct prompt_reading r = {.in = in, .options = o};
    int status = prompt_index_new(&r.index) == 0 ? CLI_OK : CLI_FAILED;
    for (size_t i = 0; i < o->files_len && status == CLI_OK; i++) {
        r.path = o->files[i];
        r.reported = 0;
        status = prompts_read(&r);
    }
    prompt_index_free(r.index);
    if (status == CLI_OK && in->prompts_len == 0) {
        fputs("rein distill: there is no usable prompt\n", stderr);
        status = CLI_FAILED;
    }
    return status;
}

/* ---- styles ---- */

static int style_load(struct distill_inputs *in, const struct distill_options *o, const char *name,
                      struct rein_problems *problems)
{
    char *path = NULL, *text = NULL;
    size_t len;
    if (asprintf(&path, "%s/styles/%s.yaml", o->library, name) < 0)
        return REIN_ENOMEM;
    int rv = files_read(&text, &len, path, STYLE_BYTES_MAX);
    if (rv < 0) {
        fprintf(stderr, "rein distill: %s: %s\n", path, strerror(-rv));
        free(path);
        return REIN_EPOLICY;
    }
    rv = style_read(&in->styles[in->styles_len], &(struct rein_source){path, text, len}, problems);
    in->styles_len += rv == 0;
    free(text);
    free(path);
    return rv;
}

/* ---- the policy ---- */

static void write_member(FILE *to, const struct rein_node *node)
{
    node_text_quote(to, node->key);
    fputs(": ", to);
    node_text_write(to, NULL, node);
    fputs(", ", to);
}

/* The policy as it is, but that it keeps all texts, and that restarts have time: nobody waits for the answer. */
static char *keeping_text(const struct rein_node *root)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return NULL;
    fputc('{', to);
    for (const struct rein_node *at = root->first; at != NULL; at = at->next)
        if (strcmp(at->key, "log") != 0 && strcmp(at->key, "steer") != 0)
            write_member(to, at);
    fputs("steer: {", to);
    const struct rein_node *steer = rein_node_get(root, "steer");
    for (const struct rein_node *at = steer != NULL ? steer->first : NULL; at != NULL; at = at->next)
        if (strcmp(at->key, "max_added_ms") != 0)
            write_member(to, at);
    fprintf(to, "max_added_ms: %d}, log: {text: full, max_bytes: %d}}\n", ADDED_MS_MAX, KEPT_BYTES_MAX);
    return fclose(to) == 0 ? text : (free(text), NULL);
}

static int policy_rewrite(struct distill_inputs *in, const struct rein_source *source, struct rein_problems *problems)
{
    struct rein_doc *doc = NULL;
    int rv = rein_doc_read(&doc, source, problems);
    if (rv == 0 && (in->policy_text = keeping_text(rein_doc_root(doc))) == NULL)
        rv = REIN_ENOMEM;
    rein_doc_free(doc);
    return rv;
}

/* A folder of the library, if it is there; owned. */
static char *library_folder(const char *library, const char *name)
{
    char *path = files_join(library, name);
    if (path != NULL && files_is_folder(path))
        return path;
    free(path);
    return NULL;
}

/* What the policy may refer to: the library, and the policies beside it. */
static int library_read(struct policy_files_library *files, const struct distill_options *o,
                        struct rein_problems *problems)
{
    char *templates = library_folder(o->library, "templates"), *lexicons = library_folder(o->library, "lexicons"),
         *models = library_folder(o->library, "models"), *lists = library_folder(o->library, "lists");
    const struct policy_files_places places = {
        .templates = templates, .lexicons = lexicons, .models = models, .lists = lists};
    int rv = policy_files_find(files, o->policy, &places, problems);
    free(templates);
    free(lexicons);
    free(models);
    free(lists);
    return rv;
}

/* Loads the policy: for its version and its prefixes, and to say what is wrong where it is. */
static int policy_try(struct distill_inputs *in, const struct distill_options *o, const struct rein_source *source,
                      struct rein_problems *problems)
{
    struct policy_files_library files = {0};
    struct rein_policy *policy = NULL;
    int rv = library_read(&files, o, problems);
    struct rein_library library = policy_files_lend(&files);
    library.any_judge = true; /* the guard knows which there are */
    if (rv == 0)
        rv = rein_policy_load(&policy, source, &library, problems);
    if (rv == 0) {
        const struct rein_policy_settings *settings = rein_policy_settings(policy);
        snprintf(in->policy_name, sizeof in->policy_name, "%s", settings->name);
        snprintf(in->policy_version, sizeof in->policy_version, "%s", settings->version);
        in->first_prefix = strdup(settings->prefix.text);
        in->restart_prefix = strdup(settings->steer.corrective);
        rv = in->first_prefix != NULL && in->restart_prefix != NULL ? 0 : REIN_ENOMEM;
    }
    rein_policy_unref(policy);
    policy_files_library_fini(&files);
    return rv;
}

static int policy_load(struct distill_inputs *in, const struct distill_options *o, struct rein_problems *problems)
{
    struct policy_files_folder file = {0};
    int rv = policy_files_read_file(&file, o->policy, problems);
    if (rv == 0)
        rv = file.len == 1 ? policy_try(in, o, &file.sources[0], problems) : REIN_EPOLICY;
    if (rv == 0)
        rv = policy_rewrite(in, &file.sources[0], problems);
    policy_files_fini(&file);
    return rv;
}

/* ---- all of it ---- */

/* Of what answers depend on, beside the question. Judges and upstreams of a config count with all of its text. */
static int run_hash(struct distill_inputs *in, const struct distill_options *o)
{
    char numbers[128], *config = NULL;
    size_t len;
    snprintf(numbers, sizeof numbers, "%lld %u %u %.9g", (long long)o->seed, o->max_tokens, o->tries, o->temperature);
    const char *const texts[] = {o->url != NULL ? o->url : "", o->kind, o->model,
                                 in->policy_version,           numbers, o->upstream != NULL ? o->upstream : ""};
    in->hash = ASKING_HASH_BEGIN;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        in->hash = asking_hash(in->hash, texts[i]);
    if (o->config == NULL)
        return CLI_OK;
    int rv = files_read(&config, &len, o->config, REIN_DOC_BYTES_MAX);
    if (rv < 0)
        fprintf(stderr, "rein distill: %s: %s\n", o->config, strerror(-rv));
    else
        in->hash = asking_hash(in->hash, config);
    free(config);
    return rv < 0 ? CLI_FAILED : CLI_OK;
}

static int documents_load(struct distill_inputs *in, const struct distill_options *o, struct rein_problems *problems)
{
    int rv = lexicon_cache_use_own();
    for (size_t i = 0; i < o->styles_len && rv == 0; i++)
        rv = style_load(in, o, o->styles[i], problems);
    return rv == 0 ? policy_load(in, o, problems) : rv;
}

int distill_inputs_load(struct distill_inputs *in, const struct distill_options *o)
{
    struct rein_problems *problems;
    *in = (struct distill_inputs){0};
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int rv = documents_load(in, o, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    if (rv != 0 && rv != REIN_EPOLICY)
        fprintf(stderr, "rein distill: %s\n", rein_strerror(rv));
    int status = rv == 0 ? run_hash(in, o) : rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
    if (status == CLI_OK)
        status = prompts_load(in, o);
    if (status == CLI_OK && distill_questions(in, o) > DISTILL_QUESTIONS_MAX) {
        fputs("rein distill: there are too many questions for one run; give it fewer prompts\n", stderr);
        status = CLI_USAGE;
    }
    return status;
}

void distill_inputs_fini(struct distill_inputs *in)
{
    for (size_t i = 0; i < in->prompts_len; i++) {
        free(in->prompts[i].text);
        free(in->prompts[i].id);
        free(in->prompts[i].category);
    }
    for (size_t i = 0; i < in->styles_len; i++)
        style_fini(&in->styles[i]);
    free(in->prompts);
    free(in->policy_text);
    free(in->first_prefix);
    free(in->restart_prefix);
}

void distill_key(char out[ASKING_KEY_SIZE], const struct distill_inputs *in, const struct distill_options *o,
                 size_t question)
{
    char sample[24];
    const struct style *style = &in->styles[question / o->samples % in->styles_len];
    const char *const texts[] = {in->prompts[question / o->samples / in->styles_len].text, style->name, style->before,
                                 style->after, sample};
    uint64_t hash = in->hash;
    snprintf(sample, sizeof sample, "%zu", question % o->samples);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash = asking_hash(hash, texts[i]);
    asking_key(out, hash);
}
