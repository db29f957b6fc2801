/* See mask_set.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mask/mask_set.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"
#include "json/text.h"

enum {
    ARENA_MAX = 64 << 20, /* values, as texts and as JSON, and what stands for them */
    TRIES = 32,           /* placeholders that are tried until one is not taken and no rule finds it */
};

int mask_set_new(struct mask_set **out, const struct rein_policy *policy, const unsigned char *key)
{
    struct mask_set *set = heap_new(1, sizeof *set);
    if (set == NULL)
        return REIN_ENOMEM;
    set->policy = policy;
    set->has_key = key != NULL;
    if (key != NULL)
        memcpy(set->key, key, sizeof set->key);
    arena_init(&set->arena, ARENA_MAX);
    *out = set;
    return 0;
}

void mask_set_free(struct mask_set *set)
{
    if (set == NULL)
        return;
    arena_fini(&set->arena);
    heap_free(set->values);
    heap_free(set->masks);
    heap_free(set);
}

/* ---- finding ---- */

static int name_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* The first value whose name is not before this one. */
static size_t value_place(const struct mask_set *set, struct span name)
{
    size_t low = 0, high = set->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (name_order(set->values[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The byte at `i` of a name, 0 behind its end; names have no NUL. */
static unsigned char name_byte(const struct mask_set *set, size_t value, size_t i)
{
    struct span name = set->values[value].name;
    return i < name.len ? (unsigned char)name.data[i] : 0;
}

static size_t first_from(const struct mask_set *set, size_t len, unsigned char c, size_t low, size_t high)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (name_byte(set, middle, len) < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mask_set_narrow(const struct mask_set *set, size_t len, char c, size_t *low, size_t *high)
{
    unsigned char byte = (unsigned char)c;
    *low = byte > 0 ? first_from(set, len, byte, *low, *high) : *high;
    *high = byte < UINT8_MAX ? first_from(set, len, (unsigned char)(byte + 1), *low, *high) : *high;
}

/* ---- placeholders ---- */

static bool fits_label(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "[card-number:K7QX2M9A]", of the `try`th digest. */
static size_t spell_name(const struct mask_set *set, const char *id, struct span value, unsigned char try,
                         char out[MASK_NAME_MAX])
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    unsigned char digest[DIGEST_LEN];
    const struct span texts[] = {{id, strlen(id)}, {(const char *)&try, 1}, value};
    digest_keyed(set->key, texts, 3, digest);
    size_t len = 0;
    out[len++] = '[';
    for (const char *at = id; *at != '\0' && len <= MASK_LABEL_MAX; at++)
        out[len++] = fits_label(*at) ? *at : '-';
    out[len++] = ':';
    for (size_t i = 0; i < MASK_CODE; i++)
        out[len++] = letters[digest[i] % (sizeof letters - 1)];
    out[len++] = ']';
    assert(len <= MASK_NAME_MAX);
    return len;
}

/* Would a rule act on the placeholder in the prompt or in a response? */
static int is_found_by_rules(const struct mask_set *set, struct span name, bool *is_found)
{
    struct match_list list = {0};
    int rv = 0;
    *is_found = false;
    for (int channel = 0; channel < REIN_CHANNELS && rv == 0 && !*is_found; channel++) {
        list.len = 0;
        rv = matcher_scan(set->policy->ruleset, (enum rein_channel)channel, name, &list);
        for (size_t i = 0; i < list.len; i++) {
            const struct policy_rule *rule = &set->policy->rules[list.items[i].rule];
            *is_found |= !rule->shadow && rule->action > REIN_RECORD;
        }
    }
    match_list_fini(&list);
    return rv;
}

/* The value under this name, if it is the one; NULL with *is_taken: another value has the name. */
static const struct mask_value *value_named(const struct mask_set *set, struct span name, uint16_t rule,
                                            struct span value, bool *is_taken)
{
    size_t i = value_place(set, name);
    *is_taken = i < set->len && span_is(set->values[i].name, name);
    const struct mask_value *found = *is_taken ? &set->values[i] : NULL;
    return found != NULL && found->rule == rule && span_is(found->text, value) ? found : NULL;
}

static struct span keep_span(struct mask_set *set, struct span text)
{
    char *copy = arena_copy(&set->arena, text.data, text.len);
    return (struct span){copy, copy != NULL ? text.len : 0};
}

static int keep_json(struct mask_set *set, struct span text, struct span *json)
{
    struct bytes escaped;
    bytes_init(&escaped, SIZE_MAX / 2);
    int rv = json_escape(&escaped, text);
    *json = rv == 0 ? keep_span(set, bytes_span(&escaped)) : SPAN("");
    bytes_fini(&escaped);
    return rv == 0 && json->data == NULL ? REIN_ENOMEM : rv;
}

static int insert_value(struct mask_set *set, struct mask_value value)
{
    struct mask_value *values = heap_one_more(set->values, set->len, &set->cap, 8, sizeof *values);
    if (values == NULL)
        return REIN_ENOMEM;
    set->values = values;
    size_t i = value_place(set, value.name);
    memmove(values + i + 1, values + i, (set->len - i) * sizeof *values);
    values[i] = value;
    set->len++;
    return 0;
}

static int keep_value(struct mask_set *set, uint16_t rule, struct span text, struct span spelled, struct span *name)
{
    struct mask_value value = {.rule = rule, .name = keep_span(set, spelled), .text = keep_span(set, text)};
    int rv = value.name.data != NULL && value.text.data != NULL ? keep_json(set, text, &value.json) : REIN_ENOMEM;
    *name = value.name;
    return rv == 0 ? insert_value(set, value) : rv;
}

int mask_set_name(struct mask_set *set, uint16_t rule, struct span value, struct span *name)
{
    const struct policy_rule *r = &set->policy->rules[rule];
    char room[MASK_NAME_MAX];
    struct span spelled = {room, 0};
    assert(mask_set_is_sound(set));
    *name = SPAN("");
    if (!r->restores || !set->has_key)
        return 0;
    for (unsigned try = 0; try < TRIES; try++) {
        bool is_taken, is_found;
        spelled.len = spell_name(set, r->id, value, (unsigned char)try, room);
        const struct mask_value *known = value_named(set, spelled, rule, value, &is_taken);
        if (known != NULL) {
            *name = known->name;
            return 0;
        }
        if (is_taken)
            continue;
        int rv = is_found_by_rules(set, spelled, &is_found);
        if (rv != 0)
            return rv;
        if (is_found && try + 1 < TRIES)
            continue;
        return set->len < MASK_VALUES_MAX ? keep_value(set, rule, value, spelled, name) : 0;
    }
    return 0;
}

/* ---- masks ---- */

int mask_set_add(struct mask_set *set, const struct rein_mask *mask)
{
    assert(mask_set_is_sound(set));
    if (set->masks_len == MASK_SPANS_MAX)
        return REIN_ELIMIT;
    struct rein_mask *masks = heap_one_more(set->masks, set->masks_len, &set->masks_cap, 8, sizeof *masks);
    if (masks == NULL)
        return REIN_ENOMEM;
    set->masks = masks;
    struct span text = keep_span(set, (struct span){mask->text, mask->text_len});
    if (text.data == NULL)
        return REIN_ENOMEM;
    masks[set->masks_len] = *mask;
    masks[set->masks_len++].text = text.data;
    return 0;
}
