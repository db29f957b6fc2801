/* See decision_known.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_known.h"

#include <stdlib.h>
#include <string.h>

#include "backtest/decision_script.h"

static bool has_masks(const json_t *text)
{
    return json_array_size(json_object_get(text, "masks")) > 0;
}

/* Strings that are no messages are kept as one array, and were judged one by one. Where something in it is masked, the
 * record knows it as a whole. */
json_t *decision_known_fields(const json_t *text)
{
    const struct rein_source said = script_text(text);
    bool is_read = strcmp(script_word(text, "speaker"), "field") == 0 && !has_masks(text);
    json_t *fields = is_read ? json_loadb(said.text, said.len, JSON_ALLOW_NUL, NULL) : NULL;
    if (json_is_array(fields))
        return fields;
    json_decref(fields);
    return NULL;
}

/* How many texts of a prompt it is judged as. */
static uint32_t count_judged(const json_t *text)
{
    json_t *fields = decision_known_fields(text);
    size_t len = fields != NULL ? json_array_size(fields) : 1;
    json_decref(fields);
    return (uint32_t)len;
}

/* Where the text number i is: the texts of the prompt come first, and those of each channel of an attempt's choice are
 * counted in the order in which they begin. */
static struct rein_known_text place_text(const json_t *texts, size_t i)
{
    const json_t *text = json_array_get(texts, i);
    struct rein_known_text at = {.channel = script_channel(text),
                                 .attempt = (uint32_t)script_number(text, "attempt"),
                                 .choice = (uint32_t)script_number(text, "choice")};
    for (size_t k = 0; k < i; k++) {
        const json_t *other = json_array_get(texts, k);
        bool is_alike = script_channel(other) == at.channel && script_number(other, "attempt") == at.attempt &&
                        script_number(other, "choice") == at.choice;
        at.text += !is_alike ? 0 : at.channel == REIN_PROMPT ? count_judged(other) : 1;
    }
    return at;
}

static int add_known(struct decision_known *out, size_t *cap, struct rein_known known)
{
    if (out->len == *cap) {
        size_t wanted = *cap > 0 ? 2 * *cap : 16;
        struct rein_known *items = realloc(out->items, wanted * sizeof *items);
        if (items == NULL)
            return REIN_ENOMEM;
        out->items = items;
        *cap = wanted;
    }
    out->items[out->len++] = known;
    return 0;
}

/* Does the policy find by this rule what the one that decided found? Of a version that is not known: does it have it?
 */
static bool finds_the_same(const struct policy_match *match, const struct rein_policy *policy, const char *rule)
{
    if (!match->is_known)
        return rein_policy_has_rule(policy, rule);
    for (size_t i = 0; i < match->rules_len; i++)
        if (strcmp(match->rules[i], rule) == 0)
            return true;
    return false;
}

/* Is each of the rules that mask one of the policy's? What one that is gone, or finds something else now, would find in
 * the text that was there is not known. */
static bool has_rules(const json_t *masks, const struct policy_match *match, const struct rein_policy *policy)
{
    const json_t *mask;
    size_t i;
    json_array_foreach(masks, i, mask)
    {
        const char *rule = json_string_value(json_object_get(mask, "rule"));
        bool is_open = rule == NULL || *rule == '\0';
        if (!is_open && !finds_the_same(match, policy, rule))
            return false;
    }
    return true;
}

/* Where a match was decided: at its end, unless the record says otherwise. */
static uint64_t decided_at(const json_t *match)
{
    const json_t *at = json_object_get(match, "at");
    if (json_is_null(at))
        return UINT64_MAX;
    uint64_t end = (uint64_t)script_number(match, "offset") + (uint64_t)script_number(match, "len");
    return json_is_integer(at) ? (uint64_t)json_integer_value(at) : end;
}

static int read_matches(struct decision_known *out, size_t *cap, const json_t *found,
                        const struct rein_known_text *place, const struct policy_match *match,
                        const struct rein_policy *policy)
{
    const json_t *one;
    size_t i;
    int rv = 0;
    json_array_foreach(found, i, one)
    {
        const char *rule = script_word(one, "rule");
        struct rein_known known = {.channel = place->channel,
                                   .attempt = place->attempt,
                                   .choice = place->choice,
                                   .text = place->text,
                                   .offset = (uint64_t)script_number(one, "offset"),
                                   .len = (uint64_t)script_number(one, "len"),
                                   .at = decided_at(one),
                                   .is_held = json_is_integer(json_object_get(one, "held")),
                                   .held = (uint64_t)script_number(one, "held"),
                                   .rule = rule};
        rv = rv == 0 && finds_the_same(match, policy, rule) ? add_known(out, cap, known) : rv;
    }
    return rv;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The text's readings; none where the record has none, or they are not written as they should be. */
static int read_readings(char **out, size_t *out_len, const json_t *text)
{
    const json_t *value = json_object_get(text, "readings");
    const char *hex = json_is_string(value) ? json_string_value(value) : "";
    size_t len = json_is_string(value) ? json_string_length(value) / 2 : 0;
    char *bytes = len > 0 ? malloc(len) : NULL;
    if (len > 0 && bytes == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < len; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return 0;
        }
        bytes[i] = (char)(high << 4 | low);
    }
    *out = bytes;
    *out_len = len;
    return 0;
}

/* Of a record that has readings, `found` has all matches; of an older one, those that are masked in part. */
static int add_known_text(struct decision_known *out, const json_t *text, const struct policy_match *match,
                          struct rein_known_text place)
{
    char **readings = &out->readings[out->texts_len];
    int rv = read_readings(readings, &place.readings_len, text);
    if (rv != 0)
        return rv;
    place.readings = *readings;
    out->lacks_readings |= match->has_detectors && (place.readings == NULL || !match->detectors);
    if (place.readings != NULL) {
        place.rules = match->rules;
        place.rules_len = match->rules_len;
    }
    out->texts[out->texts_len++] = place;
    return 0;
}

int decision_known_read(struct decision_known *out, const json_t *texts, const struct policy_match *match,
                        const struct rein_policy *policy)
{
    size_t i, cap = 0;
    const json_t *text;
    int rv = 0;
    *out = (struct decision_known){.items = NULL};
    out->texts = calloc(json_array_size(texts) + 1, sizeof *out->texts);
    out->readings = calloc(json_array_size(texts) + 1, sizeof *out->readings);
    if (out->texts == NULL || out->readings == NULL)
        return REIN_ENOMEM;
    json_array_foreach(texts, i, text)
    {
        const json_t *found = json_object_get(text, "found"), *masks = json_object_get(text, "masks");
        if (!has_masks(text)) /* it says all by itself */
            continue;
        struct rein_known_text place = place_text(texts, i);
        out->lacks_rule |= !has_rules(masks, match, policy);
        rv = rv == 0 ? read_matches(out, &cap, found, &place, match, policy) : rv;
        rv = rv == 0 ? add_known_text(out, text, match, place) : rv;
    }
    return rv;
}

void decision_known_fini(struct decision_known *known)
{
    for (size_t i = 0; i < known->texts_len; i++)
        free(known->readings[i]);
    free(known->readings);
    free(known->texts);
    free(known->items);
}
