/* `rein eval`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_EVAL_H
#define SERVER_EVAL_H

/* The command: its own words in argv. Returns the exit status. */
int eval_main(int argc, char **argv);

#endif
