/* Numbers as systems make them, none of them a card number, and card numbers as people write them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * From dice alone, so that a seed gives the same texts everywhere. */
#ifndef TESTS_NUMBERS_H
#define TESTS_NUMBERS_H

#include <stdbool.h>

#include "dice.h"

enum { NUMBER_TEXT_MAX = 512, NUMBER_KINDS = 24, CARD_ISSUERS = 6, CARD_GROUPINGS = 9 };

const char *number_kind(unsigned kind);
/* One text with one number of the kind (or, where the kind says so, one row of them). */
void number_make(struct dice *dice, unsigned kind, char text[NUMBER_TEXT_MAX]);

/* The frame with the number in the place of its '@'. */
void number_frame(const char *frame, const char *number, char text[NUMBER_TEXT_MAX]);

const char *card_issuer(unsigned issuer);
const char *card_grouping(unsigned grouping);
/* A number that passes Luhn in the issuer's range, grouped. The first seven groupings are what people and programs
 * write; the others are two blanks and dots. */
void card_make(struct dice *dice, unsigned issuer, unsigned grouping, char text[NUMBER_TEXT_MAX]);

#endif
