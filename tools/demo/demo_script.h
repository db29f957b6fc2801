/* Scripts of the demo upstream: what its model thinks and says, chosen by the request's model or words.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: read once, then constant. */
#ifndef TOOLS_DEMO_DEMO_SCRIPT_H
#define TOOLS_DEMO_DEMO_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/doc.h"
#include "rein/rein.h"

enum demo_end { DEMO_STOP, DEMO_LENGTH, DEMO_BREAKS_OFF, DEMO_STALLS, DEMO_ERROR };

/* One way to answer; strings are good as long as the script. "" for keys that are missing. */
struct demo_scenario {
    const char *name;
    const struct rein_node *words; /* all of them in the last user message choose it; NULL: none */
    const char *heeds;             /* a text in the instructions that makes the model do well */
    const char *reasoning, *answer;
    const char *guided_reasoning, *guided_answer; /* instead, when it heeds */
    const char *tool_name, *tool_arguments;       /* "" for no call */
    const char *chunk;                            /* characters per event: a number, "random" or "whole" */
    unsigned first_ms, delay_ms;                  /* before the first event, between two */
    unsigned status;
    enum demo_end end;
};

struct demo_script;

extern const struct rein_schema demo_schema;

/* REIN_EPOLICY: everything that is wrong is in `problems`. Returns owned. */
int demo_script_read(struct demo_script **out, const struct rein_source *source,
                     struct rein_problems *problems) REIN_MUST_USE;
void demo_script_free(struct demo_script *script);

size_t demo_script_len(const struct demo_script *script);
const struct demo_scenario *demo_script_at(const struct demo_script *script, size_t i);

/* Models are called "demo" (chosen by words) and "demo-NAME". Never NULL: the first scenario without words matches
 * everything else. `messages` is the request's array. */
const struct demo_scenario *demo_script_choose(const struct demo_script *script, const char *model,
                                               const json_t *messages);
/* True if the instructions, or a prefilled turn of the model, contain the scenario's `heeds` text. */
bool demo_is_guided(const struct demo_scenario *scenario, const json_t *messages);

/* The script that is built in. */
extern const char demo_default_script[];

/* For `rein check` (demo.c). */
struct cli_document_kind;
extern const struct cli_document_kind demo_document_kind;

#endif
