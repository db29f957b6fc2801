/* See builtin.h: all tables together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "builtin/builtin_parts.h"

enum { TABLES = 7 };

static const struct builtin *const tables[TABLES] = {
    builtins_of_money,   builtins_of_contact, builtins_of_persons,     builtins_of_network,
    builtins_of_secrets, builtins_of_keys,    builtins_of_hidden_text,
};

const struct builtin *builtin_at(size_t number)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct builtin *row = tables[t]; row->name != NULL; row++)
            if (number-- == 0)
                return row;
    return NULL;
}

const struct builtin *builtin_find(const char *name)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct builtin *row = tables[t]; row->name != NULL; row++)
            if (strcmp(row->name, name) == 0)
                return row;
    return NULL;
}

void builtin_names(const char *names[BUILTINS_MAX + 1])
{
    size_t len = 0;
    for (const struct builtin *row; (row = builtin_at(len)) != NULL; len++) {
        assert(len < BUILTINS_MAX);
        names[len] = row->name;
    }
    names[len] = NULL;
}

const struct sample_forms *builtin_samples(const struct builtin *builtin, struct sample_dice *dice)
{
    if (builtin->members == NULL)
        return &builtin->samples;
    size_t len = 0;
    while (builtin->members[len] != NULL)
        len++;
    const struct builtin *member = builtin_find(builtin->members[sample_roll(dice, len)]);
    assert(member != NULL && member->members == NULL);
    return &member->samples;
}

/* ---- parts ---- */

struct part_number part_number_of(struct span text, bool has_cue)
{
    struct part_number number = {.len = 0};
    size_t i = 0;
    while (has_cue && i < text.len && !part_is_digit(text.data[i]))
        i++;
    for (; i < text.len && number.len < sizeof number.at; i++)
        if (part_is_letter(text.data[i]) || part_is_digit(text.data[i]))
            number.at[number.len++] = part_upper(text.data[i]);
    return number;
}

uint64_t part_value(const char *digits, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    return value;
}

bool part_has_luhn_digit(const char *digits, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = (unsigned)(digits[len - 1 - i] - '0');
        sum += i % 2 == 0 ? value : value > 4 ? value * 2 - 9 : value * 2;
    }
    return sum % 10 == 0;
}

bool part_complete_digit(char *const *value, size_t len, size_t at, bool (*is_right)(const char *number, size_t len))
{
    char number[SAMPLE_VALUE_MAX];
    for (*value[at] = '0'; *value[at] <= '9'; ++*value[at]) {
        for (size_t i = 0; i < len; i++)
            number[i] = *value[i];
        if (is_right(number, len))
            return true;
    }
    return false;
}
