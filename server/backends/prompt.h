/* Rendered prompts: does one end inside open reasoning, and with which words?
 * SPDX-License-Identifier: Apache-2.0
 *
 *     <|im_start|>assistant\n                          PROMPT_PLAIN   reasoning has to be opened
 *     <|im_start|>assistant\n<think>\n                 PROMPT_OPEN    what follows is reasoning
 *     <|im_start|>assistant\n<think>\n\n</think>\n\n   PROMPT_CLOSED  what follows is answer
 *
 * Only the end counts: quotes earlier in the conversation open and close nothing. Thread: any. */
#ifndef SERVER_BACKENDS_PROMPT_H
#define SERVER_BACKENDS_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

/* How a family of models writes its reasoning. */
struct delimiters {
    const char *open, *close;
    const char *gap; /* between the opener and the first word */
};

enum { PROMPT_FAMILIES = 10, PROMPT_OWN = PROMPT_FAMILIES };

/* The families by number; PROMPT_OWN is the pair that the operator configured, if `own` is not NULL. NULL: none such.
 */
const struct delimiters *prompt_family(unsigned number, const struct delimiters *own);

enum prompt_end { PROMPT_PLAIN, PROMPT_OPEN, PROMPT_CLOSED };

/* How the first `len` bytes end, blanks aside. *family: whose delimiter is there; untouched with PROMPT_PLAIN. */
enum prompt_end prompt_end(const char *prompt, size_t len, const struct delimiters *own, unsigned *family);

/* How the prompt is before the words that it ends with. False: it does not end with them. */
bool prompt_before(const char *prompt, const char *words, const struct delimiters *own, enum prompt_end *end,
                   unsigned *family);

/* The family whose opener is before the last occurrence of a mark; false: none. */
bool prompt_opener_of(const char *prompt, const char *mark, const struct delimiters *own, unsigned *family);

#endif
