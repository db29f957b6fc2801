/* See builtin.h. The shapes are facts of public documents (ISO/IEC 7812 and 13616, RFC 5321, 7468 and 7519, vendors'
 * pages on their tokens); the expressions are our own. SPDX-License-Identifier: Apache-2.0 */
#include "builtin.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

/* The digits from the right, every second one doubled, add up to a multiple of ten (ISO/IEC 7812). */
static bool has_luhn_digit(struct span match)
{
    unsigned sum = 0, digits = 0;
    for (size_t i = match.len; i > 0; i--) {
        if (!is_digit(match.data[i - 1]))
            continue;
        unsigned value = (unsigned)(match.data[i - 1] - '0');
        if (digits++ % 2 == 1)
            value = value > 4 ? value * 2 - 9 : value * 2;
        sum += value;
    }
    return sum % 10 == 0;
}

/* Area 000, 666 and 9xx, group 00 and serial 0000 were never given out. */
static bool is_ssn(struct span match)
{
    const char *s = match.data;
    if (match.len != 11 || memcmp(s, "000", 3) == 0 || memcmp(s, "666", 3) == 0)
        return false;
    return memcmp(s + 4, "00", 2) != 0 && memcmp(s + 7, "0000", 4) != 0;
}

/* Country and length of its account numbers. */
static const char iban_lengths[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
    "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20"
    "MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26"
    "UA29VA22VG24XK20YE30";

/* 0: a country that is not in the table. */
static unsigned iban_length(const char *country)
{
    for (const char *p = iban_lengths; *p != '\0'; p += 4)
        if (memcmp(p, country, 2) == 0)
            return (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0');
    return 0;
}

/* The first four characters moved to the end and letters read as 10 to 35, the number is 1 modulo 97. */
static bool is_iban(struct span match)
{
    char compact[64];
    size_t len = 0;
    for (size_t i = 0; i < match.len && len < sizeof(compact); i++)
        if (match.data[i] != ' ')
            compact[len++] = match.data[i];
    for (size_t i = 0; i < len; i++)
        compact[i] = compact[i] >= 'a' && compact[i] <= 'z' ? (char)(compact[i] - 'a' + 'A') : compact[i];
    unsigned wanted = len >= 15 ? iban_length(compact) : 0;
    if (len < 15 || len > 34 || (wanted != 0 && wanted != len))
        return false;
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        char c = compact[(i + 4) % len];
        rest = is_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A' + 10);
        rest %= 97;
    }
    return rest == 1;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Line ends may be spelled out, as in JSON inside a string. */
#define LINE_END "(?:\\n|\\\\[nr])"
#define SPACES "(?:\\s|\\\\[nr])*"
#define BASE64 "[A-Za-z0-9+/=]"
#define KEY_NAME "[A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"

static const struct builtin builtins[] = {
    {"card_number", "\\b[2-6](?:[ -]?\\d){12,18}\\b", has_luhn_digit, 0},
    {"ssn", "\\b[0-8]\\d\\d(?:-\\d\\d-| \\d\\d )\\d{4}\\b", is_ssn, 0},
    {"iban", "\\b[A-Z]{2}\\d\\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\\b", is_iban, 0},
    {"email", "\\b[A-Za-z0-9_][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\\.)+[A-Za-z]{2,24}\\b", NULL, 254},
    {"jwt", "\\beyJ[A-Za-z0-9_-]{6,}\\.eyJ[A-Za-z0-9_-]{6,}\\.[A-Za-z0-9_-]{10,}", NULL, 4096},
    /* The first line alone is a match; header lines, body and last line belong to it as far as they are there. */
    {"private_key",
     "-----BEGIN " KEY_NAME "(?:" SPACES "[A-Z][A-Za-z-]{2,20}: [^\\n\\\\]*" LINE_END ")*(?:" SPACES BASE64 "{20,})*"
     "(?:(?:" SPACES BASE64 "{1,19})?" SPACES "-----END " KEY_NAME ")?",
     NULL, 4096},
    {"api_key",
     "\\b(?:(?:AKIA|ASIA)[A-Z2-7]{16}\\b"            /* Amazon */
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
     NULL, 300},
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
