/* Built-in rules of persons: the numbers that states give to people.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shapes and check digits are facts that the states publish. A number whose check lets more than about one in a
 * hundred random numbers of its length through must be in its printed groups or behind a word that says what it is. */
#include "builtin/builtin_parts.h"

static bool are_all_digits(const struct part_number *number)
{
    for (size_t i = 0; i < number->len; i++)
        if (!part_is_digit(number->at[i]))
            return false;
    return true;
}

/* Digits times weights, added up. */
static unsigned weigh(const char *digits, const unsigned char *weights, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (unsigned)(digits[i] - '0') * weights[i];
    return sum;
}

/* Month and day of a date, both of two digits. */
static bool is_month_day(const char *digits)
{
    uint64_t month = part_value(digits, 2), day = part_value(digits + 2, 2);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* The number is right and complete, and nothing before it makes it part of something longer. A word before the number
 * begins the match, then what is before the word does not matter. */
static enum builtin_result check_number(struct span match, struct surroundings around, size_t len,
                                        bool (*is_right)(const char *number, size_t len))
{
    bool has_cue = part_is_letter(match.data[0]);
    struct part_number number = part_number_of(match, true);
    if (number.len != len || !are_all_digits(&number) || !is_right(number.at, number.len))
        return BUILTIN_NO;
    char before = part_before(around, 1);
    bool is_part = before == '.' || before == '-' || before == '/' || before == '_';
    return part_yes_if(has_cue || (part_stands_alone(around) && !is_part));
}

/* ---- United States ----------------------------------------------------------------------------------------------- */

/* Area 000, 666 and 9xx, group 00 and serial 0000 were never given out. With the same separator twice, or none behind a
 * word that says what it is. */
static enum builtin_result check_ssn(struct span match, struct surroundings around)
{
    char digits[9];
    size_t len = 0, first_gap = 0, gaps[3] = {0};
    bool has_cue = part_is_letter(match.data[0]);
    match = part_without_end(match);
    if (!has_cue && part_is_digit(part_before(around, 1)))
        return BUILTIN_NO;
    for (size_t i = 0; i < match.len; i++) {
        if (part_is_digit(match.data[i]) && len < sizeof(digits))
            digits[len++] = match.data[i];
        else if (len == 3 || len == 5)
            gaps[len / 2]++;
        first_gap = len == 3 && first_gap == 0 ? i + 1 : first_gap;
    }
    const char *s = match.data;
    if (len != 9 || memcmp(digits, "000", 3) == 0 || memcmp(digits, "666", 3) == 0)
        return BUILTIN_NO;
    if (!has_cue && (gaps[1] != gaps[2] || memcmp(s + first_gap, s + first_gap + gaps[1] + 2, gaps[1]) != 0))
        return BUILTIN_NO;
    return part_yes_if(memcmp(digits + 3, "00", 2) != 0 && memcmp(digits + 5, "0000", 4) != 0);
}

/* ---- Spain ------------------------------------------------------------------------------------------------------- */

/* Eight digits, of which the first may be X, Y or Z for 0, 1, 2, and the letter of their rest modulo 23. */
static bool is_spanish(const char *number, size_t len)
{
    char digits[8];
    if (len != 9)
        return false;
    memcpy(digits, number, sizeof digits);
    if (digits[0] >= 'X' && digits[0] <= 'Z')
        digits[0] = (char)(digits[0] - 'X' + '0');
    for (size_t i = 0; i < sizeof digits; i++)
        if (!part_is_digit(digits[i]))
            return false;
    return number[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[part_value(digits, 8) % 23];
}

static enum builtin_result check_spanish(struct span match, struct surroundings around)
{
    struct part_number number = part_number_of(match, false);
    char before = part_before(around, 1);
    return part_yes_if(part_stands_alone(around) && before != '.' && before != '-' && before != '_' &&
                       is_spanish(number.at, number.len));
}

/* ---- Italy ------------------------------------------------------------------------------------------------------- */

/* Letters and digits at odd places count by a table, those at even places by their order; the last letter is the rest
 * of their sum modulo 26. */
static bool is_italian(const char *number, size_t len)
{
    static const unsigned char odd[26] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                          20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
    unsigned sum = 0;
    if (len != 16)
        return false;
    for (size_t i = 0; i < 15; i++) {
        unsigned order = part_is_digit(number[i]) ? (unsigned)(number[i] - '0') : (unsigned)(number[i] - 'A');
        sum += i % 2 == 0 ? odd[order] : order;
    }
    return (unsigned)(number[15] - 'A') == sum % 26;
}

static enum builtin_result check_italian(struct span match, struct surroundings around)
{
    struct part_number number = part_number_of(match, false);
    return part_yes_if(part_stands_alone(around) && part_before(around, 1) != '_' && is_italian(number.at, number.len));
}

/* ---- one number each --------------------------------------------------------------------------------------------- */

/* Netherlands: the weighted sum is a multiple of eleven; the last digit counts against it. */
static bool is_dutch(const char *number, size_t len)
{
    static const unsigned char weights[8] = {9, 8, 7, 6, 5, 4, 3, 2};
    unsigned sum = len == 9 ? weigh(number, weights, 8) : 0;
    return sum > 0 && sum % 11 == (unsigned)(number[8] - '0');
}

/* Poland: a date of birth, whose month also says the century, and a weighted sum. */
static bool is_polish(const char *number, size_t len)
{
    static const unsigned char weights[11] = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};
    if (len != 11)
        return false;
    char date[4] = {(char)('0' + (number[2] - '0') % 2), number[3], number[4], number[5]};
    return is_month_day(date) && weigh(number, weights, 11) % 10 == 0;
}

/* Brazil: two check digits, each the rest of a weighted sum modulo eleven, 10 counting as 0. Eleven equal digits pass
 * that, but belong to no one. */
static bool is_brazilian(const char *number, size_t len)
{
    static const unsigned char weights[10] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2};
    if (len != 11 || memcmp(number, number + 1, 10) == 0)
        return false;
    unsigned first = weigh(number, weights + 1, 9) * 10 % 11 % 10, second = weigh(number, weights, 10) * 10 % 11 % 10;
    return number[9] == (char)('0' + first) && number[10] == (char)('0' + second);
}

/* India: Verhoeff's check digit, of the group of symmetries of a pentagon: adding and permuting in it. */
static unsigned pentagon_add(unsigned a, unsigned b)
{
    unsigned turned = a < 5 ? (b % 5 + a) % 5 : (a - 5 + 5 - b % 5) % 5;
    return turned + ((a < 5) == (b < 5) ? 0 : 5);
}

static bool is_indian(const char *number, size_t len)
{
    static const unsigned char permuted[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
    unsigned sum = 0;
    if (len != 12 || number[0] < '2')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(number[len - 1 - i] - '0');
        for (size_t times = i % 8; times > 0; times--)
            digit = permuted[digit];
        sum = pentagon_add(sum, digit);
    }
    return sum == 0;
}

/* Sweden: a date of birth, whose day is 60 higher in the numbers of visitors, and Luhn's digit over the last ten. */
static bool is_swedish(const char *number, size_t len)
{
    if (len != 10 && len != 12)
        return false;
    const char *last = number + len - 10;
    char date[4] = {last[2], last[3], last[4] >= '6' ? (char)(last[4] - 6) : last[4], last[5]};
    bool has_century = len == 10 || memcmp(number, "19", 2) == 0 || memcmp(number, "20", 2) == 0;
    return has_century && is_month_day(date) && part_has_luhn_digit(last, 10);
}

/* Belgium: a date of birth and a serial, and 97 less their rest; with a 2 before them for those born since 2000. */
static bool is_belgian(const char *number, size_t len)
{
    if (len != 11 || !is_month_day(number + 2))
        return false;
    uint64_t first = part_value(number, 9), check = part_value(number + 9, 2);
    return check == 97 - first % 97 || check == 97 - (2000000000 + first) % 97;
}

/* France: sex, year and month, place, serial, and 97 less their rest. Corsica's places have a letter. */
static bool is_french(const char *number, size_t len)
{
    char digits[15];
    if (len != 15)
        return false;
    memcpy(digits, number, sizeof digits);
    uint64_t less = digits[6] == 'A' ? 1000000 : digits[6] == 'B' ? 2000000 : 0;
    if (less > 0)
        digits[6] = '0';
    for (size_t i = 0; i < sizeof digits; i++)
        if (!part_is_digit(digits[i]))
            return false;
    uint64_t month = part_value(digits + 3, 2);
    bool is_dated = (month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50;
    return is_dated && part_value(digits + 13, 2) == 97 - (part_value(digits, 13) - less) % 97;
}

/* Germany: a check digit over products modulo eleven and ten (ISO 7064); of the ten digits before it one is there twice
 * or three times. */
static bool is_german(const char *number, size_t len)
{
    unsigned counts[10] = {0}, product = 10, repeated = 0, missing = 0;
    if (len != 11 || number[0] == '0')
        return false;
    for (size_t i = 0; i < 10; i++) {
        unsigned digit = (unsigned)(number[i] - '0'), sum = (digit + product) % 10;
        counts[digit]++;
        product = (sum == 0 ? 10 : sum) * 2 % 11;
    }
    for (size_t i = 0; i < 10; i++) {
        repeated += counts[i] > 1;
        missing += counts[i] == 0;
    }
    return repeated == 1 && missing <= 2 && (unsigned)(number[10] - '0') == (11 - product) % 10;
}

static enum builtin_result check_dutch(struct span match, struct surroundings around)
{
    return check_number(match, around, 9, is_dutch);
}

static enum builtin_result check_polish(struct span match, struct surroundings around)
{
    return check_number(match, around, 11, is_polish);
}

static enum builtin_result check_brazilian(struct span match, struct surroundings around)
{
    return check_number(match, around, 11, is_brazilian);
}

static enum builtin_result check_indian(struct span match, struct surroundings around)
{
    return check_number(match, around, 12, is_indian);
}

static enum builtin_result check_swedish(struct span match, struct surroundings around)
{
    enum builtin_result short_one = check_number(match, around, 10, is_swedish);
    return short_one != BUILTIN_NO ? short_one : check_number(match, around, 12, is_swedish);
}

static enum builtin_result check_belgian(struct span match, struct surroundings around)
{
    return check_number(match, around, 11, is_belgian);
}

static enum builtin_result check_french(struct span match, struct surroundings around)
{
    struct part_number number = part_number_of(match, true);
    char before = part_before(around, 1);
    bool is_part = before == '.' || before == '-' || before == '_';
    return part_yes_if(!is_part && part_stands_alone(around) && is_french(number.at, number.len));
}

static enum builtin_result check_german(struct span match, struct surroundings around)
{
    return check_number(match, around, 11, is_german);
}

/* ---- United Kingdom ---------------------------------------------------------------------------------------------- */

/* Prefixes that were never given out. There is no check digit, so one in a row stands behind a word that says what it
 * is. */
static enum builtin_result check_british(struct span match, struct surroundings around)
{
    static const char never[] = "BGGBKNNKNTTNZZ";
    char last[9];
    size_t len = 0, at = match.len;
    for (; at > 0 && len < sizeof last; at--)
        if (part_is_letter(match.data[at - 1]) || part_is_digit(match.data[at - 1]))
            last[sizeof last - ++len] = part_upper(match.data[at - 1]);
    if (len < sizeof last)
        return BUILTIN_NO;
    for (const char *p = never; *p != '\0'; p += 2)
        if (memcmp(p, last, 2) == 0)
            return BUILTIN_NO;
    bool is_prefix = memchr("DFIQUV", last[0], 6) == NULL && memchr("DFIOQUV", last[1], 7) == NULL;
    return part_yes_if(is_prefix && (at > 0 || (part_stands_alone(around) && part_before(around, 1) != '_')));
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static bool complete_spanish(char *const *value, size_t len)
{
    char number[9] = {0};
    for (size_t i = 0; i < 9 && i < len; i++)
        number[i] = *value[i];
    for (number[8] = 'A'; number[8] <= 'Z'; number[8]++)
        if (is_spanish(number, len)) {
            *value[8] = number[8];
            return true;
        }
    return false;
}

static bool complete_italian(char *const *value, size_t len)
{
    char number[16] = {0};
    for (size_t i = 0; i < 16 && i < len; i++)
        number[i] = part_upper(*value[i]);
    for (number[15] = 'A'; number[15] <= 'Z'; number[15]++)
        if (is_italian(number, len)) {
            *value[15] = (char)(number[15] + (*value[15] >= 'a' ? 'a' - 'A' : 0));
            return true;
        }
    return false;
}

/* The last digit, or the last two. */
static bool complete_one(char *const *value, size_t len, bool (*is_right)(const char *number, size_t len))
{
    return part_complete_digit(value, len, len - 1, is_right);
}

static bool complete_two(char *const *value, size_t len, bool (*is_right)(const char *number, size_t len))
{
    for (*value[len - 2] = '0'; *value[len - 2] <= '9'; ++*value[len - 2])
        if (complete_one(value, len, is_right))
            return true;
    return false;
}

static bool complete_dutch(char *const *value, size_t len)
{
    return complete_one(value, len, is_dutch);
}

static bool complete_polish(char *const *value, size_t len)
{
    return complete_one(value, len, is_polish);
}

static bool complete_brazilian(char *const *value, size_t len)
{
    return complete_two(value, len, is_brazilian);
}

static bool complete_indian(char *const *value, size_t len)
{
    return complete_one(value, len, is_indian);
}

static bool complete_swedish(char *const *value, size_t len)
{
    return complete_one(value, len, is_swedish);
}

static bool complete_belgian(char *const *value, size_t len)
{
    return complete_two(value, len, is_belgian);
}

static bool complete_french(char *const *value, size_t len)
{
    return complete_two(value, len, is_french);
}

static bool complete_german(char *const *value, size_t len)
{
    /* Nine different digits and one of them again, in any order that begins with another one than 0. */
    static const char order[] = "3718250649";
    unsigned turn = (unsigned)(*value[1] - '0'), again = (unsigned)(*value[2] - '0') % 9;
    for (size_t i = 0; i < 9; i++)
        *value[i] = order[(i + turn) % 10];
    *value[9] = *value[again];
    return complete_one(value, len, is_german);
}

static const char *const ssns[] = {"123-%1%1-%1%d{3}",
                                   "2%1%1 %1%1 %1%d{3}",
                                   "SSN: 41%1%1%1%1%d{3}",
                                   "51%1.%1%1.%1%d{3}",
                                   "social security number 31%1%1%1%1%d{3}",
                                   NULL};
static const char *const no_ssns[] = {"000-%1%1-%1%d{3}",
                                      "666-%1%1-%1%d{3}",
                                      "9%d{2}-%1%1-%1%d{3}",
                                      "123-00-%1%d{3}",
                                      "123-%1%1-0000",
                                      "123-%1%1 %1%d{3}",
                                      "%1%d{8}",
                                      NULL};

static const char *const spaniards[] = {"%d{8}Z",  "%d{8}-Z", "%d{2}.%d{3}.%d{3}-Z", "X%d{7}Z", "Y-%d{7}-Z",
                                        "Z%d{7}Z", NULL};
static const char *const no_spaniards[] = {"%d{9}", "%d{8}I", "%d{7}-U", NULL};

static const char *const italians[] = {"%A{6}%d{2}A%d{2}%A%d{3}Z", "%A{3} %A{3} %d{2}T%d{2} %A%d{3} Z",
                                       "%a{6}%d{2}m%d{2}%a%d{3}z", "%A{6}LMS%d{2}%A%dNPZ", NULL};
static const char *const no_italians[] = {"%A{6}%d{2}F%d{2}%A%d{3}Z", "%A{6}%d{9}Z", NULL};

static const char *const dutchmen[] = {"BSN: %1%d{8}",
                                       "bsn %d{4}.%d{2}.%d{3}",
                                       "burgerservicenummer is %1%d{8}",
                                       "\"" SAMPLE_FROM "BSN\":\"%d{9}" SAMPLE_TO "\"",
                                       "sofinummer %d{9}",
                                       NULL};
static const char *const no_dutchmen[] = {"%d{9}", "BSN 000000000", "BSN: %d{8}", NULL};

static const char *const poles[] = {"PESEL: %t%d{5}", "PESEL %t%d{5}",
                                    "\"" SAMPLE_FROM "pesel\": \"%t%d{5}" SAMPLE_TO "\"", "Pesel=%t%d{5}", NULL};
static const char *const no_poles[] = {"%d{11}", "PESEL: %d{2}13%d{7}", "PESEL: %d{4}32%d{5}", NULL};

static const char *const brazilians[] = {"%d{3}.%d{3}.%d{3}-%d{2}", "CPF: %d{11}", "cpf %d{3}.%d{3}.%d{3}-%d{2}",
                                         "CPF n\xC2\xBA %d{9}-%d{2}", NULL};
static const char *const no_brazilians[] = {"CPF: 11111111111", "%d{11}", "%d{3}.%d{3}.%d{3}.%d{2}", NULL};

static const char *const indians[] = {"Aadhaar: %s%d{3} %d{4} %d{4}", "aadhaar number %s%d{11}",
                                      "Aadhar no. %s%d{3}-%d{4}-%d{4}", "UIDAI %s%d{3} %d{4} %d{4}", NULL};
static const char *const no_indians[] = {"Aadhaar: 1%d{3} %d{4} %d{4}", "%s%d{11}", "%s%d{3} %d{4} %d{4}", NULL};

static const char *const swedes[] = {"%t-%d{4}",
                                     "19%t-%d{4}",
                                     "%t+%d{4}",
                                     "personnummer: %t%d{4}",
                                     "personnummer 20%t%d{4}",
                                     "samordningsnummer %t-%d{4}",
                                     NULL};
static const char *const no_swedes[] = {"%t%d{4}", "%d{2}13%d{2}-%d{4}", "18%t-%d{4}", NULL};

static const char *const belgians[] = {"%t%d{5}", "%d{2}.12.1%d-%d{3}.%d{2}", "%t-%d{3}-%d{2}",
                                       "rijksregisternummer: " SAMPLE_FROM "%t %d{3} %d{2}", NULL};
static const char *const no_belgians[] = {"%d{2}.13.1%d-%d{3}.%d{2}", "%d{12}", NULL};

static const char *const frenchmen[] = {"1%d{2}0%1%d{2}%d{3}%d{3}%d{2}",      "2 %d{2} 12 %d{2} %d{3} %d{3} %d{2}",
                                        "1 %d{2} 0%1 2A %d{3} %d{3} %d{2}",   "2%d{2}0%12B%d{6}%d{2}",
                                        "1-%d{2}-11-%d{2}-%d{3}-%d{3}-%d{2}", NULL};
static const char *const no_frenchmen[] = {"3%d{14}", "1%d{2}15%d{10}", "1%d{13}", NULL};

static const char *const germans[] = {"Steuer-ID: %d{11}", "IdNr. %d{2} %d{3} %d{3} %d{3}",
                                      "Steueridentifikationsnummer lautet %d{11}",
                                      "Steuerliche Identifikationsnummer: %d{2} %d{3} %d{3} %d{3}", NULL};
static const char *const no_germans[] = {"%d{11}", "Steuer-ID: 11111111111", "IdNr. 0%d{10}", NULL};

static const char *const britons[] = {"AB %d{2} %d{2} %d{2} C", "JG-%d{2}-%d{2}-%d{2}-A",
                                      "National Insurance number: JJ%d{6}C", "NINO AB%d{6}D", NULL};
static const char *const no_britons[] = {
    "AB%d{6}C", "QQ %d{2} %d{2} %d{2} C", "GB %d{2} %d{2} %d{2} A", "AB %d{2} %d{2} %d{2} E", "NINO DA%d{6}A", NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

#define GAP PART_GAP
#define SSN_CUE "(?i:ssn|social[ -]?security)"
/* Between the word that says what a number is, and the number. */
#define TO_NUMBER "[^0-9\\n]{0,32}"
#define OMO "[0-9LMNPQRSTUV]"
#define PLAIN_GAP "[ .\\x{A0}\\x{2010}-\\x{2013}\\x{202F}/-]?"

const struct builtin builtins_of_persons[] = {
    {.name = "ssn",
     .finds = "US social security numbers, in their groups or behind \"SSN\"",
     .regex = "(?:[0-8]\\d\\d" GAP "\\d\\d" GAP "\\d{4}|" SSN_CUE "[^0-9\\n]{0,20}[0-8]\\d{8})" PART_NO_DIGIT,
     .check = check_ssn,
     .max_bytes = 64,
     .samples = {.right = ssns, .near_right = no_ssns}},
    {.name = "belgium_national_number",
     .finds = "Belgian national numbers (rijksregisternummer, modulo 97)",
     .regex = "\\d{2}" PLAIN_GAP "\\d{2}" PLAIN_GAP "\\d{2}" PLAIN_GAP "\\d{3}" PLAIN_GAP "\\d{2}\\b",
     .check = check_belgian,
     .samples = {.right = belgians, .near_right = no_belgians, .complete = complete_belgian, .has_cue = true}},
    {.name = "brazil_cpf",
     .finds = "Brazilian CPF, in its groups or behind \"CPF\" (two check digits)",
     .regex = "(?:\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}|(?i:cpf)" TO_NUMBER "\\d{3}" PLAIN_GAP "\\d{3}" PLAIN_GAP
              "\\d{3}" PLAIN_GAP "\\d{2})\\b",
     .check = check_brazilian,
     .max_bytes = 96,
     .samples = {.right = brazilians, .near_right = no_brazilians, .complete = complete_brazilian, .has_cue = true}},
    {.name = "france_nir",
     .finds = "French social security numbers (NIR, modulo 97)",
     .regex = "[12]" PLAIN_GAP "\\d{2}" PLAIN_GAP "\\d{2}" PLAIN_GAP "\\d[\\dAB]" PLAIN_GAP "\\d{3}" PLAIN_GAP
              "\\d{3}" PLAIN_GAP "\\d{2}\\b",
     .check = check_french,
     .samples = {.right = frenchmen, .near_right = no_frenchmen, .complete = complete_french}},
    {.name = "germany_tax_id",
     .finds = "German tax ids, behind a word such as Steuer-ID (ISO 7064)",
     .regex = "(?i:steuer-?(?:id|identifikationsnummer|nummer|liche "
              "identifikationsnummer)|identifikationsnummer|id-?nr|tax[ -]?id)" TO_NUMBER "\\d{2}" PLAIN_GAP
              "\\d{3}" PLAIN_GAP "\\d{3}" PLAIN_GAP "\\d{3}\\b",
     .check = check_german,
     .max_bytes = 128,
     .samples = {.right = germans, .near_right = no_germans, .complete = complete_german, .has_cue = true}},
    {.name = "india_aadhaar",
     .finds = "Indian Aadhaar numbers, behind \"Aadhaar\" (Verhoeff)",
     .regex = "(?i:aadha?ar|uidai)" TO_NUMBER "[2-9]\\d{3}" PLAIN_GAP "\\d{4}" PLAIN_GAP "\\d{4}\\b",
     .check = check_indian,
     .max_bytes = 96,
     .samples = {.right = indians, .near_right = no_indians, .complete = complete_indian, .has_cue = true}},
    {.name = "italy_codice_fiscale",
     .finds = "Italian codice fiscale (check letter)",
     .regex = "\\b(?:[A-Z]{3} ?[A-Z]{3} ?" OMO "{2}[A-EHLMPRST]" OMO "{2} ?[A-Z]" OMO "{3} ?[A-Z]|"
              "[a-z]{6}\\d{2}[a-ehlmprst]\\d{2}[a-z]\\d{3}[a-z])\\b",
     .check = check_italian,
     .samples = {.right = italians, .near_right = no_italians, .complete = complete_italian}},
    {.name = "netherlands_bsn",
     .finds = "Dutch BSN, behind \"BSN\" (modulo 11)",
     .regex = "(?i:bsn|burgerservicenummer|sofi-?nummer)" TO_NUMBER "\\d{3}" PLAIN_GAP "\\d" PLAIN_GAP
              "\\d{2}" PLAIN_GAP "\\d{3}\\b",
     .check = check_dutch,
     .max_bytes = 96,
     .samples = {.right = dutchmen, .near_right = no_dutchmen, .complete = complete_dutch, .has_cue = true}},
    {.name = "poland_pesel",
     .finds = "Polish PESEL, behind \"PESEL\" (date and check digit)",
     .regex = "(?i:pesel)" TO_NUMBER "\\d{11}\\b",
     .check = check_polish,
     .max_bytes = 96,
     .samples = {.right = poles, .near_right = no_poles, .complete = complete_polish, .has_cue = true}},
    {.name = "spain_dni",
     .finds = "Spanish DNI and NIE (check letter)",
     .regex = "\\b(?:\\d{8}|\\d{2}\\.\\d{3}\\.\\d{3}|[XYZ]-?\\d{7})-?[A-Z]\\b",
     .check = check_spanish,
     .samples = {.right = spaniards, .near_right = no_spaniards, .complete = complete_spanish}},
    {.name = "sweden_personnummer",
     .finds = "Swedish personnummer, with - or + or behind the word (date and Luhn)",
     .regex = "(?:(?:19|20)?\\d{6}[-+]\\d{4}|(?i:personnummer|personnr|samordningsnummer)" TO_NUMBER
              "(?:19|20)?\\d{6}[ +-]?\\d{4})\\b",
     .check = check_swedish,
     .max_bytes = 96,
     .samples = {.right = swedes, .near_right = no_swedes, .complete = complete_swedish, .has_cue = true}},
    {.name = "uk_nino",
     .finds = "British national insurance numbers, in their groups or behind a word such as NINO",
     .regex = "(?:[A-Z]{2}[ -]\\d{2}[ -]\\d{2}[ -]\\d{2}[ -][A-D]|(?i:nino|national insurance|ni number)" TO_NUMBER
              "[A-Z]{2}[ -]?(?:\\d{2}[ -]?){3}[A-D])\\b",
     .check = check_british,
     .max_bytes = 96,
     .samples = {.right = britons, .near_right = no_britons}},
    {.name = NULL},
};
