/* `rein mix`: what its parts share. Rows of safety, mathematics and benign prompts become one training file.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     inputs -> places (where each usable row is; one a prompt) -> chosen by count or ratio -> train and test -> files
 *
 * Of rows with one prompt the first is used. Which prompts are chosen, and their order, follow from the seed alone.
 * Thread: one. */
#ifndef TOOLS_DATASET_MIX_H
#define TOOLS_DATASET_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataset/row_writer.h"
#include "dataset/survival_ask.h"
#include "dataset/training_row.h"

enum mix_kind { MIX_SAFETY, MIX_MATH, MIX_BENIGN, MIX_KINDS };
const char *mix_kind_name(enum mix_kind kind); /* "safety" ... */

enum { MIX_FILES_MAX = 64, MIX_ROWS_MAX = 1 << 26 };

/* The command line; texts are borrowed from it. */
struct mix_options {
    struct mix_input {
        const char *path;
        enum mix_kind kind;
    } inputs[MIX_FILES_MAX];
    size_t inputs_len;
    enum { MIX_ALL, MIX_COUNTS, MIX_RATIO } how;
    uint64_t share[MIX_KINDS]; /* counts, or the parts of a ratio; unused with MIX_ALL */
    uint64_t seed;
    double test; /* the share of prompts that is kept out of the training file */
    enum row_format format;
    enum survival_family family;
    const char *template_of; /* an upstream that says what its chat template does; NULL: rules alone */
    bool like_paper;         /* mathematics first, and the paper's file name in the folder `out` */
    const char *type;        /* of the paper's file name */
    const char *out;
};
/* Returns CLI_OK, or prints what is wrong and returns CLI_USAGE. */
int mix_options_read(struct mix_options *options, int argc, char **argv) REIN_MUST_USE;

/* Where a row is, so that it can be read again. */
struct mix_place {
    uint64_t order; /* random, but the same for the same prompt and seed */
    uint64_t offset;
    uint32_t len;
    uint16_t input;
    uint8_t kind; /* enum mix_kind */
    bool is_test;
};

/* What became of the rows of one input. */
struct mix_tally {
    size_t rows, unusable, same, near; /* read; of a wrong shape; of a prompt that was there, or one near it */
    char sha256[SHA256_HEX];
};

struct mix_output {
    char *path; /* owned; NULL: there is none */
    size_t rows[MIX_KINDS];
    size_t survival[SURVIVAL_KINDS];
    char sha256[SHA256_HEX];
};

struct mix {
    const struct mix_options *options;
    struct mix_tally tallies[MIX_FILES_MAX];
    struct mix_place *places;
    size_t places_len, places_cap;
    size_t there[MIX_KINDS]; /* usable rows */
    struct survival_asked asked;
    struct mix_output train, test;
};

/* Prints what was written and what to look out for; writes the manifest beside the training file. 0 or a negated errno.
 */
int mix_report(const struct mix *mix) REIN_MUST_USE;

#endif
