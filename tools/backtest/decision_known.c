/* See decision_known.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_known.h"

#include <stdlib.h>
#include <string.h>

#include "backtest/decision_script.h"

/* Where a text is, as the engine counts texts. */
struct known_text {
    struct rein_known at;
    uint64_t before; /* bytes of earlier texts that are one with it */
};

/* The text number i: those before it say what it is. */
static struct known_text place_text(const json_t *texts, size_t i)
{
    const json_t *text = json_array_get(texts, i);
    struct known_text place = {.at = {.channel = script_channel(text),
                                      .attempt = (uint32_t)script_number(text, "attempt"),
                                      .choice = (uint32_t)script_number(text, "choice")}};
    if (place.at.channel == REIN_PROMPT) {
        place.at.text = (uint32_t)i;
        return place;
    }
    for (size_t k = 0; k < i; k++) {
        const json_t *other = json_array_get(texts, k);
        bool is_same = script_channel(other) == place.at.channel &&
                       script_number(other, "attempt") == place.at.attempt &&
                       script_number(other, "choice") == place.at.choice;
        if (is_same && place.at.channel == REIN_TOOL)
            place.at.text++;
        else if (is_same)
            place.before += script_text(other).len;
    }
    return place;
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

/* Texts next to each other, matches in the order of their ends. */
static int compare_known(const void *a, const void *b)
{
    const struct rein_known *x = a, *y = b;
    const uint64_t keys[][2] = {{x->channel, y->channel},
                                {x->attempt, y->attempt},
                                {x->choice, y->choice},
                                {x->text, y->text},
                                {x->offset + x->len, y->offset + y->len}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* A masked rule of another channel than the text's says nothing here; one that is gone might. */
static bool has_rules(const json_t *masks, const struct rein_policy *policy)
{
    const json_t *mask;
    size_t i;
    json_array_foreach(masks, i, mask)
    {
        const char *rule = json_string_value(json_object_get(mask, "rule"));
        if (rule != NULL && *rule != '\0' && !rein_policy_has_rule(policy, rule))
            return false;
    }
    return true;
}

int decision_known_read(struct decision_known *out, const json_t *texts, const struct rein_policy *policy)
{
    size_t i, k, cap = 0;
    const json_t *text, *match;
    int rv = 0;
    *out = (struct decision_known){.items = NULL};
    json_array_foreach(texts, i, text)
    {
        const json_t *found = json_object_get(text, "found"), *masks = json_object_get(text, "masks");
        struct known_text place = json_array_size(found) > 0 ? place_text(texts, i) : (struct known_text){.before = 0};
        out->is_masked |= json_array_size(masks) > 0;
        out->lacks_rule |= !has_rules(masks, policy) || !has_rules(found, policy);
        json_array_foreach(found, k, match)
        {
            struct rein_known known = place.at;
            known.offset = place.before + (uint64_t)script_number(match, "offset");
            known.len = (uint64_t)script_number(match, "len");
            known.rule = json_string_value(json_object_get(match, "rule"));
            rv = rv == 0 && known.rule != NULL ? add_known(out, &cap, known) : rv;
        }
    }
    if (rv == 0 && out->len > 1)
        qsort(out->items, out->len, sizeof *out->items, compare_known);
    return rv;
}

void decision_known_fini(struct decision_known *known)
{
    free(known->items);
}
