/* See known_text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mask/known_text.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"
#include "rules/ruleset.h"

struct known_place {
    enum rein_channel channel;
    uint32_t attempt, choice, text;
};

/* A text, made when it begins. */
struct begun_text {
    struct begun_text *next;
    struct known_sentences sentences;
    uint64_t muted[]; /* a set of rules */
};

struct known {
    const struct rein_policy *policy;
    const struct rein_known_text *texts;
    size_t texts_len;
    struct known_place *places; /* of the hits; next to each other if they are in one text; owned */
    struct known_hit *hits;     /* owned */
    size_t hits_len;
    struct begun_text *begun;                           /* owned */
    uint32_t prompts;                                   /* so far */
    uint32_t attempt;                                   /* whose texts are counted */
    uint32_t texts_begun[REIN_OTHER][REIN_CHOICES_MAX]; /* of each channel and choice */
};

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static void find_lift(struct known_sentences *s)
{
    struct reading r;
    s->lift = UINT64_MAX;
    while (s->lift == UINT64_MAX && reading_read(&s->lifts, &r)) {
        s->lifts_at += r.len;
        if ((r.flags & READING_LIFTED) != 0)
            s->lift = s->lifts_at + r.behind;
    }
}

bool known_sentence_lifts(struct known_sentences *s, uint64_t received)
{
    while (s->lift < received)
        find_lift(s);
    return s->lift == received;
}

/* `wanted`: the text's sentences are read. */
static void open_sentences(struct known_sentences *s, struct span readings, bool wanted)
{
    enum readings_of of = READINGS_OF_NOTHING;
    *s = (struct known_sentences){.rest = readings};
    s->lifts = readings_open(&s->rest, &of) ? s->rest : SPAN("");
    find_lift(s);
    s->is_short = wanted && of != READINGS_OF_SENTENCES;
    if (of != READINGS_OF_SENTENCES)
        s->rest = SPAN("");
}

/* Where the readings end, the text was stopped: nobody read on. That somebody now reads on behind the last sentence
 * that was wanted, or cannot read what is there, is another thing. */
static bool find_next(struct known_sentences *s)
{
    while (!s->has_next && s->rest.len > 0) {
        bool is_one = reading_read(&s->rest, &s->next), is_last = (s->next.flags & READING_NO_MORE) != 0;
        s->has_next = is_one && s->next.len > 0;
        s->is_short |= !is_one || is_last;
        if (!is_one || is_last)
            s->rest = SPAN("");
    }
    return s->has_next;
}

static bool is_paused(const struct known_sentences *s)
{
    return (s->next.flags & READING_PAUSED) != 0;
}

/* One that ended because the text paused ends when it pauses again, or else when it goes on. */
bool known_sentence_due(struct known_sentences *s, uint64_t *end, uint64_t *due)
{
    if (!find_next(s))
        return false;
    *end = s->at + s->next.len;
    *due = *end + (is_paused(s) ? 1 : s->next.behind);
    return true;
}

bool known_sentence_pauses(struct known_sentences *s, uint64_t received)
{
    return find_next(s) && is_paused(s) && s->at + s->next.len == received;
}

void known_sentence_take(struct known_sentences *s, struct reading *out)
{
    assert(s->has_next);
    *out = s->next;
    s->at += s->next.len;
    s->has_next = false;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* Matches of rules that there are, in the order in which they came. */
static int copy_hits(struct known *known, const struct rein_known *from, size_t len)
{
    const struct rein_policy *policy = known->policy;
    known->places = heap_new(len, sizeof *known->places);
    known->hits = heap_new(len, sizeof *known->hits);
    if (known->places == NULL || known->hits == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < len; i++)
        for (uint16_t r = 0; r < policy->rules_len; r++) {
            bool is_it = strcmp(policy->rules[r].id, from[i].rule) == 0 &&
                         (policy->ruleset->rules[r].channels >> from[i].channel & 1) != 0;
            if (!is_it || from[i].len == 0 || known->hits_len == len)
                continue;
            uint64_t end = from[i].offset + from[i].len;
            uint64_t own = policy->ruleset->rules[r].withholds ? from[i].offset : UINT64_MAX;
            uint64_t still = from[i].is_held ? from[i].held : own;
            known->places[known->hits_len] =
                (struct known_place){from[i].channel, from[i].attempt, from[i].choice, from[i].text};
            known->hits[known->hits_len++] =
                (struct known_hit){.match = {.rule = r, .start = from[i].offset, .end = end},
                                   .at = from[i].at > end ? from[i].at : end,
                                   .held = still < own ? still : own,
                                   .still_held = still};
        }
    return 0;
}

int known_new(struct known **out, const struct rein_policy *policy, const struct rein_trace_options *options)
{
    *out = NULL;
    if (options->known_len == 0 && options->known_texts_len == 0)
        return 0;
    struct known *known = heap_new(1, sizeof *known);
    if (known == NULL)
        return REIN_ENOMEM;
    known->policy = policy;
    known->texts = options->known_texts;
    known->texts_len = options->known_texts_len;
    int rv = options->known_len > 0 ? copy_hits(known, options->known, options->known_len) : 0;
    if (rv == 0)
        *out = known;
    else
        known_free(known);
    return rv;
}

void known_free(struct known *known)
{
    if (known == NULL)
        return;
    for (struct begun_text *text = known->begun, *next; text != NULL; text = next) {
        next = text->next;
        heap_free(text);
    }
    heap_free(known->places);
    heap_free(known->hits);
    heap_free(known);
}

static void find_hits(const struct known *known, const struct known_place *at, struct known_text *out)
{
    size_t from = 0, len = 0;
    while (from < known->hits_len && memcmp(&known->places[from], at, sizeof *at) != 0)
        from++;
    while (from + len < known->hits_len && memcmp(&known->places[from + len], at, sizeof *at) == 0)
        len++;
    out->hits_len = len;
    out->hits = len > 0 ? &known->hits[from] : NULL;
}

static bool is_at(const struct rein_known_text *text, const struct known_place *at)
{
    return text->channel == at->channel && text->attempt == at->attempt && text->choice == at->choice &&
           text->text == at->text;
}

/* NULL: nothing is known of the text of this place. */
static const struct rein_known_text *find_known(const struct known *known, const struct known_place *at)
{
    for (size_t i = 0; i < known->texts_len; i++)
        if (is_at(&known->texts[i], at))
            return &known->texts[i];
    return NULL;
}

static bool names_rule(const struct rein_known_text *text, const char *id)
{
    for (size_t i = 0; i < text->rules_len; i++)
        if (strcmp(text->rules[i], id) == 0)
            return true;
    return false;
}

static void mute_known(const struct known *known, const struct rein_known_text *text, uint64_t *muted)
{
    for (size_t r = 0; r < known->policy->rules_len; r++)
        if (names_rule(text, known->policy->rules[r].id))
            muted[r / 64] |= UINT64_C(1) << r % 64;
}

static int find_text(struct known *known, const struct known_place *at, bool wanted, const uint64_t *muted,
                     struct known_text *out)
{
    size_t words = known->policy->rules_len / 64 + 1;
    const struct rein_known_text *its = find_known(known, at);
    *out = (struct known_text){.muted = muted};
    find_hits(known, at, out);
    if (its == NULL)
        return 0;
    struct begun_text *text = heap_new(1, sizeof *text + words * sizeof *text->muted);
    if (text == NULL)
        return REIN_ENOMEM;
    text->next = known->begun;
    known->begun = text;
    if (muted != NULL)
        memcpy(text->muted, muted, words * sizeof *muted);
    mute_known(known, its, text->muted);
    out->muted = text->muted;
    if (its->readings == NULL)
        return 0;
    out->risk = (struct span){its->readings, its->readings_len};
    open_sentences(&text->sentences, out->risk, wanted);
    out->sentences = &text->sentences;
    return 0;
}

int known_prompt(struct known *known, struct known_text *out)
{
    const struct known_place at = {.channel = REIN_PROMPT, .text = known->prompts++};
    return find_text(known, &at, false, NULL, out);
}

int known_response(struct known *known, enum rein_channel channel, uint32_t attempt, uint32_t choice,
                   bool has_sentences, const uint64_t *muted, struct known_text *out)
{
    if (known->attempt != attempt)
        memset(known->texts_begun, 0, sizeof known->texts_begun);
    known->attempt = attempt;
    *out = (struct known_text){.muted = muted};
    if (channel >= REIN_OTHER)
        return 0;
    const struct known_place at = {channel, attempt, choice, known->texts_begun[channel][choice]++};
    return find_text(known, &at, has_sentences, muted, out);
}
