/* Runs a response through a trace, and says what a client would see of it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every commit that is asked for is made at once, and no restart. The client's view is made with a JSON library of its
 * own, so that it does not share the reader's mistakes. */
#ifndef TESTS_TRACEKIT_H
#define TESTS_TRACEKIT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/bytes.h"
#include "rein/rein.h"

enum { KIT_CHOICES = 4, KIT_FINDINGS = 256, KIT_TEMPLATES = 4 };

/* A policy from YAML text, with no templates and lexicons; fails the test if it does not load. */
struct rein_policy *kit_policy(const char *yaml);
/* The same with templates. */
struct rein_policy *kit_policy_with(const char *yaml, const char *const *templates, size_t templates_len);

struct kit_seen;

/* How a client of a dialect reads what it gets. A dialect's is a file of its own: view_<dialect>.c. */
struct kit_view {
    enum rein_dialect dialect;
    bool (*is_last)(struct span payload); /* the event after which nothing may come */
    void (*see)(struct kit_seen *seen, struct span payload, bool is_body);
};
extern const struct kit_view kit_view_chat, kit_view_messages;
/* For views: joins a JSON string to a text; what is no string adds nothing. */
void kit_add_text(struct bytes *out, const json_t *string);

struct kit_run {
    const struct kit_view *view; /* NULL: chat's */
    struct rein_policy *policy;  /* borrowed */
    struct span upstream;        /* what the upstream sends */
    bool is_body;                /* one JSON body, no events */
    bool breaks_off;             /* the upstream's transfer does not end properly */
    size_t body_max;             /* of a body, or of an event where nothing is withheld; 0: as the policy says */
    unsigned choices;            /* 0: 1 */
    bool is_apart;               /* the upstream sends reasoning in fields of its own alone */
    bool opened;                 /* the prompt ends in open reasoning */
    size_t chunk;                /* bytes per feed; 0: all at once */
    size_t cut;                  /* if not 0: two feeds, cut here */
    const char *prompt;          /* one user message, or NULL */
    const unsigned char *mask_key;
    const char *prefix;          /* not NULL: the model goes on from it */
    const struct span *restarts; /* what it sends when it is asked again, by an instruction like the first time */
    unsigned restarts_len;
};

/* The text of one choice, as a client joins it. */
struct kit_choice {
    struct bytes content, reasoning, arguments;
    unsigned roles, finishes;
    char finish[32]; /* the last one */
};

struct kit_seen {
    struct bytes out; /* everything that went to the client */
    struct kit_choice choices[KIT_CHOICES];
    unsigned events, comments, done, errors, after_done, unreadable;
    unsigned
        broken; /* events that a strict client does not accept where they stand; the first one's reason is in `why` */
    char why[64], names[64]; /* `names`: what the view remembers */
    unsigned blocks[4], signatures;
    char error[256];          /* the last error's message */
    unsigned asks;            /* all that was ever asked */
    size_t feeds_with_output; /* steps that released something */
    struct rein_decision decision;
    struct rein_finding findings[KIT_FINDINGS]; /* ids are the policy's; no evidence */
};

void kit_run(const struct kit_run *run, struct kit_seen *seen);
void kit_seen_fini(struct kit_seen *seen);

/* The joined text, NUL-terminated. */
const char *kit_content(struct kit_seen *seen, unsigned choice);
const char *kit_reasoning(struct kit_seen *seen, unsigned choice);
const char *kit_arguments(struct kit_seen *seen, unsigned choice);
bool kit_has(const struct kit_seen *seen, const char *bytes);

#endif
