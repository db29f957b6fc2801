/* `rein key`: makes, lists and revokes clients' keys, and makes the admin token.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key's text is shown once, on stdout; the file holds its hash. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/keys.h"

static bool is_name(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= 64 && text[len] == '\0' && isalnum((unsigned char)text[0]);
}

static int key_fail(int rv, const char *path, const char *name, const char *state)
{
    int error = errno;
    if (rv == REIN_EPOLICY)
        return CLI_CONFIG;
    if (rv == REIN_ESTATE)
        fprintf(stderr, "rein key: %s: %s `%s`\n", path, state, name);
    else
        fprintf(stderr, "rein key: %s: %s\n", path, rv == REIN_EINVAL ? strerror(error) : rein_strerror(rv));
    return CLI_FAILED;
}

static int key_add(const char *path, const char *name, struct rein_problems *problems)
{
    char text[KEYS_TEXT_MAX];
    int rv = keys_add(path, name, "rein-", text, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there already is a key");
    printf("%s\n", text);
    fprintf(stderr, "This key is shown once. Clients send it as `Authorization: Bearer <key>`.\n");
    return CLI_OK;
}

static int list(const char *path, const char *name, struct rein_problems *problems)
{
    struct keys *keys;
    int rv = keys_load(&keys, path, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "");
    for (size_t i = 0; i < keys_count(keys); i++)
        printf("%s\n", keys_name(keys, i));
    keys_free(keys);
    return CLI_OK;
}

static int revoke(const char *path, const char *name, struct rein_problems *problems)
{
    int rv = keys_revoke(path, name, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there is no key");
    fprintf(stderr, "Revoked. A running server forgets it when it reloads (SIGHUP).\n");
    return CLI_OK;
}

static int token(const char *path, const char *name, struct rein_problems *problems)
{
    char text[KEYS_TEXT_MAX];
    (void)problems;
    int rv = keys_reset(path, name, "rein-admin-", text);
    if (rv != 0)
        return key_fail(rv, path, name, "");
    printf("%s\n", text);
    fprintf(stderr, "This token is shown once; the previous one is not valid any more. Operators send it as "
                    "`Authorization: Bearer <token>`.\n");
    return CLI_OK;
}

static const struct verb {
    const char *name;
    bool has_name;
    int (*run)(const char *path, const char *name, struct rein_problems *problems);
} verbs[] = {{"add", true, key_add}, {"list", false, list}, {"revoke", true, revoke}, {"token", false, token}};

static int run_verb(const struct verb *verb, const char *path, const char *name)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int status = verb->run(path, name, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    return status;
}

static int key_run(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        if (argc != 3 + verbs[i].has_name)
            return cli_usage(&cli_key, verbs[i].has_name ? "%s needs a file and a name" : "%s needs a file",
                             verbs[i].name);
        if (verbs[i].has_name && !is_name(argv[3]))
            return cli_usage(&cli_key, "a name has up to 64 letters, digits, '.', '_' and '-'");
        return run_verb(&verbs[i], argv[2], verbs[i].has_name ? argv[3] : "admin");
    }
    return cli_usage(&cli_key, "expects add, list, revoke or token");
}

const struct cli_command cli_key = {
    .name = "key",
    .summary = "make, list and revoke clients' keys and the admin token",
    .help = "usage: rein key add FILE NAME\n"
            "       rein key list FILE\n"
            "       rein key revoke FILE NAME\n"
            "       rein key token FILE\n"
            "\n"
            "FILE is the config's listen.keys_file, or admin.token_file for token. add and token print a new key "
            "to\nstdout, once. The file keeps only its hash, has mode 0600, and is replaced as a whole. A running "
            "server reads\nchanges on a reload (SIGHUP).\n\n"
            "Exit status: 0 done, 2 wrong usage, 3 the file has errors, 1 any other error.\n",
    .run = key_run,
};
