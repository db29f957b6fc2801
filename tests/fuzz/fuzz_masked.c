/* Fuzz target: an answer's placeholders. What is put back is the same whatever the pieces; it is exactly a placeholder
 * of the request; nothing of it was free to go before it was decided; and where no link is near, none is missed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A `$` or `%` of the input stands for one of two placeholders, because no fuzzer guesses them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mask/mask_set.h"
#include "rein/rein.h"
#include "trace/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 2048, EDITS = 256 };

static const char yaml[] =
    "version: 1\nname: m\nrules:\n"
    "  - { id: a, channels: [prompt], literal: one, action: redact, restore: true }\n"
    "  - { id: null-x, channels: [prompt], literal: two, action: redact, restore: true }\n"
    "  - { id: r, channels: [answer], regex: '\\]!|~[a-z]*\\[', max_bytes: 40, action: redact }\n";
static struct rein_policy *policy;
static struct mask_set *set;
static struct span names[2];

static void load(void)
{
    static const unsigned char key[DIGEST_KEY] = "k";
    struct rein_source source = {"m.yaml", yaml, sizeof yaml - 1};
    struct rein_library library = {0};
    struct rein_problems *problems;
    if (set != NULL)
        return;
    if (rein_problems_new(&problems) != 0 || rein_policy_load(&policy, &source, &library, problems) != 0 ||
        mask_set_new(&set, policy, key) != 0 || mask_set_name(set, 0, SPAN("one"), &names[0]) != 0 ||
        mask_set_name(set, 1, SPAN("t\"o"), &names[1]) != 0)
        abort();
    rein_problems_free(problems);
}

struct masked_text {
    struct edit edits[EDITS];
    size_t len;
};

static void take_edits(struct text *text, struct masked_text *r)
{
    size_t len = 0;
    const struct edit *edits = bytes_len(&text->edits) > 0 ? text_edits(text, 0, &len) : NULL;
    r->len = len < EDITS ? len : EDITS;
    if (r->len > 0)
        memcpy(r->edits, edits, r->len * sizeof *edits);
}

/* What the trace does with matches: each redacts. */
static void take_matches(struct text *text, int event, struct match_list *matches)
{
    if (event < 0)
        abort();
    for (size_t i = 0; i < matches->len; i++) {
        struct match span;
        struct span evidence;
        if (text_found(text, event, &matches->items[i], &span, &evidence) &&
            text_redact(text, span.start, span.end, span.rule) != 0)
            abort();
    }
    matches->len = 0;
}

/* What was free to go is not part of an edit that came later, but for one that it was in before. */
static void check_free(const struct text *text, uint64_t was_free, const struct masked_text *before)
{
    struct masked_text now;
    take_edits((struct text *)text, &now);
    for (size_t i = 0; i < now.len; i++) {
        bool was_there = !now.edits[i].restores;
        for (size_t k = 0; k < before->len && !was_there; k++)
            was_there = before->edits[k].start == now.edits[i].start && before->edits[k].restores;
        if (!was_there && now.edits[i].start < was_free)
            abort();
    }
}

static void read_in_pieces(const char *data, size_t len, size_t piece, struct masked_text *r)
{
    struct text text;
    struct match_list matches = {0};
    struct span sentence;
    uint64_t offset, was_free = 0;
    int event;
    text_init(&text, REIN_ANSWER, 0, policy->ruleset, 1 << 20);
    text.may_be_json = true;
    if (text_restore(&text, set) != 0)
        abort();
    for (size_t at = 0; at < len; at += piece) {
        struct masked_text before;
        take_edits(&text, &before);
        if (text_append(&text, (struct span){data + at, len - at < piece ? len - at : piece}) != 0)
            abort();
        while ((event = text_advance(&text, &matches, &sentence, &offset)) != TEXT_DRY)
            take_matches(&text, event, &matches);
        check_free(&text, was_free, &before);
        if (text_unclaimed(&text) < was_free || !text_is_sound(&text))
            abort();
        was_free = text_unclaimed(&text);
    }
    while ((event = text_end(&text, &matches, &sentence, &offset)) != TEXT_DRY)
        take_matches(&text, event, &matches);
    take_edits(&text, r);
    match_list_fini(&matches);
    text_fini(&text);
}

static void check_values(const char *data, const struct masked_text *r)
{
    for (size_t i = 0; i < r->len; i++) {
        const struct edit *e = &r->edits[i];
        if (!e->restores)
            continue;
        struct span name = set->values[e->number].name;
        bool is_plain = e->end - e->start == name.len && memcmp(data + e->start, name.data, name.len) == 0;
        bool is_escaped = e->form == EDIT_STRING && memchr(data + e->start, '\\', (size_t)(e->end - e->start)) != NULL;
        if (!is_plain && !is_escaped)
            abort();
    }
}

/* In a text that is no JSON and has none of the bytes of which links are made, each placeholder is found, alone or with
 * what a rule redacts. */
static void check_missed(const char *data, size_t len, const struct masked_text *r)
{
    static const char marks[] = "(</\\.{";
    char *text = calloc(len + 1, 1);
    if (text == NULL)
        abort();
    memcpy(text, data, len);
    char first = text[strspn(text, " \t\r\n")];
    bool is_open = strlen(text) == len && strpbrk(text, marks) == NULL && strchr(text, '"') == NULL && first != '[' &&
                   strstr(text, "]:") == NULL && r->len < EDITS;
    for (const char *at = text; is_open && (at = strchr(at, '[')) != NULL; at++)
        for (size_t n = 0; n < 2; n++) {
            bool is_there = strlen(at) >= names[n].len && memcmp(at, names[n].data, names[n].len) == 0,
                 is_found = false;
            for (size_t i = 0; i < r->len && is_there; i++)
                is_found |= r->edits[i].start <= (uint64_t)(at - text) && r->edits[i].end > (uint64_t)(at - text);
            bool is_scheme = at > text && memchr(text, ':', (size_t)(at - text)) != NULL;
            if (is_there && !is_found && !is_scheme)
                abort();
        }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[INPUT_MAX * (MASK_NAME_MAX + 1)];
    size_t len = 0;
    struct masked_text whole, pieces;
    load();
    for (size_t i = 1; i < size && i < INPUT_MAX; i++) {
        bool is_name = data[i] == '$' || data[i] == '%';
        struct span more = is_name ? names[data[i] == '%'] : (struct span){(const char *)data + i, 1};
        memcpy(text + len, more.data, more.len);
        len += more.len;
    }
    if (len == 0)
        return 0;
    char *exact = malloc(len);
    if (exact == NULL)
        abort();
    memcpy(exact, text, len);
    read_in_pieces(exact, len, len, &whole);
    read_in_pieces(exact, len, 1 + data[0] % 16, &pieces);
    if (whole.len != pieces.len)
        abort();
    for (size_t i = 0; i < whole.len; i++) {
        const struct edit *a = &whole.edits[i], *b = &pieces.edits[i];
        if (a->start != b->start || a->end != b->end || a->restores != b->restores || a->number != b->number ||
            a->form != b->form)
            abort();
    }
    check_values(exact, &whole);
    check_missed(exact, len, &whole);
    free(exact);
    return 0;
}
