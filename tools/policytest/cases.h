/* Cases to try a policy on: scripted responses, and what a client should get of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: read once, then constant. */
#ifndef TOOLS_POLICYTEST_CASES_H
#define TOOLS_POLICYTEST_CASES_H

#include <stddef.h>

#include "rein/doc.h"
#include "rein/rein.h"

/* The texts of a response, as a case scripts them and as a client gets them. */
enum case_text { CASE_REASONING, CASE_ANSWER, CASE_TOOL, CASE_TEXTS };
const char *case_text_key(enum case_text text); /* the key in files; static */

/* One case; good as long as the cases. */
struct case_script {
    const struct rein_node *node; /* its place in the file */
    const char *name;
    const char *prompt;                       /* NULL: `messages` */
    const struct rein_node *messages;         /* NULL: `prompt` */
    const char *texts[CASE_TEXTS];            /* "" for none */
    const struct rein_node *judges;           /* what they say (case_judges.h); NULL: nothing */
    int action;                               /* enum rein_action; -1: any */
    const struct rein_node *findings, *asked; /* NULL: any */
    const char *expected[CASE_TEXTS];         /* NULL: any */
    const char *upstream;                     /* NULL: any */
    const struct rein_node *contains, *lacks; /* NULL: none */
};

struct cases;

extern const struct rein_schema cases_schema;

/* REIN_EPOLICY: everything that is wrong is in `problems`. Returns owned. */
int cases_read(struct cases **out, const struct rein_source *source, struct rein_problems *problems) REIN_MUST_USE;
void cases_free(struct cases *cases); /* NULL is fine */

size_t cases_len(const struct cases *cases);
const struct case_script *cases_at(const struct cases *cases, size_t i);

#endif
