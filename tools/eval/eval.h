/* `rein eval`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_EVAL_H
#define TOOLS_EVAL_EVAL_H

/* The command, with its own arguments in argv. Returns the exit status. */
int eval_main(int argc, char **argv);

#endif
