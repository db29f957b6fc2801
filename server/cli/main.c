/* The command `rein`: finds the subcommand and runs it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/json_heap.h"
#include "cli/cli.h"
#include "demo/demo_script.h"
#include "distill/style.h"
#include "policytest/policytest.h"

static const struct cli_command *const commands[] = {
    &cli_serve,  &cli_check,    &cli_test,          &cli_diff,      &cli_backtest, &cli_erase,
    &cli_key,    &cli_route,    &cli_demo_upstream, &cli_eval,      &cli_mix,      &cli_distill,
    &cli_export, &cli_features, &cli_demo_history,  &cli_decisions, &cli_why,      &cli_stats,
};

static const char exit_help[] =
    "Exit status: 0 success, 1 failure, 2 wrong command line, 3 errors in a config or policy.\n";

static int print_help(FILE *to)
{
    fputs("usage: rein COMMAND [OPTIONS]\n\n"
          "Rein is a guardrail service for large reasoning models: it steers, watches and remembers.\n\n"
          "commands:\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "  %-14s %s\n\n`rein COMMAND --help` describes a command.\n%s", "version", "print the version",
            exit_help);
    return to == stdout ? CLI_OK : CLI_USAGE;
}

static int is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct cli_command *find_subcommand(const struct cli_command *command, const char *word)
{
    for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
        if (strcmp(command->subcommands[i]->name + strlen(command->name) + 1, word) == 0)
            return command->subcommands[i];
    return NULL;
}

static int main_run(const struct cli_command *command, int argc, char **argv)
{
    const struct cli_command *subcommand = argc > 1 ? find_subcommand(command, argv[1]) : NULL;
    if (subcommand != NULL)
        return main_run(subcommand, argc - 1, argv + 1);
    for (int i = 1; i < argc; i++)
        if (is_help(argv[i])) {
            printf("%s\n%s", command->help, exit_help);
            return CLI_OK;
        }
    return command->run(argc, argv);
}

int main(int argc, char **argv)
{
    json_heap_use();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* an exceeded file size limit counts as a full disk; it must not end the process */
    cli_check_knows(&demo_document_kind);
    cli_check_knows(&cases_document_kind);
    cli_check_knows(&style_document_kind);
    if (argc < 2)
        return print_help(stderr);
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0)
        return print_help(stdout);
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("rein %s\n", rein_version());
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return main_run(commands[i], argc - 1, argv + 1);
    fprintf(stderr, "rein: there is no command '%s'; see `rein --help`\n", argv[1]);
    return CLI_USAGE;
}
