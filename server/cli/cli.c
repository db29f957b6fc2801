/* See cli.h: what the commands share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "rein %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see `rein %s --help`\n", command->name);
    return CLI_USAGE;
}

static void print_problem(const struct rein_problem *p)
{
    fprintf(stderr, "%s", p->file);
    if (p->line > 0)
        fprintf(stderr, ":%u:%u", p->line, p->column);
    fprintf(stderr, ": %s%s%s", p->key != NULL ? p->key : "", p->key != NULL && *p->key ? ": " : "", p->message);
}

void cli_print_problems(const struct rein_problems *problems)
{
    for (size_t i = 0; i < rein_problems_count(problems); i++) {
        print_problem(rein_problems_at(problems, i));
        fprintf(stderr, "\n");
    }
}

void cli_print_warnings(const struct rein_problems *problems)
{
    const struct rein_problem *p;
    for (size_t i = 0; (p = rein_problems_warning(problems, i)) != NULL; i++) {
        fprintf(stderr, "warning: ");
        print_problem(p);
        fprintf(stderr, "\n");
    }
}

void cli_print_notes(const struct rein_problems *problems, const char *why)
{
    for (size_t i = 0; i < rein_problems_count(problems); i++) {
        fprintf(stderr, "note: ");
        print_problem(rein_problems_at(problems, i));
        fprintf(stderr, " (%s)\n", why);
    }
}
