/* See wild.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wild.h"

#include <stdio.h>
#include <string.h>

struct pen {
    struct dice *dice;
    char *out;
    size_t len;
};

static void put(struct pen *pen, const char *text)
{
    size_t len = strlen(text);
    if (pen->len + len + 1 > WILD_REGEX_MAX)
        return;
    memcpy(pen->out + pen->len, text, len + 1);
    pen->len += len;
}

#define PICK(dice, list) ((list)[dice_below((dice), sizeof(list) / sizeof(*(list)))])

static void put_alternation(struct pen *pen, unsigned depth);

static void put_atom(struct pen *pen, unsigned depth)
{
    static const char *const chars[] = {"a", "a", "b", "b", "c", " ", "\xC3\xA9", "A"};
    static const char *const sets[] = {"[ab]",   "[^a]",  ".",           "\\w",   "\\W", "\\s", "[a-c]",
                                       "[^\\w]", "[b-c]", "[a\xC3\xA9]", "[^ab]", "\\S", "\\d", "[\\W_a]"};
    if (depth > 0 && dice_chance(pen->dice, 30)) {
        put(pen, dice_chance(pen->dice, 50) ? "(" : "(?:");
        put_alternation(pen, depth - 1);
        put(pen, ")");
    } else if (dice_chance(pen->dice, 30))
        put(pen, PICK(pen->dice, sets));
    else
        put(pen, PICK(pen->dice, chars));
}

static void put_repeated(struct pen *pen, unsigned depth)
{
    static const char *const anchors[] = {"\\b", "\\b", "\\B", "^", "$"};
    static const char *const marks[] = {"*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{3,4}", "+?", "*?"};
    if (dice_chance(pen->dice, 10)) {
        put(pen, PICK(pen->dice, anchors));
        return;
    }
    size_t room = WILD_REGEX_MAX - pen->len;
    if (room < 64) {
        put(pen, "a");
        return;
    }
    put_atom(pen, depth);
    if (dice_chance(pen->dice, 35))
        put(pen, PICK(pen->dice, marks));
}

static void put_alternation(struct pen *pen, unsigned depth)
{
    do {
        for (size_t n = 1 + dice_below(pen->dice, 3); n > 0; n--)
            put_repeated(pen, depth);
    } while (dice_chance(pen->dice, 30) && (put(pen, "|"), 1));
}

void wild_regex(struct dice *dice, char out[WILD_REGEX_MAX])
{
    struct pen pen = {dice, out, 0};
    out[0] = '\0';
    if (dice_chance(dice, 10))
        put(&pen, "(?i)");
    put_alternation(&pen, 3);
}

size_t wild_char(struct dice *dice, char out[4])
{
    static const char *const chars[] = {"a", "a", "a", "b", "b", "c", " ", "\xC3\xA9", "A", "1"};
    const char *c = PICK(dice, chars);
    memcpy(out, c, strlen(c));
    return strlen(c);
}

size_t wild_unfolded(struct dice *dice, char out[8])
{
    /* a in many dresses, b, zero-width space and joiner, soft hyphen, ligatures, an accent on its own, Han */
    static const char *const chars[] = {"a",
                                        "A",
                                        "\xD0\xB0",
                                        "\xEF\xBD\x81",
                                        "\xC3\xA0",
                                        "b",
                                        "B",
                                        "c",
                                        "\xE2\x80\x8B",
                                        "\xE2\x80\x8D",
                                        "\xC2\xAD",
                                        "\xC3\xA6",
                                        " ",
                                        "\xF0\x9D\x90\x9A",
                                        "\xCC\x81",
                                        "\xE4\xB8\xAD",
                                        "\xEF\xAC\x80"};
    const char *c = PICK(dice, chars);
    memcpy(out, c, strlen(c));
    return strlen(c);
}
