/* See sample.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "builtin/sample.h"

#include <assert.h>
#include <string.h>

enum { TRIES_MAX = 1000 };

#define DIGITS "0123456789"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SMALL "abcdefghijklmnopqrstuvwxyz"

uint64_t sample_roll(struct sample_dice *dice, uint64_t below)
{
    dice->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = dice->state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % below;
}

static void sample_put(struct sample *sample, char c)
{
    assert(sample->len < SAMPLE_TEXT_MAX);
    sample->text[sample->len++] = c;
}

static const char *alphabet_of(char kind)
{
    switch (kind) {
    case 'd':
        return DIGITS;
    case '1':
        return "123456789";
    case 's':
        return "23456789";
    case 'x':
        return DIGITS "abcdef";
    case 'X':
        return DIGITS "ABCDEF";
    case 'a':
        return SMALL;
    case 'A':
        return CAPITALS;
    case 'w':
        return DIGITS CAPITALS SMALL;
    case '2':
        return CAPITALS "234567";
    case 'u':
        return DIGITS CAPITALS SMALL "-_";
    case 'b':
        return DIGITS CAPITALS SMALL "+/";
    default:
        return "%";
    }
}

static void put_two(struct sample *sample, uint64_t number)
{
    sample_put(sample, (char)('0' + number / 10));
    sample_put(sample, (char)('0' + number % 10));
}

static void put_birthday(struct sample *sample, struct sample_dice *dice)
{
    put_two(sample, sample_roll(dice, 100));
    put_two(sample, 1 + sample_roll(dice, 12));
    put_two(sample, 1 + sample_roll(dice, 28));
}

/* Fills the place at `form`, behind its percent sign; returns what is behind it. */
static const char *fill_place(struct sample *sample, const char *form, struct sample_dice *dice)
{
    char kind = *form++;
    if (kind == 't') {
        put_birthday(sample, dice);
        return form;
    }
    size_t times = 1;
    if (*form == '{') {
        for (times = 0, form++; *form != '}'; form++)
            times = times * 10 + (size_t)(*form - '0');
        form++;
    }
    const char *alphabet = alphabet_of(kind);
    for (size_t i = 0; i < times; i++)
        sample_put(sample, alphabet[sample_roll(dice, strlen(alphabet))]);
    return form;
}

static void fill_form(struct sample *sample, const char *form, struct sample_dice *dice)
{
    size_t first = sample->len;
    sample->from = first;
    sample->to = 0;
    while (*form != '\0') {
        char c = *form++;
        if (c == '%')
            form = fill_place(sample, form, dice);
        else if (c == *SAMPLE_FROM)
            sample->from = sample->len;
        else if (c == *SAMPLE_TO)
            sample->to = sample->len;
        else
            sample_put(sample, c);
    }
    if (sample->to == 0)
        sample->to = sample->len;
}

/* ---- what stands around it ---- */

static void put_text(struct sample *sample, const char *text)
{
    while (*text != '\0')
        sample_put(sample, *text++);
}

static void begin_text(struct sample *sample, struct sample_dice *dice)
{
    static const char *const texts[] = {
        "", "It is ", "see: ", "(", "value=", "a, b ", "\"text\": \"", "line\n\t ", "see\xC2\xA0", "<td>"};
    *sample = (struct sample){.len = 0};
    put_text(sample, texts[sample_roll(dice, sizeof texts / sizeof *texts)]);
}

static void end_text(struct sample *sample, struct sample_dice *dice)
{
    static const char *const texts[] = {"", " ", ".", ", and more", "\n", "\"", ")", "</td>", "; next", " is it."};
    put_text(sample, texts[sample_roll(dice, sizeof texts / sizeof *texts)]);
}

/* ---- check digits ---- */

static bool is_sample_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_sample_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The letters and digits of what is to be found; from its first digit on if a cue may be before it. */
static size_t list_value(struct sample *sample, const struct sample_forms *forms, char *value[SAMPLE_VALUE_MAX])
{
    size_t len = 0, i = sample->from;
    while (forms->has_cue && i < sample->to && !is_sample_digit(sample->text[i]))
        i++;
    for (; i < sample->to && len < SAMPLE_VALUE_MAX; i++)
        if (is_sample_digit(sample->text[i]) || is_sample_letter(sample->text[i]))
            value[len++] = &sample->text[i];
    return len;
}

static const char *choose_form(const char *const *forms, struct sample_dice *dice)
{
    size_t len = 0;
    while (forms[len] != NULL)
        len++;
    return forms[sample_roll(dice, len)];
}

void sample_make(struct sample *sample, const struct sample_forms *forms, struct sample_dice *dice)
{
    bool is_made = false;
    for (unsigned tries = 0; !is_made; tries++) {
        assert(tries < TRIES_MAX);
        char *value[SAMPLE_VALUE_MAX];
        begin_text(sample, dice);
        fill_form(sample, choose_form(forms->right, dice), dice);
        is_made = forms->complete == NULL || forms->complete(value, list_value(sample, forms, value));
    }
    end_text(sample, dice);
}

static void spoil_check(struct sample *sample, const struct sample_forms *forms, struct sample_dice *dice)
{
    char *value[SAMPLE_VALUE_MAX];
    size_t len = list_value(sample, forms, value);
    assert(forms->check_at < len);
    char *digit = value[len - 1 - forms->check_at];
    bool is_digit = is_sample_digit(*digit);
    unsigned many = is_digit ? 10 : 26;
    char first = is_digit ? '0' : 'A';
    *digit = (char)(first + (*digit - first + 1 + (int)sample_roll(dice, many - 1)) % (int)many);
}

void sample_make_near(struct sample *sample, const struct sample_forms *forms, struct sample_dice *dice)
{
    bool by_form = forms->near_right != NULL && (forms->complete == NULL || sample_roll(dice, 2) == 0);
    if (!by_form) {
        sample_make(sample, forms, dice);
        spoil_check(sample, forms, dice);
        return;
    }
    begin_text(sample, dice);
    fill_form(sample, choose_form(forms->near_right, dice), dice);
    end_text(sample, dice);
}
