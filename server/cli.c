/* See cli.h: what the commands share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

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

void cli_print_problems(const struct rein_problems *problems)
{
    for (size_t i = 0; i < rein_problems_count(problems); i++) {
        const struct rein_problem *p = rein_problems_at(problems, i);
        fprintf(stderr, "%s", p->file);
        if (p->line > 0)
            fprintf(stderr, ":%u:%u", p->line, p->column);
        fprintf(stderr, ": %s%s%s\n", p->key != NULL ? p->key : "", p->key != NULL && *p->key ? ": " : "", p->message);
    }
}
