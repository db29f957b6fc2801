/* See noise.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "builtin/noise.h"

#include <stdio.h>
#include <string.h>

/* One line at a time, the last one cut. */
struct line {
    char text[512];
    size_t len;
};

static void line_put(struct line *line, const char *text, size_t len)
{
    for (size_t i = 0; i < len && line->len < sizeof line->text; i++)
        line->text[line->len++] = text[i];
}

static void line_text(struct line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

static void line_number(struct line *line, uint64_t number, int width)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%0*llu", width, (unsigned long long)number);
    line_put(line, text, (size_t)len);
}

static void line_random(struct line *line, struct sample_dice *dice, const char *alphabet, size_t len)
{
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < len; i++)
        line_put(line, &alphabet[sample_roll(dice, letters)], 1);
}

static void line_word(struct line *line, struct sample_dice *dice)
{
    static const char *const words[] = {
        "about",    "account",  "after",   "again",    "answer",  "apple",    "average",  "balance",   "because",
        "before",   "bottle",   "bread",   "bridge",   "butter",  "call",     "change",   "chapter",   "cloud",
        "column",   "compare",  "could",   "customer", "decade",  "deep",     "describe", "doctor",    "early",
        "engine",   "enough",   "evening", "exact",    "facade",  "family",   "figure",   "first",     "forest",
        "garden",   "general",  "gold",    "hotel",    "hour",    "idea",     "island",   "journal",   "kettle",
        "kitchen",  "language", "ledger",  "letter",   "library", "machine",  "market",   "measure",   "memory",
        "method",   "middle",   "moment",  "money",    "morning", "mountain", "music",    "nation",    "never",
        "number",   "office",   "often",   "open",     "orange",  "order",    "paper",    "password",  "people",
        "photo",    "place",    "point",   "portrait", "price",   "problem",  "process",  "quality",   "quarter",
        "question", "quickly",  "railway", "reason",   "region",  "report",   "response", "river",     "sample",
        "school",   "season",   "second",  "secret",   "section", "server",   "service",  "short",     "signal",
        "simple",   "station",  "story",   "street",   "summer",  "table",    "task",     "telegraph", "through",
        "ticket",   "token",    "travel",  "under",    "update",  "value",    "version",  "village",   "water",
        "weather",  "window",   "winter",  "without",  "wonder",  "yellow",   "youth",    "zero"};
    line_text(line, words[sample_roll(dice, sizeof words / sizeof *words)]);
}

/* Numbers of one to twenty digits, some in groups. */
static void digits_line(struct line *line, struct sample_dice *dice)
{
    static const char *const between[] = {" ", " ", ", ", "\t", ";", "-", ".", "/", " = ", "|"};
    for (unsigned i = 0; i < 8; i++) {
        line_random(line, dice, "0123456789", 1 + sample_roll(dice, 20));
        line_text(line, between[sample_roll(dice, sizeof between / sizeof *between)]);
    }
}

/* Digests, ids and dumps. */
static void hex_line(struct line *line, struct sample_dice *dice)
{
    static const unsigned char parts[] = {8, 4, 4, 4, 12}, lengths[] = {7, 8, 32, 40, 64};
    const char *digits = sample_roll(dice, 4) == 0 ? "0123456789ABCDEF" : "0123456789abcdef";
    uint64_t way = sample_roll(dice, 4);
    if (way == 0)
        for (size_t i = 0; i < sizeof parts; i++) {
            line_text(line, i > 0 ? "-" : "");
            line_random(line, dice, digits, parts[i]);
        }
    else if (way == 1)
        for (size_t i = 0; i < 16; i++) {
            line_random(line, dice, digits, 2);
            line_text(line, " ");
        }
    else if (way == 2)
        for (size_t i = 0; i < 20; i++) {
            line_text(line, i > 0 ? ":" : "");
            line_random(line, dice, digits, 2);
        }
    else
        line_random(line, dice, digits, lengths[sample_roll(dice, sizeof lengths)]);
}

static void base64_line(struct line *line, struct sample_dice *dice)
{
    line_random(line, dice, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 76);
}

static void prose_line(struct line *line, struct sample_dice *dice)
{
    for (unsigned i = 0; i < 14; i++) {
        uint64_t way = sample_roll(dice, 40);
        if (way == 0)
            line_number(line, sample_roll(dice, 3000), 1);
        else if (way == 1) {
            line_number(line, sample_roll(dice, 100000), 1);
            line_text(line, ".");
            line_number(line, sample_roll(dice, 100), 2);
        } else if (way < 4)
            line_text(line, way == 2 ? "phone" : "mobile"); /* such words alone are nothing */
        else
            line_word(line, dice);
        line_text(line, i == 13 ? "." : way == 5 ? ", " : way == 6 ? " \xE2\x80\x94 " : " ");
    }
}

static void code_line(struct line *line, struct sample_dice *dice)
{
    static const char *const begins[] = {
        "    if (", "    return ", "static int ", "std::", "const ", "    self.", "#define "};
    static const char *const joins[] = {"::", "->", ".", "_",  " = ", " + ", " - ",
                                        "(",  ") ", "[", "] ", ": ",  "; ",  " && "};
    line_text(line, begins[sample_roll(dice, sizeof begins / sizeof *begins)]);
    for (unsigned i = 0; i < 7; i++) {
        if (sample_roll(dice, 4) == 0)
            line_number(line, sample_roll(dice, sample_roll(dice, 2) == 0 ? 100 : UINT64_C(10000000000)), 1);
        else
            line_word(line, dice);
        line_text(line, joins[sample_roll(dice, sizeof joins / sizeof *joins)]);
    }
}

/* Times, levels, ids, durations and counts; no addresses. */
static void log_line(struct line *line, struct sample_dice *dice)
{
    static const char *const levels[] = {"info", "warn", "error", "DEBUG"};
    line_text(line, "2024-");
    line_number(line, 1 + sample_roll(dice, 12), 2);
    line_text(line, "-");
    line_number(line, 1 + sample_roll(dice, 28), 2);
    line_text(line, "T");
    line_number(line, sample_roll(dice, 24), 2);
    line_text(line, ":");
    line_number(line, sample_roll(dice, 60), 2);
    line_text(line, ":");
    line_number(line, sample_roll(dice, 60), 2);
    line_text(line, ".");
    line_number(line, sample_roll(dice, 1000000), 6);
    line_text(line, sample_roll(dice, 2) == 0 ? "Z " : "+0200 ");
    line_text(line, levels[sample_roll(dice, sizeof levels / sizeof *levels)]);
    line_text(line, " [");
    line_number(line, sample_roll(dice, 100000), 1);
    line_text(line, "] ");
    line_word(line, dice);
    line_text(line, " id=");
    line_number(line, 1000000000 + sample_roll(dice, UINT64_C(9000000000)), 1);
    line_text(line, " took=");
    line_number(line, sample_roll(dice, 100000), 1);
    line_text(line, "us rest=-");
    line_number(line, sample_roll(dice, 1000000), 1);
    line_text(line, " v");
    line_number(line, sample_roll(dice, 20), 1);
    line_text(line, ".");
    line_number(line, sample_roll(dice, 30), 1);
    line_text(line, ".");
    line_number(line, sample_roll(dice, 30), 1);
    line_text(line, " at=");
    line_number(line, 1700000000 + sample_roll(dice, 100000000), 1);
}

static const struct {
    const char *name;
    void (*line)(struct line *line, struct sample_dice *dice);
} kinds[REIN_NOISES] = {
    [REIN_NOISE_DIGITS] = {"digits", digits_line}, [REIN_NOISE_HEX] = {"hex", hex_line},
    [REIN_NOISE_BASE64] = {"base64", base64_line}, [REIN_NOISE_PROSE] = {"prose", prose_line},
    [REIN_NOISE_CODE] = {"code", code_line},       [REIN_NOISE_LOG] = {"log", log_line},
};

const char *rein_noise_name(enum rein_noise noise)
{
    return kinds[noise].name;
}

void noise_fill(enum rein_noise kind, struct sample_dice *dice, char *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct line line = {.len = 0};
        kinds[kind].line(&line, dice);
        line_text(&line, "\n");
        size_t part = line.len < len - at ? line.len : len - at;
        memcpy(out + at, line.text, part);
        at += part;
    }
}
