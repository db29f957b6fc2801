/* See builtin.h. The shapes are facts of public documents (ISO/IEC 7812 and 13616, RFC 5321, 7468 and 7519, vendors'
 * pages on their tokens); the expressions are our own. SPDX-License-Identifier: Apache-2.0 */
#include "rules/builtin.h"

static bool is_builtin_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static enum builtin_result yes_if(bool is_real)
{
    return is_real ? BUILTIN_YES : BUILTIN_NO;
}

/* The digits from the right, every second one doubled, add up to a multiple of ten (ISO/IEC 7812). */
static bool has_luhn_digit(const char *digits, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = (unsigned)(digits[len - 1 - i] - '0');
        sum += i % 2 == 0 ? value : value > 4 ? value * 2 - 9 : value * 2;
    }
    return sum % 10 == 0;
}

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

static char byte_before(struct surroundings around, unsigned n)
{
    return (char)(around.before >> (8 * (n - 1)) & 0xFF);
}

static bool are_digits_before(struct surroundings around, unsigned from, unsigned to)
{
    for (unsigned n = from; n <= to; n++)
        if (!is_builtin_digit(byte_before(around, n)))
            return false;
    return true;
}

/* The digits are a fraction (0.4111, .4111, =.4111), not after the end of a sentence or of a word ("no.4111"). */
static bool is_fraction(struct surroundings around)
{
    char before = byte_before(around, 2);
    return byte_before(around, 1) == '.' &&
           (before == '\0' || is_builtin_digit(before) || strchr(" \t\r\n([{<>=:;,+-*/|&~\"'`", before) != NULL);
}

/* Part of something longer in groups of four: two groups precede it (digits of pi, years, the row of a
 * table), or the beginning of an account number (DE12). */
static bool is_in_row(struct surroundings around)
{
    char gap = byte_before(around, 1);
    if ((gap != ' ' && gap != '-') || around.follows || !are_digits_before(around, 2, 3))
        return false;
    if (is_letter(byte_before(around, 4)) && is_letter(byte_before(around, 5)))
        return !is_letter(byte_before(around, 6)) && !is_builtin_digit(byte_before(around, 6));
    return are_digits_before(around, 4, 5) && byte_before(around, 6) == gap && are_digits_before(around, 7, 8);
}

/* A letter or `_` behind a number only shows that no digit follows. */
static struct span without_end(struct span match)
{
    char last = match.data[match.len - 1];
    match.len -= is_letter(last) || last == '_';
    return match;
}

static enum builtin_result check_card(struct span match, struct surroundings around)
{
    char digits[24];
    match = without_end(match);
    if (is_letter(byte_before(around, 1)) || is_builtin_digit(byte_before(around, 1)))
        return BUILTIN_OTHER;
    size_t len = 0, bare = 0;
    while (bare < match.len && is_builtin_digit(match.data[bare]))
        bare++;
    if (bare >= 14 && bare < match.len)
        return BUILTIN_OTHER; /* a fraction follows */
    for (size_t i = 0; i < match.len && len < sizeof(digits); i++)
        if (is_builtin_digit(match.data[i]))
            digits[len++] = match.data[i];
    bool is_bare = bare == match.len;
    return yes_if(has_issuer(digits, len, is_bare) && has_luhn_digit(digits, len) && !is_fraction(around) &&
                  (is_bare || !is_in_row(around)));
}

/* Area 000, 666 and 9xx, group 00 and serial 0000 were never given out. With the same separator twice, or none behind a
 * word that says what it is. */
static enum builtin_result check_ssn(struct span match, struct surroundings around)
{
    char digits[9];
    size_t len = 0, first_gap = 0, gaps[3] = {0};
    bool has_cue = is_letter(match.data[0]);
    match = without_end(match);
    if (!has_cue && is_builtin_digit(byte_before(around, 1)))
        return BUILTIN_NO;
    for (size_t i = 0; i < match.len; i++) {
        if (is_builtin_digit(match.data[i]) && len < sizeof(digits))
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
    return yes_if(memcmp(digits + 3, "00", 2) != 0 && memcmp(digits + 5, "0000", 4) != 0);
}

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
    bool is_printed = !is_letter(byte_before(around, 1)) && !is_builtin_digit(byte_before(around, 1));
    for (size_t i = 0; i < match.len; i++)
        is_printed &= !(match.data[i] >= 'a' && match.data[i] <= 'z');
    bool has_far_letters = false;
    for (size_t i = 8; i < len; i++)
        has_far_letters |= is_letter(compact[i]);
    return is_printed || !has_far_letters;
}

/* The first four characters moved to the end and letters read as 10 to 35, the number is 1 modulo 97. */
static enum builtin_result check_iban(struct span match, struct surroundings around)
{
    char compact[64];
    size_t len = 0;
    for (size_t i = 0; i < match.len && len < sizeof(compact); i++)
        if (is_letter(match.data[i]) || is_builtin_digit(match.data[i]))
            compact[len++] = match.data[i];
    for (size_t i = 0; i < len; i++)
        compact[i] = compact[i] >= 'a' && compact[i] <= 'z' ? (char)(compact[i] - 'a' + 'A') : compact[i];
    if (len < 15 || len != iban_length(compact) || !is_printed_iban(match, compact, len, around))
        return BUILTIN_NO;
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        char c = compact[(i + 4) % len];
        rest = is_builtin_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A' + 10);
        rest %= 97;
    }
    return yes_if(rest == 1);
}

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

/* Words end in `sk` (task-, risk-): behind a letter, a key that begins so must look random. */
static enum builtin_result check_api_key(struct span match, struct surroundings around)
{
    bool is_word = is_letter(byte_before(around, 1)) && match.data[1] == 'k';
    size_t run = 0;
    bool digit = false, upper = false, is_random = false;
    for (size_t i = 3; i < match.len && is_word; i++) {
        char c = match.data[i];
        bool goes_on = is_letter(c) || is_builtin_digit(c);
        run = goes_on ? run + 1 : 0;
        digit = goes_on && (digit || is_builtin_digit(c));
        upper = goes_on && (upper || (c >= 'A' && c <= 'Z'));
        is_random |= run >= 16 && digit && upper;
    }
    return yes_if(!is_word || is_random);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Line ends may be escaped, as in JSON inside a string. */
#define LINE_END "(?:\\n|\\\\[nr])"
#define SPACES "(?:\\s|\\\\[nr])*"
#define BASE64 "[A-Za-z0-9+/=]"
#define KEY_NAME "[A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"

/* What is between the groups of a card number: blanks, dashes and dots of all kinds, up to two. */
#define GAP                                                                                                            \
    "[ .\\x{A0}\\x{AD}\\x{2000}-\\x{200D}\\x{2010}-\\x{2015}\\x{202F}\\x{205F}\\x{2060}\\x{2212}\\x{3000}-]{1,2}"
#define NO_DIGIT "(?:\\b|[A-Za-z_])"
#define CARD_BEGIN "(?:2[2-7]\\d\\d|3[04-9]\\d\\d|[456]\\d{3})"
#define CARD_BARE "\\d{10,12}|\\d{14,15}"
#define CARD_FOURS GAP "\\d{4}" GAP "\\d{4}" GAP "(?:\\d{2,3}|\\d{4}(?:" GAP "\\d{3})?)"
#define CARD_SIXES GAP "\\d{6}" GAP "\\d{4,5}|\\d\\d" GAP "\\d{13}"

#define SSN_CUE "(?i:ssn|social[ -]?security)"

#define IBAN_BEGIN "(?:[A-Z]{2}|[a-z]{2})"

/* Letters of the alphabets that names are written in; an accent may be a character of its own. */
#define NAME_LETTERS                                                                                                   \
    "\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{24F}\\x{300}-\\x{36F}\\x{370}-\\x{52F}\\x{1E00}-\\x{1EFF}"

/* The user and password of a URL; a command that logs in somewhere; and what follows a host to copy from. Their length
 * is bounded by that of the match. */
#define USERINFO "[A-Za-z][A-Za-z0-9+.-]*://[^\\s/?#@,;<>\"'()]+@"
#define OPTION " -[^\\s@]*(?: [^\\s@-][^\\s@]*)?"
#define LOGIN "(?:ssh|scp|sftp|mosh|ssh-copy-id)(?:" OPTION ")* [A-Za-z0-9_][A-Za-z0-9._-]*@"
#define HOST_PATH ":(?::[A-Za-z0-9_]|[~/]|[A-Za-z0-9_.-][A-Za-z0-9_.~-]*(?:/|\\.[A-Za-z]{1,5}\\b))"

static const struct builtin builtins[] = {
    {"card_number", CARD_BEGIN "(?:(?:" CARD_BARE "|" CARD_FOURS "|" CARD_SIXES ")" NO_DIGIT "|\\d{10,15}\\.\\d)",
     check_card, 0},
    {"ssn", "(?:[0-8]\\d\\d" GAP "\\d\\d" GAP "\\d{4}|" SSN_CUE "[^0-9\\n]{0,20}[0-8]\\d{8})" NO_DIGIT, check_ssn, 64},
    {"iban", IBAN_BEGIN "\\d\\d(?:(?:" GAP ")?[A-Za-z0-9]{4}){2,7}(?:(?:" GAP ")?[A-Za-z0-9]{1,3})?", check_iban, 64},
    {"email",
     "(?:(?:\\b[A-Za-z0-9_]|[" NAME_LETTERS "])[A-Za-z0-9._%+" NAME_LETTERS "-]*@(?:[A-Za-z0-9" NAME_LETTERS
     "-]+\\.)+(?:[A-Za-z]{2,24}(?:\\b|" HOST_PATH ")|[A-Za-z" NAME_LETTERS "]{1,23}[" NAME_LETTERS "])|\\b(?:" USERINFO
     "|" LOGIN "))",
     check_email, 254},
    {"jwt", "\\beyJ[A-Za-z0-9_-]{6,}\\.eyJ[A-Za-z0-9_-]{6,}\\.[A-Za-z0-9_-]{10,}", NULL, 4096},
    /* The first line alone is a match; header lines, body and last line belong to it as far as they are there. */
    {"private_key",
     "-----BEGIN " KEY_NAME "(?:" SPACES "[A-Z][A-Za-z-]{2,20}: [^\\n\\\\]*" LINE_END ")*(?:" SPACES BASE64 "{20,})*"
     "(?:(?:" SPACES BASE64 "{1,19})?" SPACES "-----END " KEY_NAME ")?",
     NULL, 4096},
    {"api_key",
     "(?:(?:AKIA|ASIA)[A-Z2-7]{16}"                  /* Amazon */
     "|AIza[A-Za-z0-9_-]{35}"                        /* Google */
     "|gh[pousr]_[A-Za-z0-9]{36,}"                   /* GitHub */
     "|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"   /* GitHub, fine-grained */
     "|glpat-[A-Za-z0-9_-]{20,}"                     /* GitLab */
     "|xox[abeoprs]-[A-Za-z0-9-]{10,}"               /* Slack */
     "|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"         /* Stripe */
     "|sk-[A-Za-z0-9_-]{20,}"                        /* OpenAI, Anthropic, DeepSeek, OpenRouter */
     "|gsk_[A-Za-z0-9]{40,}"                         /* Groq */
     "|hf_[A-Za-z0-9]{30,}"                          /* Hugging Face */
     "|npm_[A-Za-z0-9]{36}"                          /* npm */
     "|pypi-[A-Za-z0-9_-]{50,}"                      /* PyPI */
     "|dop_v1_[a-f0-9]{64}"                          /* DigitalOcean */
     "|SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43})", /* SendGrid */
     check_api_key, 300},
};
enum { BUILTINS = sizeof(builtins) / sizeof(*builtins) };

const struct builtin *builtin_find(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

const char *const *builtin_names(void)
{
    static const char *const names[] = {"card_number", "ssn", "iban", "email", "jwt", "private_key", "api_key", NULL};
    return names;
}
