/* The paths of the admin listener: each is a row; who may call is checked once, for all of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A file that serves paths has a list of rows, and the list has a line in admin_paths.c. Thread: the admin loop's. */
#ifndef SERVER_ADMIN_ADMIN_PATHS_H
#define SERVER_ADMIN_ADMIN_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "front/front.h"

struct admin;

enum admin_caller {
    ADMIN_ANYONE,
    ADMIN_OPERATOR, /* who has the admin token, if the config names one */
};

struct admin_path {
    const char *method;
    const char *path; /* one that ends with '/' stands for all that go on from there */
    enum admin_caller caller;
    const struct front_header *headers; /* of its answers */
    /* Answers, now or later. The caller and the method have been checked. */
    void (*serve)(struct admin *admin, const struct admin_path *path, struct exchange *x);
};

/* The lists, each ends with a path of NULL. */
extern const struct admin_path admin_decision_paths[]; /* admin_decisions.c */
extern const struct admin_path admin_state_paths[];    /* admin_state.c */

/* The i-th of all rows; NULL: there are no more. */
const struct admin_path *admin_path_at(size_t i);
/* Every row is complete, and none is there twice. */
bool admin_paths_are_sound(void);
/* What follows a path that ends with '/'. */
const char *admin_path_rest(const struct admin_path *path, const struct exchange *x);

/* ---- the front's handlers; `ctx` is the admin ---- */
/* For a request's head. False: it was answered, because it does not name this listener (403), uses a method that the
 * path does not have (405), or lacks the token (401). What is asked of an unknown path is the same as of a known one.
 */
bool admin_path_check(void *ctx, struct exchange *x);
/* For a whole request that was let in. */
void admin_path_serve(void *ctx, struct exchange *x);

#endif
