/* See judge_set.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/judge_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct judge_set {
    unsigned refs;
    size_t open; /* services that are not closed yet, and 1 until all are told to */
    struct loop *loop;
    loop_fn done;
    void *ctx;
    struct loop_task end;
    size_t len;
    struct {
        const char *name;
        struct judge_service *service;
    } judges[];
};

static void set_end(void *ctx)
{
    struct judge_set *set = ctx;
    loop_fn done = set->done;
    void *done_ctx = set->ctx;
    free(set);
    done(done_ctx);
}

static void set_count_down(void *ctx)
{
    struct judge_set *set = ctx;
    assert(set->open > 0);
    if (--set->open > 0)
        return;
    set->end = (struct loop_task){.fn = set_end, .ctx = set};
    loop_defer(set->loop, &set->end);
}

static void set_close(struct judge_set *set)
{
    set->open = set->len + 1;
    for (size_t i = 0; i < set->len; i++)
        judge_service_close(set->judges[i].service, set_count_down, set);
    set_count_down(set);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

int judge_set_new(struct judge_set **out, const struct judge_set_options *o)
{
    struct judge_set *set = calloc(1, sizeof *set + o->len * sizeof set->judges[0]);
    int rv = set != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; i < o->len && rv == 0; i++) {
        const struct judge_settings *settings = o->settings(o->source, i);
        set->judges[i].name = settings->name;
        rv = judge_service_new(&set->judges[i].service, settings, o->loop, o->pool);
        set->len += rv == 0;
    }
    if (set == NULL)
        return rv;
    set->refs = 1;
    set->loop = o->loop;
    set->done = rv == 0 ? o->done : ignore;
    set->ctx = o->ctx;
    if (rv != 0)
        set_close(set);
    else
        *out = set;
    return rv;
}

struct judge_set *judge_set_ref(struct judge_set *set)
{
    if (set != NULL)
        set->refs++;
    return set;
}

void judge_set_unref(struct judge_set *set)
{
    if (set == NULL)
        return;
    assert(set->refs > 0);
    if (--set->refs == 0)
        set_close(set);
}

struct judge_service *judge_set_find(const struct judge_set *set, const char *name)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        if (strcmp(set->judges[i].name, name) == 0)
            return set->judges[i].service;
    return NULL;
}
