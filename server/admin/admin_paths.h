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

/* What a caller needs; each right contains those before it. Without any token in the config, everyone has all. */
enum admin_caller {
    ADMIN_ANYONE,
    ADMIN_COUNTS,  /* may see counts, decisions and metrics, no text */
    ADMIN_TEXT,    /* may read text that was kept, and say whether findings are right */
    ADMIN_OPERATE, /* may change what the server does */
};

struct admin_path {
    const char *method;
    const char *path; /* one that ends with '/' stands for all that go on from there; '*' for one part */
    enum admin_caller caller;
    const struct front_header *headers; /* of its answers */
    /* Answers, now or later. The caller and the method have been checked. */
    void (*serve)(struct admin *admin, const struct admin_path *path, struct exchange *x);
};

/* The lists, each ends with a path of NULL. */
extern const struct admin_path admin_decision_paths[]; /* admin_decisions.c */
extern const struct admin_path admin_view_paths[];     /* admin_views.c */
extern const struct admin_path admin_export_paths[];   /* admin_export.c */
extern const struct admin_path admin_feedback_paths[]; /* admin_feedback.c */
extern const struct admin_path admin_live_paths[];     /* admin_live.c */
extern const struct admin_path admin_state_paths[];    /* admin_state.c */
extern const struct admin_path admin_document_paths[]; /* admin_document.c */
extern const struct admin_path admin_login_paths[];    /* admin_login.c */
extern const struct admin_path admin_page_paths[];     /* admin_page.c */
extern const struct admin_path admin_policy_paths[];   /* admin_policies.c */
extern const struct admin_path admin_erase_paths[];    /* admin_erase.c */

/* The i-th of all rows; NULL: there are no more. */
const struct admin_path *admin_path_at(size_t i);
/* Every row is complete, and none is there twice. */
bool admin_paths_are_sound(void);
/* What follows a path that ends with '/'. */
const char *admin_path_rest(const struct admin_path *path, const struct exchange *x);

/* ---- the front's handlers; `ctx` is the admin ---- */
/* For a request's head. False: it was answered, because it does not name this listener (403), uses a method that the
 * path does not have (405), may come from another site's page (403), or lacks the token (401). What is asked of an
 * unknown path is the same as of a known one.
 */
bool admin_path_check(void *ctx, struct exchange *x);
/* For a whole request that was let in. */
void admin_path_serve(void *ctx, struct exchange *x);

#endif
