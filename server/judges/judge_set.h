/* The judges of one configuration on one loop: found by name, and closed when nobody needs them any more.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A request keeps the judges that it began with, although a reload may bring others: each request holds a reference.
 *
 * A judge that is probed is asked at once about a harmless request with an unsafe answer. One that does not call it
 * unsafe works wrongly or not at all, and the log says so.
 *
 * Thread: the loop's. */
#ifndef SERVER_JUDGES_JUDGE_SET_H
#define SERVER_JUDGES_JUDGE_SET_H

#include "judges/judge_service.h"

struct judge_set; /* opaque */

struct judge_set_options {
    size_t len;
    const struct judge_settings *(*settings)(const void *source, size_t index); /* borrowed until `done` */
    bool (*is_probed)(const void *source, size_t index);                        /* NULL: none is */
    const void *source;
    struct loop *loop;
    struct upstream_pool *pool;
    loop_fn done; /* once, from the loop: all judges are closed, the set is gone */
    void *ctx;
};

/* Returns one reference. REIN_ENOMEM. */
int judge_set_new(struct judge_set **out, const struct judge_set_options *options) REIN_MUST_USE;
struct judge_set *judge_set_ref(struct judge_set *set); /* NULL is fine, here and below */
/* With the last reference the judges are closed. No question may be open then. */
void judge_set_unref(struct judge_set *set);
/* NULL: there is none of that name, or no set. Good as long as the reference. */
struct judge_service *judge_set_find(const struct judge_set *set, const char *name);

#endif
