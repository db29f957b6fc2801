/* Configs for tests: a folder with a policy, and loading what is written there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFIGKIT_H
#define TESTS_CONFIGKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "config/config.h"

/* A folder of its own for each test, with policies/p.yaml in it. */
struct fixture {
    char folder[64], path[128];
};

static inline void write_file(const struct fixture *f, const char *name, const char *text)
{
    char *path = files_join(f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/rein-config-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/rein.yaml", f->folder);
    char *policies = files_join(f->folder, "policies");
    assert_int_equal(mkdir(policies, 0700), 0);
    free(policies);
    write_file(f, "policies/p.yaml", "version: 1\nname: default\n");
    write_file(f, "policies/q.yml", "{\"version\": 1, \"name\": \"strict\"}");
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
    int rv = system(command);
    free(f);
    return rv;
}

/* As a program would that runs with `before`. NULL if the config has problems; the first one's message is then in
 * `why`. */
static inline struct config *reload(struct fixture *f, const struct config *before, const char *text, char why[300])
{
    struct rein_problems *problems;
    struct config *config = NULL;
    write_file(f, "rein.yaml", text);
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = config_reload(&config, f->path, before, problems);
    const struct rein_problem *first = rein_problems_at(problems, 0);
    snprintf(why, 300, "%s: %s", first != NULL ? first->key : "", first != NULL ? first->message : "");
    assert_int_equal(rv, first == NULL ? 0 : REIN_EPOLICY);
    rein_problems_free(problems);
    return config;
}

static inline struct config *load(struct fixture *f, const char *text, char why[300])
{
    return reload(f, NULL, text, why);
}

static const char minimal[] = "version: 1\n"
                              "upstreams: [{ name: local, url: 'http://127.0.0.1:9000/' }]\n"
                              "routes: [{ name: all, upstream: local }]\n";

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
