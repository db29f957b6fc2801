/* See guard.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The child's messages come through a pipe: the one that names its port is waited for; later ones are read by a thread,
 * so that the child never waits, and dropped. The child does not get the terminal's Ctrl-C, and ends with its parent.
 */
#include "asking/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asking/guard_config.h"
#include "asking/temporary_folder.h"
#include "base/files.h"
#include "base/thread.h"
#include "config/lexicon_cache.h"

enum { URL_MAX = 64, BEARER_MAX = KEYS_TEXT_MAX + 8, SAID_MAX = 1 << 16 };

struct guard {
    char *folder, *database;
    char (*bearers)[BEARER_MAX]; /* of each policy */
    char url[URL_MAX];
    pid_t child;
    FILE *said; /* what the child says; the thread reads it */
    pthread_t reader;
    bool is_reading;
};

/* ---- the child ---- */

_Noreturn static void become_server(const char *config, int said, pid_t parent)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* a parent may hold its signals back while it starts */
    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0 ||
        dup2(said, STDERR_FILENO) < 0 || setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
        getppid() != parent)
        _exit(127);
    execl("/proc/self/exe", "rein", "serve", "-c", config, (char *)NULL);
    _exit(127);
}

static int start_child(struct guard *g)
{
    int ends[2];
    char *config = files_join(g->folder, "rein.yaml");
    pid_t parent = getpid();
    if (config == NULL || pipe2(ends, O_CLOEXEC) < 0) {
        free(config);
        return REIN_EIO;
    }
    g->child = fork();
    if (g->child == 0)
        become_server(config, ends[1], parent);
    close(ends[1]);
    free(config);
    g->said = g->child > 0 ? fdopen(ends[0], "re") : NULL;
    if (g->said == NULL)
        close(ends[0]);
    return g->said != NULL ? 0 : REIN_EIO;
}

/* Reads up to the line that names the port. Without one, what the child said is said again. */
static int await_port(struct guard *g, const char *program)
{
    static const char mark[] = " serve: listening on http://";
    char *line = NULL, *all = NULL;
    size_t cap = 0, all_len;
    const char *at = NULL;
    FILE *kept = open_memstream(&all, &all_len);
    while (kept != NULL && at == NULL && getline(&line, &cap, g->said) > 0) {
        at = strstr(line, mark);
        if (at != NULL)
            snprintf(g->url, sizeof g->url, "http://%.*s", (int)strcspn(at + strlen(mark), " \r\n"), at + strlen(mark));
        else if (ftell(kept) < SAID_MAX)
            fputs(line, kept);
    }
    if (kept != NULL)
        fclose(kept);
    if (at == NULL)
        fprintf(stderr, "%s%s: the guard did not start\n", all != NULL ? all : "", program);
    free(all);
    free(line);
    return at != NULL ? 0 : REIN_EPOLICY;
}

static void *read_and_drop(void *ctx)
{
    char part[4096];
    while (read(fileno(((struct guard *)ctx)->said), part, sizeof part) > 0) {
    }
    return NULL;
}

/* ---- the guard ---- */

static int make_bearers(struct guard *g, const struct guard_options *o)
{
    char(*keys)[KEYS_TEXT_MAX] = calloc(o->policies_len, sizeof *keys);
    g->bearers = calloc(o->policies_len, sizeof *g->bearers);
    int rv = keys != NULL && g->bearers != NULL ? guard_config_write(g->folder, o, keys) : REIN_ENOMEM;
    for (size_t i = 0; i < o->policies_len && rv == 0; i++)
        snprintf(g->bearers[i], sizeof g->bearers[i], "Bearer %s", keys[i]);
    free(keys);
    return rv;
}

static int open_guard(struct guard *g, const struct guard_options *o)
{
    g->folder = temporary_folder_make();
    g->database = g->folder != NULL ? files_join(g->folder, "rein.db") : NULL;
    int rv = g->database != NULL ? 0 : REIN_EIO;
    if (rv == 0 && lexicon_cache_folder() == NULL)
        rv = lexicon_cache_use_own();
    if (rv == 0)
        rv = make_bearers(g, o);
    if (rv == 0)
        rv = start_child(g);
    if (rv == 0)
        rv = await_port(g, o->program);
    if (rv == 0)
        rv = thread_start(&g->reader, "rein-guard-log", read_and_drop, g);
    g->is_reading = rv == 0;
    return rv;
}

int guard_start(struct guard **out, const struct guard_options *o)
{
    struct guard *g = calloc(1, sizeof *g);
    if (g == NULL)
        return REIN_ENOMEM;
    int rv = open_guard(g, o);
    if (rv != 0)
        guard_stop(g);
    else
        *out = g;
    return rv;
}

const char *guard_url(const struct guard *g)
{
    return g->url;
}

const char *guard_authorization(const struct guard *g, size_t policy)
{
    return g->bearers[policy];
}

const char *guard_database(const struct guard *g)
{
    return g->database;
}

void guard_stop(struct guard *g)
{
    if (g == NULL)
        return;
    if (g->child > 0) {
        kill(g->child, SIGTERM);
        while (waitpid(g->child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (g->is_reading)
        pthread_join(g->reader, NULL);
    if (g->said != NULL)
        fclose(g->said);
    if (g->folder != NULL)
        temporary_folder_remove(g->folder);
    free(g->bearers);
    free(g->database);
    free(g->folder);
    free(g);
}
