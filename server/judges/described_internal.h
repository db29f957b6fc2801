/* A description as it was read; described_load.c fills it, described.c asks and reads with it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_JUDGES_DESCRIBED_INTERNAL_H
#define SERVER_JUDGES_DESCRIBED_INTERNAL_H

#include "judges/described.h"

enum { DESCRIBED_MESSAGES_MAX = 16, DESCRIBED_FIELDS_MAX = 8, DESCRIBED_VALUES_MAX = 16, DESCRIBED_NAMES_MAX = 64 };

/* In the order of the schema's words. */
enum described_find { FIND_LINE, FIND_BETWEEN, FIND_FIRST_WORD, FIND_JSON };

struct described_place {
    enum described_find find;
    char *at, *end; /* a label, two marks, or a JSON pointer; NULL where there is none */
};

struct judge_description {
    char *name, *path, *prompt;
    enum judge_route route;
    struct described_message {
        char *role, *content;
        unsigned subjects; /* a set of 1 << enum judge_subject */
    } messages[DESCRIBED_MESSAGES_MAX];
    size_t messages_len;
    json_t *body;  /* JUDGE_JSON: the request, whose strings may hold marks such as {text} */
    json_t *extra; /* further members of the request; NULL: none */
    int max_tokens;
    struct described_field {
        struct described_place place;
        unsigned decides; /* a set of 1 << enum judge_subject */
        struct described_value {
            char *word;
            double risk;
        } values[DESCRIBED_VALUES_MAX];
        size_t values_len; /* 0: the value is a number, the risk itself */
    } fields[DESCRIBED_FIELDS_MAX];
    size_t fields_len;
    struct {
        struct described_place place;
        char *names[DESCRIBED_NAMES_MAX + 1]; /* NULL-terminated; none: there are no categories */
        char *none;
    } categories;
};

#endif
