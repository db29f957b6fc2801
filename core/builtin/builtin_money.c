/* Built-in rules of money: numbers of cards and of accounts.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shapes are facts of ISO/IEC 7812 and 13616 and of what issuers publish. */
#include "builtin/builtin_parts.h"

/* ---- cards ------------------------------------------------------------------------------------------------------- */

/* First four digits, and the lengths that these issuers use: sets of 1 << length. A number in the groups of cards may
 * have any of them. An ungrouped one must have the usual one, because other numbers of these lengths are many: a Visa
 * card of 19 digits is rarer than a 64-bit id that begins with 4. Visa cards of 13 digits are obsolete, and 13 digits
 * are what the bar code of every product has. */
enum { L14 = 1 << 14, L15 = 1 << 15, L16 = 1 << 16, L18 = 1 << 18, L19 = 1 << 19 };
static const struct issuer {
    unsigned first, last, bare, grouped;
} issuers[] = {
    {2200, 2204, L16, L16 | L19},       /* Mir */
    {2221, 2720, L16, L16},             /* Mastercard */
    {3000, 3059, L14, L14 | L16 | L19}, /* Diners Club, also the three below */
    {3095, 3095, L14, L14 | L16 | L19},
    {3400, 3499, L15, L15},       /* American Express */
    {3528, 3589, L16, L16 | L19}, /* JCB */
    {3600, 3699, L14, L14 | L16 | L19},
    {3700, 3799, L15, L15}, /* American Express */
    {3800, 3999, L14, L14 | L16 | L19},
    {4000, 4999, L16, L16 | L19},       /* Visa */
    {5000, 5099, 0, L16 | L19},         /* Maestro, RuPay; the most common ones also ungrouped, below */
    {5018, 5018, L16 | L18 | L19, L16}, /* Maestro, and so on */
    {5020, 5020, L16 | L18 | L19, L16},
    {5038, 5038, L16 | L18 | L19, L16},
    {5100, 5599, L16, L16}, /* Mastercard */
    {5600, 5899, 0, L16 | L19},
    {5893, 5893, L16 | L18 | L19, L16},
    {6000, 6999, 0, L16 | L19},
    {6011, 6011, L16, L16},       /* Discover */
    {6200, 6299, L16 | L19, L16}, /* UnionPay */
    {6304, 6304, L16 | L18 | L19, L16},
    {6440, 6599, L16, L16}, /* Discover, RuPay */
    {6759, 6759, L16 | L18 | L19, L16},
    {6761, 6763, L16 | L18 | L19, L16},
};

static bool has_issuer(const char *digits, size_t len, bool is_bare)
{
    unsigned first = 0;
    for (size_t i = 0; i < 4; i++)
        first = first * 10 + (unsigned)(digits[i] - '0');
    for (size_t i = 0; i < sizeof(issuers) / sizeof(*issuers); i++)
        if (first >= issuers[i].first && first <= issuers[i].last &&
            (is_bare ? issuers[i].bare : issuers[i].grouped) >> len & 1)
            return true;
    return false;
}

static bool are_digits_before(struct surroundings around, unsigned from, unsigned to)
{
    for (unsigned n = from; n <= to; n++)
        if (!part_is_digit(part_before(around, n)))
            return false;
    return true;
}

/* The digits are a fraction (0.4111, .4111, =.4111), not after the end of a sentence or of a word ("no.4111"). */
static bool is_fraction(struct surroundings around)
{
    char before = part_before(around, 2);
    return part_before(around, 1) == '.' &&
           (before == '\0' || part_is_digit(before) || strchr(" \t\r\n([{<>=:;,+-*/|&~\"'`", before) != NULL);
}

/* Part of something longer in groups of four: two groups precede it (digits of pi, years, the row of a
 * table), or the beginning of an account number (DE12). */
static bool is_in_row(struct surroundings around)
{
    char gap = part_before(around, 1);
    if ((gap != ' ' && gap != '-') || around.follows || !are_digits_before(around, 2, 3))
        return false;
    if (part_is_letter(part_before(around, 4)) && part_is_letter(part_before(around, 5)))
        return !part_is_letter(part_before(around, 6)) && !part_is_digit(part_before(around, 6));
    return are_digits_before(around, 4, 5) && part_before(around, 6) == gap && are_digits_before(around, 7, 8);
}

static enum builtin_result check_card(struct span match, struct surroundings around)
{
    char digits[24];
    match = part_without_end(match);
    if (part_is_letter(part_before(around, 1)) || part_is_digit(part_before(around, 1)))
        return BUILTIN_OTHER;
    size_t len = 0, bare = 0;
    while (bare < match.len && part_is_digit(match.data[bare]))
        bare++;
    if (bare >= 14 && bare < match.len)
        return BUILTIN_OTHER; /* a fraction follows */
    for (size_t i = 0; i < match.len && len < sizeof(digits); i++)
        if (part_is_digit(match.data[i]))
            digits[len++] = match.data[i];
    bool is_bare = bare == match.len;
    return part_yes_if(has_issuer(digits, len, is_bare) && part_has_luhn_digit(digits, len) && !is_fraction(around) &&
                       (is_bare || !is_in_row(around)));
}

/* ---- accounts ---------------------------------------------------------------------------------------------------- */

/* Country and length of its account numbers. */
static const char iban_lengths[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
    "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20"
    "MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26"
    "UA29VA22VG24XK20YE30";

/* 0: no country that has such numbers. */
static unsigned iban_length(const char *country)
{
    for (const char *p = iban_lengths; *p != '\0'; p += 4)
        if (memcmp(p, country, 2) == 0)
            return (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0');
    return 0;
}

/* A number in capitals, with no letter or digit before it. In any other form, where words and ids look the same,
 * letters must stand only where bank codes have them. */
static bool is_printed_iban(struct span match, const char *compact, size_t len, struct surroundings around)
{
    bool is_printed = !part_is_letter(part_before(around, 1)) && !part_is_digit(part_before(around, 1));
    for (size_t i = 0; i < match.len; i++)
        is_printed &= !(match.data[i] >= 'a' && match.data[i] <= 'z');
    bool has_far_letters = false;
    for (size_t i = 8; i < len; i++)
        has_far_letters |= part_is_letter(compact[i]);
    return is_printed || !has_far_letters;
}

/* The first four characters moved to the end and letters read as 10 to 35, the number is 1 modulo 97. */
static enum builtin_result check_iban(struct span match, struct surroundings around)
{
    char compact[64];
    size_t len = 0;
    for (size_t i = 0; i < match.len && len < sizeof(compact); i++)
        if (part_is_letter(match.data[i]) || part_is_digit(match.data[i]))
            compact[len++] = match.data[i];
    for (size_t i = 0; i < len; i++)
        compact[i] = compact[i] >= 'a' && compact[i] <= 'z' ? (char)(compact[i] - 'a' + 'A') : compact[i];
    if (len < 15 || len != iban_length(compact) || !is_printed_iban(match, compact, len, around))
        return BUILTIN_NO;
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        char c = compact[(i + 4) % len];
        rest = part_is_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A' + 10);
        rest %= 97;
    }
    return part_yes_if(rest == 1);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static bool complete_card(char *const *value, size_t len)
{
    return part_complete_digit(value, len, len - 1, part_has_luhn_digit);
}

static bool is_iban(const char *number, size_t len)
{
    return check_iban((struct span){number, len}, (struct surroundings){.before = ' '}) == BUILTIN_YES;
}

static bool complete_iban(char *const *value, size_t len)
{
    for (*value[2] = '0'; *value[2] <= '9'; ++*value[2])
        if (part_complete_digit(value, len, 3, is_iban))
            return true;
    return false;
}

static const char *const cards[] = {"4%d{15}",
                                    "4%d{3} %d{4} %d{4} %d{4}",
                                    "4%d{3}-%d{4}-%d{4}-%d{4}",
                                    "52%d{2}.%d{4}.%d{4}.%d{4}",
                                    "51%d{14}",
                                    "55%d{2}\xC2\xA0%d{4}\xC2\xA0%d{4}\xC2\xA0%d{4}",
                                    "37%d{13}",
                                    "34%d{2} %d{6} %d{5}",
                                    "36%d{2} %d{6} %d{4}",
                                    "62%d{17}",
                                    "4%d{3}  %d{4}  %d{4}  %d{4}",
                                    NULL};
static const char *const no_cards[] = {"1234 5678 4%d{3} %d{4}", "0.4%d{15}", "x4%d{15}", "4%d{12}", "9%d{15}", NULL};

static const char *const ibans[] = {"DE00%d{18}",
                                    "DE00 %d{4} %d{4} %d{4} %d{4} %d{2}",
                                    "GB00 %A{4} %d{4} %d{4} %d{4} %d{2}",
                                    "NL00%A{4}%d{10}",
                                    "FR00 %d{4} %d{4} %d{4} %d{4} %d{4} %d{3}",
                                    "PL00-%d{4}-%d{4}-%d{4}-%d{4}-%d{4}-%d{4}",
                                    "es00%d{20}",
                                    "BE00 %d{4} %d{4} %d{4}",
                                    NULL};
static const char *const no_ibans[] = {"QQ%d{20}", "DE%d{12}", NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

#define NO_DIGIT PART_NO_DIGIT
#define GAP PART_GAP
#define CARD_BEGIN "(?:2[2-7]\\d\\d|3[04-9]\\d\\d|[456]\\d{3})"
#define CARD_BARE "\\d{10,12}|\\d{14,15}"
#define CARD_FOURS GAP "\\d{4}" GAP "\\d{4}" GAP "(?:\\d{2,3}|\\d{4}(?:" GAP "\\d{3})?)"
#define CARD_SIXES GAP "\\d{6}" GAP "\\d{4,5}|\\d\\d" GAP "\\d{13}"

#define IBAN_BEGIN "(?:[A-Z]{2}|[a-z]{2})"

const struct builtin builtins_of_money[] = {
    {.name = "card_number",
     .finds = "numbers of payment cards, with a valid check digit (Luhn)",
     .regex = CARD_BEGIN "(?:(?:" CARD_BARE "|" CARD_FOURS "|" CARD_SIXES ")" NO_DIGIT "|\\d{10,15}\\.\\d)",
     .check = check_card,
     .samples = {.right = cards, .near_right = no_cards, .complete = complete_card}},
    {.name = "iban",
     .finds = "international bank account numbers (modulo 97)",
     .regex = IBAN_BEGIN "\\d\\d(?:(?:" GAP ")?[A-Za-z0-9]{4}){2,7}(?:(?:" GAP ")?[A-Za-z0-9]{1,3})?",
     .check = check_iban,
     .max_bytes = 64,
     .samples = {.right = ibans, .near_right = no_ibans, .complete = complete_iban, .check_at = 5}},
    {.name = NULL},
};
