/* Property: a number is judged however it is written and wherever it stands, and written plainly it is the same number.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_number_text [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 100000
 *
 * Digits that a rule looks for are written as JSON numbers in random ways: with an exponent, with a fraction of zeros,
 * in objects and arrays of unknown fields, and in a tool's arguments given as an object. None of them goes out, what
 * goes out is JSON, and numbers around them stay (found_t5_at_random). A failure prints its seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"
#include "tracekit.h"
#include "json/number.h"

enum { DIGITS = 16, ROOM = 128 };

#define WANTED "7316408295174639"

static const char yaml[] = "version: 1\nname: n\nrules:\n"
                           "  - { id: n, regex: '" WANTED "', match: raw, action: redact, replacement: \"#\" }\n";

static _Noreturn void give_up(uint64_t seed, const char *what, const char *in, const struct kit_seen *seen)
{
    fprintf(stderr, "seed %" PRIu64 ": %s: %s\n", seed, what, in);
    if (seen != NULL)
        fprintf(stderr, "%.*s\n", (int)bytes_len(&seen->out), bytes_span(&seen->out).data);
    exit(1);
}

/* Writes the digits as a number of the same value. */
static void write_number(struct dice *dice, char *out, const char *digits)
{
    size_t len = strlen(digits), zeros = dice_below(dice, 6), point = 1 + dice_below(dice, len + zeros);
    char all[ROOM];
    int exponent = (int)len - (int)point;
    snprintf(all, sizeof all, "%s%.*s", digits, (int)zeros, "000000");
    if (dice_chance(dice, 25)) {
        strcpy(out, digits);
        return;
    }
    char sign[2] = {exponent >= 0 && dice_chance(dice, 50) ? '+' : '\0', '\0'};
    if (point == len + zeros)
        snprintf(out, ROOM, "%s%c%s%d", all, dice_chance(dice, 50) ? 'e' : 'E', sign, exponent);
    else if (exponent == 0 && dice_chance(dice, 50))
        snprintf(out, ROOM, "%.*s.%s", (int)point, all, all + point);
    else
        snprintf(out, ROOM, "%.*s.%se%s%02d", (int)point, all, all + point, sign, exponent);
}

static void check_plain(uint64_t seed, const char *number)
{
    char plain[NUMBER_PLAIN_MAX + 1];
    size_t len = number_plain((struct span){number, strlen(number)}, plain);
    plain[len] = '\0';
    if (strcmp(plain, WANTED) != 0)
        give_up(seed, "another number", number, NULL);
}

/* Any number: written plainly it has the same value. */
static void check_value(uint64_t seed, struct dice *dice)
{
    char number[ROOM], plain[NUMBER_PLAIN_MAX + 1];
    const char *sign = dice_chance(dice, 30) ? "-" : "";
    unsigned whole = (unsigned)dice_below(dice, 100000), fraction = (unsigned)dice_below(dice, 100000);
    int exponent = (int)dice_below(dice, 20) - 6;
    if (dice_chance(dice, 70))
        snprintf(number, sizeof number, "%s%u.%ue%d", sign, whole, fraction, exponent);
    else
        snprintf(number, sizeof number, "%s%ue%d", sign, whole, exponent);
    size_t len = number_plain((struct span){number, strlen(number)}, plain);
    plain[len] = '\0';
    double value = strtod(number, NULL);
    if (len > 0 && strtod(plain, NULL) != value)
        give_up(seed, "another value", number, NULL);
    if (len == 0 && (value >= 1 || value <= -1))
        give_up(seed, "nothing", number, NULL);
}

static const char *const places[] = {
    "\"note\":%s,\"delta\":{\"content\":\"said\"}",
    "\"note\":{\"a\":[0.5,{\"b\":%s}],\"c\":12},\"delta\":{\"content\":\"said\"}",
    "\"delta\":{\"content\":\"said\",\"x\":[[%s]]}",
    "\"delta\":{\"content\":\"said\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{\"id\":%s,\"n\":12}}}]}",
    "\"delta\":{\"content\":\"said\",\"function_call\":{\"arguments\":[%s]}}",
};
enum { PLACES = sizeof(places) / sizeof(*places) };

static void run_case(uint64_t seed, struct rein_policy *policy)
{
    struct dice dice = dice_of(seed);
    char number[ROOM], inside[512], stream[1024];
    const char *place = places[dice_below(&dice, PLACES)];
    write_number(&dice, number, WANTED);
    if (strpbrk(number, ".eE") != NULL)
        check_plain(seed, number);
    check_value(seed, &dice);
    const char *hole = strstr(place, "%s");
    snprintf(inside, sizeof inside, "%.*s%s%s", (int)(hole - place), place, number, hole + 2);
    snprintf(stream, sizeof stream,
             "data: {\"choices\":[{\"index\":0,%s,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", inside);
    struct kit_run run = {.policy = policy, .upstream = {stream, strlen(stream)}};
    struct kit_seen seen;
    run.chunk = dice_below(&dice, 3) * 7;
    kit_run(&run, &seen);
    if (seen.unreadable > 0 || kit_has(&seen, number) || !kit_has(&seen, "\"#") || !kit_has(&seen, "said"))
        give_up(seed, "a number went out", stream, &seen);
    if (strstr(place, "12") != NULL && !kit_has(&seen, "12}"))
        give_up(seed, "another number did not", stream, &seen);
    if (seen.decision.verdict != REIN_REDACT || seen.decision.findings_len != 1)
        give_up(seed, "another decision", stream, &seen);
    kit_seen_fini(&seen);
}

int main(int argc, char **argv)
{
    uint64_t cases = getenv("REIN_LONG") != NULL ? 100000 : 2000, first = 1;
    if (argc > 1)
        cases = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first = strtoull(argv[2], NULL, 10);
    struct rein_policy *policy = kit_policy(yaml);
    for (uint64_t seed = first; seed < first + cases; seed++)
        run_case(seed, policy);
    rein_policy_unref(policy);
    printf("%" PRIu64 " numbers from seed %" PRIu64 ": none went out\n", cases, first);
    return 0;
}
