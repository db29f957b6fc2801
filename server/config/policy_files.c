/* See policy_files.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/policy_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "rein/doc.h"

void policy_files_fini(struct policy_files_folder *folder)
{
    for (size_t i = 0; i < folder->len; i++) {
        free((char *)folder->sources[i].name);
        free((char *)folder->sources[i].text);
    }
    free(folder->sources);
    *folder = (struct policy_files_folder){0};
}

static int say(struct rein_problems *problems, const char *path, int rv)
{
    if (rv == -ENOMEM)
        return REIN_ENOMEM;
    rein_problems_add(problems, path, 0, 0, "", "cannot be read: %s", strerror(-rv));
    return 0;
}

static int policy_files_keep(struct policy_files_folder *folder, const char *path, char *text, size_t len)
{
    struct rein_source *sources = realloc(folder->sources, (folder->len + 1) * sizeof(*sources));
    char *name = strdup(path);
    if (sources != NULL)
        folder->sources = sources;
    if (sources == NULL || name == NULL) {
        free(name);
        free(text);
        return REIN_ENOMEM;
    }
    sources[folder->len++] = (struct rein_source){name, text, len};
    return 0;
}

enum { LIST_BYTES_MAX = 8 << 20 };

static int read_up_to(struct policy_files_folder *folder, const char *path, size_t max, struct rein_problems *problems)
{
    char *text;
    size_t len;
    int rv = files_read(&text, &len, path, max);
    return rv == 0 ? policy_files_keep(folder, path, text, len) : say(problems, path, rv);
}

int policy_files_read_file(struct policy_files_folder *folder, const char *path, struct rein_problems *problems)
{
    return read_up_to(folder, path, REIN_DOC_BYTES_MAX, problems);
}

/* What is listed of a folder. */
static int read_listed(struct policy_files_folder *folder, const char *path, bool must_exist,
                       int (*list_files)(struct files_list *, const char *), size_t max, struct rein_problems *problems)
{
    struct files_list list;
    int rv = list_files(&list, path);
    if (rv == -ENOENT && !must_exist)
        return 0;
    if (rv != 0)
        return say(problems, path, rv);
    for (size_t i = 0; i < list.len && rv == 0; i++)
        rv = read_up_to(folder, list.paths[i], max, problems);
    files_list_fini(&list);
    return rv;
}

int policy_files_read(struct policy_files_folder *folder, const char *path, bool must_exist,
                      struct rein_problems *problems)
{
    return read_listed(folder, path, must_exist, files_documents, REIN_DOC_BYTES_MAX, problems);
}

int policy_files_read_lists(struct policy_files_folder *folder, const char *path, bool must_exist,
                            struct rein_problems *problems)
{
    return read_listed(folder, path, must_exist, files_texts, LIST_BYTES_MAX, problems);
}

/* The folder `name` next to the policy's own: a/policies/p.yaml -> a/templates. */
static char *beside_folder(const char *policy, const char *name)
{
    char *own = files_beside(policy, "."), *path = NULL;
    size_t len = own != NULL ? strlen(own) : 0;
    if (len > 2)
        own[len - 2] = '\0'; /* "a/policies/." */
    const char *last = own != NULL && strrchr(own, '/') != NULL ? strrchr(own, '/') + 1 : own;
    if (own != NULL && strcmp(last, ".") != 0 && strcmp(last, "..") != 0 && *last != '\0')
        path = files_beside(own, name);
    else if (own != NULL && asprintf(&path, "%s/../%s", own, name) < 0)
        path = NULL;
    free(own);
    return path;
}

typedef int (*folder_reader)(struct policy_files_folder *folder, const char *path, bool must_exist,
                             struct rein_problems *problems);

static int find_folder(struct policy_files_folder *folder, const char *policy, const char *asked, const char *usual,
                       folder_reader read, struct rein_problems *problems)
{
    char *path = asked != NULL ? strdup(asked) : beside_folder(policy, usual);
    int rv = path != NULL ? read(folder, path, asked != NULL, problems) : REIN_ENOMEM;
    free(path);
    return rv;
}

/* What cannot be read is said of those that are asked for. */
int policy_files_read_beside(struct policy_files_folder *folder, const char *policy)
{
    struct rein_problems *unheard;
    const char *slash = strrchr(policy, '/');
    char *own = slash != NULL ? strndup(policy, (size_t)(slash - policy) + (slash == policy)) : strdup(".");
    int rv = own != NULL ? rein_problems_new(&unheard) : REIN_ENOMEM;
    if (rv == 0) {
        rv = policy_files_read(folder, own, false, unheard);
        rein_problems_free(unheard);
    }
    free(own);
    return rv;
}

int policy_files_find(struct policy_files_library *files, const char *policy, const struct policy_files_places *places,
                      struct rein_problems *problems)
{
    int rv = find_folder(&files->templates, policy, places->templates, "templates", policy_files_read, problems);
    if (rv == 0)
        rv = find_folder(&files->lexicons, policy, places->lexicons, "lexicons", policy_files_read, problems);
    if (rv == 0)
        rv = find_folder(&files->models, policy, places->models, "models", policy_files_read, problems);
    if (rv == 0)
        rv = find_folder(&files->lists, policy, places->lists, "lists", policy_files_read_lists, problems);
    return rv == 0 ? policy_files_read_beside(&files->policies, policy) : rv;
}

struct rein_library policy_files_lend(const struct policy_files_library *files)
{
    return (struct rein_library){.templates = files->templates.sources,
                                 .templates_len = files->templates.len,
                                 .lexicons = files->lexicons.sources,
                                 .lexicons_len = files->lexicons.len,
                                 .models = files->models.sources,
                                 .models_len = files->models.len,
                                 .lists = files->lists.sources,
                                 .lists_len = files->lists.len,
                                 .policies = files->policies.sources,
                                 .policies_len = files->policies.len};
}

void policy_files_library_fini(struct policy_files_library *files)
{
    policy_files_fini(&files->templates);
    policy_files_fini(&files->lexicons);
    policy_files_fini(&files->models);
    policy_files_fini(&files->lists);
    policy_files_fini(&files->policies);
}
