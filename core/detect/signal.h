/* Signals: small lexical facts ("names a harm", "decides to refuse") found in one sentence or prompt.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All entries of all lexicons are one vectorscan database, scanned in block mode over one folded sentence at a time: a
 * signal never spans sentences, so this depends on the text alone and costs about a microsecond a sentence. */
#ifndef CORE_DETECT_SIGNAL_H
#define CORE_DETECT_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/sentence.h"
#include "rein/rein.h"

enum signal_class {
    SIGNAL_NAMES_HARM, /* says that something is harmful, illegal, against policy */
    SIGNAL_DECIDES_TO_REFUSE,
    SIGNAL_DECLINES_PART, /* leaves something out and answers the rest */
    SIGNAL_CONCEDES,      /* "but maybe the user just ..." */
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
    SIGNAL_PROMPT_BENIGN, /* a cue that an alarming word is meant harmlessly */
    SIGNAL_CLASSES,
};

const char *signal_class_name(enum signal_class c);
int signal_class_find(const char *name); /* -1: unknown */
/* The channel whose sentences the class is searched for in: prompt, reasoning or answer. */
enum rein_channel signal_class_channel(enum signal_class c);

/* The classes are few enough for a set of 1 << class in an unsigned. */

/* An entry as a lexicon has it; borrowed while it is added. */
struct signal_spec {
    const char *id;
    enum signal_class class;
    const char *category; /* harm category of a prompt signal, or NULL */
    const char *regex;    /* over folded text, one of the two */
    const char *phrase;   /* whole words, literally */
    double weight;        /* of a prompt signal or score; 1 by default, which 0 means too */
};

enum { SIGNAL_ENTRIES_MAX = 8192, SIGNAL_CATEGORIES_MAX = 64, SIGNAL_REGEX_MAX = 2048 };

struct signals; /* immutable once built; shared by threads */
int signals_new(struct signals **out) REIN_MUST_USE;
void signals_free(struct signals *s); /* NULL is fine */
/* Adds an entry; its number is the count of entries added before. REIN_EPOLICY: the expression is wrong, and `why`
 * (good as long as the signals) says why; REIN_ELIMIT: too many entries or categories. */
int signals_add(struct signals *s, const struct signal_spec *spec, const char **why) REIN_MUST_USE;
/* Compiles what was added. REIN_EPOLICY: entry *bad_entry cannot be compiled, see `why`. */
int signals_finish(struct signals *s, size_t *bad_entry, const char **why) REIN_MUST_USE;

struct signal_hit {
    uint16_t entry;
    uint8_t class;
    float weight;
};
enum { SIGNAL_HITS_MAX = 64 };

/* Finds the channel's signals in one text of at most SENTENCE_MAX bytes (more is not examined). Each entry is reported
 * once. Returns how many were written: the first SIGNAL_HITS_MAX, by the places where they end. */
int signals_scan(const struct signals *s, struct rein_engine *engine, enum rein_channel channel, struct span text,
                 struct signal_hit hits[SIGNAL_HITS_MAX]) REIN_MUST_USE;
/* Finds another channel's signals in the text that this engine scanned last. */
int signals_scan_same(const struct signals *s, struct rein_engine *engine, enum rein_channel channel,
                      struct signal_hit hits[SIGNAL_HITS_MAX]) REIN_MUST_USE;
const char *signals_entry_id(const struct signals *s, uint16_t entry);
const char *signals_entry_category(const struct signals *s, uint16_t entry); /* NULL if none */
int signals_entry_category_index(const struct signals *s, uint16_t entry);   /* -1 if none */
/* Categories in the order in which they were first added; NULL past the last. */
const char *signals_category_name(const struct signals *s, size_t index);

/* Folds a text for comparison: lower case, single spaces, plain quotes and dashes, no emphasis marks. Writes at most
 * `cap` bytes, returns how many. */
size_t signal_fold(struct span text, char *out, size_t cap);

#endif
