/* Random policies of what may depend on cuts and on judges' pace, and responses for them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CUTKIT_H
#define TESTS_CUTKIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dice.h"
#include "rein/rein.h"

enum {
    CUTKIT_YAML = 8192,
    CUTKIT_TEXT = 4096,
    CUTKIT_TURNS = 40,
    CUTKIT_CHOICES = 2,
    CUTKIT_STREAM = 1 << 22,
    CUTKIT_EVENTS = 16384,
};

enum cut_source { CUT_REASONING, CUT_ANSWER, CUT_TOOL, CUT_ALONE, CUT_SOURCES };

/* A piece of one of the texts, which other texts may interrupt. */
struct cut_turn {
    unsigned choice;
    enum cut_source source;
    size_t from, to;
};

struct cut_response {
    char text[CUTKIT_CHOICES][CUT_SOURCES][CUTKIT_TEXT];
    struct cut_turn turns[CUTKIT_TURNS];
    size_t turns_len;
    bool breaks_off;
};

struct cut_case {
    uint64_t seed;
    struct dice dice;
    char yaml[CUTKIT_YAML];
    size_t yaml_len;
    bool is_shadow, has_judges, is_inline, may_continue;
    unsigned guarded; /* of which texts no "zap" may go out: a set of enum cut_source */
    enum rein_delivery delivery;
    const char *prompt;
    unsigned choices;
    struct cut_response responses[2];
};

enum cut_way { CUT_CHARACTERS, CUT_WHOLE_TURNS, CUT_AT_RANDOM };

struct cut_stream {
    struct bytes bytes;
    size_t ends[CUTKIT_EVENTS], events_len;
};

/* Actions that steer; rules, patterns and judges in shadow; each way to release reasoning; conditions. Two responses of
 * texts that may interrupt one another: the second is for a restart. */
void cutkit_case(struct cut_case *c, uint64_t seed);
/* Returns owned; fails the test if it does not load. */
struct rein_policy *cutkit_policy(const struct cut_case *c);
/* A response of the case as a stream of events, cut like this. `s` has been begun with bytes_init. */
void cutkit_stream(const struct cut_case *c, const struct cut_response *r, struct dice *d, enum cut_way cut,
                   struct cut_stream *s);

#endif
