/* Answers to mathematics: what a text gives as its answer, and whether that is the right one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The answer is what the last \boxed{} holds. Without one: if the right answer is a number, the last number of the
 * text; else its last line. Two answers are the same if they are the same number (1/2, 0.5, \frac{1}{2}, 50\%), or the
 * same text after spelling is levelled: spaces, dollars, \left, \text{}, \dfrac, degrees, a final full stop. Nothing is
 * computed: x+1 and 1+x differ.
 *
 * Thread: any. */
#ifndef TOOLS_ATTACK_MATH_ANSWER_H
#define TOOLS_ATTACK_MATH_ANSWER_H

#include <stdbool.h>

/* False too if there is no memory. */
bool math_answer_is(const char *text, const char *right);

/* A number as people and LaTeX write it: 1,234.5; -3/4; \frac{3}{4}; 25\%; $7$. */
bool math_number_read(const char *text, double *value);

#endif
