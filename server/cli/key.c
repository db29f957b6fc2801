/* `rein key`: makes, lists and revokes clients' keys, and makes the admin token.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key's text is shown once, on stdout; the file holds its hash. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/keys.h"

static bool is_name(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= 64 && text[len] == '\0' && isalnum((unsigned char)text[0]);
}

static bool read_limit(const char *text, unsigned *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *out = (unsigned)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n >= 1 && n <= 1000000;
}

/* What may follow the name of `rein key add`. */
static bool read_term(struct key_terms *terms, const char *name, const char *value)
{
    if (strcmp(name, "--group") == 0 || strcmp(name, "--tenant") == 0) {
        *(strcmp(name, "--group") == 0 ? &terms->group : &terms->tenant) = value;
        return is_name(value);
    }
    if (strcmp(name, "--expires") == 0)
        return *(terms->expires = value) != '\0';
    if (strcmp(name, "--requests-per-minute") == 0)
        return read_limit(value, &terms->requests_per_minute);
    return strcmp(name, "--open-streams") == 0 && read_limit(value, &terms->open_streams);
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

static int key_add(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    char text[KEYS_TEXT_MAX];
    int rv = keys_add_with(path, name, "rein-", terms, text, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there already is a key");
    printf("%s\n", text);
    fprintf(stderr, "This key is shown once. Clients send it as `Authorization: Bearer <key>`.\n");
    return CLI_OK;
}

static int list(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    (void)terms;
    struct keys *keys;
    int rv = keys_load(&keys, path, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "");
    for (size_t i = 0; i < keys_count(keys); i++)
        printf("%s\n", keys_name(keys, i));
    keys_free(keys);
    return CLI_OK;
}

static int key_rotate(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    char text[KEYS_TEXT_MAX];
    (void)terms;
    int rv = keys_rotate(path, name, "rein-", text, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there is no key");
    printf("%s\n", text);
    fprintf(stderr, "This secret is shown once. The one before stays valid until `rein key retire %s %s`.\n", path,
            name);
    return CLI_OK;
}

static int key_retire(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    (void)terms;
    int rv = keys_retire(path, name, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there is no key with two secrets that is called");
    fprintf(stderr, "Only the newer secret is valid. A running server forgets the other when it reloads (SIGHUP).\n");
    return CLI_OK;
}

static int revoke(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    (void)terms;
    int rv = keys_revoke(path, name, problems);
    if (rv != 0)
        return key_fail(rv, path, name, "there is no key");
    fprintf(stderr, "Revoked. A running server forgets it when it reloads (SIGHUP).\n");
    return CLI_OK;
}

static int token(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems)
{
    char text[KEYS_TEXT_MAX];
    (void)terms;
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
    bool has_name, has_terms;
    int (*run)(const char *path, const char *name, const struct key_terms *terms, struct rein_problems *problems);
} verbs[] = {{"add", true, true, key_add},        {"list", false, false, list},    {"rotate", true, false, key_rotate},
             {"retire", true, false, key_retire}, {"revoke", true, false, revoke}, {"token", false, false, token}};

static int run_verb(const struct verb *verb, const char *path, const char *name, const struct key_terms *terms)
{
    struct rein_problems *problems;
    if (rein_problems_new(&problems) != 0)
        return CLI_FAILED;
    int status = verb->run(path, name, terms, problems);
    cli_print_problems(problems);
    rein_problems_free(problems);
    return status;
}

static int key_run(int argc, char **argv)
{
    struct key_terms terms = {0};
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        int words = 3 + verbs[i].has_name;
        if (argc < words || (argc > words && !verbs[i].has_terms))
            return cli_usage(&cli_key, verbs[i].has_name ? "%s needs a file and a name" : "%s needs a file",
                             verbs[i].name);
        if (verbs[i].has_name && !is_name(argv[3]))
            return cli_usage(&cli_key, "a name has up to 64 letters, digits, '.', '_' and '-'");
        for (int at = words; at < argc; at += 2)
            if (at + 1 == argc || !read_term(&terms, argv[at], argv[at + 1]))
                return cli_usage(&cli_key, "unknown option, or its value is missing or wrong: %s", argv[at]);
        return run_verb(&verbs[i], argv[2], verbs[i].has_name ? argv[3] : "admin", &terms);
    }
    return cli_usage(&cli_key, "expects add, list, rotate, retire, revoke or token");
}

const struct cli_command cli_key = {
    .name = "key",
    .summary = "make, list and revoke clients' keys and the admin token",
    .help = "usage: rein key add FILE NAME [--group G] [--tenant T] [--expires TIME] [--requests-per-minute N]\n"
            "                              [--open-streams N]\n"
            "       rein key list FILE\n"
            "       rein key rotate FILE NAME\n"
            "       rein key retire FILE NAME\n"
            "       rein key revoke FILE NAME\n"
            "       rein key token FILE\n"
            "\n"
            "FILE is the config's listen.keys_file, or admin.token_file for token. add, rotate and token print a new "
            "key to\nstdout, once. After rotate both secrets of the key are valid, until retire. The file keeps only "
            "its hash, has mode 0600, and is replaced as a whole. A running "
            "server reads\nchanges on a reload (SIGHUP).\n\n"
            "Exit status: 0 done, 2 wrong usage, 3 the file has errors, 1 any other error.\n",
    .run = key_run,
};
