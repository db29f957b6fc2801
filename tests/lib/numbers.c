/* See numbers.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PICK(dice, list) ((list)[dice_below((dice), sizeof(list) / sizeof(*(list)))])

/* ---- digits ---- */

static void put_digits(struct dice *dice, char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('0' + dice_below(dice, 10));
    out[len] = '\0';
}

/* A random digit for each '#'. */
static void put_shape(struct dice *dice, const char *shape, char *out)
{
    for (; *shape != '\0'; shape++)
        *out++ = *shape == '#' ? (char)('0' + dice_below(dice, 10)) : *shape;
    *out = '\0';
}

/* Of the digits before it. */
static char luhn_digit(const char *digits, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = (unsigned)(digits[len - 1 - i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += value > 9 ? value - 9 : value;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

/* The check digit of bar codes, of the digits before it. */
static char bar_digit(const char *digits, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (unsigned)(digits[len - 1 - i] - '0') * (i % 2 == 0 ? 3 : 1);
    return (char)('0' + (10 - sum % 10) % 10);
}

static double fraction_of(struct dice *dice)
{
    return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

/* The shortest form that reads back as the same, in the notation that Python and JavaScript choose. */
static void put_double(double value, char *out, size_t cap)
{
    char digits[40];
    int precision = 1;
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, value);
    while (strtod(digits, NULL) != value && ++precision <= 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16)
        snprintf(out, cap, "%s", digits);
    else
        snprintf(out, cap, "%.*f", precision - 1 > exponent ? precision - 1 - exponent : 1, value);
}

/* ---- kinds ---- */

static void put_any_double(struct dice *dice, char *out)
{
    double value;
    do {
        uint64_t bits = dice_next(dice);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    put_double(value, out, NUMBER_TEXT_MAX);
}

static void put_uniform(struct dice *dice, char *out)
{
    put_double(fraction_of(dice), out, NUMBER_TEXT_MAX);
}

static void put_scaled(struct dice *dice, char *out)
{
    put_double(fraction_of(dice) * pow(10, (double)dice_below(dice, 17)), out, NUMBER_TEXT_MAX);
}

static void put_bare_fraction(struct dice *dice, char *out)
{
    static const char *const shapes[] = {".################", "[.###############]", "opacity:.################;",
                                         "p = .##############", ".###################"};
    put_shape(dice, PICK(dice, shapes), out);
}

/* %Y, %m, %d, %H, %M, %S of a random moment; all else stands for itself. */
static void put_moment(struct dice *dice, const char *form, char *out)
{
    time_t at = 946684800 + (time_t)dice_below(dice, 40u * 365 * 86400);
    struct tm t;
    gmtime_r(&at, &t);
    for (; *form != '\0'; form++) {
        if (*form != '%') {
            *out++ = *form;
            continue;
        }
        char c = *++form;
        int value = c == 'Y'   ? t.tm_year + 1900
                    : c == 'm' ? t.tm_mon + 1
                    : c == 'd' ? t.tm_mday
                    : c == 'H' ? t.tm_hour
                    : c == 'M' ? t.tm_min
                               : t.tm_sec;
        out += snprintf(out, 12, "%02d", value);
    }
    *out = '\0';
}

static void put_file_name(struct dice *dice, char *out)
{
    static const char *const forms[] = {"IMG_%Y%m%d_%H%M%S",      "Screenshot %Y-%m-%d at %H.%M.%S",
                                        "%Y-%m-%d-%H-%M-%S",      "backup-%Y%m%d%H%M%S",
                                        "%Y%m%d-%H%M%S",          "%Y_%m_%d_%H_%M_%S",
                                        "dump.%Y%m%d%H%M%S",      "VID-%Y%m%d-WA00",
                                        "signal-%Y-%m-%d-%H%M%S", "%Y%m%dT%H%M%S",
                                        "%Y%m%d %H%M %S",         "%d-%m-%Y %H-%M-%S"};
    static const char *const ends[] = {".jpg", ".tar.gz", ".log", "", "Z", ".mp4", ".sql"};
    char stem[128], digits[16] = "";
    put_moment(dice, PICK(dice, forms), stem);
    if (dice_chance(dice, 50))
        put_digits(dice, digits, 2 + dice_below(dice, 5));
    snprintf(out, NUMBER_TEXT_MAX, "%s%s%s%s", stem, dice_chance(dice, 50) && *digits != '\0' ? "-" : "", digits,
             PICK(dice, ends));
}

static void put_epoch(struct dice *dice, char *out)
{
    static const uint64_t scales[] = {1, 1000, 1000000, 1000000000};
    uint64_t seconds = 946684800 + dice_below(dice, 40u * 365 * 86400), scale = PICK(dice, scales);
    if (dice_chance(dice, 30))
        snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64 ".%06zu", seconds, dice_below(dice, 1000000));
    else
        snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64, seconds * scale + dice_below(dice, scale));
}

/* Ticks of other clocks: Windows files, .NET, WebKit. */
static void put_ticks(struct dice *dice, char *out)
{
    uint64_t seconds = 946684800 + dice_below(dice, 40u * 365 * 86400), below = dice_below(dice, 10000000);
    static const uint64_t origins[] = {11644473600u, 62135596800u};
    uint64_t ticks = (seconds + PICK(dice, origins)) * 10000000 + below;
    snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64, dice_chance(dice, 30) ? (seconds + origins[0]) * 1000000 : ticks);
}

/* Milliseconds since an epoch of its own, of the service's first twenty years; machine and count below. */
static void put_snowflake(struct dice *dice, char *out)
{
    uint64_t age = dice_next(dice) % (UINT64_C(20) * 365 * 86400 * 1000);
    snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64, age << 22 | (dice_next(dice) & 0x3FFFFF));
}

static void put_int64(struct dice *dice, char *out)
{
    snprintf(out, NUMBER_TEXT_MAX, "%" PRId64, (int64_t)dice_next(dice));
}

static void put_bar_code(struct dice *dice, char *out)
{
    static const size_t lengths[] = {12, 12, 12, 11, 7, 13};
    size_t len = PICK(dice, lengths);
    put_digits(dice, out, len);
    if (len == 13 && out[0] > '8')
        out[0] = '1';
    out[len] = bar_digit(out, len);
    out[len + 1] = '\0';
}

static void put_isbn(struct dice *dice, char *out)
{
    char d[16];
    memcpy(d, dice_chance(dice, 80) ? "978" : "979", 3);
    put_digits(dice, d + 3, 9);
    char check = bar_digit(d, 12);
    snprintf(out, NUMBER_TEXT_MAX, "ISBN %.3s-%.1s-%.4s-%.4s-%c", d, d + 3, d + 4, d + 8, check);
}

/* Type allocation codes as they stand in phones. */
static void put_imei(struct dice *dice, char *out)
{
    static const char *const types[] = {"35824005", "35391805", "35209900", "49015420", "01215800", "01326300",
                                        "35332510", "86891803", "35925406", "99000074", "35684610", "35407115",
                                        "86012304", "35696910", "35299209", "35847631"};
    char d[20];
    memcpy(d, PICK(dice, types), 8);
    put_digits(dice, d + 8, 6);
    d[14] = luhn_digit(d, 14);
    switch (dice_below(dice, 4)) {
    case 0:
        snprintf(out, NUMBER_TEXT_MAX, "IMEI %.2s-%.6s-%.6s-%.1s", d, d + 2, d + 8, d + 14);
        return;
    case 1:
        snprintf(out, NUMBER_TEXT_MAX, "%.2s %.6s %.6s %.1s", d, d + 2, d + 8, d + 14);
        return;
    default:
        snprintf(out, NUMBER_TEXT_MAX, "%.15s", d);
    }
}

static void put_uuid(struct dice *dice, char *out)
{
    uint64_t a = dice_next(dice), b = dice_next(dice);
    unsigned __int128 whole = (unsigned __int128)a << 64 | b;
    char digits[48], *at = digits + sizeof digits - 1;
    if (dice_chance(dice, 50)) {
        snprintf(out, NUMBER_TEXT_MAX, "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64, a >> 32,
                 a >> 16 & 0xFFFF, a & 0xFFF, b >> 48, b & 0xFFFFFFFFFFFFu);
        return;
    }
    for (*at = '\0'; whole > 0; whole /= 10)
        *--at = (char)('0' + (int)(whole % 10));
    snprintf(out, NUMBER_TEXT_MAX, "%s", at);
}

static void put_digest(struct dice *dice, char *out)
{
    size_t len = 0;
    for (size_t words = 1 + dice_below(dice, 4); words > 0; words--)
        len += (size_t)snprintf(out + len, NUMBER_TEXT_MAX - len, "%016" PRIx64, dice_next(dice));
}

static void put_phone(struct dice *dice, char *out)
{
    static const char *const shapes[] = {"+## ### #######",        "+##-###-###-####", "00############",
                                         "(###) ###-####",         "+############",    "0#### ######",
                                         "+4########### ext. ###", "+## ## #### ####"};
    put_shape(dice, PICK(dice, shapes), out);
}

static void put_order(struct dice *dice, char *out)
{
    static const char *const shapes[] = {"###-#######-#######",
                                         "INV-2024-######",
                                         "No. ####",
                                         "##-#####-#####",
                                         "ORD################",
                                         "1Z###################",
                                         "PO_########_########",
                                         "9400 #### #### #### #### ##",
                                         "######/####",
                                         "4####-########",
                                         "SN5###############",
                                         "#### #### ####",
                                         "TRX-############",
                                         "A-################"};
    put_shape(dice, PICK(dice, shapes), out);
}

/* Many digits of one number, in groups as tables of them have, or in one piece. */
static void put_long_number(struct dice *dice, char *out)
{
    static const size_t groups[] = {3, 5, 5, 10, 10, 50, 4};
    size_t group = PICK(dice, groups), len = (size_t)snprintf(out, NUMBER_TEXT_MAX, "%zu.", dice_below(dice, 10));
    for (size_t i = 0; i < 100; i++) {
        if (i > 0 && i % group == 0)
            out[len++] = ' ';
        out[len++] = (char)('0' + dice_below(dice, 10));
    }
    out[len] = '\0';
}

/* Powers, products, sums of the numbers before, and factorials. */
static void put_integer(struct dice *dice, char *out)
{
    uint64_t value = 1, other = 1, steps = 1 + dice_below(dice, 60), base = 2 + dice_below(dice, 30);
    for (uint64_t i = 1; i <= steps && value < UINT64_MAX / 64; i++) {
        uint64_t sum = value + other;
        other = value;
        value = base < 8 ? value * base : base < 16 ? value * i : sum;
    }
    snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64, value);
}

static void put_money(struct dice *dice, char *out)
{
    static const char *const shapes[] = {"$###,###,###.##", "###.###.###,## EUR", "### ### ### ### ###",
                                         "4,###,###,###,###,###", "-###,###.##"};
    put_shape(dice, PICK(dice, shapes), out);
}

static void put_place(struct dice *dice, char *out)
{
    char a[40], b[40];
    put_double(fraction_of(dice) * 90, a, sizeof a);
    put_double(fraction_of(dice) * -180, b, sizeof b);
    snprintf(out, NUMBER_TEXT_MAX, "(%s, %s)", a, b);
}

/* A row of a table of integers of four digits. */
static void put_row(struct dice *dice, char *out)
{
    size_t len = 0;
    const char *gap = dice_chance(dice, 50) ? ", " : dice_chance(dice, 50) ? "  |  " : "\t";
    for (size_t i = 0; i < 12; i++)
        len += (size_t)snprintf(out + len, NUMBER_TEXT_MAX - len, "%s%zu", i > 0 ? gap : "",
                                1000 + dice_below(dice, 9000));
}

static void put_years(struct dice *dice, char *out)
{
    size_t year = 1900 + dice_below(dice, 150);
    const char *gap = dice_chance(dice, 50) ? " " : "-";
    snprintf(out, NUMBER_TEXT_MAX, "%zu%s%zu%s%zu%s%zu", year, gap, year + 1, gap, year + 2, gap, year + 3);
}

static void put_account(struct dice *dice, char *out)
{
    char d[32];
    put_digits(dice, d, 18);
    snprintf(out, NUMBER_TEXT_MAX, "DE%.2s %.4s %.4s %.4s %.4s %.2s", d, d + 2, d + 6, d + 10, d + 14, d + 16);
}

static void put_version(struct dice *dice, char *out)
{
    static const char *const shapes[] = {"v##.####.########", "10.###.###.##:####", "build 4########-####",
                                         "##:##:##:##", "4.##.####.####-####"};
    put_shape(dice, PICK(dice, shapes), out);
}

static const struct kind {
    const char *name;
    void (*put)(struct dice *dice, char *out);
} kinds[] = {
    {"any double", put_any_double},
    {"uniform double", put_uniform},
    {"scaled double", put_scaled},
    {"fraction without 0", put_bare_fraction},
    {"time-stamped file", put_file_name},
    {"epoch", put_epoch},
    {"clock ticks", put_ticks},
    {"snowflake", put_snowflake},
    {"64-bit integer", put_int64},
    {"bar code", put_bar_code},
    {"ISBN", put_isbn},
    {"IMEI", put_imei},
    {"UUID", put_uuid},
    {"digest", put_digest},
    {"phone", put_phone},
    {"order", put_order},
    {"long number", put_long_number},
    {"integer", put_integer},
    {"money", put_money},
    {"place", put_place},
    {"row", put_row},
    {"years", put_years},
    {"bank account", put_account},
    {"version", put_version},
};
_Static_assert(sizeof kinds / sizeof *kinds == NUMBER_KINDS, "a kind is missing");

const char *number_kind(unsigned kind)
{
    return kinds[kind].name;
}

void number_frame(const char *frame, const char *number, char text[NUMBER_TEXT_MAX])
{
    int before = (int)strcspn(frame, "@");
    snprintf(text, NUMBER_TEXT_MAX, "%.*s%s%s", before, frame, number, frame + before + 1);
}

void number_make(struct dice *dice, unsigned kind, char text[NUMBER_TEXT_MAX])
{
    static const char *const frames[] = {
        "@",     "The value is @.", "id=@,",  "{\"v\": @, \"w\": \"x\"}", "It was @, he said",
        "| @ |", "Use `@` here",    "see (@)"};
    char number[NUMBER_TEXT_MAX];
    kinds[kind].put(dice, number);
    number_frame(PICK(dice, frames), number, text);
}

/* ---- cards ---- */

static const char *const issuers[CARD_ISSUERS] = {"Visa",     "Mastercard", "American Express",
                                                  "Discover", "JCB",        "Diners Club"};
static const char *const groupings[CARD_GROUPINGS] = {
    "", " ", "-", "\xC2\xA0", "\xE2\x80\x89", "\xE2\x80\x91", "\xE2\x80\x93", "  ", "."};
static const char *const grouping_names[CARD_GROUPINGS] = {
    "none", "blank", "hyphen", "no-break space", "thin space", "U+2011", "en dash", "two blanks", "dot"};

const char *card_issuer(unsigned issuer)
{
    return issuers[issuer];
}

const char *card_grouping(unsigned grouping)
{
    return grouping_names[grouping];
}

static size_t put_card(struct dice *dice, unsigned issuer, char digits[20])
{
    static const size_t lengths[CARD_ISSUERS] = {16, 16, 15, 16, 16, 14};
    size_t len = lengths[issuer];
    put_digits(dice, digits, len);
    char prefix[8];
    switch (issuer) {
    case 0:
        snprintf(prefix, sizeof prefix, "4");
        break;
    case 1:
        snprintf(prefix, sizeof prefix, "%zu",
                 dice_chance(dice, 50) ? 51 + dice_below(dice, 5) : 2221 + dice_below(dice, 500));
        break;
    case 2:
        snprintf(prefix, sizeof prefix, "%s", dice_chance(dice, 50) ? "34" : "37");
        break;
    case 3:
        snprintf(prefix, sizeof prefix, "%zu",
                 dice_chance(dice, 30)   ? (size_t)6011
                 : dice_chance(dice, 50) ? 644 + dice_below(dice, 6)
                                         : (size_t)65);
        break;
    case 4:
        snprintf(prefix, sizeof prefix, "%zu", 3528 + dice_below(dice, 62));
        break;
    default:
        snprintf(prefix, sizeof prefix, "%zu", dice_chance(dice, 50) ? 300 + dice_below(dice, 6) : (size_t)36);
    }
    memcpy(digits, prefix, strlen(prefix));
    digits[len - 1] = luhn_digit(digits, len - 1);
    return len;
}

/* Four by four; American Express and Diners Club now and then, and mostly as they print it: 4-6-5, 4-6-4. */
void card_make(struct dice *dice, unsigned issuer, unsigned grouping, char text[NUMBER_TEXT_MAX])
{
    char digits[20];
    size_t len = put_card(dice, issuer, digits), out = 0;
    bool is_short = len < 16 && dice_chance(dice, 70);
    for (size_t i = 0; i < len; i++) {
        bool is_group = is_short ? i == 4 || i == 10 : i > 0 && i % 4 == 0;
        if (is_group)
            out += (size_t)snprintf(text + out, NUMBER_TEXT_MAX - out, "%s", groupings[grouping]);
        text[out++] = digits[i];
    }
    text[out] = '\0';
}
