/* Counts how scenes ended, and notes what the database must contain of each.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include <stdio.h>

#include "check.h"

enum { TALLY_ODD = 32 };

struct tally {
    size_t ends[SCENE_KINDS][ENDINGS], faults;
    /* How calm scenes ended that might have been whole: by the error's code. */
    struct {
        char code[64];
        size_t count;
    } odd[TALLY_ODD];
    size_t odd_len;
    bool is_over;  /* the server stops: nothing is odd any more */
    uint8_t *rows; /* enum row by a scene's number; owned */
    size_t rows_len, rows_cap;
};

/* `body`: what the client got; borrowed. */
void tally_scene(struct tally *tally, const struct scene *scene, const struct checked *checked, unsigned status,
                 const struct text *body);
/* A fault is told at once, with the begin of what came (NULL: nothing). */
void tally_fault(struct tally *tally, const struct scene *scene, const char *fault, const struct text *body);
size_t tally_ended(const struct tally *tally, enum ending ending);
void tally_print(const struct tally *tally, FILE *to);
void tally_free(struct tally *tally);

#endif
