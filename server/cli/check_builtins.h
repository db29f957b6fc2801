/* The part of `rein check` that measures the built-in rules.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CLI_CHECK_BUILTINS_H
#define SERVER_CLI_CHECK_BUILTINS_H

/* The words behind --builtins. Returns the exit status. */
int cli_check_builtins(int argc, char **argv);
/* The reference page of all built-ins, in Markdown; returns owned, for free(). NULL: out of memory. */
char *cli_builtins_page(void);

#endif
