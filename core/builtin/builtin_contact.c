/* Built-in rules of contact data: e-mail addresses and telephone numbers.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shapes are facts of RFC 5321, of the ITU's list of country codes and of the North American numbering plan. */
#include "builtin/builtin_parts.h"

/* ---- e-mail ------------------------------------------------------------------------------------------------------ */

/* An address, or something that only looks like one: a login and a path to copy (git@host:path), or the user in a URL.
 * The shared login of a service is not a person's address. */
static enum builtin_result check_email(struct span match, struct surroundings around)
{
    const char *at = memchr(match.data, '@', match.len);
    (void)around;
    size_t name = at != NULL ? (size_t)(at - match.data) : 0, host = match.len - name;
    if (host <= 1 || memchr(at, ':', host) != NULL)
        return BUILTIN_OTHER;
    bool is_service =
        (name == 3 && memcmp(match.data, "git", 3) == 0) || (name == 2 && memcmp(match.data, "hg", 2) == 0);
    return is_service ? BUILTIN_OTHER : BUILTIN_YES;
}

/* ---- telephone --------------------------------------------------------------------------------------------------- */

/* The country codes in use (ITU-T E.164), as sets of 1 << last digit. */
static bool is_country_code(unsigned code)
{
    static const struct {
        unsigned tens, last;
    } codes[] = {
        {0, 1 << 1 | 1 << 7},
        {2, 1 << 0 | 1 << 7},
        {3, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 9},
        {4, 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9},
        {5, 0x1FE},
        {6, 0x7F},
        {8, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6},
        {9, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8},
        {21, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 8},
        {22, 0x3FF},
        {23, 0x3FF},
        {24, 0x3FF},
        {25, 0x1FF},
        {26, 0x3FF},
        {29, 1 << 0 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 9},
        {35, 0x3FF},
        {37, 0x3FF},
        {38, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 9},
        {42, 1 << 0 | 1 << 1 | 1 << 3},
        {50, 0x3FF},
        {59, 0x3FF},
        {67, 0x3FD},
        {68, 0x3FF},
        {69, 1 << 0 | 1 << 1 | 1 << 2},
        {80, 1 << 0 | 1 << 8},
        {85, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6},
        {87, 1 << 0 | 1 << 8},
        {88, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 8},
        {96, 0x1FF},
        {97, 0xFF & ~(1 << 8)},
        {99, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].tens == code / 10)
            return codes[i].last >> code % 10 & 1;
    return false;
}

/* Ten digits of the North American plan: neither area nor exchange begins with 0 or 1. */
static bool is_north_american(const char *digits)
{
    return digits[0] >= '2' && digits[3] >= '2';
}

/* All digits of a number, with the country's. Most countries have at least eight, with their code. */
static bool is_international(const char *digits, size_t len)
{
    if (digits[0] == '0' || len < 8 || len > 15)
        return false;
    if (digits[0] == '1')
        return len == 11 && is_north_american(digits + 1);
    return is_country_code((unsigned)part_value(digits, 2)) || (digits[0] == '7' && len == 11) ||
           is_country_code((unsigned)part_value(digits, 3));
}

/* Year and month, and a day or nothing behind them. */
static bool is_date(struct span text)
{
    static const char shape[] = "dddd-dd-";
    for (size_t i = 0; i < sizeof shape - 1 && i < text.len; i++)
        if (shape[i] == '-' ? text.data[i] != '-' : !part_is_digit(text.data[i]))
            return false;
    return text.len >= 7 && (memcmp(text.data, "19", 2) == 0 || memcmp(text.data, "20", 2) == 0);
}

/* An amount: digits, a dot, two digits at most. */
static bool is_amount(struct span text)
{
    size_t whole = 0;
    while (whole < text.len && part_is_digit(text.data[whole]))
        whole++;
    return whole + 3 >= text.len && whole < text.len && text.data[whole] == '.';
}

/* A number of a country, behind a word that says what it is. */
static bool is_national(struct span match, struct surroundings around, const struct part_number *number)
{
    size_t at = 0;
    while (!part_is_digit(match.data[at]))
        at++;
    struct span written = {match.data + at, match.len - at};
    return !part_is_letter(part_before(around, 1)) && number->len >= 6 && number->len <= 13 && !is_date(written) &&
           !is_amount(written);
}

static enum builtin_result check_phone(struct span match, struct surroundings around)
{
    struct part_number number = part_number_of(match, true);
    char first = match.data[0], before = part_before(around, 1);
    bool is_joined = part_is_letter(before) || part_is_digit(before) || before == '+';
    if (first == '+')
        return part_yes_if(!is_joined && is_international(number.at, number.len));
    if (part_is_digit(first) || first == '(')
        return part_yes_if(!is_joined && before != '-' && before != '.' && is_north_american(number.at));
    return part_yes_if(is_national(match, around, &number));
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static const char *const emails[] = {
    "%a{6}@%a{8}.com",      "%a{4}.%A%a{5}+%a{3}@%a{4}.%a{6}.org", "%a{3}_%d{2}@%a{3}-%a{4}.co.uk",
    "%A%a{4}@%a{5}.museum", "j\xC3\xBCrgen.%a{5}@%a{5}.de",        NULL};
static const char *const no_emails[] = {
    "%a{6}@%a{6}", "@%a{8}", "git@%a{6}.com:%a{4}/%a{5}", "ssh %a{5}@%a{4}.%a{3}", "https://%a{5}:%a{5}@%a{5}.org/",
    NULL};

static const char *const phones[] = {"+1 (%s%d{2}) %s%d{2}-%d{4}",
                                     "+1%s%d{2}%s%d{6}",
                                     "+44 20 %d{4} %d{4}",
                                     "+44 (0)20 %d{4} %d{4}",
                                     "+49-30-%d{7}",
                                     "+49 (0) %s%d{2} / %d{6}",
                                     "+33 1 %d{2} %d{2} %d{2} %d{2}",
                                     "+351 9%d{2} %d{3} %d{3}",
                                     "+55 11 9%d{4}-%d{4}",
                                     "+7 %s%d{2} %d{3}-%d{2}-%d{2}",
                                     "+91%s%d{9}",
                                     "+358.%d{2}.%d{7}",
                                     "+971\xC2\xA0%s\xC2\xA0%d{3}\xC2\xA0%d{4}",
                                     "(%s%d{2}) %s%d{2}-%d{4}",
                                     "%s%d{2}-%s%d{2}-%d{4}",
                                     "phone: %s%d{6}",
                                     "Tel. 0%d{2}/%d{7}",
                                     "telephone number 020 %d{4} %d{4}",
                                     "mobile is 07%d{3} %d{6}",
                                     "Telefon: 0%d{3} - %d{6}",
                                     "t\xC3\xA9l\xC3\xA9phone 01.%d{2}.%d{2}.%d{2}.%d{2}",
                                     "WhatsApp = %s%d{2} %d{3} %d{4}",
                                     "Fax (0%d{3}) %d{5}",
                                     NULL};
static const char *const no_phones[] = {"%s%d{8}",
                                        "+%d{3}",
                                        "+0%d{9}",
                                        "+1 1%d{2} %s%d{2} %d{4}",
                                        "hotel 12345678",
                                        "phone: 2026-11-30",
                                        "%d+49%d{9}",
                                        "1%d{2}-%s%d{2}-%d{4}",
                                        "+210 %d{9}",
                                        "the cell count is 12",
                                        NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

/* Letters of the alphabets that names are written in; an accent may be a character of its own. */
#define NAME_LETTERS                                                                                                   \
    "\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{24F}\\x{300}-\\x{36F}\\x{370}-\\x{52F}\\x{1E00}-\\x{1EFF}"

/* The user and password of a URL; a command that logs in somewhere; and what follows a host to copy from. Their length
 * is bounded by that of the match. */
#define USERINFO "[A-Za-z][A-Za-z0-9+.-]*://[^\\s/?#@,;<>\"'()]+@"
#define OPTION " -[^\\s@]*(?: [^\\s@-][^\\s@]*)?"
#define LOGIN "(?:ssh|scp|sftp|mosh|ssh-copy-id)(?:" OPTION ")* [A-Za-z0-9_][A-Za-z0-9._-]*@"
#define HOST_PATH ":(?::[A-Za-z0-9_]|[~/]|[A-Za-z0-9_.-][A-Za-z0-9_.~-]*(?:/|\\.[A-Za-z]{1,5}\\b))"

/* Between digits of a telephone number. */
#define PHONE_GAP "[ ().\\x{A0}\\x{2010}-\\x{2013}\\x{202F}/-]{1,3}"
#define PHONE_DIGITS(from, to) "(?:(?:" PHONE_GAP ")?\\d){" #from "," #to "}\\b"
/* What a telephone number is called. */
#define PHONE_CUE                                                                                                      \
    "(?i:tel|telephones?|phones?|cellphones?|smartphone|mobile|cell|fax|whatsapp|sms|telefon|telefonnummer|handy|"     \
    "handynummer|rufnummer|mobilnummer|t\\x{E9}l|t\\x{E9}l\\x{E9}phones?|telephono|telefono|tel\\x{E9}fonos?|"         \
    "m\\x{F3}vil|celular|cellulare|telefoon|telefoonnummer|telefone|telem\\x{F3}vel)\\b"

/* Between that word and the number: a few words, and signs. */
#define PHONE_TO_NUMBER                                                                                                \
    "(?:[^0-9A-Za-z+\\n]{1,3}(?i:numbers?|nummer|num|no|nr|is|ist|est|es|at|home|work|me|us)\\b){0,2}"                 \
    "[^0-9A-Za-z+\\n_<>]{0,4}"

const struct builtin builtins_of_contact[] = {
    {.name = "email",
     .finds = "e-mail addresses",
     .regex = "(?:(?:\\b[A-Za-z0-9_]|[" NAME_LETTERS "])[A-Za-z0-9._%+" NAME_LETTERS "-]*@(?:[A-Za-z0-9" NAME_LETTERS
              "-]+\\.)+(?:[A-Za-z]{2,24}(?:\\b|" HOST_PATH ")|[A-Za-z" NAME_LETTERS "]{1,23}[" NAME_LETTERS
              "])|\\b(?:" USERINFO "|" LOGIN "))",
     .check = check_email,
     .max_bytes = 254,
     .samples = {.right = emails, .near_right = no_emails}},
    {.name = "phone",
     .finds = "telephone numbers: +49 30 1234567, (212) 555-0123, or behind a word such as Tel.",
     .regex =
         "(?:\\+\\d" PHONE_DIGITS(7, 14) "|(?:\\(\\d{3}\\) ?|\\d{3}[.-])\\d{3}[.-]\\d{4}\\b|" PHONE_CUE PHONE_TO_NUMBER
                                         "\\d" PHONE_DIGITS(5, 12) ")",
     .check = check_phone,
     .max_bytes = 96,
     .samples = {.right = phones, .near_right = no_phones, .has_cue = true}},
    {.name = NULL},
};
