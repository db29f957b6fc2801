/* See judges.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/judges.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asking/config_parts.h"
#include "asking/node_text.h"
#include "asking/temporary_folder.h"
#include "base/files.h"
#include "cli/cli.h"

enum { TAIL_MAX = 32 << 10 }; /* as of texts that are served */

static void write_described(FILE *to, const struct judges_source *s)
{
    char *whole = judge_kind_find(s->what) == NULL ? realpath(s->what, NULL) : NULL;
    fprintf(to, "judges:\n  - { name: %s, %s: ", JUDGES_DESCRIBED,
            judge_kind_find(s->what) != NULL ? "kind" : "description");
    node_text_quote(to, whole != NULL ? whole : s->what);
    free(whole);
    fputs(", url: ", to);
    node_text_quote(to, s->url);
    if (s->model != NULL) {
        fputs(", model: ", to);
        node_text_quote(to, s->model);
    }
    if (s->api_key_env != NULL) {
        fputs(", api_key_env: ", to);
        node_text_quote(to, s->api_key_env);
    }
    fprintf(to, ", calls: %u, timeout_ms: %u }\n", s->calls_max, s->timeout_s * 1000);
}

static bool is_known(const char *program, const char *what)
{
    if (judge_kind_find(what) != NULL || access(what, R_OK) == 0)
        return true;
    fprintf(stderr, "%s: `%s` is neither a kind of judge that is built in, nor a file that can be read\n", program,
            what);
    return false;
}

static int write_judges(FILE *to, const char *program, const struct judges_source *s)
{
    if (s->config == NULL && !is_known(program, s->what))
        return REIN_EPOLICY;
    static const char *const parts[] = {"judges", NULL};
    /* A config has routes; nobody is served by these. */
    fputs("version: 1\nupstreams:\n  - { name: none, url: \"http://127.0.0.1:9\" }\n"
          "routes:\n  - { name: none, upstream: none, policy: none }\n",
          to);
    if (s->config != NULL)
        return config_parts_write(to, program, s->config, parts);
    write_described(to, s);
    return 0;
}

static int write_into(const char *folder, const char *name, const char *text)
{
    char *path = files_join(folder, name);
    int rv = path == NULL ? -ENOMEM : files_make_folder_of(path);
    if (rv >= 0)
        rv = files_replace(path, text, strlen(text));
    free(path);
    return rv == -ENOMEM ? REIN_ENOMEM : rv < 0 ? REIN_EIO : 0;
}

static int load_written(struct config **out, const char *folder, const char *text)
{
    struct rein_problems *problems;
    char *path = files_join(folder, "judges.yaml");
    int rv = path != NULL ? write_into(folder, "judges.yaml", text) : REIN_ENOMEM;
    if (rv == 0)
        rv = write_into(folder, "policies/none.yaml", "version: 1\nname: none\n");
    if (rv == 0)
        rv = rein_problems_new(&problems);
    if (rv == 0) {
        rv = config_load(out, path, problems);
        cli_print_problems(problems);
        rein_problems_free(problems);
    }
    free(path);
    return rv;
}

/* A signal waits until the folder is gone. */
static int load_in_folder(struct config **out, const char *text)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    char *folder = temporary_folder_make();
    int rv = folder != NULL ? load_written(out, folder, text) : REIN_EIO;
    if (folder != NULL)
        temporary_folder_remove(folder);
    free(folder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

int judges_load(struct config **out, const char *program, const struct judges_source *source)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return REIN_ENOMEM;
    int rv = write_judges(to, program, source);
    if (fclose(to) == EOF && rv == 0)
        rv = REIN_ENOMEM;
    if (rv == 0)
        rv = load_in_folder(out, text);
    /* Each question is asked, so that what it costs does not depend on which came first. */
    for (size_t i = 0; rv == 0 && i < (*out)->judges_len; i++)
        (*out)->judges[i].settings.known_max = 0;
    free(text);
    return rv;
}

static const struct judge_settings *settings_at(const void *config, size_t index)
{
    return &((const struct config *)config)->judges[index].settings;
}

static bool is_probed(const void *config, size_t index)
{
    return ((const struct config *)config)->judges[index].probe;
}

int judges_open(struct judge_set **out, const struct config *config, struct asking *asking, loop_fn done, void *ctx)
{
    return judge_set_new(out, &(struct judge_set_options){.len = config->judges_len,
                                                          .settings = settings_at,
                                                          .is_probed = is_probed,
                                                          .source = config,
                                                          .loop = asking_loop(asking),
                                                          .pool = asking_pool(asking),
                                                          .done = done,
                                                          .ctx = ctx});
}

const char *judges_tail(const char *text)
{
    size_t len = strlen(text);
    text += len > TAIL_MAX ? len - TAIL_MAX : 0;
    while (((unsigned char)*text & 0xC0) == 0x80)
        text++;
    return text;
}
