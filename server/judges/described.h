/* Judges by data: a YAML document that says what is sent to a guard model or a classifier, and how its reply is read.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A description has no address and no secret, so it can be shared; who runs the judge, and where, is for the config to
 * say. Thread: a loaded description is immutable, and may be used by all threads. */
#ifndef SERVER_JUDGES_DESCRIBED_H
#define SERVER_JUDGES_DESCRIBED_H

#include "judges/judge.h"
#include "rein/doc.h"

const struct rein_schema *judge_description_schema(void);

/* REIN_EPOLICY: `problems` says what is wrong; REIN_ENOMEM. Returns owned. */
int judge_description_load(struct judge_description **out, const struct rein_source *source,
                           struct rein_problems *problems) REIN_MUST_USE;
void judge_description_free(struct judge_description *description); /* NULL is fine */

/* Good as long as the description. */
const char *judge_description_name(const struct judge_description *description);
/* Where requests go, such as "/v1/chat/completions". */
const char *judge_description_path(const struct judge_description *description);
/* That of its route. */
const struct judge_kind *judge_description_kind(const struct judge_description *description);

#endif
