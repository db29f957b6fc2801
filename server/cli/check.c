/* `rein check`: configs, policies, templates, lexicons, models and judges, without serving.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a file is, its keys say. Good files are listed on stdout, all errors of all files come on stderr. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "backends/backend.h"
#include "base/files.h"
#include "cli/check_builtins.h"
#include "cli/cli.h"
#include "config/config.h"
#include "config/config_schema.h"
#include "config/keys.h"
#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "judges/described.h"
#include "rein/doc.h"

enum { FOLDERS_DEEP_MAX = 8, SCHEMAS = 7 };

static const struct cli_document_kind *more_kinds[CLI_DOCUMENT_KINDS_MAX];
static size_t more_kinds_len;

void cli_check_knows(const struct cli_document_kind *kind)
{
    assert(more_kinds_len < CLI_DOCUMENT_KINDS_MAX);
    more_kinds[more_kinds_len++] = kind;
}

struct check {
    struct policy_files_places places;
    bool with_secrets; /* missing ones are problems too */
    struct rein_problems *problems, *absent;
};

typedef const struct rein_schema *schema_list[SCHEMAS + CLI_DOCUMENT_KINDS_MAX + 1];

static void list_schemas(schema_list schemas)
{
    schemas[0] = config_schema();
    schemas[1] = rein_schema_policy();
    schemas[2] = rein_schema_template();
    schemas[3] = rein_schema_lexicon();
    schemas[4] = rein_schema_model();
    schemas[5] = keys_schema();
    schemas[6] = judge_description_schema();
    for (size_t i = 0; i < more_kinds_len; i++)
        schemas[SCHEMAS + i] = more_kinds[i]->schema;
    schemas[SCHEMAS + more_kinds_len] = NULL;
}

/* ---- one file ---- */

static void print_apis(const struct config_upstream *upstream)
{
    char list[256];
    api_list(upstream->apis, list, sizeof list);
    printf("  upstream %s (%s) serves %s\n", upstream->name, upstream->kind,
           *list != '\0' ? list : "no API of this version");
}

static int check_config(struct check *c, const char *path)
{
    struct config *config;
    int rv = config_check(&config, path, c->problems, c->absent);
    if (rv != 0)
        return rv;
    printf("%s: config, %zu routes, %zu upstreams, %zu policies\n", path, config->routes_len, config->upstreams_len,
           config->policies_len);
    for (size_t i = 0; i < config->upstreams_len; i++)
        print_apis(&config->upstreams[i]);
    config_unref(config);
    return 0;
}

/* Fields that a policy accepts although Rein does not know them or would not refuse them. */
static int warn_of_fields(struct check *c, const struct rein_source *source, const char *const *allow)
{
    struct rein_doc *doc;
    int rv = *allow != NULL ? rein_doc_read(&doc, source, c->problems) : 0;
    if (*allow == NULL || rv != 0)
        return rv;
    const struct rein_node *list = rein_node_get(rein_doc_root(doc), "request.allow");
    for (const struct rein_node *at = list != NULL ? list->first : NULL; at != NULL; at = at->next) {
        bool is_refused, is_known = backend_knows_field(at->text, &is_refused);
        const char *nearest = is_known ? NULL : backend_nearest_field(at->text);
        if (!is_known)
            rein_problems_warn(c->problems, at, NULL,
                               "Rein does not know the field `%.64s`; only a field with exactly this name passes%s%s%s",
                               at->text, nearest != NULL ? " (did you mean `" : "", nearest != NULL ? nearest : "",
                               nearest != NULL ? "`?)" : "");
        else if (!is_refused)
            rein_problems_warn(c->problems, at, NULL,
                               "no kind of upstream refuses or drops `%.64s`, so this entry has no effect: remove it",
                               at->text);
    }
    rein_doc_free(doc);
    return 0;
}

static int check_policy(struct check *c, const struct rein_source *source)
{
    struct policy_files_library files = {0};
    struct rein_policy *policy;
    int rv = policy_files_find(&files, source->name, &c->places, c->problems);
    struct rein_library library = policy_files_lend(&files);
    library.any_judge = true; /* a config says which there are */
    if (rv == 0)
        rv = rein_policy_load(&policy, source, &library, c->problems);
    if (rv == 0) {
        const struct rein_policy_settings *s = rein_policy_settings(policy);
        printf("%s: policy %s, version %s, holds at most %zu bytes\n", source->name, s->name, s->version,
               s->worst_hold);
        printf("  %s%s\n", *s->model != '\0' ? "model " : "no model: judges by words alone", s->model);
        rv = warn_of_fields(c, source, s->request.allow);
        rein_policy_unref(policy);
    }
    policy_files_library_fini(&files);
    return rv;
}

static int check_keys(struct check *c, const char *path)
{
    struct keys *keys;
    int rv = keys_load(&keys, path, c->problems);
    if (rv == 0) {
        printf("%s: %zu keys\n", path, keys_count(keys));
        keys_free(keys);
    }
    return rv;
}

static int check_judge(struct check *c, const struct rein_source *source)
{
    struct judge_description *description;
    int rv = judge_description_load(&description, source, c->problems);
    if (rv == 0) {
        printf("%s: judge %s, asked at %s\n", source->name, judge_description_name(description),
               judge_description_path(description));
        judge_description_free(description);
    }
    return rv;
}

static int check_other(struct check *c, const struct rein_source *source, const struct rein_schema *schema)
{
    int rv = rein_library_check(source, schema, c->problems);
    if (rv == 0)
        printf("%s: %s\n", source->name, schema->name);
    return rv;
}

static int guess(const struct rein_source *source, struct rein_problems *problems, const struct rein_schema **schema)
{
    schema_list schemas;
    struct rein_doc *doc;
    list_schemas(schemas);
    int rv = rein_doc_read(&doc, source, problems);
    if (rv != 0)
        return rv;
    *schema = rein_doc_guess(doc, schemas);
    if (*schema == NULL) {
        rein_problems_add(
            problems, source->name, 0, 0, "",
            "is not a config, policy, template, lexicon, model, keys file, judge, demo script or cases file");
        rv = REIN_EPOLICY;
    }
    rein_doc_free(doc);
    return rv;
}

static int check_source(struct check *c, const struct rein_source *source)
{
    const struct rein_schema *schema;
    int rv = guess(source, c->problems, &schema);
    if (rv != 0)
        return rv;
    if (schema == config_schema())
        return check_config(c, source->name);
    if (schema == rein_schema_policy())
        return check_policy(c, source);
    if (schema == keys_schema())
        return check_keys(c, source->name);
    if (schema == judge_description_schema())
        return check_judge(c, source);
    for (size_t i = 0; i < more_kinds_len; i++)
        if (schema == more_kinds[i]->schema)
            return more_kinds[i]->check(source, c->problems);
    return check_other(c, source, schema);
}

/* ---- files and folders ---- */

static int check_file(struct check *c, const char *path)
{
    struct policy_files_folder file = {0};
    int rv = policy_files_read_file(&file, path, c->problems);
    if (rv == 0 && file.len > 0)
        rv = check_source(c, &file.sources[0]);
    policy_files_fini(&file);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int check_path(struct check *c, const char *path, unsigned depth);

static int check_each(struct check *c, const char *folder, int (*list_them)(struct files_list *, const char *),
                      unsigned depth)
{
    struct files_list list;
    int rv = list_them(&list, folder);
    if (rv != 0) {
        rein_problems_add(c->problems, folder, 0, 0, "", "cannot be read: %s", strerror(-rv));
        return rv == -ENOMEM ? REIN_ENOMEM : 0;
    }
    for (size_t i = 0; i < list.len && rv == 0; i++)
        rv = check_path(c, list.paths[i], depth + 1);
    files_list_fini(&list);
    return rv;
}

static int check_path(struct check *c, const char *path, unsigned depth)
{
    if (!files_is_folder(path))
        return check_file(c, path);
    if (depth > FOLDERS_DEEP_MAX)
        return 0;
    int rv = check_each(c, path, files_documents, depth);
    return rv == 0 ? check_each(c, path, files_folders, depth) : rv;
}

/* ---- the command ---- */

static int print_schema(const char *name, int (*print)(const struct rein_schema *, char **))
{
    schema_list schemas;
    list_schemas(schemas);
    for (size_t i = 0; schemas[i] != NULL; i++) {
        char *text;
        if (strcmp(schemas[i]->name, name) != 0)
            continue;
        if (print(schemas[i], &text) != 0)
            return CLI_FAILED;
        size_t len = strlen(text);
        printf("%s%s", text, len > 0 && text[len - 1] == '\n' ? "" : "\n");
        rein_text_free(text);
        return CLI_OK;
    }
    return cli_usage(&cli_check,
                     "there is no schema `%s`; the schemas are config, policy, template, lexicon, model, keys, judge, "
                     "demo and cases",
                     name);
}

static int print_reference(const char *name)
{
    bool is_fields = strcmp(name, "request-fields") == 0;
    if (!is_fields && strcmp(name, "builtins") != 0)
        return print_schema(name, rein_schema_reference);
    char *page = is_fields ? backend_fields_page() : cli_builtins_page();
    if (page != NULL)
        fputs(page, stdout);
    free(page);
    return page != NULL ? CLI_OK : CLI_FAILED;
}

static int check_all(struct check *c, int argc, char **argv)
{
    int rv = lexicon_cache_use_own();
    if (rv == 0)
        rv = rein_problems_new(&c->problems);
    if (rv == 0 && c->with_secrets)
        c->absent = c->problems;
    else if (rv == 0)
        rv = rein_problems_new(&c->absent);
    for (int i = 0; i < argc && rv == 0; i++)
        rv = check_path(c, argv[i], 0);
    if (rv == 0)
        rv = rein_problems_result(c->problems);
    if (c->absent != NULL && c->absent != c->problems) {
        cli_print_notes(c->absent, "`rein serve` will need it");
        rein_problems_free(c->absent);
    }
    if (c->problems != NULL) {
        cli_print_warnings(c->problems);
        cli_print_problems(c->problems);
    }
    rein_problems_free(c->problems);
    if (rv != 0 && rv != REIN_EPOLICY)
        fprintf(stderr, "rein check: %s\n", rein_strerror(rv));
    return rv == 0 ? CLI_OK : rv == REIN_EPOLICY ? CLI_CONFIG : CLI_FAILED;
}

static int check_run(int argc, char **argv)
{
    struct check c = {0};
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at += 2) {
        if (strcmp(argv[at], "--secrets") == 0) {
            c.with_secrets = true;
            at--;
            continue;
        }
        if (strcmp(argv[at], "--builtins") == 0)
            return cli_check_builtins(argc - at - 1, argv + at + 1);
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (at + 1 >= argc)
            return cli_usage(&cli_check, "%s needs a value", argv[at]);
        if (strcmp(argv[at], "--schema") == 0)
            return print_schema(argv[at + 1], rein_schema_json);
        if (strcmp(argv[at], "--reference") == 0)
            return print_reference(argv[at + 1]);
        if (strcmp(argv[at], "--templates") == 0)
            c.places.templates = argv[at + 1];
        else if (strcmp(argv[at], "--lexicons") == 0)
            c.places.lexicons = argv[at + 1];
        else if (strcmp(argv[at], "--models") == 0)
            c.places.models = argv[at + 1];
        else if (strcmp(argv[at], "--lists") == 0)
            c.places.lists = argv[at + 1];
        else
            return cli_usage(&cli_check, "unknown option %s", argv[at]);
    }
    if (at >= argc)
        return cli_usage(&cli_check, "name at least one file or folder");
    return check_all(&c, argc - at, argv + at);
}

const struct cli_command cli_check = {
    .name = "check",
    .summary = "check configs, policies, templates, lexicons, models and judges",
    .help =
        "usage: rein check [--secrets] [--templates DIR] [--lexicons DIR] [--models DIR] [--lists DIR] PATH...\n"
        "       rein check --schema NAME\n"
        "       rein check --reference NAME\n"
        "       rein check --builtins [--json] [--seed N]\n"
        "\n"
        "Checks files, and all documents in folders, without serving. The keys of a file decide what kind of file "
        "it is.\nThe templates, lexicons, models and lists of a policy are searched next to its folder. The tests in a "
        "lexicon "
        "are run.\n\nReports every error for which `rein serve` would refuse a config. Files and environment "
        "variables with secrets may\nbe missing on the machine that checks: this is a note and not an error, "
        "unless --secrets is given.\n\n"
        "  --secrets         missing secrets are errors\n  --templates DIR   the templates that policies refer to\n"
        "  --lexicons DIR    the lexicons that policies refer to\n"
        "  --models DIR      the models that policies refer to\n"
        "  --lists DIR       the lists of words that policies refer to\n"
        "  --schema NAME     print a JSON Schema; NAME is config, policy, template, lexicon, model, keys, judge, "
        "demo or cases\n"
        "  --reference NAME  print the reference page, in Markdown; NAME is one of these, request-fields or builtins\n"
        "  --builtins        list the built-in rules, with what each finds in generated samples and noise\n"
        "\n"
        "Valid files are listed on stdout. Errors go to stderr, one per line, as file:line:column: key: message. "
        "So do\nwarnings, with the prefix `warning: `: they point out settings that work but are probably not "
        "intended, and do not\nchange the exit status.\nExit status: 0 no errors, 2 wrong usage, 3 a file has "
        "errors, 1 any other error.\n",
    .run = check_run,
};
