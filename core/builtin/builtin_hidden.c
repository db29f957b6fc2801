/* Built-in rules of hidden text: characters that readers do not see and models do.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The ranges are facts of the Unicode Character Database. Emoji, flags and scripts that join letters need some of these
 * characters; such uses are no finds. */
#include "builtin/builtin_parts.h"

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static size_t count_characters(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static bool is_after_ascii(struct surroundings around)
{
    unsigned char before = (unsigned char)part_before(around, 1);
    return before != 0 && before < 0x80;
}

static bool is_character(struct span text, const char *character)
{
    return text.len == strlen(character) && memcmp(text.data, character, text.len) == 0;
}

/* Joiners are for scripts other than Latin and for emoji, one at a time; the mark of byte order is for the beginning.
 */
static enum builtin_result check_zero_width(struct span match, struct surroundings around)
{
    bool is_joiner = is_character(match, "\xE2\x80\x8C") || is_character(match, "\xE2\x80\x8D");
    bool is_mark = is_character(match, "\xEF\xBB\xBF");
    if (is_joiner)
        return part_yes_if(is_after_ascii(around));
    return part_yes_if(!is_mark || around.before != 0);
}

/* A selector chooses the look of the character before it: one for each. Of the ASCII characters only the digits and
 * signs of keys have one. */
static enum builtin_result check_selectors(struct span match, struct surroundings around)
{
    char before = part_before(around, 1);
    bool is_key = (part_is_digit(before) || before == '#' || before == '*') &&
                  (is_character(match, "\xEF\xB8\x8F") || is_character(match, "\xEF\xB8\x8E"));
    return part_yes_if(count_characters(match) > 1 || (is_after_ascii(around) && !is_key));
}

/* Tag characters spell ASCII unseen. A black flag and the name of a region, with an end, are the flag of the region:
 * three of them are in use. */
static enum builtin_result check_tags(struct span match, struct surroundings around)
{
    static const char *const regions[] = {"gbeng", "gbsct", "gbwls"};
    (void)around;
    if ((unsigned char)match.data[0] != 0xF0) /* not the flag, which is U+1F3F4: F0 9F 8F B4 */
        return BUILTIN_YES;
    char spelled[6] = "";
    for (size_t i = 4, len = 0; i + 3 < match.len && len < 5; i += 4)
        spelled[len++] =
            (char)(((unsigned char)match.data[i + 2] & 1) << 6 | ((unsigned char)match.data[i + 3] & 0x3F));
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        if (match.len == 28 && strcmp(spelled, regions[i]) == 0)
            return BUILTIN_OTHER;
    return BUILTIN_YES;
}

/* What a character begins with says which of the checks is its. */
static enum builtin_result check_hidden(struct span match, struct surroundings around)
{
    unsigned char first = (unsigned char)match.data[0], second = (unsigned char)match.data[1];
    if (first == 0xF0 || (first == 0xF3 && second == 0xA0 && (unsigned char)match.data[2] < 0x82))
        return check_tags(match, around);
    if (first == 0xF3 || (first == 0xEF && second == 0xB8))
        return check_selectors(match, around);
    bool is_bidi = first == 0xE2 &&
                   ((second == 0x80 && (unsigned char)match.data[2] >= 0xA0) ||
                    (second == 0x81 && (unsigned char)match.data[2] >= 0xA6 && (unsigned char)match.data[2] < 0xAA));
    return is_bidi ? BUILTIN_YES : check_zero_width(match, around);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

#define FROM SAMPLE_FROM
#define TO SAMPLE_TO

static const char *const zero_widths[] = {"pass" FROM "\xE2\x80\x8B" TO "word",
                                          "%a{3}" FROM "\xE2\x80\x8C" TO "%a{3}",
                                          "%a{3}" FROM "\xE2\x81\xA0" TO "%a{3}",
                                          "%a" FROM "\xEF\xBB\xBF" TO "%a",
                                          "%a{3}" FROM "\xE2\x80\x8B\xE2\x80\x8C\xE2\x80\x8D\xE2\x80\x8B" TO "%a",
                                          NULL};
static const char *const no_zero_widths[] = {"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                                             "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xAE\xD9\x88", "plain %a{5}", NULL};

static const char *const bidis[] = {"%a{4}" FROM "\xE2\x80\xAE" TO "%a{4}", "%a{4}" FROM "\xE2\x81\xA6" TO "%a{4}",
                                    "%a{4}" FROM "\xE2\x80\xAE\xE2\x81\xA6" TO "%a", NULL};
static const char *const no_bidis[] = {"\xD7\xA9\xD7\x9C\xE2\x80\x8F, %a{3}", "%a\xE2\x80\x94%a", NULL};

static const char *const selectors[] = {"a" FROM "\xEF\xB8\x80\xEF\xB8\x83\xEF\xB8\x8F" TO "%a",
                                        "%a" FROM "\xF3\xA0\x84\x90" TO "%a",
                                        "\xF0\x9F\x98\x80" FROM "\xF3\xA0\x85\x98\xF3\xA0\x84\xA0\xF3\xA0\x87\x80" TO,
                                        "%a" FROM "\xEF\xB8\x8F" TO "%a", NULL};
static const char *const no_selectors[] = {"\xE2\x9D\xA4\xEF\xB8\x8F", "%d\xEF\xB8\x8F\xE2\x83\xA3",
                                           "\xE8\x91\x9B\xF3\xA0\x84\x80", "\xE2\x9C\x88\xEF\xB8\x8E", NULL};

static const char *const tags[] = {
    "hello" FROM "\xF3\xA0\x81\xA9\xF3\xA0\x81\xA7\xF3\xA0\x81\xAE" TO " %a", FROM "\xF3\xA0\x80\x81" TO "%a",
    FROM "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xB5\xF3\xA0\x81\xB3\xF3\xA0\x81\xB4\xF3\xA0\x81\xBF" TO, NULL};
static const char *const no_tags[] = {
    "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xB3\xF3\xA0\x81\xA3\xF3\xA0\x81\xB4\xF3\xA0\x81\xBF",
    "\xF0\x9F\x8F\xB4 pirate", NULL};

static const char *const all_hidden[] = {"zero_width", "bidi_controls", "variation_selectors", "tag_characters", NULL};

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

#define ZERO_WIDTH "[\\x{180E}\\x{200B}-\\x{200D}\\x{2060}-\\x{2064}\\x{206A}-\\x{206F}\\x{3164}\\x{FEFF}\\x{FFA0}]+"
#define BIDI "[\\x{202A}-\\x{202E}\\x{2066}-\\x{2069}]+"
#define SELECTORS "[\\x{FE00}-\\x{FE0F}\\x{E0100}-\\x{E01EF}]+"
#define TAGS "(?:\\x{1F3F4}[\\x{E0020}-\\x{E007E}]{1,16}\\x{E007F}|[\\x{E0000}-\\x{E007F}]+)"

const struct builtin builtins_of_hidden_text[] = {
    {.name = "hidden_text",
     .finds = "zero_width, bidi_controls, variation_selectors and tag_characters",
     .regex = "(?:" ZERO_WIDTH "|" BIDI "|" SELECTORS "|" TAGS ")",
     .check = check_hidden,
     .max_bytes = 256,
     .raw_only = true,
     .members = all_hidden},
    {.name = "zero_width",
     .finds = "characters without width inside words",
     .regex = ZERO_WIDTH,
     .check = check_zero_width,
     .max_bytes = 256,
     .raw_only = true,
     .samples = {.right = zero_widths, .near_right = no_zero_widths}},
    {.name = "bidi_controls",
     .finds = "controls that turn the order in which text is shown",
     .regex = BIDI,
     .max_bytes = 256,
     .raw_only = true,
     .samples = {.right = bidis, .near_right = no_bidis}},
    {.name = "variation_selectors",
     .finds = "variation selectors in a row, or behind plain letters",
     .regex = SELECTORS,
     .check = check_selectors,
     .max_bytes = 256,
     .raw_only = true,
     .samples = {.right = selectors, .near_right = no_selectors}},
    {.name = "tag_characters",
     .finds = "tag characters, which spell ASCII unseen, but for flags of regions",
     .regex = TAGS,
     .check = check_tags,
     .max_bytes = 256,
     .raw_only = true,
     .samples = {.right = tags, .near_right = no_tags}},
    {.name = NULL},
};
