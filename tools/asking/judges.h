/* The judges of a run: those of a config, or one that the command line describes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * They are asked by the server's own code (judges/judge_service.h). Thread: one. */
#ifndef TOOLS_ASKING_JUDGES_H
#define TOOLS_ASKING_JUDGES_H

#include "asking/asking.h"
#include "config/config.h"
#include "judges/judge_set.h"

/* Either `config` alone, or `what` and `url`. */
struct judges_source {
    const char *config;            /* a config with judges */
    const char *what;              /* a kind that is built in, or the file of a description */
    const char *url, *model;       /* model NULL: it needs none */
    const char *api_key_env;       /* NULL: it needs no key */
    unsigned calls_max, timeout_s; /* of `what` */
};

/* The name of a judge that the command line describes. */
#define JUDGES_DESCRIBED "judge"

/* Only the judges of *out are of use. Says on stderr what is wrong. Returns owned: config_unref. */
int judges_load(struct config **out, const char *program, const struct judges_source *source) REIN_MUST_USE;
/* Their services on the run's loop. Borrows the config. `done`: as judge_set_options. */
int judges_open(struct judge_set **out, const struct config *config, struct asking *asking, loop_fn done,
                void *ctx) REIN_MUST_USE;
/* The end of a text, as much as a judge is asked at once; whole characters. */
const char *judges_tail(const char *text);

#endif
