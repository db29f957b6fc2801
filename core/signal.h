/* Signals: small lexical facts ("names a harm", "decides to refuse") found in one sentence or prompt.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All entries of all lexicons are one vectorscan database, scanned in block mode over one folded sentence at a time: a
 * signal never spans sentences, so this depends on the text alone and costs about a microsecond a sentence. */
#ifndef CORE_SIGNAL_H
#define CORE_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "rein/rein.h"

enum signal_class {
    SIGNAL_NAMES_HARM, /* the text says that something is harmful, illegal, against policy */
    SIGNAL_DECIDES_TO_REFUSE,
    SIGNAL_CONCEDES, /* "but maybe the user just ..." */
    SIGNAL_REFRAMES_EDUCATION,
    SIGNAL_REFRAMES_FICTION,
    SIGNAL_REFRAMES_HYPOTHETICAL,
    SIGNAL_REFRAMES_GOOD_FAITH,
    SIGNAL_COMMITS_TO_COMPLY,
    SIGNAL_SPECIFIC_PROCEDURE,
    SIGNAL_KEEPS_PERSONA, /* deliberates tone, persona, format after rejecting the core */
    SIGNAL_ADOPTS_GOAL,   /* takes the request's goal as its own task */
    SIGNAL_ANSWER_REFUSES,
    SIGNAL_ANSWER_COMPLIES,
    SIGNAL_PROMPT_HARM,   /* a prompt that asks for something of a harm category */
    SIGNAL_PROMPT_BENIGN, /* a cue that a scary word is meant harmlessly */
    SIGNAL_CLASSES,
};

const char *signal_class_name(enum signal_class c);
int signal_class_find(const char *name); /* -1: unknown */

/* An entry as a lexicon has it; borrowed while it is added. */
struct signal_spec {
    const char *id;
    enum signal_class class;
    const char *category; /* harm category of a prompt signal, or NULL */
    const char *regex;    /* over folded text */
    double weight;        /* of a prompt signal or score; 1 by default */
};

struct signals; /* immutable once built; shared by threads */
int signals_new(struct signals **out) REIN_MUST_USE;
void signals_free(struct signals *s);
int signals_add(struct signals *s, const struct signal_spec *spec, const char **why) REIN_MUST_USE;
int signals_finish(struct signals *s, size_t *bad_entry, const char **why) REIN_MUST_USE;

struct signal_hit {
    uint16_t entry;
    uint8_t class;
    uint32_t start, len; /* in the original text */
    float weight;
};
enum { SIGNAL_HITS_MAX = 64 };

/* Finds the signals of one text. Returns how many were written (the first SIGNAL_HITS_MAX, by place). */
int signals_scan(const struct signals *s, struct rein_engine *engine, struct span text,
                 struct signal_hit hits[SIGNAL_HITS_MAX]) REIN_MUST_USE;
const char *signals_entry_id(const struct signals *s, uint16_t entry);
const char *signals_entry_category(const struct signals *s, uint16_t entry); /* NULL if none */

#endif
