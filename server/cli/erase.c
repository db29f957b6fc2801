/* `rein erase`: removes kept text, and what was derived from it, from the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/server_secret.h"
#include "store/erase/erase.h"

struct erase_options {
    const char *db, *user;
    struct store_erase_filter filter;
    bool json;
};

static bool read_erase_option(struct erase_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"--db", &o->db}, {"--key", &o->filter.key}, {"--user", &o->user}, {"--request", &o->filter.request}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return *value != '\0';
        }
    return strcmp(name, "--before") == 0 && store_erase_before(&o->filter.before_us, value);
}

static int read_erase_options(struct erase_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (i + 1 == argc || !read_erase_option(o, argv[i], argv[i + 1]))
            return cli_usage(&cli_erase, "unknown option, or its value is missing or wrong: %s", argv[i]);
        i++;
    }
    const struct store_erase_filter *f = &o->filter;
    if (o->db == NULL)
        return cli_usage(&cli_erase, "name the database, with --db");
    if (f->key == NULL && o->user == NULL && f->request == NULL && f->before_us == 0)
        return cli_usage(&cli_erase, "say what to erase, with --key, --user, --request or --before");
    return CLI_OK;
}

/* Decisions have a hash that the server's secret makes. */
static int find_user(struct erase_options *o, char hash[USER_HASH_LEN + 1])
{
    struct server_secret secret;
    if (o->user == NULL)
        return CLI_OK;
    if (server_secret_load(&secret, o->db) != 0 || server_secret_user(&secret, o->user, strlen(o->user), hash) != 0)
        return CLI_FAILED;
    o->filter.user = hash;
    return CLI_OK;
}

static void print_erased(const struct erase_options *o, const struct store_erased *e)
{
    if (o->json)
        printf("{\"decisions\":%" PRIu64 ",\"texts\":%" PRIu64 ",\"evidence\":%" PRIu64 ",\"notes\":%" PRIu64
               ",\"log_left\":%s}\n",
               e->decisions, e->texts, e->evidence, e->notes, e->is_log_left ? "true" : "false");
    else
        printf("erased %" PRIu64 " texts, %" PRIu64 " pieces of evidence and %" PRIu64 " notes of %" PRIu64
               " decisions\n",
               e->texts, e->evidence, e->notes, e->decisions);
    if (e->is_log_left)
        fprintf(stderr,
                "rein erase: somebody reads the database, so that old pages may still be in its log, %s-wal: "
                "run this command again\n",
                o->db);
}

static int erase_run(int argc, char **argv)
{
    struct erase_options options = {.db = NULL};
    struct store_erased erased;
    char hash[USER_HASH_LEN + 1];
    int status = read_erase_options(&options, argc, argv);
    if (status == CLI_OK && access(options.db, R_OK | W_OK) != 0) {
        fprintf(stderr, "rein erase: %s: %s\n", options.db, strerror(errno));
        return CLI_FAILED;
    }
    if (status == CLI_OK)
        status = find_user(&options, hash);
    if (status != CLI_OK)
        return status;
    int rv = store_erase_file(options.db, &options.filter, &erased);
    if (rv != 0) {
        fprintf(stderr, "rein erase: %s: %s\n", options.db, rein_strerror(rv));
        return CLI_FAILED;
    }
    print_erased(&options, &erased);
    return erased.is_log_left ? CLI_FAILED : CLI_OK;
}

const struct cli_command cli_erase = {
    .name = "erase",
    .summary = "remove kept text, and what was derived from it",
    .help =
        "usage: rein erase --db FILE [--key NAME] [--user USER] [--request ID] [--before TIME] [--json]\n"
        "\n"
        "Erases kept texts, evidence, the steps of findings, judges' categories, harms of prompts, upstreams' errors,\n"
        "notes of people and the user's hash, of the decisions that meet all conditions. Verdicts, names, scores and\n"
        "counts stay. The server may be running; the text of a request that still runs is written when it ends.\n"
        "The bytes are overwritten in the database, and its log is emptied. Copies, backups and files that\n"
        "`rein export` has made are not touched. Run it as the user that the server runs as.\n\n"
        "  --db FILE       the database of a server (store.url)\n"
        "  --key NAME      decisions of the client's key of this name\n"
        "  --user USER     of the user that requests named: `user` or `safety_identifier`, Anthropic's "
        "`metadata.user_id`\n"
        "  --request ID    the id of a decision, or the id that its client gave the request\n"
        "  --before TIME   that began before 2026-11-30 or 2026-11-30T14:05:00Z, UTC, or more than 90d ago\n"
        "  --json          print the counts as JSON\n",
    .run = erase_run,
};
