/* A reading: all that detectors read of one sentence, in numbers, so that they can decide again without its words.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      sentence --read--> reading --> automata, learned score
 *                            |
 *                            +--> kept with a text that is masked; played back in the place of what is masked
 *
 * A reading has sums of weights and counts, no word and no feature. Readings of a text are bytes, one behind the other,
 * from its first sentence on: reading_begin, then reading_write for each. */
#ifndef CORE_DETECT_READING_H
#define CORE_DETECT_READING_H

#include "base/bytes.h"
#include "detect/model.h"
#include "detect/pattern.h"
#include "detect/signal.h"

enum reading_flag {
    READING_BLANK = 1,    /* nothing but white space: it counts as none */
    READING_RECITED = 2,  /* a sentence of the prefix, which carries no signal */
    READING_SIGNALS = 4,  /* its signals were searched for */
    READING_LEARNED = 8,  /* the learned score read it */
    READING_PAUSED = 16,  /* it ended because the text did, or another one went on */
    READING_NO_MORE = 32, /* stands behind the last sentence that is read, of a text that may go on */
    READING_LIFTED = 64,  /* no sentence: the text waited for others too long, and what its end decides was decided, so
                             many bytes (`behind`) behind the last sentence */
};

/* Weights of the signals of one sentence. */
struct signal_sums {
    double sum[SIGNAL_CLASSES];
    double soft;  /* of signals that only hint at a refusal, no part of the sum of its class */
    double firm;  /* of signals that are a refusal each, part of the sum of its class */
    double topic; /* of prompt harm in the reasoning's own words */
};

struct reading {
    bool is_known; /* from a record; else it is made by whoever reads the sentence */
    bool is_short; /* of a known one: something was to be read that it does not say */
    unsigned flags;
    uint32_t len;    /* bytes of the sentence; 0 of what is none */
    uint32_t behind; /* bytes behind its end that had to come before it was known to end there */
    struct signal_sums signals;
    struct model_sentence learned;
};

/* What readings are of. */
enum readings_of {
    READINGS_OF_NOTHING,   /* nobody reads the text's sentences */
    READINGS_OF_SENTENCES, /* of a response */
    READINGS_OF_PROMPT,    /* one number, the risk: reading_write_risk */
};

int readings_begin(struct bytes *out, enum readings_of of) REIN_MUST_USE;
int reading_write(struct bytes *out, const struct reading *r) REIN_MUST_USE;
/* The risk of the prompt so far, instead of the one that was written before. */
int reading_write_risk(struct bytes *out, const struct prompt_risk *risk) REIN_MUST_USE;

/* Takes the beginning from `in`; false: these are no readings. */
bool readings_open(struct span *in, enum readings_of *of);
/* Takes the next one from `in`; false: there is none, or what follows is none. It may come from anywhere: what it says
 * can be wrong, but not out of range. */
bool reading_read(struct span *in, struct reading *out);
bool reading_read_risk(struct span in, struct prompt_risk *out);

#endif
