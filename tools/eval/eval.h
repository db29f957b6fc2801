/* `rein eval`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_EVAL_H
#define TOOLS_EVAL_EVAL_H

/* The command: its own words in argv. Returns the exit status. */
int eval_main(int argc, char **argv);

#endif
